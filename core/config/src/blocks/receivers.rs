//! `distributor.receivers`: the receivers of the OpenTelemetry collector, in its syntax (http-api.md §14).
//!
//! A protocol is on when its key is there, even without a value.

use std::collections::BTreeMap;

use crate::block::{block, choice};
use crate::field::{Field, KeyInfo, Reader, Secrets, read_value};
use crate::types::{Any, Csv, Duration, Enabled, MIB, Secret, mins, secs};
use crate::yaml::{Node, Value};

choice! {
    /// A TLS version in the collector's spelling.
    pub enum CollectorTlsVersion {
        Unset = "",
        Tls10 = "1.0",
        Tls11 = "1.1",
        Tls12 = "1.2",
        Tls13 = "1.3",
    }
}

block! {
    /// TLS of a receiver. A client CA file makes client certificates mandatory.
    pub struct ReceiverTls {
        /// File of the certificate chain.
        cert_file: String;
        /// Certificate chain, PEM, inline.
        cert_pem: String;
        /// File of the private key.
        key_file: String;
        /// Private key, PEM, inline.
        key_pem: Secret;
        /// File of further authorities; not used by a server.
        ca_file: String;
        /// Further authorities, PEM, inline; not used by a server.
        ca_pem: String;
        /// File of the certificates that client certificates must descend from.
        client_ca_file: String;
        /// Read `client_ca_file` again when it changes.
        client_ca_file_reload: bool;
        /// Trust the system's authorities too.
        include_system_ca_certs_pool: bool;
        /// Oldest version.
        min_version: CollectorTlsVersion;
        /// Newest version.
        max_version: CollectorTlsVersion;
        /// Cipher suites.
        cipher_suites: Vec<String>;
        /// Key exchange groups.
        curve_preferences: Vec<String>;
        /// Pause between two reads of the certificate's files; 0 = never again.
        reload_interval: Duration;
    }
}

block! {
    /// When connections end.
    pub struct KeepaliveServer {
        /// A connection without calls is closed after this time; 0 = never.
        max_connection_idle: Duration;
        /// A connection is closed at this age; 0 = never.
        max_connection_age: Duration;
        /// Calls may go on for this time after that; 0 = without end.
        max_connection_age_grace: Duration;
        /// A silent connection is pinged after this time; 0 = 2h.
        time: Duration;
        /// A connection that does not answer a ping for this time is closed; 0 = 20s.
        timeout: Duration;
    }
}

block! {
    /// How often clients may ping.
    pub struct KeepaliveEnforcement {
        /// Accepted: pings are always answered, and never too many.
        min_time: Duration;
        /// Accepted: they always may.
        permit_without_stream: bool;
    }
}

block! {
    /// Pings of gRPC connections.
    pub struct Keepalive {
        server_parameters: Option<KeepaliveServer>;
        enforcement_policy: Option<KeepaliveEnforcement>;
    }
}

block! {
    /// A gRPC listener.
    pub struct GrpcReceiver {
        /// Address.
        endpoint: String;
        /// Network.
        transport: String = "tcp".into();
        tls: Option<ReceiverTls>;
        /// Largest message, in MiB; 0 = 4.
        max_recv_msg_size_mib: u64;
        /// Most calls at once on one connection; 0 = 1000, which is also the most.
        max_concurrent_streams: u32;
        /// Accepted without effect: buffers are chosen by Vivace.
        read_buffer_size: u64 = 524_288;
        /// Accepted without effect: buffers are chosen by Vivace.
        write_buffer_size: u64;
        keepalive: Option<Keepalive>;
        /// Not supported.
        auth: Any;
        /// Pass request metadata on; always on.
        include_metadata: bool;
        /// Not supported.
        middlewares: Any;
    }
}

impl GrpcReceiver {
    /// Listening on this address, all else as the collector has it.
    pub fn at(endpoint: &str) -> GrpcReceiver {
        GrpcReceiver {
            endpoint: endpoint.to_string(),
            ..GrpcReceiver::default()
        }
    }

    /// Largest message, in bytes.
    pub fn max_message_bytes(&self) -> u64 {
        const DEFAULT_MIB: u64 = 4;
        let mib = if self.max_recv_msg_size_mib == 0 {
            DEFAULT_MIB
        } else {
            self.max_recv_msg_size_mib
        };
        mib.saturating_mul(MIB)
    }
}

block! {
    /// Requests from pages of other origins.
    pub struct Cors {
        /// Origins; `*` stands for any text.
        allowed_origins: Vec<String>;
        /// Headers that requests may have.
        allowed_headers: Vec<String>;
        /// Headers that pages may see.
        exposed_headers: Vec<String>;
        /// For how many seconds the answer may be kept.
        max_age: u32;
    }
}

block! {
    /// An HTTP listener.
    pub struct HttpReceiver {
        /// Address.
        endpoint: String;
        /// Network.
        transport: String = "tcp".into();
        tls: Option<ReceiverTls>;
        cors: Option<Cors>;
        /// Largest body after decompression, in bytes; 0 = 20 MiB.
        max_request_body_size: u64;
        /// Pass request headers on; always on.
        include_metadata: bool;
        /// Headers of every answer.
        response_headers: BTreeMap<String, Secret>;
        /// Encodings that are accepted, "" for none; empty = all.
        compression_algorithms: Vec<String>;
        /// Longest time in which a request must have been read; 0 = no limit.
        read_timeout: Duration;
        /// Longest time in which a request's headers must have been read.
        read_header_timeout: Duration = mins(1);
        /// Longest time in which an answer must have been written.
        write_timeout: Duration = secs(30);
        /// Longest time that a connection may wait for its next request.
        idle_timeout: Duration = mins(1);
        /// Keep connections for further requests.
        keep_alives_enabled: bool = true;
        /// Not supported.
        auth: Any;
        /// Not supported.
        middlewares: Any;
        /// Path of traces.
        traces_url_path: String = "/v1/traces".into();
        /// Path of metrics; not received.
        metrics_url_path: String = "/v1/metrics".into();
        /// Path of logs; not received.
        logs_url_path: String = "/v1/logs".into();
        /// Path of profiles; not received.
        profiles_url_path: String = "/v1development/profiles".into();
    }
}

impl HttpReceiver {
    /// Listening on this address, all else as the collector has it.
    pub fn at(endpoint: &str) -> HttpReceiver {
        HttpReceiver {
            endpoint: endpoint.to_string(),
            ..HttpReceiver::default()
        }
    }

    /// Largest body after decompression, in bytes.
    pub fn max_body_bytes(&self) -> u64 {
        if self.max_request_body_size == 0 {
            20 * MIB
        } else {
            self.max_request_body_size
        }
    }
}

block! {
    /// The protocols of OTLP.
    pub struct OtlpProtocols {
        grpc: Enabled<GrpcReceiver>;
        http: Enabled<HttpReceiver>;
    }
}

block! {
    /// OTLP.
    pub struct OtlpReceiver {
        protocols: OtlpProtocols;
    }
}

block! {
    /// A UDP listener of Jaeger agents.
    pub struct UdpReceiver {
        /// Address.
        endpoint: String;
        /// Datagrams that wait.
        queue_size: u32 = 1000;
        /// Largest datagram, in bytes.
        max_packet_size: u32 = 65_000;
        /// Workers.
        workers: u32 = 10;
        /// Bytes of the socket's buffer; 0 = the system's.
        socket_buffer_size: u32;
    }
}

block! {
    /// The protocols of Jaeger.
    pub struct JaegerProtocols {
        grpc: Enabled<GrpcReceiver>;
        thrift_http: Enabled<HttpReceiver>;
        thrift_binary: Enabled<UdpReceiver>;
        thrift_compact: Enabled<UdpReceiver>;
    }
}

block! {
    /// Jaeger.
    pub struct JaegerReceiver {
        protocols: JaegerProtocols;
        /// No longer used.
        remote_sampling: Any;
    }
}

block! {
    /// Zipkin.
    pub struct ZipkinReceiver {
        [inline] http: HttpReceiver;
        /// Turn texts that look like numbers and booleans into such.
        parse_string_tags: bool;
    }
}

block! {
    /// OTLP from a Kafka topic.
    pub struct KafkaReceiver {
        /// Brokers.
        brokers: Csv;
        /// Version of the protocol.
        protocol_version: String;
        /// Topic.
        topic: String = "otlp_spans".into();
        /// Encoding of records.
        encoding: String = "otlp_proto".into();
        /// Consumer group.
        group_id: String = "otel-collector".into();
        /// Name of this client.
        client_id: String = "otel-collector".into();
        /// Where to start without a committed offset.
        initial_offset: String = "latest".into();
        /// Look up the canonical names of brokers.
        resolve_canonical_bootstrap_servers_only: bool;
        /// A member without a sign of life for this time is gone.
        session_timeout: Duration = secs(10);
        /// Pause between two signs of life.
        heartbeat_interval: Duration = secs(3);
        /// How partitions are shared.
        group_rebalance_strategy: String;
        /// Fixed name of the member.
        group_instance_id: String;
        /// Least bytes of an answer.
        min_fetch_size: u64 = 1;
        /// Bytes asked for.
        default_fetch_size: u64 = 1_048_576;
        /// Most bytes of an answer.
        max_fetch_size: u64;
        /// Longest wait for the least bytes.
        max_fetch_wait: Duration = Duration::from_nanos(250_000_000);
        /// Most bytes of a partition in an answer.
        max_partition_fetch_size: u64 = 1_048_576;
        /// Rack of this client.
        rack_id: String;
        /// Check leaders by epoch.
        use_leader_epoch: bool;
        tls: Any;
        auth: Any;
        metadata: Any;
        autocommit: Any;
        message_marking: Any;
        header_extraction: Any;
        error_backoff: Any;
        telemetry: Any;
        traces: Any;
        logs: Any;
        metrics: Any;
        profiles: Any;
    }
}

/// One receiver.
#[derive(Clone, Debug, PartialEq)]
pub enum Receiver {
    Otlp(Box<OtlpReceiver>),
    Jaeger(Box<JaegerReceiver>),
    Zipkin(Box<ZipkinReceiver>),
    Kafka(Box<KafkaReceiver>),
}

/// The kinds of receivers, as they are written.
pub const RECEIVER_KINDS: &[&str] = &["otlp", "jaeger", "zipkin", "kafka"];

impl Receiver {
    /// The receiver of a key such as `otlp` or `otlp/second`, with the collector's defaults.
    fn of(key: &str) -> Option<Receiver> {
        match key.split('/').next().unwrap_or_default() {
            "otlp" => Some(Receiver::Otlp(Box::default())),
            "jaeger" => Some(Receiver::Jaeger(Box::default())),
            "zipkin" => {
                let http = HttpReceiver::at("localhost:9411");
                Some(Receiver::Zipkin(Box::new(ZipkinReceiver {
                    http,
                    ..ZipkinReceiver::default()
                })))
            }
            "kafka" => Some(Receiver::Kafka(Box::default())),
            _ => None,
        }
    }

    /// Fills the addresses that the file leaves out: each protocol has its own.
    fn fill_addresses(&mut self) {
        fn fill(endpoint: Option<&mut String>, default: &str) {
            if let Some(endpoint) = endpoint
                && endpoint.is_empty()
            {
                *endpoint = default.to_string();
            }
        }
        match self {
            Receiver::Otlp(otlp) => {
                fill(
                    otlp.protocols
                        .grpc
                        .0
                        .as_mut()
                        .map(|grpc| &mut grpc.endpoint),
                    "localhost:4317",
                );
                fill(
                    otlp.protocols
                        .http
                        .0
                        .as_mut()
                        .map(|http| &mut http.endpoint),
                    "localhost:4318",
                );
            }
            Receiver::Jaeger(jaeger) => {
                let protocols = &mut jaeger.protocols;
                fill(
                    protocols.grpc.0.as_mut().map(|grpc| &mut grpc.endpoint),
                    "localhost:14250",
                );
                fill(
                    protocols
                        .thrift_http
                        .0
                        .as_mut()
                        .map(|http| &mut http.endpoint),
                    "localhost:14268",
                );
                fill(
                    protocols
                        .thrift_binary
                        .0
                        .as_mut()
                        .map(|udp| &mut udp.endpoint),
                    "localhost:6832",
                );
                fill(
                    protocols
                        .thrift_compact
                        .0
                        .as_mut()
                        .map(|udp| &mut udp.endpoint),
                    "localhost:6831",
                );
            }
            Receiver::Zipkin(_) | Receiver::Kafka(_) => {}
        }
    }

    fn has_protocol(&self) -> bool {
        match self {
            Receiver::Otlp(otlp) => {
                otlp.protocols.grpc.0.is_some() || otlp.protocols.http.0.is_some()
            }
            Receiver::Jaeger(jaeger) => {
                let protocols = &jaeger.protocols;
                protocols.grpc.0.is_some()
                    || protocols.thrift_http.0.is_some()
                    || protocols.thrift_binary.0.is_some()
                    || protocols.thrift_compact.0.is_some()
            }
            Receiver::Zipkin(_) | Receiver::Kafka(_) => true,
        }
    }
}

/// The receivers by their names: `otlp`, or `otlp/second` for a further one of a kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receivers(pub BTreeMap<String, Receiver>);

impl Receivers {
    /// What is listened to: the configured receivers, or what Tempo listens to when there are none.
    pub fn effective(&self) -> Receivers {
        if !self.0.is_empty() {
            return self.clone();
        }
        let otlp = OtlpReceiver {
            protocols: OtlpProtocols {
                grpc: Enabled(Some(GrpcReceiver::at("localhost:4317"))),
                http: Enabled(None),
            },
        };
        let jaeger = JaegerReceiver {
            protocols: JaegerProtocols {
                grpc: Enabled(Some(GrpcReceiver::at("localhost:14250"))),
                thrift_http: Enabled(Some(HttpReceiver::at("localhost:14268"))),
                ..JaegerProtocols::default()
            },
            ..JaegerReceiver::default()
        };
        Receivers(BTreeMap::from([
            ("otlp".to_string(), Receiver::Otlp(Box::new(otlp))),
            ("jaeger".to_string(), Receiver::Jaeger(Box::new(jaeger))),
        ]))
    }

    /// Every OTLP listener over gRPC, of all OTLP receivers.
    pub fn otlp_grpc(&self) -> impl Iterator<Item = &GrpcReceiver> {
        self.otlp().filter_map(|otlp| otlp.protocols.grpc.get())
    }

    /// Every OTLP listener over HTTP, of all OTLP receivers.
    pub fn otlp_http(&self) -> impl Iterator<Item = &HttpReceiver> {
        self.otlp().filter_map(|otlp| otlp.protocols.http.get())
    }

    fn otlp(&self) -> impl Iterator<Item = &OtlpReceiver> {
        self.0.values().filter_map(|receiver| match receiver {
            Receiver::Otlp(otlp) => Some(otlp.as_ref()),
            _ => None,
        })
    }
}

impl Field for Receivers {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Value::Map(entries) = &node.value else {
            reader.mismatch(node, "a mapping of receivers");
            return;
        };
        for entry in entries {
            reader.within(&entry.key, |reader| {
                let Some(mut receiver) = Receiver::of(&entry.key) else {
                    let message =
                        crate::removed::unknown_key(&reader.path(), &entry.key, RECEIVER_KINDS);
                    reader.problem(entry.mark, message);
                    return;
                };
                match &mut receiver {
                    Receiver::Otlp(otlp) => read_value(otlp.as_mut(), &entry.value, reader),
                    Receiver::Jaeger(jaeger) => read_value(jaeger.as_mut(), &entry.value, reader),
                    Receiver::Zipkin(zipkin) => read_value(zipkin.as_mut(), &entry.value, reader),
                    Receiver::Kafka(kafka) => read_value(kafka.as_mut(), &entry.value, reader),
                }
                if !receiver.has_protocol() {
                    reader.problem(
                        entry.mark,
                        "no protocol: name at least one under `protocols`",
                    );
                }
                receiver.fill_addresses();
                self.0.insert(entry.key.clone(), receiver);
            });
        }
    }

    fn write(&self, secrets: Secrets) -> Node {
        Node::map(self.0.iter().map(|(name, receiver)| {
            let node = match receiver {
                Receiver::Otlp(otlp) => otlp.write(secrets),
                Receiver::Jaeger(jaeger) => jaeger.write(secrets),
                Receiver::Zipkin(zipkin) => zipkin.write(secrets),
                Receiver::Kafka(kafka) => kafka.write(secrets),
            };
            (name.clone(), node)
        }))
    }

    fn zero() -> Self {
        Receivers::default()
    }

    fn kind() -> String {
        "mapping of receivers".to_string()
    }

    fn describe(&self, path: &str, doc: &'static str, out: &mut Vec<KeyInfo>) {
        out.push(KeyInfo {
            path: path.to_string(),
            kind: Self::kind(),
            default: "{}".to_string(),
            doc,
        });
        OtlpReceiver::default().describe(&format!("{path}.otlp"), doc, out);
        JaegerReceiver::default().describe(&format!("{path}.jaeger"), doc, out);
        ZipkinReceiver::default().describe(&format!("{path}.zipkin"), doc, out);
        KafkaReceiver::default().describe(&format!("{path}.kafka"), doc, out);
    }
}
