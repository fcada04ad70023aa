//! Every maximum of this crate that is not a setting.

use std::time::Duration;

/// Bytes of an upload's part when the configuration does not say; also what a small upload may have to be sent at once.
pub const PART_BYTES: usize = 8 << 20;

/// S3 and Google refuse smaller parts (but for the last one).
pub const LEAST_PART_BYTES: usize = 5 << 20;

/// Longest part whatever the configuration says: an upload holds [`PARTS_IN_FLIGHT`] + 1 of them in memory.
pub const MOST_PART_BYTES: usize = 256 << 20;

/// After so many parts they get longer by their first length, so that 10,000 of them (the limit of the stores) hold large blocks.
pub const PARTS_BEFORE_GROWTH: usize = 1_000;

/// Parts of one upload under way at once.
pub const PARTS_IN_FLIGHT: usize = 3;

/// Requests to one store under way at once; the others wait.
pub const REQUESTS_AT_ONCE: usize = 256;

/// Longest object that is read whole (metas, blooms, tenant indexes).
pub const GET_BYTES: u64 = 512 << 20;

/// Longest range that is read at once.
pub const RANGE_BYTES: u64 = 1 << 30;

/// Longest answer that is kept in an error's text.
pub const ERROR_TEXT_BYTES: usize = 500;

/// Time for a connection to a store.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for an answer's head, and between any two pieces of its body.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Time for one attempt, without what [`SLOWEST_BYTES_PER_SECOND`] adds.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// A body that is slower than this is given up.
pub const SLOWEST_BYTES_PER_SECOND: u64 = 256 << 10;

/// From the first attempt on; no attempt begins later. Signatures are valid for longer.
pub const RETRY_TIME: Duration = Duration::from_secs(120);

/// Attempts of one request, whatever the configuration says.
pub const MOST_ATTEMPTS: u32 = 100;

/// Attempts to get credentials from the machine's own service.
pub const CREDENTIAL_ATTEMPTS: u32 = 3;

/// Times a read is sent, whatever `hedge_requests_up_to` says.
pub const MOST_HEDGES: u32 = 8;

/// Listings of one tenant at once, whatever `list_blocks_concurrency` says.
pub const MOST_LISTINGS: u32 = 64;

/// Objects removed at once when a folder is.
pub const DELETES_AT_ONCE: usize = 16;

/// First pause after a failed poll of the blocklist, and the longest one.
pub const POLL_RETRY_MIN: Duration = Duration::from_secs(1);
pub const POLL_RETRY_MAX: Duration = Duration::from_secs(15);

/// Metas of one tenant read at once, whatever `blocklist_poll_concurrency` says.
pub const MOST_METAS_AT_ONCE: usize = 1_000;

/// Tenants polled at once, whatever `blocklist_poll_tenant_concurrency` says.
pub const MOST_TENANTS_AT_ONCE: usize = 100;

/// Age of what is deleted of tenants without blocks, when `empty_tenant_deletion_age` is 0.
pub const DEFAULT_EMPTY_TENANT_AGE: Duration = Duration::from_secs(12 * 3600);

/// Times that a poll reads a meta, beside the retries of the store's client.
pub const META_ATTEMPTS: u32 = 4;

/// Folders of the local store that need not be made sure of again.
pub const FOLDERS_REMEMBERED: usize = 10_000;
