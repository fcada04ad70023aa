//! What a gRPC handler gets.

use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use http::HeaderMap;

use crate::time::Instant;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The full method, `/package.Service/Method`.
    pub method: Rc<str>,
    /// The request's headers, gRPC's own among them.
    pub metadata: HeaderMap,
    /// The request message, decompressed; empty for methods that read a stream.
    pub message: Bytes,
    /// When the client stops waiting. The handler is dropped then; it need not look.
    pub deadline: Option<Instant>,
    /// The client's address.
    pub peer: SocketAddr,
}

impl Call {
    /// The first value of a metadata key, if it is visible ASCII.
    pub fn metadata_str(&self, name: &str) -> Option<&str> {
        self.metadata
            .get(name)
            .and_then(|value| value.to_str().ok())
    }
}
