//! Metrics of the process as a whole, and the zeros of parts that are not in this version yet: scrapers and alerts take
//! a missing name for a fault, while zero blocks, zero jobs and zero series is what this process really has.

use vivace_shards::metrics::{counter, counter_vec, gauge, gauge_vec};

use crate::version;

/// Sets what does not change while the process runs. `first_tenant` names the series of per-tenant zeros.
pub fn announce(first_tenant: &str) {
    gauge_vec(
        "tempo_build_info",
        "1, with the build as labels.",
        &[
            "branch",
            "goarch",
            "goos",
            "goversion",
            "revision",
            "tags",
            "version",
        ],
    )
    .with_label_values(&[
        version::branch().as_str(),
        std::env::consts::ARCH,
        std::env::consts::OS,
        "",
        version::REVISION,
        "",
        version::TEMPO_VERSION,
    ])
    .set(1);
    let members = gauge_vec(
        "tempo_ring_members",
        "Members of a ring, by state.",
        &["name", "state"],
    );
    for state in ["ACTIVE", "JOINING", "LEAVING", "PENDING", "Unhealthy"] {
        members
            .with_label_values(&["live-store", state])
            .set(i64::from(state == "ACTIVE"));
    }
    counter(
        "tempo_querier_worker_request_executed_total",
        "Requests that queriers executed.",
    );
    gauge(
        "tempo_querier_livestore_clients",
        "Live-stores that queriers are connected to.",
    )
    .set(1);
    partition_ring();
    zeros(first_tenant);
}

/// The ring as others see it: one process is one partition, active and owned, however many partitions its own log has.
fn partition_ring() {
    let partitions = gauge_vec(
        "tempo_partition_ring_partitions",
        "Partitions, by state.",
        &["name", "state"],
    );
    for (state, count) in [("Active", 1), ("Inactive", 0), ("Pending", 0)] {
        partitions
            .with_label_values(&["livestore-partitions", state])
            .set(count);
    }
}

fn zeros(first_tenant: &str) {
    for name in [
        "tempo_metrics_generator_enqueue_time_seconds_total",
        "tempodb_compaction_errors_total",
    ] {
        counter(name, "Not in this version yet: zero.");
    }
    for name in [
        "tempo_metrics_generator_spans_received_total",
        "tempo_metrics_generator_registry_series_added_total",
    ] {
        counter_vec(name, "Not in this version yet: zero.", &["tenant"])
            .with_label_values(&[first_tenant]);
    }
    counter_vec(
        "tempo_metrics_generator_spans_discarded_total",
        "Not in this version yet: zero.",
        &["tenant", "reason", "processor"],
    )
    .with_label_values(&[first_tenant, "outside_metrics_ingestion_slack", ""]);
    counter_vec(
        "tempo_backend_scheduler_jobs_completed_total",
        "Not in this version yet: zero.",
        &["tenant", "job_type"],
    )
    .with_label_values(&[first_tenant, "JOB_TYPE_COMPACTION"]);
    for name in [
        "tempo_metrics_generator_registry_active_series",
        "tempo_metrics_generator_registry_max_active_series",
        "tempodb_compaction_outstanding_blocks",
    ] {
        gauge_vec(name, "Not in this version yet: zero.", &["tenant"])
            .with_label_values(&[first_tenant])
            .set(0);
    }
}
