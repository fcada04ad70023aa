//! One connection to the OTLP receiver.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderValue, RETRY_AFTER,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
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
    Refused {
        /// What the server said.
        text: String,
        /// When, if the server said so.
        after: Option<Duration>,
    },
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
    timeout: Duration,
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
    pub async fn send(&mut self, body: Bytes) -> Answer {
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

    async fn exchange(&mut self, body: Bytes) -> Answer {
        if let Err(error) = self.connect().await {
            return Answer::Failed(error.to_string());
        }
        match &self.link {
            Some(Link::Http(client)) => match self.style.http_request(body).await {
                Err(text) => Answer::Failed(text),
                Ok(request) => {
                    let bytes = request.body().len();
                    match client.send(request).await {
                        Err(error) => Answer::Failed(error.to_string()),
                        Ok(response) => of_http(&response, bytes),
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

fn of_http(response: &Response<Bytes>, bytes: usize) -> Answer {
    let (status, body) = (response.status(), response.body());
    match status {
        StatusCode::OK => accepted(body, bytes),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let after = response.headers().get(RETRY_AFTER);
            let seconds = after.and_then(|value| value.to_str().ok()?.parse().ok());
            Answer::Refused {
                text: quote(status.as_str(), body),
                after: seconds.map(Duration::from_secs),
            }
        }
        _ => Answer::Failed(quote(status.as_str(), body)),
    }
}

fn of_grpc(answer: Result<Bytes, Status>, bytes: usize) -> Answer {
    match answer {
        Ok(message) => accepted(&message, bytes),
        Err(status) => {
            let text = format!("{:?}: {}", status.code, status.message);
            let after = status.retry_delay();
            match status.code {
                Code::ResourceExhausted | Code::Unavailable => Answer::Refused { text, after },
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

    fn answer(status: StatusCode, body: &'static [u8]) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from_static(body));
        *response.status_mut() = status;
        response
    }

    #[test]
    fn answers_are_told_apart() {
        let accepted = Answer::Accepted {
            rejected: 0,
            bytes: 9,
        };
        assert_eq!(of_http(&answer(StatusCode::OK, b"\x0a\x00"), 9), accepted);
        assert_eq!(of_grpc(Ok(Bytes::new()), 9), accepted);
        let partial = answer(StatusCode::OK, b"\x0a\x02\x08\x03");
        assert_eq!(
            of_http(&partial, 9),
            Answer::Accepted {
                rejected: 3,
                bytes: 9
            }
        );
        for (status, refused) in [(429, true), (503, true), (400, false), (500, false)] {
            let status = StatusCode::from_u16(status).expect("a status");
            let text = format!("{} no", status.as_str());
            let expected = if refused {
                Answer::Refused { text, after: None }
            } else {
                Answer::Failed(text)
            };
            assert_eq!(of_http(&answer(status, b"\x08no\n"), 9), expected);
        }
        let bad = Status::new(Code::InvalidArgument, "bad");
        assert_eq!(
            of_grpc(Err(bad), 9),
            Answer::Failed("InvalidArgument: bad".into())
        );
        let html = of_http(&answer(StatusCode::OK, b"<html>"), 9);
        assert!(matches!(html, Answer::Failed(_)), "{html:?}");
    }

    #[test]
    fn hints_to_come_again_are_read() {
        let mut full = answer(StatusCode::TOO_MANY_REQUESTS, b"");
        let header = HeaderValue::from_static("7");
        full.headers_mut().insert(RETRY_AFTER, header);
        let full = of_http(&full, 9);
        let text = "429".to_owned();
        let after = Some(Duration::from_secs(7));
        assert_eq!(full, Answer::Refused { text, after });
        for after in [None, Some(Duration::from_millis(1500))] {
            let full = Status::new(Code::ResourceExhausted, "full");
            let full = match after {
                Some(after) => full.with_retry(after),
                None => full,
            };
            let text = "ResourceExhausted: full".to_owned();
            assert_eq!(of_grpc(Err(full), 9), Answer::Refused { text, after });
        }
    }
}
