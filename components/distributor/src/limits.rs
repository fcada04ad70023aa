//! Every maximum of the distributor in one place.

use std::time::Duration;

/// OTLP/HTTP: largest body after decompression, unless configured (http-api.md §14).
pub const HTTP_BODY_BYTES: usize = 20 << 20;

/// OTLP/gRPC: largest message after decompression, unless configured.
pub const GRPC_MESSAGE_BYTES: usize = 4 << 20;

/// Tenants one process keeps rates and counters for.
pub const MAX_TENANTS: usize = 100_000;

/// A tenant without a request for this long makes room for another.
pub const TENANT_IDLE: Duration = Duration::from_secs(600);

/// Scanners kept for the next request, per shard. Several scan at once only when large requests breathe.
pub const IDLE_SCANNERS: usize = 2;

/// Series of `tempo_distributor_debug_spans_received_total`; spans beyond are counted together.
pub const DEBUG_SERIES: usize = 10_000;

/// Longest artificial delay: a client gives up before a longer one ends.
pub const MAX_ARTIFICIAL_DELAY: Duration = Duration::from_secs(60);

/// Lines a second: failed requests; truncated attributes (observability.md §4).
pub const FAILURE_LINES_PER_SECOND: u32 = 10;
pub const TRUNCATION_LINES_PER_SECOND: u32 = 1;

/// Longest message of a client's error, in bytes: texts quote outside data.
pub const MAX_MESSAGE_BYTES: usize = 1024;
