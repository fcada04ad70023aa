//! What a configuration asks for that this version does not do yet. Each line goes when its part arrives.

use super::warnings::Warning;
use crate::blocks::object_stores::StoreKind;
use crate::blocks::receivers::Receiver;
use crate::blocks::root::Config;

pub(super) fn unavailable(config: &Config, out: &mut Vec<Warning>) {
    let mut add = |what: &str, then: &str| {
        out.push(Warning::new(
            format!("{what} is configured, but not available in this version"),
            then,
        ));
    };
    for (name, receiver) in &config.distributor.receivers.0 {
        if !matches!(receiver, Receiver::Otlp(_)) {
            add(&format!("the receiver {name}"), "it is not started");
        }
    }
    if !matches!(
        config.storage.trace.backend,
        StoreKind::Local | StoreKind::Unset
    ) {
        add(
            &format!("the store storage.trace.{}", config.storage.trace.backend),
            "traces are kept by the ingest log only, within ingest_log.embedded.retention_*",
        );
    }
    if !config.metrics_generator.storage.path.is_empty()
        || !config.metrics_generator.storage.remote_write.is_empty()
    {
        add("the metrics generator", "no metrics are made of spans");
    }
    if !config.distributor.forwarders.is_empty() {
        add("distributor.forwarders", "spans are not forwarded");
    }
    if config.overrides.user_configurable_overrides.enabled {
        add(
            "overrides.user_configurable_overrides",
            "the API of overrides answers 404",
        );
    }
    if config.internal_server.enable && config.internal_server.server.grpc_listen_port != 0 {
        add(
            "internal_server.grpc_listen_port",
            "the internal server speaks HTTP only",
        );
    }
}
