//! OTLP/gRPC over real sockets.

use super::support::{Rig, on_a_shard, request, span};
use crate::{Config, EXPORT, PushError, TenantLimits};
use http::HeaderMap;
use std::time::Duration;
use vivace_shards::grpc::Code;
use vivace_shards::grpc::client::CallOptions;
use vivace_shards::http::compression::Encoding;
use vivace_shards::metrics::render;

fn with_tenant(tenant: &str) -> CallOptions {
    let mut metadata = HeaderMap::new();
    metadata.insert("x-scope-orgid", tenant.parse().unwrap());
    CallOptions {
        metadata,
        ..CallOptions::default()
    }
}

#[test]
fn export() {
    on_a_shard(|| async {
        let config = Config {
            multitenancy: true,
            grpc_max_message_bytes: 10_000,
            ..Config::default()
        };
        let rig = Rig::start(config, |tenant| TenantLimits {
            burst_size_bytes: if tenant == "limited" { 10 } else { 1_000_000 },
            ..TenantLimits::default()
        });
        let client = rig.grpc_client().await;
        let body = || request(vec![span(1, 1)]);
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
            let options = CallOptions {
                encoding,
                ..with_tenant("a")
            };
            let (answer, _) = client.unary(EXPORT, body(), &options).await.unwrap();
            assert_eq!(&*answer, [0x0a, 0]);
            assert_eq!(rig.sink.take(), [("a".to_owned(), vec![1])]);
        }
        let refused = |options: CallOptions, body| {
            let client = client.clone();
            async move { client.unary(EXPORT, body, &options).await.unwrap_err() }
        };
        let status = refused(CallOptions::default(), body()).await;
        assert_eq!(
            (status.code, status.message.as_str()),
            (Code::Unavailable, "no org id")
        );
        let status = refused(with_tenant("a/b"), body()).await;
        assert_eq!(status.code, Code::InvalidArgument);
        assert_eq!(
            status.message,
            "tenant ID 'a/b' contains unsupported character '/'"
        );
        let status = refused(with_tenant("limited"), body()).await;
        assert_eq!(
            (status.code, status.retry_delay()),
            (Code::ResourceExhausted, Some(Duration::from_secs(5)))
        );
        assert!(
            status.message.starts_with("RATE_LIMITED: batch size ("),
            "{}",
            status.message
        );
        let status = refused(with_tenant("a"), request(vec![span(0, 1)])).await;
        assert_eq!(status.code, Code::InvalidArgument);
        assert_eq!(status.message, "trace ids must be 128 bit, received 0 bits");
        let status = refused(with_tenant("a"), request(vec![span(1, 1); 1000])).await;
        assert_eq!(status.code, Code::ResourceExhausted);
        *rig.sink.answer.borrow_mut() = Some(Err(PushError::Unavailable("starting".into())));
        let status = refused(with_tenant("a"), body()).await;
        assert_eq!(
            (status.code, status.message.as_str()),
            (Code::Unavailable, "starting")
        );
        assert_eq!(status.retry_delay(), Some(Duration::from_secs(5)));
    });
}

#[test]
fn every_name_is_there_from_the_first_scrape() {
    on_a_shard(|| async {
        let rig = Rig::start(Config::default(), |_| TenantLimits::default());
        let text = render() + &rig.metrics();
        for line in [
            r#"tempo_distributor_spans_received_total{tenant="single-tenant"} 0"#,
            r#"tempo_distributor_bytes_received_total{tenant="single-tenant"} 0"#,
            r#"tempo_distributor_ingress_bytes_total{tenant="single-tenant"} 0"#,
            r#"tempo_distributor_produce_failures_total{reason="buffer-full"} 0"#,
            r#"tempo_distributor_metrics_generator_pushes_total{metrics_generator="local"} 0"#,
            r#"tempo_discarded_spans_total{reason="rate_limited",tenant="single-tenant"} 0"#,
            r#"tempo_receiver_refused_spans{receiver="otlp/otlp_receiver",transport="grpc"}"#,
            "tempo_distributor_produce_batches_total",
            "tempo_distributor_push_duration_seconds_count",
            "tempo_distributor_traces_per_batch_count",
            r#"tempo_warnings_total{reason="outside_ingestion_time_slack",tenant="single-tenant"} 0"#,
        ] {
            assert!(
                text.lines().any(|l| l.starts_with(line)),
                "{line} in {text}"
            );
        }
    });
}
