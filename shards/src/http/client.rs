//! A simple client: one connection, HTTP/1.1 or HTTP/2, in clear text or over TLS.
//!
//! HTTP/2 carries any number of requests at once, HTTP/1.1 one after the other (callers queue). The connection
//! lives on the shard that opened it and ends when the last clone of its client is dropped. Nothing is retried and
//! nothing is pooled here: who uses a client knows what may be repeated.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::{Body, BodyError, MinimumProgress};
use super::connection::Chain;
use super::rt::{ShardExecutor, ShardTimer};
use crate::net::TcpStream;
use crate::{Class, Task, spawn, time};

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, with prior knowledge where there is no TLS.
    Http2,
}

/// How a client connects, and what it takes.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Which HTTP is spoken.
    pub version: Version,
    /// TLS with the server name that is checked. Its ALPN is set here.
    pub tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    /// For the TCP connection and the handshakes.
    pub connect_timeout: Duration,
    /// Bytes of a whole answer ([`Client::send`]).
    pub max_response_bytes: usize,
    /// How slowly a server may send.
    pub body_progress: MinimumProgress,
    /// Bytes a server may send on an HTTP/2 stream before they are read.
    pub stream_window: u32,
    /// Bytes a server may send on an HTTP/2 connection before they are read.
    pub connection_window: u32,
    /// The class of the connection's task.
    pub class: Class,
}

impl ClientOptions {
    /// Clear text, answers of at most 64 MiB.
    pub fn new(version: Version) -> Self {
        Self {
            version,
            tls: None,
            connect_timeout: Duration::from_secs(5),
            max_response_bytes: 64 * 1024 * 1024,
            body_progress: MinimumProgress::default(),
            stream_window: 1024 * 1024,
            connection_window: 4 * 1024 * 1024,
            class: Class::Ingest,
        }
    }
}

/// What went wrong between the request and its answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The connection broke, or the other side does not speak this protocol.
    #[error("{0}")]
    Protocol(String),
    /// The answer's body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl Error {
    /// Whether trying again on a new connection may help. Whether the first try had an effect is not known.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Protocol(_) => true,
            Self::Body(error) => error.is_retryable(),
        }
    }

    fn protocol(error: &hyper::Error) -> Self {
        Self::Protocol(Chain(error).to_string())
    }
}

enum Sender {
    Http1(tokio::sync::Mutex<http1::SendRequest<Full<Bytes>>>),
    Http2(RefCell<http2::SendRequest<Full<Bytes>>>),
}

struct Inner {
    sender: Sender,
    /// Drives the connection; dropping it closes the socket.
    _driver: Task<()>,
    host: HeaderValue,
    options: ClientOptions,
}

/// A connection to a server. Clones share it.
#[derive(Clone)]
pub struct Client {
    inner: Rc<Inner>,
}

impl Client {
    /// Connects in clear text with default options.
    pub async fn connect(address: SocketAddr, version: Version) -> Result<Self, Error> {
        Self::connect_with(address, ClientOptions::new(version)).await
    }

    /// Connects.
    pub async fn connect_with(address: SocketAddr, options: ClientOptions) -> Result<Self, Error> {
        let failed = |source| Error::Connect { address, source };
        let limit = options.connect_timeout;
        let connected = time::timeout(limit, Self::establish(address, options)).await;
        connected.unwrap_or_else(|_| Err(failed(std::io::ErrorKind::TimedOut.into())))
    }

    async fn establish(address: SocketAddr, options: ClientOptions) -> Result<Self, Error> {
        let failed = |source| Error::Connect { address, source };
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        match options.tls.clone() {
            None => Self::handshake(stream, address.to_string(), options).await,
            Some((config, name)) => {
                let mut config = (*config).clone();
                config.alpn_protocols = vec![match options.version {
                    Version::Http1 => b"http/1.1".to_vec(),
                    Version::Http2 => b"h2".to_vec(),
                }];
                let host = format!("{}:{}", name.to_str(), address.port());
                let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
                    .connect(name, stream)
                    .await
                    .map_err(failed)?;
                Self::handshake(stream, host, options).await
            }
        }
    }

    async fn handshake<S>(stream: S, host: String, options: ClientOptions) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let io = TokioIo::new(stream);
        let ended = |result: Result<(), hyper::Error>| {
            if let Err(error) = result {
                tracing::debug!(error = %Chain(&error), "client connection ended");
            }
        };
        let (sender, driver) = match options.version {
            Version::Http1 => {
                let (sender, connection) = http1::handshake(io)
                    .await
                    .map_err(|error| Error::protocol(&error))?;
                let driver = spawn(options.class, async move { ended(connection.await) });
                (Sender::Http1(tokio::sync::Mutex::new(sender)), driver)
            }
            Version::Http2 => {
                let executor = ShardExecutor {
                    class: options.class,
                    write_timeout: Duration::MAX,
                };
                let (sender, connection) = http2::Builder::new(executor)
                    .timer(ShardTimer)
                    .initial_stream_window_size(options.stream_window)
                    .initial_connection_window_size(options.connection_window)
                    .handshake(io)
                    .await
                    .map_err(|error| Error::protocol(&error))?;
                let driver = spawn(options.class, async move { ended(connection.await) });
                (Sender::Http2(RefCell::new(sender)), driver)
            }
        };
        let host = HeaderValue::try_from(host)
            .map_err(|error| Error::Protocol(format!("bad host name: {error}")))?;
        Ok(Self {
            inner: Rc::new(Inner {
                sender,
                _driver: driver,
                host,
                options,
            }),
        })
    }

    /// Whether the connection can carry another request.
    pub fn is_open(&self) -> bool {
        match &self.inner.sender {
            Sender::Http1(sender) => sender.try_lock().is_ok_and(|sender| !sender.is_closed()),
            Sender::Http2(sender) => !sender.borrow().is_closed(),
        }
    }

    /// Sends a request and returns its answer as it comes in. The URI may be a path alone.
    pub async fn send_streaming(&self, request: Request<Bytes>) -> Result<Response<Body>, Error> {
        let request = self.complete(request)?;
        let failed = |error: hyper::Error| Error::protocol(&error);
        let response: Response<Incoming> = match &self.inner.sender {
            Sender::Http1(sender) => {
                let mut sender = sender.lock().await;
                sender.ready().await.map_err(failed)?;
                sender.send_request(request).await.map_err(failed)?
            }
            Sender::Http2(sender) => {
                // A clone, so that nothing is borrowed while waiting for the stream.
                let mut sender = sender.borrow().clone();
                sender.ready().await.map_err(failed)?;
                sender.send_request(request).await.map_err(failed)?
            }
        };
        let progress = self.inner.options.body_progress;
        Ok(response.map(|body| Body::incoming(body, progress)))
    }

    /// Sends a request and returns its whole answer.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let response = self.send_streaming(request).await?;
        let (parts, mut body) = response.into_parts();
        let limit = self.inner.options.max_response_bytes;
        let bytes = body.collect_as(limit, crate::memory::Kind::Query).await?;
        Ok(Response::from_parts(parts, bytes))
    }

    /// Adds what the protocol needs: an absolute target for HTTP/2, a Host for HTTP/1.
    fn complete(&self, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, Error> {
        let (mut parts, body) = request.into_parts();
        let bad = |error: &dyn std::fmt::Display| Error::Protocol(format!("bad request: {error}"));
        match self.inner.sender {
            Sender::Http1(_) => {
                if !parts.headers.contains_key(header::HOST) {
                    parts.headers.insert(header::HOST, self.inner.host.clone());
                }
            }
            Sender::Http2(_) => {
                let secure = self.inner.options.tls.is_some();
                let scheme = if secure { "https" } else { "http" };
                let mut uri = parts.uri.into_parts();
                if uri.authority.is_none() {
                    let host = self.inner.host.as_bytes();
                    let authority = http::uri::Authority::try_from(host);
                    uri.authority = Some(authority.map_err(|error| bad(&error))?);
                }
                if uri.scheme.is_none() {
                    let scheme = http::uri::Scheme::try_from(scheme);
                    uri.scheme = Some(scheme.map_err(|error| bad(&error))?);
                }
                parts.uri = http::Uri::from_parts(uri).map_err(|error| bad(&error))?;
            }
        }
        Ok(Request::from_parts(parts, Full::new(body)))
    }
}
