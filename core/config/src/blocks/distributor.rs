//! `distributor` (configuration.md §5.1).

use super::forwarders::Forwarder;
use super::ingest::{Kafka, SaslMechanism};
use super::receivers::Receivers;
use super::ring::Ring;
use crate::block::block;
use crate::types::{Duration, mins, secs};

block! {
    /// Which spans are logged.
    pub struct LogSpans {
        /// Log spans.
        enabled: bool;
        /// With all attributes.
        include_all_attributes: bool;
        /// Only those with status error.
        filter_by_status_error: bool;
    }
}

block! {
    /// Counts received spans by name and service.
    pub struct MetricReceivedSpans {
        /// Count.
        enabled: bool;
        /// Only spans without a parent.
        root_only: bool;
    }
}

block! {
    /// Counts received bytes by attributes.
    pub struct CostAttribution {
        /// Count.
        enabled: bool;
        /// Most series of a tenant.
        max_cardinality: u64 = 10_000;
        /// Series that don't grow are forgotten after this time.
        stale_duration: Duration = mins(15);
    }
}

block! {
    /// Counts who sends how much.
    pub struct Usage {
        cost_attribution: CostAttribution;
    }
}

block! {
    /// Receives spans, checks them, writes them to the ingest log.
    pub struct Distributor {
        ring: Ring = Ring { heartbeat_timeout: mins(5), ..Ring::default() };
        /// What is listened to; an absent or empty mapping means OTLP gRPC (and Jaeger) on localhost.
        receivers: Receivers;
        /// Name of the ring.
        override_ring_key: String = "distributor".into();
        /// Where else spans are sent.
        forwarders: Vec<Forwarder>;
        log_received_spans: LogSpans;
        log_discarded_spans: LogSpans;
        metric_received_spans: MetricReceivedSpans;
        usage: Usage;
        /// Accepted; `ingest` counts.
        kafka_config: Kafka = zero_kafka();
        /// The pause that a client is told when it must try again; 0 = it is told none.
        retry_after_on_resource_exhausted: Duration = secs(5);
        /// Longest attribute key or value, in bytes; longer ones are cut; 0 = no limit. A tenant's own limit goes first.
        max_attribute_bytes: u64 = 2048;
        /// Answers take at least this long, for tests of clients.
        artificial_delay: Option<Duration>;
    }
}

/// The old place has no defaults.
fn zero_kafka() -> Kafka {
    Kafka {
        sasl_mechanism: SaslMechanism::Unset,
        ..<Kafka as crate::field::Field>::zero()
    }
}
