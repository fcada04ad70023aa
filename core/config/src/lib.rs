//! Vivace's configuration: Tempo's YAML and flags, typed, with Vivace's own keys. See README.md.

mod block;
pub mod blocks;
mod check;
pub mod env;
mod error;
mod field;
pub mod flags;
mod limits;
mod load;
pub mod overrides;
mod removed;
pub mod tenant;
pub mod types;
pub mod yaml;

pub use blocks::root::Config;
pub use check::Warning;
pub use error::{Error, Problem, Problems};
pub use field::{Block, Field, KeyInfo, Reader, Secrets};
pub use flags::{Command, Invocation};
pub use load::{EMBEDDED_DEFAULTS, Env, Loaded, Source, View, load};
pub use overrides::{LimitSource, Resolver, TenantFile, TenantLimits};
