//! TCP sockets: real ones through the shard's driver, or simulated ones.
//!
//! Streams implement tokio's `AsyncRead` and `AsyncWrite` (the traits only; no tokio runtime is
//! involved). A socket belongs to the shard that opened it.

mod balance;
mod listener;
mod stream;

pub use listener::{ListenOptions, TcpListener};
pub use stream::TcpStream;
