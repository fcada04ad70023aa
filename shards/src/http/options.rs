//! What a server allows. Every maximum of one connection stands here.

use std::sync::Arc;
use std::time::Duration;

use super::body::MinimumProgress;
use super::guard::Patience;
use crate::Class;

/// HTTP/2 settings.
#[derive(Clone, Copy, Debug)]
pub struct Http2Options {
    /// Streams one client may have open at once on a connection.
    pub max_concurrent_streams: u32,
    /// Bytes a client may send on a stream before they are read.
    pub stream_window: u32,
    /// Bytes a client may send on a connection before they are read.
    pub connection_window: u32,
    /// Largest frame a client may send.
    pub max_frame: u32,
    /// Bytes of an answer held for one stream while the client's window is full.
    pub send_buffer: usize,
    /// Pings a quiet client this often; `None` never.
    pub keep_alive_interval: Option<Duration>,
    /// Closes the connection if a ping has no answer for so long.
    pub keep_alive_timeout: Duration,
}

impl Default for Http2Options {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 100,
            stream_window: 512 * 1024,
            connection_window: 1024 * 1024,
            max_frame: 16 * 1024,
            send_buffer: 256 * 1024,
            keep_alive_interval: Some(Duration::from_secs(7200)),
            keep_alive_timeout: Duration::from_secs(20),
        }
    }
}

/// How one listener serves. All of it counts per call of [`super::serve`], so per shard.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// `protocol` in the connection metrics, and the name in logs.
    pub name: &'static str,
    /// TLS, if the listener speaks it.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// The class of connections, and of handlers without one of their own.
    pub class: Class,
    /// Whether HTTP/1 is spoken (HTTP/2 only otherwise).
    pub http1: bool,
    /// Whether HTTP/2 is spoken: with prior knowledge in clear text, by ALPN over TLS.
    pub http2: bool,
    /// For a TLS handshake, and for a request's head from its first byte to its last.
    pub header_timeout: Duration,
    /// For a connection without requests; `None` keeps it for ever.
    pub idle_timeout: Option<Duration>,
    /// After this time the client is asked to come again on a new connection, give or take a tenth; `None` never.
    pub max_age: Option<Duration>,
    /// How long requests may go on after that; `None` for as long as they take.
    pub max_age_grace: Option<Duration>,
    /// For a client that does not take its answer.
    pub write_timeout: Duration,
    /// How slowly a client may send a body.
    pub body_progress: MinimumProgress,
    /// Connections at once; further ones wait in the listener's backlog. 0 for no limit but that of file descriptors.
    pub max_connections: usize,
    /// Bytes of a request's head (at least 8 KiB).
    pub max_header_bytes: usize,
    /// HTTP/2 settings.
    pub h2: Http2Options,
    /// How long requests may go on after the shutdown signal.
    pub drain_timeout: Duration,
}

/// hyper's smallest read buffer.
const MIN_HEADER_BYTES: usize = 8 * 1024;

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            name: "http",
            tls: None,
            class: Class::Ingest,
            http1: true,
            http2: true,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Some(Duration::from_secs(120)),
            max_age: None,
            max_age_grace: None,
            write_timeout: Duration::from_secs(30),
            body_progress: MinimumProgress::default(),
            max_connections: 10_000,
            max_header_bytes: 64 * 1024,
            h2: Http2Options::default(),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl ServerOptions {
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            header: self.header_timeout,
            idle: self.idle_timeout,
            write: self.write_timeout,
        }
    }

    pub(crate) fn header_bytes(&self) -> usize {
        self.max_header_bytes.max(MIN_HEADER_BYTES)
    }

    pub(crate) fn connection_limit(&self) -> usize {
        match self.max_connections {
            0 => usize::MAX,
            limit => limit,
        }
    }
}
