//! Receivers that could not be started as they are configured.

use std::collections::HashMap;

use super::fatal::Found;
use crate::blocks::receivers::{GrpcReceiver, HttpReceiver, Receiver, ReceiverTls};
use crate::blocks::root::Config;
use crate::types::Any;

/// Encodings that HTTP receivers know, as the collector names them; empty stands for none.
const ENCODINGS: &[&str] = &[
    "",
    "gzip",
    "zstd",
    "zlib",
    "snappy",
    "deflate",
    "lz4",
    "x-snappy-framed",
];

pub(super) fn receivers(config: &Config, found: &mut Found) {
    // Two listeners of one process can't share an address.
    let mut taken: HashMap<String, String> = HashMap::new();
    for (name, receiver) in &config.distributor.receivers.0 {
        let path = format!("distributor.receivers.{name}");
        match receiver {
            Receiver::Otlp(otlp) => {
                if let Some(listener) = otlp.protocols.grpc.get() {
                    let path = format!("{path}.protocols.grpc");
                    grpc(listener, &path, found);
                    address(
                        &listener.endpoint,
                        &listener.transport,
                        path,
                        &mut taken,
                        found,
                    );
                }
                if let Some(listener) = otlp.protocols.http.get() {
                    let path = format!("{path}.protocols.http");
                    http(listener, &path, found);
                    address(
                        &listener.endpoint,
                        &listener.transport,
                        path,
                        &mut taken,
                        found,
                    );
                }
            }
            Receiver::Kafka(kafka) => {
                found.add_if(
                    kafka.brokers.is_empty(),
                    &format!("{path}.brokers"),
                    "must be set",
                );
            }
            // Not started in this version, so that their addresses take nothing.
            Receiver::Jaeger(_) | Receiver::Zipkin(_) => {}
        }
    }
}

fn address(
    endpoint: &str,
    transport: &str,
    path: String,
    taken: &mut HashMap<String, String>,
    found: &mut Found,
) {
    found.add_if(
        !matches!(transport, "tcp" | "tcp4" | "tcp6"),
        &format!("{path}.transport"),
        format!("{transport:?} must be tcp, tcp4 or tcp6"),
    );
    let port = endpoint
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok());
    found.add_if(
        port.is_none(),
        &format!("{path}.endpoint"),
        format!("{endpoint:?} must be host:port, such as 0.0.0.0:4317"),
    );
    // Port 0 takes any free port.
    if port.is_some_and(|port| port != 0) {
        if let Some(other) = taken.get(endpoint) {
            found.add(
                &format!("{path}.endpoint"),
                format!("{endpoint} is already taken by {other}"),
            );
        }
        taken.insert(endpoint.to_string(), path);
    }
}

fn grpc(listener: &GrpcReceiver, path: &str, found: &mut Found) {
    unsupported(&listener.auth, &listener.middlewares, path, found);
    tls(listener.tls.as_ref(), path, found);
}

fn http(listener: &HttpReceiver, path: &str, found: &mut Found) {
    unsupported(&listener.auth, &listener.middlewares, path, found);
    tls(listener.tls.as_ref(), path, found);
    found.add_if(
        !super::fatal::is_path(&listener.traces_url_path),
        &format!("{path}.traces_url_path"),
        format!(
            "{:?} must start with a slash, and hold no braces",
            listener.traces_url_path
        ),
    );
    for encoding in &listener.compression_algorithms {
        found.add_if(
            !ENCODINGS.contains(&encoding.as_str()),
            &format!("{path}.compression_algorithms"),
            crate::removed::unknown_choice(encoding, ENCODINGS),
        );
    }
}

/// Leaving out an authenticator silently would open what the operator wanted closed.
fn unsupported(auth: &Any, middlewares: &Any, path: &str, found: &mut Found) {
    for (key, value) in [("auth", auth), ("middlewares", middlewares)] {
        let message = "collector extensions are not supported; put a gateway in front instead";
        found.add_if(!value.0.is_null(), &format!("{path}.{key}"), message);
    }
}

fn tls(tls: Option<&ReceiverTls>, path: &str, found: &mut Found) {
    let Some(tls) = tls else { return };
    let has_cert = !tls.cert_file.is_empty() || !tls.cert_pem.is_empty();
    let has_key = !tls.key_file.is_empty() || !tls.key_pem.is_empty();
    found.add_if(
        !has_cert || !has_key,
        &format!("{path}.tls"),
        "a certificate (cert_file or cert_pem) and its private key (key_file or key_pem) must be set",
    );
    let both = (!tls.cert_file.is_empty() && !tls.cert_pem.is_empty())
        || (!tls.key_file.is_empty() && !tls.key_pem.is_empty());
    found.add_if(
        both,
        &format!("{path}.tls"),
        "a value and its file must not both be set",
    );
}
