//! Which addresses the process listens on, and how each is served.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use vivace_config::Config;
use vivace_config::blocks::receivers::{GrpcReceiver, HttpReceiver};
use vivace_config::blocks::server::Server;
use vivace_config::types::Duration as ConfigDuration;
use vivace_distributor as distributor;
use vivace_shards::Class;
use vivace_shards::http::{Http2Options, ServerOptions};

use crate::settings::{self, HeaderError, span};
use crate::tls::{self, TlsError};

/// Requests get this long to finish at a stop, whatever `graceful_shutdown_timeout` says: a stop takes 30 s at most.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// A connection that idles longer has been forgotten by its client.
const IDLE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Longer than anybody waits.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// For ports of a process that has just ended.
const PORT_WAIT_MAX: Duration = Duration::from_secs(3);
const PORT_WAIT: Duration = Duration::from_millis(20);

/// What is served on an address.
#[derive(Debug, Clone)]
pub enum Surface {
    /// The query API and the operators' pages.
    Http,
    /// gRPC of the server (health; with `stream_over_http_enabled` on the HTTP port too).
    Grpc,
    /// Only `/ready`, in clear text (`internal_server`).
    Internal,
    /// OTLP/gRPC with the largest message in bytes.
    OtlpGrpc(usize),
    /// OTLP/HTTP.
    OtlpHttp(Arc<OtlpHttp>),
}

/// An OTLP/HTTP receiver.
#[derive(Debug)]
pub struct OtlpHttp {
    /// Largest body in bytes.
    pub max_body_bytes: usize,
    /// Its other keys.
    pub receiver: distributor::HttpReceiver,
}

impl Surface {
    /// Ingest stops before queries do.
    pub fn is_ingest(&self) -> bool {
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
    /// Connections of the whole process; 0 = as many as `options` allow on each shard.
    pub connection_limit: u32,
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
    /// A header of answers can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
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
    let mut listeners = Vec::new();
    let mut add = |bound: Bound, surface, options: ServerOptions| -> Result<(), ListenError> {
        let address = resolve(options.name, &bound)?;
        listeners.push(Listener {
            name: options.name,
            address,
            surface,
            options,
            connection_limit: bound.connection_limit,
        });
        Ok(())
    };

    add(Bound::http(server), Surface::Http, http("http", server)?)?;

    let mut grpc = ServerOptions {
        name: "grpc",
        http1: false,
        idle_timeout: finite(server.grpc_server_max_connection_idle),
        max_age: finite(server.grpc_server_max_connection_age),
        max_age_grace: finite(server.grpc_server_max_connection_age_grace),
        ..base(server)
    };
    grpc.tls = tls::server("grpc", &server.grpc_tls_config, server)?;
    grpc.h2.keep_alive_interval = Some(span(server.grpc_server_keepalive_time));
    grpc.h2.keep_alive_timeout = span(server.grpc_server_keepalive_timeout);
    let bound = Bound {
        address: format!("{}:{}", server.grpc_listen_address, server.grpc_listen_port),
        network: server.grpc_listen_network.clone(),
        connection_limit: server.grpc_listen_conn_limit,
    };
    add(bound, Surface::Grpc, grpc)?;

    let internal = &config.internal_server;
    if internal.enable {
        let options = http("internal", &internal.server)?;
        add(Bound::http(&internal.server), Surface::Internal, options)?;
    }

    let receivers = config.distributor.receivers.effective();
    for receiver in receivers.otlp_grpc() {
        let options = otlp_grpc_options(receiver)?;
        let largest = usize::try_from(receiver.max_message_bytes()).unwrap_or(usize::MAX);
        let bound = Bound::receiver(&receiver.endpoint, &receiver.transport);
        add(bound, Surface::OtlpGrpc(largest), options)?;
    }
    for receiver in receivers.otlp_http() {
        let options = otlp_http_options(receiver)?;
        let bound = Bound::receiver(&receiver.endpoint, &receiver.transport);
        let receiver = settings::http_receiver(receiver)?;
        add(bound, Surface::OtlpHttp(Arc::new(receiver)), options)?;
    }
    Ok(listeners)
}

/// Where a listener listens.
struct Bound {
    /// `host:port`; an empty host is every address of the machine.
    address: String,
    /// `tcp`, `tcp4` or `tcp6`.
    network: String,
    /// 0 = none of its own.
    connection_limit: u32,
}

impl Bound {
    fn http(server: &Server) -> Self {
        Self {
            address: format!("{}:{}", server.http_listen_address, server.http_listen_port),
            network: server.http_listen_network.clone(),
            connection_limit: server.http_listen_conn_limit,
        }
    }

    fn receiver(endpoint: &str, transport: &str) -> Self {
        Self {
            address: endpoint.to_owned(),
            network: transport.to_owned(),
            connection_limit: 0,
        }
    }
}

/// What the HTTP and gRPC listeners of a `server` block have in common.
fn base(server: &Server) -> ServerOptions {
    let mut base = ServerOptions {
        class: Class::Query,
        header_timeout: first_set(
            server.http_server_read_header_timeout,
            server.http_server_read_timeout,
        ),
        idle_timeout: Some(first_set(
            server.http_server_idle_timeout,
            server.http_server_read_timeout,
        )),
        write_timeout: first_set(server.http_server_write_timeout, ConfigDuration::ZERO),
        drain_timeout: span(server.graceful_shutdown_timeout).min(DRAIN_MAX),
        ..ServerOptions::default()
    };
    base.h2.max_concurrent_streams = streams(server.grpc_server_max_concurrent_streams);
    base
}

fn http(name: &'static str, server: &Server) -> Result<ServerOptions, ListenError> {
    Ok(ServerOptions {
        name,
        tls: tls::server(name, &server.http_tls_config, server)?,
        ..base(server)
    })
}

/// Go's servers write "never" as the longest duration, or as 0.
fn finite(duration: ConfigDuration) -> Option<Duration> {
    let duration = span(duration);
    (!duration.is_zero() && duration < FOREVER).then_some(duration)
}

fn otlp_grpc_options(receiver: &GrpcReceiver) -> Result<ServerOptions, ListenError> {
    let mut h2 = Http2Options {
        max_concurrent_streams: streams(receiver.max_concurrent_streams),
        ..Http2Options::default()
    };
    let (mut idle_timeout, mut max_age, mut max_age_grace) = (None, None, None);
    if let Some(server) = receiver
        .keepalive
        .as_ref()
        .and_then(|keepalive| keepalive.server_parameters.as_ref())
    {
        idle_timeout = finite(server.max_connection_idle);
        max_age = finite(server.max_connection_age);
        max_age_grace = finite(server.max_connection_age_grace);
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
        idle_timeout,
        max_age,
        max_age_grace,
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
        idle_timeout: Some(first_set(receiver.idle_timeout, receiver.read_timeout)),
        write_timeout: first_set(receiver.write_timeout, ConfigDuration::ZERO),
        drain_timeout: DRAIN_MAX,
        tls: tls::receiver("otlp_http", receiver.tls.as_ref())?,
        ..ServerOptions::default()
    })
}

/// The first of two durations that is set, or a day.
fn first_set(one: ConfigDuration, other: ConfigDuration) -> Duration {
    [one, other]
        .into_iter()
        .map(span)
        .find(|duration| !duration.is_zero())
        .map_or(IDLE_MAX, |duration| duration.min(IDLE_MAX))
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

fn resolve(name: &'static str, bound: &Bound) -> Result<SocketAddr, ListenError> {
    let address = bound.address.as_str();
    let fail = |source| ListenError::Address {
        name,
        address: address.to_owned(),
        source,
    };
    if let Some(port) = address.strip_prefix(':') {
        let port = port
            .parse()
            .map_err(|error| fail(std::io::Error::other(error)))?;
        let v6 = match bound.network.as_str() {
            "tcp4" => false,
            "tcp6" => true,
            // [::] takes IPv4 too; machines without IPv6 don't have it.
            _ => TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok(),
        };
        let every: IpAddr = match v6 {
            true => Ipv6Addr::UNSPECIFIED.into(),
            false => Ipv4Addr::UNSPECIFIED.into(),
        };
        return Ok(SocketAddr::new(every, port));
    }
    let mut found: Vec<SocketAddr> = address.to_socket_addrs().map_err(fail)?.collect();
    match bound.network.as_str() {
        "tcp4" => found.retain(SocketAddr::is_ipv4),
        "tcp6" => found.retain(SocketAddr::is_ipv6),
        _ => {}
    }
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
/// long as they do, they would get a share of the connections. So this waits for them, before any shard has started.
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
