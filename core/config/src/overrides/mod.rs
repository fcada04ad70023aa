//! Limits of tenants (configuration.md §8): the file of tenants, the old flat names, and who gets which limits.

mod file;
pub(crate) mod legacy;
mod resolve;

pub use file::TenantFile;
pub use resolve::{LimitSource, Resolver, TenantLimits};
