//! `server` and `internal_server` (configuration.md §4).

use super::tls::{ServerTls, TlsVersion};
use crate::block::{block, choice};
use crate::types::{Duration, hours, mins, secs};

choice! {
    /// The least serious lines that are logged.
    pub enum LogLevel {
        Info = "info",
        Debug = "debug",
        Warn = "warn",
        Error = "error",
    }
}

choice! {
    /// How log lines are written.
    pub enum LogFormat {
        Logfmt = "logfmt",
        Json = "json",
    }
}

block! {
    /// Checks that the other side belongs to the same cluster, over one protocol.
    pub struct GrpcClusterValidation {
        /// Check requests.
        enabled: bool;
        /// Only log what fails the check.
        soft_validation: bool;
    }
}

block! {
    /// Checks that the other side belongs to the same cluster, over HTTP.
    pub struct HttpClusterValidation {
        /// Check requests.
        enabled: bool;
        /// Only log what fails the check.
        soft_validation: bool;
        /// Paths that are not checked, with commas.
        excluded_paths: String;
        /// User agents that are not checked, with commas.
        excluded_user_agents: String;
    }
}

block! {
    /// Checks that the other side belongs to the same cluster.
    pub struct ServerClusterValidation {
        /// Name of the cluster.
        label: String;
        /// Further names that are accepted, with commas.
        additional_labels: String;
        grpc: GrpcClusterValidation;
        http: HttpClusterValidation;
    }
}

block! {
    /// The HTTP and gRPC listeners of the process, and its log.
    pub struct Server {
        /// Network of the HTTP listener: tcp, tcp4 or tcp6.
        http_listen_network: String = "tcp".into();
        /// Address of the HTTP listener; empty = all.
        http_listen_address: String;
        /// Port of the HTTP listener.
        http_listen_port: u16 = 3200;
        /// Most connections of the HTTP listener, shared out evenly over the shards; 0 = 10000 on each shard.
        http_listen_conn_limit: u32;
        /// Network of the gRPC listener: tcp, tcp4 or tcp6.
        grpc_listen_network: String = "tcp".into();
        /// Address of the gRPC listener; empty = all.
        grpc_listen_address: String;
        /// Port of the gRPC listener.
        grpc_listen_port: u16 = 9095;
        /// Most connections of the gRPC listener, shared out evenly over the shards; 0 = 10000 on each shard.
        grpc_listen_conn_limit: u32;
        /// Accepted without effect.
        grpc_collect_max_streams_by_conn: bool = true;
        /// Read the PROXY protocol's header on both listeners.
        proxy_protocol_enabled: bool;
        /// Cipher suites of both listeners, with commas; empty = the library's.
        tls_cipher_suites: String;
        /// Oldest TLS version of both listeners.
        tls_min_version: TlsVersion;
        http_tls_config: ServerTls;
        grpc_tls_config: ServerTls;
        /// Serve /metrics and profiles.
        register_instrumentation: bool = true;
        /// Use gRPC codes in the status label of metrics.
        report_grpc_codes_in_instrumentation_label_enabled: bool;
        /// Longest wait for requests at shutdown; at most 10s of it, so that a stop ends in time.
        graceful_shutdown_timeout: Duration = secs(30);
        /// Longest time in which a request must have been read.
        http_server_read_timeout: Duration = secs(30);
        /// Longest time in which a request's headers must have been read; 0 = `http_server_read_timeout`.
        http_server_read_header_timeout: Duration;
        /// Longest time in which an answer must have been written.
        http_server_write_timeout: Duration = secs(30);
        /// Longest time that a connection may wait for its next request.
        http_server_idle_timeout: Duration = mins(2);
        /// Log connections that were closed without an answer.
        http_log_closed_connections_without_response_enabled: bool;
        /// Largest gRPC message that is received, in bytes.
        grpc_server_max_recv_msg_size: usize = 16_777_216;
        /// Largest gRPC message that is sent, in bytes.
        grpc_server_max_send_msg_size: usize = 16_777_216;
        /// Most gRPC calls at once on one connection; 0 = 1000, which is also the most.
        grpc_server_max_concurrent_streams: u32 = 100;
        /// A gRPC connection without calls is closed after this time.
        grpc_server_max_connection_idle: Duration = Duration::MAX;
        /// A gRPC connection is closed at this age.
        grpc_server_max_connection_age: Duration = Duration::MAX;
        /// Calls may go on for this time after `grpc_server_max_connection_age`.
        grpc_server_max_connection_age_grace: Duration = Duration::MAX;
        /// A silent gRPC connection is pinged after this time.
        grpc_server_keepalive_time: Duration = hours(2);
        /// A gRPC connection that does not answer a ping for this time is closed.
        grpc_server_keepalive_timeout: Duration = secs(20);
        /// Accepted: pings are always answered, and never too many.
        grpc_server_min_time_between_pings: Duration = secs(10);
        /// Accepted: it always may.
        grpc_server_ping_without_stream_allowed: bool = true;
        /// Workers for gRPC calls; accepted, calls run on the shards.
        grpc_server_num_workers: u32;
        /// Accepted: sizes of messages are always exported.
        grpc_server_stats_tracking_enabled: bool = true;
        /// Re-use buffers of gRPC messages; accepted, buffers are always re-used.
        grpc_server_recv_buffer_pools_enabled: bool;
        /// How log lines are written.
        log_format: LogFormat;
        /// Only log the given level and more serious ones.
        log_level: LogLevel;
        /// Log the addresses of clients.
        log_source_ips_enabled: bool;
        /// Log all addresses of the forwarding headers.
        log_source_ips_full: bool;
        /// Header that holds the client's address.
        log_source_ips_header: String;
        /// Regular expression that finds the address in `log_source_ips_header`.
        log_source_ips_regex: String;
        /// Log the headers of requests, except those that hold secrets.
        log_request_headers: bool;
        /// Log requests at level info instead of debug.
        log_request_at_info_level_enabled: bool;
        /// Further headers that are not logged, with commas.
        log_request_exclude_headers_list: String;
        /// Add the headers of requests to our own traces.
        trace_request_headers: bool;
        /// Headers that are not added to our own traces, with commas.
        trace_request_exclude_headers_list: String;
        /// Prefix of every HTTP path; starts with a slash.
        http_path_prefix: String;
        cluster_validation: ServerClusterValidation;
    }
}

block! {
    /// A second, plain HTTP listener for probes, for when the main one speaks TLS.
    pub struct InternalServer {
        [inline] server: Server = Server {
            http_listen_port: 3101,
            grpc_listen_network: String::new(),
            grpc_listen_port: 0,
            grpc_collect_max_streams_by_conn: false,
            register_instrumentation: false,
            grpc_server_max_recv_msg_size: 0,
            grpc_server_max_send_msg_size: 0,
            grpc_server_max_concurrent_streams: 0,
            grpc_server_max_connection_idle: Duration::ZERO,
            grpc_server_max_connection_age: Duration::ZERO,
            grpc_server_max_connection_age_grace: Duration::ZERO,
            grpc_server_keepalive_time: Duration::ZERO,
            grpc_server_keepalive_timeout: Duration::ZERO,
            grpc_server_min_time_between_pings: Duration::ZERO,
            grpc_server_ping_without_stream_allowed: false,
            grpc_server_stats_tracking_enabled: false,
            ..Server::default()
        };
        /// Start it.
        enable: bool;
    }
}
