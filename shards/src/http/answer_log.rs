//! Who wants to know of finished requests, to log them.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, Method, Uri};

use super::response::Response;

/// A request of a [`super::Router`] with its answer, before that is compressed and sent.
#[derive(Debug)]
pub struct Answered<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The request's target.
    pub uri: &'a Uri,
    /// The request's headers; empty unless [`AnswerLog::wants_headers`].
    pub headers: &'a HeaderMap,
    /// The client.
    pub peer: SocketAddr,
    /// The answer.
    pub response: &'a Response,
    /// From the request's head to the answer.
    pub took: Duration,
}

/// Told of every answer but those of gRPC. Runs on the way of each request: it should look at the status first.
pub trait AnswerLog {
    /// Whether the request's headers are needed. They are copied then, so it should be false while nothing is logged.
    fn wants_headers(&self) -> bool;

    /// A request is about to get its answer.
    fn answered(&self, answered: &Answered<'_>);
}
