//! One connection to the OTLP receiver.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use vivace_shards::grpc::client::{CallOptions, Client as GrpcClient};
use vivace_shards::grpc::{Code, Status};
use vivace_shards::http::client::{Client, Error, Version};
use vivace_shards::http::compression::{self, Encoding};
use vivace_shards::time;

use super::limits::MAX_QUOTE;
use super::options::{Options, Protocol};

const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Acknowledged.
    Accepted {
        /// Spans that were rejected all the same (partial success).
        rejected: u64,
        /// Body bytes as sent.
        bytes: usize,
    },
    /// Come back later.
    Refused(String),
    /// Anything else, and no answer in time.
    Failed(String),
}

/// How requests are made: the same for all connections.
#[derive(Debug, Clone)]
pub struct Style {
    target: SocketAddr,
    protocol: Protocol,
    encoding: Encoding,
    tenant: HeaderMap,
    timeout: std::time::Duration,
}

impl Style {
    /// From the command line.
    ///
    /// # Errors
    /// If the tenant cannot stand in a header.
    pub fn new(options: &Options) -> Result<Self, InvalidHeaderValue> {
        Ok(Self {
            target: options.target(),
            protocol: options.protocol,
            encoding: options.compression.into(),
            tenant: tenant_header(options)?,
            timeout: options.timeout(),
        })
    }
}

/// The tenant's header, if there is a tenant.
pub fn tenant_header(options: &Options) -> Result<HeaderMap, InvalidHeaderValue> {
    let mut headers = HeaderMap::new();
    if let Some(tenant) = &options.tenant {
        headers.insert(TENANT, HeaderValue::try_from(tenant)?);
    }
    Ok(headers)
}

enum Link {
    Http(Client),
    Grpc(GrpcClient),
}

/// A connection that is made when it is needed, and made anew after a failure.
pub struct Connection {
    style: Style,
    link: Option<Link>,
}

impl Connection {
    /// Not connected yet.
    pub fn new(style: Style) -> Self {
        Self { style, link: None }
    }

    /// Connects, if there is no connection.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub async fn connect(&mut self) -> Result<(), Error> {
        if self.link.is_none() {
            let version = match self.style.protocol {
                Protocol::Http => Version::Http1,
                Protocol::Grpc => Version::Http2,
            };
            // Boxed: handshakes make large futures, and this one is part of many others.
            let client = Box::pin(Client::connect(self.style.target, version)).await?;
            self.link = Some(match self.style.protocol {
                Protocol::Http => Link::Http(client),
                Protocol::Grpc => Link::Grpc(GrpcClient::new(client)),
            });
        }
        Ok(())
    }

    /// Sends an encoded `ExportTraceServiceRequest` and waits for its answer.
    pub async fn send(&mut self, body: Vec<u8>) -> Answer {
        let limit = self.style.timeout;
        let answer = match time::timeout(limit, self.exchange(body)).await {
            Ok(answer) => answer,
            Err(_) => Answer::Failed(format!("no answer within {limit:?}")),
        };
        if matches!(answer, Answer::Failed(_)) {
            self.link = None;
        }
        answer
    }

    async fn exchange(&mut self, body: Vec<u8>) -> Answer {
        if let Err(error) = self.connect().await {
            return Answer::Failed(error.to_string());
        }
        let body = Bytes::from(body);
        match &self.link {
            Some(Link::Http(client)) => match self.style.http_request(body).await {
                Err(text) => Answer::Failed(text),
                Ok(request) => {
                    let bytes = request.body().len();
                    match client.send(request).await {
                        Err(error) => Answer::Failed(error.to_string()),
                        Ok(response) => of_http(response.status(), response.body(), bytes),
                    }
                }
            },
            Some(Link::Grpc(client)) => {
                let options = CallOptions {
                    metadata: self.style.tenant.clone(),
                    encoding: self.style.encoding,
                    ..CallOptions::default()
                };
                let bytes = body.len();
                of_grpc(
                    client
                        .unary(EXPORT, body, &options)
                        .await
                        .map(|(message, _)| message),
                    bytes,
                )
            }
            None => Answer::Failed("not connected".into()),
        }
    }
}

impl Style {
    async fn http_request(&self, body: Bytes) -> Result<Request<Bytes>, String> {
        let mut headers = self.tenant.clone();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        let body = if self.encoding == Encoding::Identity {
            body
        } else {
            headers.insert(
                CONTENT_ENCODING,
                HeaderValue::from_static(self.encoding.name()),
            );
            compression::compress(self.encoding, body)
                .await
                .map_err(|error| error.to_string())?
        };
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/v1/traces");
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn accepted(message: &Bytes, bytes: usize) -> Answer {
    match ExportTraceServiceResponse::decode(message.clone()) {
        Err(error) => Answer::Failed(format!(
            "the answer is no ExportTraceServiceResponse: {error}"
        )),
        Ok(response) => {
            let partial = response.partial_success.unwrap_or_default();
            Answer::Accepted {
                rejected: u64::try_from(partial.rejected_spans).unwrap_or(0),
                bytes,
            }
        }
    }
}

fn of_http(status: StatusCode, body: &Bytes, bytes: usize) -> Answer {
    match status {
        StatusCode::OK => accepted(body, bytes),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Answer::Refused(quote(status.as_str(), body))
        }
        _ => Answer::Failed(quote(status.as_str(), body)),
    }
}

fn of_grpc(answer: Result<Bytes, Status>, bytes: usize) -> Answer {
    match answer {
        Ok(message) => accepted(&message, bytes),
        Err(status) => {
            let text = format!("{:?}: {}", status.code, status.message);
            match status.code {
                Code::ResourceExhausted | Code::Unavailable => Answer::Refused(text),
                _ => Answer::Failed(text),
            }
        }
    }
}

/// A status with the beginning of what the server said about it.
pub fn quote(status: &str, body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_QUOTE)
        .collect();
    format!("{status} {}", text.trim()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let empty = Bytes::from_static(b"\x0a\x00");
        let accepted = Answer::Accepted {
            rejected: 0,
            bytes: 9,
        };
        assert_eq!(of_http(StatusCode::OK, &empty, 9), accepted);
        assert_eq!(of_grpc(Ok(Bytes::new()), 9), accepted);
        let partial = Bytes::from_static(b"\x0a\x02\x08\x03");
        assert_eq!(
            of_http(StatusCode::OK, &partial, 9),
            Answer::Accepted {
                rejected: 3,
                bytes: 9
            }
        );
        for (status, refused) in [(429, true), (503, true), (400, false), (500, false)] {
            let status = StatusCode::from_u16(status).expect("a status");
            let answer = of_http(status, &Bytes::from_static(b"\x08no\n"), 9);
            let text = format!("{} no", status.as_str());
            let expected = if refused {
                Answer::Refused(text)
            } else {
                Answer::Failed(text)
            };
            assert_eq!(answer, expected);
        }
        let full = Status::new(Code::ResourceExhausted, "full");
        assert_eq!(
            of_grpc(Err(full), 9),
            Answer::Refused("ResourceExhausted: full".into())
        );
        let bad = Status::new(Code::InvalidArgument, "bad");
        assert_eq!(
            of_grpc(Err(bad), 9),
            Answer::Failed("InvalidArgument: bad".into())
        );
        let html = of_http(StatusCode::OK, &Bytes::from_static(b"<html>"), 9);
        assert!(matches!(html, Answer::Failed(_)), "{html:?}");
    }
}
