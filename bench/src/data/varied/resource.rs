//! Resources and instrumentation scopes.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::attributes::{int, text};
use super::tree::Role;
use super::words::{LANGUAGES, SERVICES};
use crate::data::Random;

/// Pods of a service.
pub(super) const PODS: u64 = 4;

/// A pod of a service.
pub(super) fn resource(service: usize, pod: u64) -> Resource {
    let name = SERVICES[service];
    let mut random = Random::new(service as u64 * 100 + pod);
    let hash = random.next_u64();
    let namespace = ["shop", "shop", "platform", "batch"][service % 4];
    let attributes = vec![
        text("service.name", name),
        text("service.namespace", namespace),
        text(
            "service.version",
            &format!("2.{}.{}", service % 5, pod.min(1)),
        ),
        text(
            "service.instance.id",
            &format!("{:016x}{hash:016x}", random.next_u64()),
        ),
        text("deployment.environment.name", "production"),
        text(
            "cloud.region",
            ["eu-central-1", "us-east-1"][pod as usize % 2],
        ),
        text(
            "k8s.cluster.name",
            ["prod-eu-1", "prod-us-1"][pod as usize % 2],
        ),
        text("k8s.namespace.name", namespace),
        text("k8s.deployment.name", name),
        text("k8s.container.name", name),
        text(
            "k8s.pod.name",
            &format!("{name}-{:08x}-{:05x}", hash >> 32, hash % 0x10_0000),
        ),
        text("host.name", &format!("node-{:02}", hash % 24)),
        int("process.pid", (hash % 30_000) as i64 + 1),
        text(
            "telemetry.sdk.language",
            LANGUAGES[service % LANGUAGES.len()],
        ),
        text("telemetry.sdk.name", "opentelemetry"),
    ];
    Resource {
        attributes,
        ..Default::default()
    }
}

/// The library that made spans of this role.
pub(super) fn scope(role: Role) -> InstrumentationScope {
    let (name, version) = match role {
        Role::HttpServer => ("io.opentelemetry.http.server", "2.11.0"),
        Role::HttpClient => ("io.opentelemetry.http.client", "2.11.0"),
        Role::RpcServer | Role::RpcClient => ("io.opentelemetry.grpc", "1.64.0"),
        Role::Database => ("io.opentelemetry.sql", "0.38.1"),
        Role::Cache => ("io.opentelemetry.redis", "9.7.0"),
        Role::Producer | Role::Consumer => ("io.opentelemetry.kafka", "1.19.0"),
        Role::Work => ("shop.tracing", "0.4.2"),
    };
    InstrumentationScope {
        name: name.into(),
        version: version.into(),
        ..Default::default()
    }
}
