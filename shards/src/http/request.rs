//! What a handler gets.

use std::net::SocketAddr;

use http::{HeaderMap, Method, Uri, Version};

use super::body::Body;

/// The values of a template's variables, percent-decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(pub(crate) Vec<(String, String)>);

impl Params {
    /// The value of the variable `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// One request on its way through a handler.
#[derive(Debug)]
pub struct RequestContext {
    /// The method.
    pub method: Method,
    /// The target as it was sent: not decoded.
    pub uri: Uri,
    /// HTTP/1.0 to 2.
    pub version: Version,
    /// Values of the path template's variables.
    pub params: Params,
    /// The headers.
    pub headers: HeaderMap,
    /// The client's address.
    pub peer: SocketAddr,
    /// The body, not read yet.
    pub body: Body,
}

impl RequestContext {
    /// The path as it was sent.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query string without its `?`; empty if there is none.
    pub fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// The first value of a header, if it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
