//! The binary's parts: flags to a running process. See ARCHITECTURE.md.

mod api;
mod barrier;
mod block_command;
mod glue;
mod limits;
mod listeners;
mod logging;
mod memory_guard;
mod metrics;
mod modules;
mod node;
mod process;
mod request_log;
mod settings;
mod shard;
mod status;
mod tenants;
mod tls;
mod version;

pub use listeners::plan;
pub use node::Node;
pub use process::main;
pub use shard::run as run_shard;
