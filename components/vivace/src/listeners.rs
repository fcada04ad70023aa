//! Which addresses the process listens on, and how each is served.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use vivace_config::Config;
use vivace_config::blocks::receivers::{GrpcReceiver, HttpReceiver};
use vivace_shards::Class;
use vivace_shards::http::{Http2Options, ServerOptions};

use crate::settings::span;
use crate::tls::{self, TlsError};

/// Requests get this long to finish at a stop, whatever `graceful_shutdown_timeout` says: a stop takes 30 s at most.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// A connection that idles longer has been forgotten by its client.
const IDLE_MAX: Duration = Duration::from_secs(24 * 3600);

/// For ports of a process that has just ended.
const PORT_WAIT_MAX: Duration = Duration::from_secs(3);
const PORT_WAIT: Duration = Duration::from_millis(20);

/// What is served on an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// The query API and the operators' pages.
    Http,
    /// gRPC of the server (health; with `stream_over_http_enabled` on the HTTP port too).
    Grpc,
    /// Only `/ready`, in clear text (`internal_server`).
    Internal,
    /// OTLP/gRPC with the largest message in bytes.
    OtlpGrpc(usize),
    /// OTLP/HTTP with the largest body in bytes.
    OtlpHttp(usize),
}

impl Surface {
    /// Ingest stops before queries do.
    pub fn is_ingest(self) -> bool {
        matches!(self, Self::OtlpGrpc(_) | Self::OtlpHttp(_))
    }
}

/// An address with everything that serving it needs.
#[derive(Debug, Clone)]
pub struct Listener {
    /// For logs and `tempo_tcp_connections`.
    pub name: &'static str,
    /// Resolved.
    pub address: SocketAddr,
    /// What is served.
    pub surface: Surface,
    /// How, for each shard.
    pub options: ServerOptions,
}

/// An address that can't be listened on.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Not an address.
    #[error("{name}: cannot resolve the address {address:?}: {source}")]
    Address {
        name: &'static str,
        address: String,
        source: std::io::Error,
    },
    /// In use, or not allowed.
    #[error("{name}: cannot listen on {address}: {source}")]
    Bind {
        name: &'static str,
        address: SocketAddr,
        source: std::io::Error,
    },
    /// The certificate is unusable.
    #[error("{name}: {source}")]
    Tls {
        name: &'static str,
        source: TlsError,
    },
}

/// All listeners of a configuration, in the order in which they are opened.
pub fn plan(config: &Config) -> Result<Vec<Listener>, ListenError> {
    let server = &config.server;
    let mut base = ServerOptions {
        class: Class::Query,
        header_timeout: first_set(
            server.http_server_read_header_timeout,
            server.http_server_read_timeout,
        ),
        idle_timeout: Some(span(server.http_server_idle_timeout).min(IDLE_MAX)),
        write_timeout: span(server.http_server_write_timeout),
        drain_timeout: span(server.graceful_shutdown_timeout).min(DRAIN_MAX),
        ..ServerOptions::default()
    };
    base.h2.max_concurrent_streams = streams(server.grpc_server_max_concurrent_streams);

    let mut listeners = Vec::new();
    let mut add = |name, address: String, surface, options| -> Result<(), ListenError> {
        let address = resolve(name, &address)?;
        listeners.push(Listener {
            name,
            address,
            surface,
            options,
        });
        Ok(())
    };

    let mut http = ServerOptions {
        name: "http",
        ..base.clone()
    };
    http.tls = tls::server("http", &server.http_tls_config, server)?;
    http.max_connections = limit_or(server.http_listen_conn_limit, http.max_connections);
    let address = format!("{}:{}", server.http_listen_address, server.http_listen_port);
    add("http", address, Surface::Http, http)?;

    let mut grpc = ServerOptions {
        name: "grpc",
        http1: false,
        idle_timeout: None,
        ..base.clone()
    };
    grpc.tls = tls::server("grpc", &server.grpc_tls_config, server)?;
    grpc.max_connections = limit_or(server.grpc_listen_conn_limit, grpc.max_connections);
    grpc.h2.keep_alive_interval = Some(span(server.grpc_server_keepalive_time));
    grpc.h2.keep_alive_timeout = span(server.grpc_server_keepalive_timeout);
    let address = format!("{}:{}", server.grpc_listen_address, server.grpc_listen_port);
    add("grpc", address, Surface::Grpc, grpc)?;

    let internal = &config.internal_server;
    if internal.enable {
        let options = ServerOptions {
            name: "internal",
            ..base
        };
        let address = format!(
            "{}:{}",
            internal.server.http_listen_address, internal.server.http_listen_port
        );
        add("internal", address, Surface::Internal, options)?;
    }

    let receivers = config.distributor.receivers.effective();
    for receiver in receivers.otlp_grpc() {
        let options = otlp_grpc_options(receiver)?;
        let largest = usize::try_from(receiver.max_message_bytes()).unwrap_or(usize::MAX);
        add(
            "otlp_grpc",
            receiver.endpoint.clone(),
            Surface::OtlpGrpc(largest),
            options,
        )?;
    }
    for receiver in receivers.otlp_http() {
        let options = otlp_http_options(receiver)?;
        let largest = usize::try_from(receiver.max_body_bytes()).unwrap_or(usize::MAX);
        add(
            "otlp_http",
            receiver.endpoint.clone(),
            Surface::OtlpHttp(largest),
            options,
        )?;
    }
    Ok(listeners)
}

fn otlp_grpc_options(receiver: &GrpcReceiver) -> Result<ServerOptions, ListenError> {
    let mut h2 = Http2Options {
        max_concurrent_streams: streams(receiver.max_concurrent_streams),
        ..Http2Options::default()
    };
    if let Some(server) = receiver
        .keepalive
        .as_ref()
        .and_then(|keepalive| keepalive.server_parameters.as_ref())
    {
        if !server.time.is_zero() {
            h2.keep_alive_interval = Some(span(server.time));
        }
        if !server.timeout.is_zero() {
            h2.keep_alive_timeout = span(server.timeout);
        }
    }
    Ok(ServerOptions {
        name: "otlp_grpc",
        http1: false,
        idle_timeout: None,
        drain_timeout: DRAIN_MAX,
        tls: tls::receiver("otlp_grpc", receiver.tls.as_ref())?,
        h2,
        ..ServerOptions::default()
    })
}

fn otlp_http_options(receiver: &HttpReceiver) -> Result<ServerOptions, ListenError> {
    Ok(ServerOptions {
        name: "otlp_http",
        header_timeout: first_set(receiver.read_header_timeout, receiver.read_timeout),
        idle_timeout: Some(span(receiver.idle_timeout).min(IDLE_MAX)),
        write_timeout: span(receiver.write_timeout),
        drain_timeout: DRAIN_MAX,
        tls: tls::receiver("otlp_http", receiver.tls.as_ref())?,
        ..ServerOptions::default()
    })
}

/// The first of two durations that is set, or a day.
fn first_set(
    one: vivace_config::types::Duration,
    other: vivace_config::types::Duration,
) -> Duration {
    [one, other]
        .into_iter()
        .map(span)
        .find(|duration| !duration.is_zero())
        .unwrap_or(IDLE_MAX)
}

fn limit_or(configured: u32, default: usize) -> usize {
    if configured == 0 {
        default
    } else {
        configured as usize
    }
}

/// Go's servers take 0 as no limit; here it is the largest number that still bounds memory.
fn streams(configured: u32) -> u32 {
    const MOST: u32 = 1000;
    if configured == 0 {
        MOST
    } else {
        configured.min(MOST)
    }
}

fn resolve(name: &'static str, address: &str) -> Result<SocketAddr, ListenError> {
    let fail = |source| ListenError::Address {
        name,
        address: address.to_owned(),
        source,
    };
    if let Some(port) = address.strip_prefix(':') {
        let port = port
            .parse()
            .map_err(|error| fail(std::io::Error::other(error)))?;
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port));
    }
    let found: Vec<SocketAddr> = address.to_socket_addrs().map_err(fail)?.collect();
    // `localhost` may be both; clients try IPv4 when IPv6 is refused, and not all the other way round.
    let chosen = found
        .iter()
        .find(|address| address.is_ipv4())
        .or(found.first());
    chosen
        .copied()
        .ok_or_else(|| fail(std::io::Error::other("no address has that name")))
}

/// Shards share a port with SO_REUSEPORT, and so would a second process: refuse a port that somebody else has.
///
/// The sockets of a process that was killed can live on for a moment, while the kernel takes its rings apart; and as
/// long as they do, they would get a share of the connections. So this waits for them.
pub fn refuse_ports_in_use(listeners: &[Listener]) -> Result<(), ListenError> {
    let until = Instant::now() + PORT_WAIT_MAX;
    for listener in listeners {
        // The probe's socket is closed at once; the shards bind the port again.
        while let Err(source) = TcpListener::bind(listener.address) {
            if source.kind() != ErrorKind::AddrInUse || Instant::now() > until {
                return Err(ListenError::Bind {
                    name: listener.name,
                    address: listener.address,
                    source,
                });
            }
            std::thread::sleep(PORT_WAIT);
        }
    }
    Ok(())
}

/// The TLS settings of a listener, shared by all shards.
pub type Tls = Option<Arc<rustls::ServerConfig>>;
