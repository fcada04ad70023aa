//! HTTP/1.1 and HTTP/2 servers and clients on a shard: hyper over [`crate::net`].
//!
//! [`serve`] runs a listener; a [`Router`] finds the handler of a path. Handlers are `async Fn(RequestContext) -> Response` and
//! need not be `Send`: a request is handled on the shard that accepted it. Dropping a handler's future is how it learns
//! that its client has gone.
//!
//! Bounds: connections, streams, header bytes, body bytes (by the handler, with [`Body::collect`]), time for heads, bodies, idle
//! connections and answers ([`ServerOptions`]); buffers are charged to the shard's memory budget.

mod answer_log;
mod body;
mod charged;
pub mod client;
pub mod compression;
mod connection;
mod guard;
pub(crate) mod metrics;
mod options;
mod path;
mod request;
pub mod response;
mod router;
mod rt;
pub(crate) mod run;
mod server;

pub use answer_log::{AnswerLog, Answered};
pub use body::{Body, BodyError, MinimumProgress};
pub use charged::charged_bytes;
pub(crate) use charged::{ChargedBuf, Refused};
pub(crate) use guard::OpenRequest;
pub use options::{Http2Options, ServerOptions};
pub use path::{TemplateError, percent_decode, route_label};
pub use request::{Params, RequestContext};
pub use response::{FrameSource, Response, ResponseBody};
pub use router::{Methods, Route, Router};
pub(crate) use rt::current_stream;
pub use server::{Error, serve};
