//! A gRPC client over [`crate::http::client`]: unary calls and server streams.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request};

use super::frame::{self, Outgoing};
use super::server::{
    CONTENT_TYPE, ENCODINGS, GRPC_ACCEPT_ENCODING, GRPC_ENCODING, GRPC_TIMEOUT, message_encoding,
};
use super::status::{Code, Status};
use super::stream::Messages;
use super::timeout;
use crate::http::client as http_client;
use crate::http::compression::Encoding;
use crate::time;

/// How a call is made.
#[derive(Clone, Debug)]
pub struct CallOptions {
    /// Request metadata.
    pub metadata: HeaderMap,
    /// After which the call ends with `DeadlineExceeded`, on both sides.
    pub timeout: Option<Duration>,
    /// How the request message is compressed.
    pub encoding: Encoding,
    /// The largest answer message taken.
    pub max_recv_message_bytes: usize,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            metadata: HeaderMap::new(),
            timeout: None,
            encoding: Encoding::Identity,
            max_recv_message_bytes: 4 * 1024 * 1024,
        }
    }
}

/// A client on one HTTP/2 connection. Clones share it.
#[derive(Clone)]
pub struct Client {
    http: http_client::Client,
}

/// The answer of a server stream.
pub struct Streaming {
    messages: Option<Messages>,
    deadline: Option<time::Instant>,
}

impl From<http_client::Error> for Status {
    fn from(error: http_client::Error) -> Self {
        Self::new(Code::Unavailable, error.to_string())
    }
}

impl Client {
    /// Calls go over this connection, which must speak HTTP/2.
    pub fn new(http: http_client::Client) -> Self {
        Self { http }
    }

    /// One message out, one back, with the answer's headers.
    pub async fn unary(
        &self,
        path: &str,
        message: Bytes,
        options: &CallOptions,
    ) -> Result<(Bytes, HeaderMap), Status> {
        let call = async {
            let (headers, mut messages) = self.start(path, message, options).await?;
            let answer = messages.next().await?;
            if answer.is_some() && messages.next().await?.is_some() {
                return Err(Status::new(
                    Code::Internal,
                    "more than one answer to a unary call",
                ));
            }
            outcome(&messages)?;
            match answer {
                Some(answer) => Ok((answer, headers)),
                None => Err(Status::new(Code::Internal, "no answer to a unary call")),
            }
        };
        match options.timeout {
            None => call.await,
            Some(limit) => time::timeout(limit, call)
                .await
                .unwrap_or_else(|_| Err(Status::deadline_exceeded())),
        }
    }

    /// One message out, a stream back.
    pub async fn server_streaming(
        &self,
        path: &str,
        message: Bytes,
        options: &CallOptions,
    ) -> Result<Streaming, Status> {
        let deadline = options
            .timeout
            .map(|limit| time::Instant::now().saturating_add(limit));
        let start = self.start(path, message, options);
        let (_, messages) = match options.timeout {
            None => start.await?,
            Some(limit) => time::timeout(limit, start)
                .await
                .unwrap_or_else(|_| Err(Status::deadline_exceeded()))?,
        };
        Ok(Streaming {
            messages: Some(messages.unhurried()),
            deadline,
        })
    }

    async fn start(
        &self,
        path: &str,
        message: Bytes,
        options: &CallOptions,
    ) -> Result<(HeaderMap, Messages), Status> {
        let how = Outgoing {
            encoding: options.encoding,
            max_bytes: usize::MAX,
        };
        let body = frame::encode(message, how).await?;
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.parse().map_err(|error| {
            Status::new(Code::Internal, format!("bad method name {path:?}: {error}"))
        })?;
        let headers = request.headers_mut();
        *headers = options.metadata.clone();
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(GRPC_ACCEPT_ENCODING, ENCODINGS);
        if options.encoding != Encoding::Identity {
            headers.insert(
                GRPC_ENCODING,
                HeaderValue::from_static(options.encoding.name()),
            );
        }
        if let Some(limit) = options.timeout
            && let Ok(value) = HeaderValue::try_from(timeout::format(limit))
        {
            headers.insert(GRPC_TIMEOUT, value);
        }
        let response = self.http.send_streaming(request).await?;
        let (parts, body) = response.into_parts();
        if parts.status != http::StatusCode::OK {
            return Err(Status::from_http(parts.status));
        }
        if let Some(outcome) = Status::read_from(&parts.headers) {
            outcome?;
        }
        let encoding = message_encoding(parts.headers.get(GRPC_ENCODING))?;
        let messages = Messages::new(body, encoding, options.max_recv_message_bytes);
        Ok((parts.headers, messages))
    }
}

/// The outcome in the trailers, after the last message.
fn outcome(messages: &Messages) -> Result<(), Status> {
    match messages.body().trailers().and_then(Status::read_from) {
        Some(outcome) => outcome,
        // The headers had it (an answer without messages), or the stream was cut.
        None => Ok(()),
    }
}

impl Streaming {
    /// The next message, or `None` when the call has ended well.
    pub async fn message(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(messages) = &mut self.messages else {
            return Ok(None);
        };
        let next = async {
            let message = messages.next().await?;
            if message.is_none() {
                outcome(messages)?;
            }
            Ok(message)
        };
        let result = match self.deadline {
            None => next.await,
            Some(deadline) => {
                let left = deadline - time::Instant::now();
                time::timeout(left, next)
                    .await
                    .unwrap_or_else(|_| Err(Status::deadline_exceeded()))
            }
        };
        if !matches!(result, Ok(Some(_))) {
            self.messages = None;
        }
        result
    }
}
