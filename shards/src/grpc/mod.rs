//! gRPC by hand over [`crate::http`]: framing, compression, deadlines, statuses, health and reflection.
//!
//! Handlers take and give messages as bytes: nothing is unmarshalled that the handler does not ask for. A [`Server`] holds
//! methods by full path and is mounted on a router; it answers unary calls and streams whose messages are
//! made no faster than the client takes them. [`client::Client`] is the other side.

mod call;
pub mod client;
mod frame;
pub mod health;
mod proto;
pub mod reflection;
mod server;
mod status;
mod stream;
mod timeout;

pub use call::Call;
pub use proto::{Any, ProtoDuration, RetryInfo, RpcStatus};
pub use server::Server;
pub(crate) use server::is_grpc;
pub use status::{Code, Status};
pub use stream::{Gone, Messages, Sender};
