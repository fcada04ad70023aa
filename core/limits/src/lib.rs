//! Limits as values: rates, bounded per-tenant state, quiet log lines. Time comes in as a parameter; see README.md.

pub mod directory;
pub mod rate;
pub mod tenant_map;
pub mod throttle;

pub use directory::{Directory, DirectoryFull};
pub use rate::{Bucket, RateLimit, Refused, RefusedBecause};
pub use tenant_map::{MapFull, TenantMap};
pub use throttle::Throttle;
