//! What a configuration asks for that this version does not do yet. Each line goes when its part arrives.

use super::warnings::Warning;
use crate::blocks::live_store::LiveStore;
use crate::blocks::object_stores::{GcsStore, S3Store, StoreKind};
use crate::blocks::receivers::{OtlpReceiver, Receiver, ReceiverTls};
use crate::blocks::root::Config;
use crate::blocks::server::Server;
use crate::blocks::storage::TraceStorage;

pub(super) fn unavailable(config: &Config, out: &mut Vec<Warning>) {
    let mut add = |what: &str, then: &str| {
        out.push(Warning::new(
            format!("{what} is configured, but not available in this version"),
            then,
        ));
    };
    for (name, receiver) in &config.distributor.receivers.0 {
        match receiver {
            Receiver::Otlp(otlp) => {
                otlp_tls(&format!("distributor.receivers.{name}"), otlp, &mut add)
            }
            _ => add(&format!("the receiver {name}"), "it is not started"),
        }
    }
    store(&config.storage.trace, &mut add);
    if !config.metrics_generator.storage.path.is_empty()
        || !config.metrics_generator.storage.remote_write.is_empty()
    {
        add("the metrics generator", "no metrics are made of spans");
    }
    if !config.distributor.forwarders.is_empty() {
        add("distributor.forwarders", "spans are not forwarded");
    }
    if config.distributor.usage.cost_attribution.enabled {
        add(
            "distributor.usage.cost_attribution",
            "/usage_metrics answers 404",
        );
    }
    if config.overrides.user_configurable_overrides.enabled {
        add(
            "overrides.user_configurable_overrides",
            "the API of overrides answers 404",
        );
    }
    queries(config, &mut add);
    live_store(&config.live_store, &mut add);
    server("server", &config.server, &mut add);
    if config.internal_server.enable {
        if config.internal_server.server.grpc_listen_port != 0 {
            add(
                "internal_server.grpc_listen_port",
                "the internal server speaks HTTP only",
            );
        }
        server("internal_server", &config.internal_server.server, &mut add);
    }
    if config.span_profiling {
        add("span_profiling", "Vivace makes no traces of itself");
    }
}

fn queries(config: &Config, add: &mut impl FnMut(&str, &str)) {
    let by_id = &config.query_frontend.trace_by_id;
    if by_id.external_enabled {
        add(
            "query_frontend.trace_by_id.external_enabled",
            "no other store is asked",
        );
    }
    let pruning = config.overrides.defaults.read.span_pruning_enabled == Some(true);
    if by_id.span_pruning_enabled || pruning {
        add("span pruning", "traces are answered whole");
    }
    if config.query_frontend.mcp_server.enabled {
        add("query_frontend.mcp_server", "/api/mcp answers 404");
    }
}

/// Parts of uploads that stores take, and that fit memory. The storage clamps to the same.
const PART_BYTES: std::ops::RangeInclusive<u64> = 5 << 20..=256 << 20;

/// Keys of stores that the client library cannot express.
fn store(trace: &TraceStorage, add: &mut impl FnMut(&str, &str)) {
    match trace.backend {
        StoreKind::S3 => s3(&trace.s3, add),
        StoreKind::Gcs => gcs(&trace.gcs, add),
        _ => {}
    }
}

/// An emulator is written to by its JSON interface, which gets the content of objects only.
fn gcs(gcs: &GcsStore, add: &mut impl FnMut(&str, &str)) {
    if !gcs.insecure || gcs.endpoint.is_empty() {
        return;
    }
    for (is_set, key) in [
        (!gcs.object_metadata.is_empty(), "object_metadata"),
        (!gcs.object_cache_control.is_empty(), "object_cache_control"),
    ] {
        if is_set {
            add(
                &format!("storage.trace.gcs.{key} with an emulator (insecure and an endpoint)"),
                "objects are written without it",
            );
        }
    }
}

fn s3(s3: &S3Store, add: &mut impl FnMut(&str, &str)) {
    // 0 leaves the choice to us.
    if s3.part_size != 0 && !PART_BYTES.contains(&s3.part_size) {
        let then = match s3.part_size < *PART_BYTES.start() {
            true => "parts have 5 MiB, the least that stores take",
            false => "parts have 256 MiB, the most that is held in memory",
        };
        let what = format!("storage.trace.s3.part_size of {} bytes", s3.part_size);
        add(&what, then);
    }
    for (is_set, key, then) in [
        (
            s3.signature_v2,
            "signature_v2",
            "requests are signed with version 4",
        ),
        (
            !s3.sse.kms_encryption_context.is_empty(),
            "sse.kms_encryption_context",
            "objects are encrypted without a context",
        ),
        (
            !s3.tls.tls_server_name.is_empty(),
            "tls_server_name",
            "the certificate must be for the host of endpoint",
        ),
        (
            !s3.tls.tls_cipher_suites.is_empty(),
            "tls_cipher_suites",
            "the library chooses",
        ),
    ] {
        if is_set {
            add(&format!("storage.trace.s3.{key}"), then);
        }
    }
}

/// Keys of the stages between receiving and blocks that Vivace has no use for.
fn live_store(live_store: &LiveStore, add: &mut impl FnMut(&str, &str)) {
    let usual = LiveStore::default();
    for (key, is_usual, then) in [
        (
            "complete_block_timeout",
            live_store.complete_block_timeout == usual.complete_block_timeout,
            "recent traces leave memory as soon as their blocks can be queried in the store",
        ),
        (
            "max_live_traces_bytes",
            live_store.max_live_traces_bytes == usual.max_live_traces_bytes,
            "recent traces take what memory.limit leaves them",
        ),
        (
            "complete_block_concurrency",
            live_store.complete_block_concurrency == usual.complete_block_concurrency,
            "each shard builds the blocks of one section of its log at a time",
        ),
    ] {
        if !is_usual {
            add(&format!("live_store.{key}"), then);
        }
    }
}

fn server(path: &str, server: &Server, add: &mut impl FnMut(&str, &str)) {
    let validation = &server.cluster_validation;
    for (is_set, key, then) in [
        (
            server.proxy_protocol_enabled,
            "proxy_protocol_enabled",
            "connections that begin with a PROXY header are refused",
        ),
        (
            server.report_grpc_codes_in_instrumentation_label_enabled,
            "report_grpc_codes_in_instrumentation_label_enabled",
            "the status label of gRPC calls is success, error or cancel",
        ),
        (
            server.http_log_closed_connections_without_response_enabled,
            "http_log_closed_connections_without_response_enabled",
            "such connections are counted in vivace_connections_cut_total, not logged",
        ),
        (
            server.trace_request_headers,
            "trace_request_headers",
            "Vivace makes no traces of itself",
        ),
        (
            validation.grpc.enabled || validation.http.enabled,
            "cluster_validation",
            "requests of other clusters are answered too",
        ),
    ] {
        if is_set {
            add(&format!("{path}.{key}"), then);
        }
    }
}

fn otlp_tls(path: &str, otlp: &OtlpReceiver, add: &mut impl FnMut(&str, &str)) {
    let protocols = &otlp.protocols;
    let grpc = protocols.grpc.get().and_then(|grpc| grpc.tls.as_ref());
    let http = protocols.http.get().and_then(|http| http.tls.as_ref());
    for (protocol, tls) in [("grpc", grpc), ("http", http)] {
        let Some(tls) = tls else { continue };
        let usual = ReceiverTls::default();
        for (is_usual, key, then) in [
            (
                tls.reload_interval == usual.reload_interval,
                "reload_interval",
                "certificates are read at start only",
            ),
            (
                !tls.client_ca_file_reload,
                "client_ca_file_reload",
                "client_ca_file is read at start only",
            ),
            (
                tls.max_version == usual.max_version,
                "max_version",
                "TLS 1.3 is spoken too",
            ),
            (
                tls.curve_preferences.is_empty(),
                "curve_preferences",
                "the library chooses",
            ),
            (
                !tls.include_system_ca_certs_pool,
                "include_system_ca_certs_pool",
                "only client_ca_file is trusted",
            ),
        ] {
            if !is_usual {
                add(&format!("{path}.protocols.{protocol}.tls.{key}"), then);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(change: impl FnOnce(&mut TraceStorage)) -> Vec<String> {
        let mut config = Config::default();
        change(&mut config.storage.trace);
        let mut out = Vec::new();
        unavailable(&config, &mut out);
        out.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn parts_of_uploads() {
        let of = |backend, part_size| {
            warnings(|trace| {
                trace.backend = backend;
                trace.s3.part_size = part_size;
            })
        };
        for bytes in [0, 5 << 20, 64 << 20, 256 << 20] {
            assert!(of(StoreKind::S3, bytes).is_empty(), "{bytes}");
        }
        for (bytes, then) in [
            (1, "parts have 5 MiB"),
            ((5 << 20) - 1, "parts have 5 MiB"),
            ((256 << 20) + 1, "parts have 256 MiB"),
            (u64::MAX, "parts have 256 MiB"),
        ] {
            let [warning] = &of(StoreKind::S3, bytes)[..] else {
                panic!("one warning of {bytes}");
            };
            let what = format!("storage.trace.s3.part_size of {bytes} bytes is configured");
            assert!(
                warning.starts_with(&what) && warning.contains(then),
                "{warning}"
            );
            assert!(of(StoreKind::Gcs, bytes).is_empty());
        }
    }

    #[test]
    fn metadata_of_objects_in_an_emulator() {
        let of = |backend, insecure, endpoint: &str| {
            warnings(|trace| {
                trace.backend = backend;
                trace.gcs.insecure = insecure;
                trace.gcs.endpoint = endpoint.to_owned();
                trace.gcs.object_cache_control = "no-cache".to_owned();
                trace.gcs.object_metadata = [("a".to_owned(), "b".to_owned())].into();
            })
        };
        let warnings = of(StoreKind::Gcs, true, "gcs:4443");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("storage.trace.gcs.object_metadata with an emulator"));
        assert!(warnings[1].starts_with("storage.trace.gcs.object_cache_control with an emulator"));
        assert!(of(StoreKind::Gcs, false, "gcs:4443").is_empty());
        assert!(of(StoreKind::Gcs, true, "").is_empty());
        assert!(of(StoreKind::S3, true, "gcs:4443").is_empty());
    }
}
