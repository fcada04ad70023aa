//! Receives OTLP, checks it, and hands it to the partitions; see README.md.

mod answer;
mod config;
mod grpc;
mod http;
mod limits;
mod metrics;
mod receiver;
mod refusal;
mod service;
mod sink;
mod spans;
mod tenant;
mod tenants;
mod walk;

pub use answer::Accepted;
pub use config::{Config, SpanLog, SpanMetric, TenantLimits};
pub use grpc::{EXPORT, add_methods, grpc_server};
pub use http::{add_routes, router};
pub use receiver::{Cors, HttpReceiver};
pub use refusal::Refusal;
pub use service::Service;
pub use sink::{PartitionSink, Push, PushError, Pushed};
pub use tenants::Shared;

#[cfg(test)]
mod tests;
