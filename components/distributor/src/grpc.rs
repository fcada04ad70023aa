//! OTLP/gRPC: `opentelemetry.proto.collector.trace.v1.TraceService/Export`.

use crate::http::skips_metrics;
use crate::metrics::Transport;
use crate::service::{Arrival, Service};
use crate::tenant;
use bytes::Bytes;
use vivace_shards::grpc::{Call, Server, Status};
use vivace_shards::time::Instant;

/// The method's full path.
pub const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The gRPC server of the OTLP listener, with the configured message limit.
pub fn grpc_server(service: &Service) -> Server {
    let server = Server::new().max_recv_message_bytes(service.inner.config.grpc_max_message_bytes);
    add_methods(server, service)
}

/// Adds OTLP's export to a gRPC server.
pub fn add_methods(server: Server, service: &Service) -> Server {
    let service = service.clone();
    server.unary(EXPORT, async move |call| export(&service, call).await)
}

async fn export(service: &Service, call: Call) -> Result<Bytes, Status> {
    let at = Instant::now();
    let tenant = tenant::of_request(&call.metadata, service.inner.config.multitenancy)
        .map_err(|e| e.to_grpc())?;
    service.has_room(&tenant).map_err(|e| e.to_grpc())?;
    let arrival = Arrival {
        transport: Transport::Grpc,
        at,
        skip_metrics_generation: skips_metrics(&call.metadata),
    };
    match service.export(&tenant, call.message, arrival).await {
        Ok(accepted) => Ok(accepted.to_protobuf().into()),
        Err(refusal) => Err(refusal.to_grpc()),
    }
}
