//! The sharded runtime: pinned executors with scheduling classes, mailboxes, timers, sockets,
//! files, HTTP, gRPC, memory budgets, and the simulated world that runs the same code from a seed.
//!
//! Nothing here knows what a trace is. Everything that touches the operating system (clock,
//! randomness, sockets, files) goes through this crate, so that the simulator can stand in for it.

pub mod disk;
pub mod grpc;
pub mod http;
pub mod limits;
pub mod mailbox;
pub mod memory;
pub mod metrics;
pub mod net;
pub mod rand;
pub mod runtime;
pub mod shutdown;
pub mod side;
pub mod sim;
pub mod testing;
pub mod time;
pub mod tls;

mod context;
pub mod event;
mod exec;
mod stats;

pub use context::{driver_name, shard_count, shard_id};
pub use exec::{Class, Task, breathe, breathe_short, lull, spawn, yield_now};

/// The error a shard's `main` may return: anything that can say what went wrong.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;
