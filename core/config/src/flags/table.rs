//! Which flag sets which key. Type, default and meaning of a flag are those of its key.

use crate::blocks::root::Config;
use crate::field::{Field, KeyInfo};

/// One flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Without dashes.
    pub name: String,
    /// The key that it sets, with dots; empty for a flag that is no key.
    pub path: String,
    /// A boolean flag takes its value with `=` only.
    pub is_bool: bool,
    /// As it is printed.
    pub default: String,
    /// What it is for.
    pub doc: String,
}

/// Flags whose names are not made from the key's.
const NAMED: &[(&str, &str)] = &[
    ("target", "target"),
    ("multitenancy.enabled", "multitenancy_enabled"),
    ("auth.enabled", "auth_enabled"),
    ("http-api-prefix", "http_api_prefix"),
    ("shutdown-delay", "shutdown_delay"),
    ("enable-go-runtime-metrics", "enable_go_runtime_metrics"),
    ("span-profiling", "span_profiling"),
    ("server.http-listen-port", "server.http_listen_port"),
    ("server.grpc-listen-port", "server.grpc_listen_port"),
    ("log.level", "server.log_level"),
    ("reporting.enabled", "usage_report.reporting_enabled"),
    ("memberlist.host-port", "memberlist.join_members"),
    ("memberlist.bind-port", "memberlist.bind_port"),
    (
        "memberlist.message-history-buffer-bytes",
        "memberlist.message_history_buffer_bytes",
    ),
    ("storage.trace.backend", "storage.trace.backend"),
    ("storage.trace.local.path", "storage.trace.local.path"),
    ("storage.trace.wal.path", "storage.trace.wal.path"),
    (
        "storage.trace.blocklist_poll",
        "storage.trace.blocklist_poll",
    ),
    (
        "storage.trace.pool.max-workers",
        "storage.trace.pool.max_workers",
    ),
    (
        "storage.trace.pool.queue-depth",
        "storage.trace.pool.queue_depth",
    ),
    (
        "storage.trace.block.v2-bloom-filter-false-positive",
        "storage.trace.block.bloom_filter_false_positive",
    ),
    (
        "storage.trace.block.v2-bloom-filter-shard-size-bytes",
        "storage.trace.block.bloom_filter_shard_size_bytes",
    ),
    ("storage.trace.s3.bucket", "storage.trace.s3.bucket"),
    ("storage.trace.s3.prefix", "storage.trace.s3.prefix"),
    ("storage.trace.s3.endpoint", "storage.trace.s3.endpoint"),
    ("storage.trace.s3.access_key", "storage.trace.s3.access_key"),
    ("storage.trace.s3.secret_key", "storage.trace.s3.secret_key"),
    (
        "storage.trace.s3.session_token",
        "storage.trace.s3.session_token",
    ),
    (
        "storage.trace.s3.list_blocks_concurrency",
        "storage.trace.s3.list_blocks_concurrency",
    ),
    (
        "storage.trace.s3.tls_min_version",
        "storage.trace.s3.tls_min_version",
    ),
    ("storage.trace.s3.sse.type", "storage.trace.s3.sse.type"),
    (
        "storage.trace.s3.sse.kms-key-id",
        "storage.trace.s3.sse.kms_key_id",
    ),
    (
        "storage.trace.s3.sse.kms-encryption-context",
        "storage.trace.s3.sse.kms_encryption_context",
    ),
    (
        "storage.trace.s3.sse.encryption-key",
        "storage.trace.s3.sse.encryption_key",
    ),
    ("storage.trace.gcs.bucket", "storage.trace.gcs.bucket_name"),
    ("storage.trace.gcs.prefix", "storage.trace.gcs.prefix"),
    (
        "storage.trace.gcs.list_blocks_concurrency",
        "storage.trace.gcs.list_blocks_concurrency",
    ),
    (
        "storage.trace.gcs.max_retries",
        "storage.trace.gcs.max_retries",
    ),
    (
        "storage.trace.azure.container_name",
        "storage.trace.azure.container_name",
    ),
    (
        "storage.trace.azure.endpoint",
        "storage.trace.azure.endpoint_suffix",
    ),
    ("storage.trace.azure.prefix", "storage.trace.azure.prefix"),
    (
        "storage.trace.azure.storage_account_name",
        "storage.trace.azure.storage_account_name",
    ),
    (
        "storage.trace.azure.storage_account_key",
        "storage.trace.azure.storage_account_key",
    ),
    (
        "storage.trace.azure.max_buffers",
        "storage.trace.azure.max_buffers",
    ),
    (
        "distributor.rate-limit-strategy",
        "overrides.defaults.ingestion.rate_strategy",
    ),
    (
        "distributor.ingestion-rate-limit-bytes",
        "overrides.defaults.ingestion.rate_limit_bytes",
    ),
    (
        "distributor.ingestion-burst-size-bytes",
        "overrides.defaults.ingestion.burst_size_bytes",
    ),
    (
        "distributor.log-received-spans.enabled",
        "distributor.log_received_spans.enabled",
    ),
    (
        "distributor.log-received-spans.include-attributes",
        "distributor.log_received_spans.include_all_attributes",
    ),
    (
        "distributor.log-received-spans.filter-by-status-error",
        "distributor.log_received_spans.filter_by_status_error",
    ),
    (
        "distributor.log-discarded-spans.enabled",
        "distributor.log_discarded_spans.enabled",
    ),
    (
        "distributor.log-discarded-spans.include-attributes",
        "distributor.log_discarded_spans.include_all_attributes",
    ),
    (
        "distributor.log-discarded-spans.filter-by-status-error",
        "distributor.log_discarded_spans.filter_by_status_error",
    ),
    (
        "ingester.max-traces-per-user",
        "overrides.defaults.ingestion.max_traces_per_user",
    ),
    (
        "ingester.max-global-traces-per-user",
        "overrides.defaults.ingestion.max_global_traces_per_user",
    ),
    (
        "ingester.max-bytes-per-trace",
        "overrides.defaults.global.max_bytes_per_trace",
    ),
    (
        "querier.frontend-address",
        "querier.frontend_worker.frontend_address",
    ),
    (
        "querier.max-bytes-per-tag-values-query",
        "overrides.defaults.read.max_bytes_per_tag_values_query",
    ),
    (
        "querier.max-blocks-per-tag-values-query",
        "overrides.defaults.read.max_blocks_per_tag_values_query",
    ),
    (
        "querier.max-condition-groups-per-tag-query",
        "overrides.defaults.read.max_condition_groups_per_tag_query",
    ),
    (
        "query-frontend.mcp-server.enabled",
        "query_frontend.mcp_server.enabled",
    ),
    (
        "config.per-user-override-config",
        "overrides.per_tenant_override_config",
    ),
    (
        "config.per-user-override-period",
        "overrides.per_tenant_override_period",
    ),
    (
        "config.enable-legacy-overrides",
        "overrides.enable_legacy_overrides",
    ),
    (
        "live-store.instance-availability-zone",
        "live_store.ring.instance_zone",
    ),
    ("live-store.wal.path", "live_store.wal.path"),
    (
        "live-store.shutdown_marker_dir",
        "live_store.shutdown_marker_dir",
    ),
    (
        "live-store.complete-block-timeout",
        "live_store.complete_block_timeout",
    ),
    (
        "live-store.concurrent-blocks",
        "live_store.query_block_concurrency",
    ),
    (
        "live-store.readiness-target-lag",
        "live_store.readiness_target_lag",
    ),
    (
        "live-store.readiness-max-wait",
        "live_store.readiness_max_wait",
    ),
    (
        "live-store.remove-owner-on-shutdown",
        "live_store.remove_owner_on_shutdown",
    ),
    (
        "live-store.metrics.time-overlap-cutoff",
        "live_store.metrics.time_overlap_cutoff",
    ),
    (
        "live-store.partition-ring.min-partition-owners-count",
        "live_store.partition_ring.min_partition_owners_count",
    ),
    (
        "live-store.partition-ring.min-partition-owners-duration",
        "live_store.partition_ring.min_partition_owners_duration",
    ),
    (
        "live-store.partition-ring.delete-inactive-partition-after",
        "live_store.partition_ring.delete_inactive_partition_after",
    ),
    ("block-builder.instance-id", "block_builder.instance_id"),
    (
        "block-builder.assigned-partitions",
        "block_builder.assigned_partitions",
    ),
    (
        "block-builder.partitions-per-instance",
        "block_builder.partitions_per_instance",
    ),
    (
        "block-builder.consume-cycle-duration",
        "block_builder.consume_cycle_duration",
    ),
    (
        "block-builder.max-bytes-per-cycle",
        "block_builder.max_consuming_bytes",
    ),
    (
        "block-builder.block.max-block-bytes",
        "block_builder.block.max_block_bytes",
    ),
    ("block-builder.wal.path", "block_builder.wal.path"),
    (
        "backend-worker.backoff-min-period",
        "backend_worker.backoff.min_period",
    ),
    (
        "backend-worker.backoff-max-period",
        "backend_worker.backoff.max_period",
    ),
    (
        "backend-worker.backoff-retries",
        "backend_worker.backoff.max_retries",
    ),
    (
        "backend-worker.finish-on-shutdown-timeout",
        "backend_worker.finish_on_shutdown_timeout",
    ),
    (
        "backend-schedulerbackend-scheduler.job-timeout",
        "backend_scheduler.job_timeout",
    ),
    (
        "backend-scheduler.workprune-age",
        "backend_scheduler.work.prune_age",
    ),
    (
        "backend-scheduler.workdead-job-timeout",
        "backend_scheduler.work.dead_job_timeout",
    ),
    ("generator.instance-id", "metrics_generator.instance_id"),
    (
        "generator.instance-availability-zone",
        "metrics_generator.ring.instance_zone",
    ),
    (
        "generator.leave-consumer-group-on-shutdown",
        "metrics_generator.leave_consumer_group_on_shutdown",
    ),
    (
        "generator.skip-stale-backlog-on-startup",
        "metrics_generator.skip_stale_backlog_on_startup",
    ),
    (
        "metrics-generator.native-histogram-bucket-factor",
        "overrides.defaults.metrics_generator.native_histogram_bucket_factor",
    ),
    (
        "metrics-generator.native-histogram-max-bucket-number",
        "overrides.defaults.metrics_generator.native_histogram_max_bucket_number",
    ),
    (
        "metrics-generator.native-histogram-min-reset-duration",
        "overrides.defaults.metrics_generator.native_histogram_min_reset_duration",
    ),
    ("shards", "shards"),
    ("memory.limit", "memory.limit"),
    ("runtime.driver", "runtime.driver"),
    ("runtime.disk", "runtime.disk"),
    ("runtime.pin-threads", "runtime.pin_threads"),
    ("ingest-log.backend", "ingest_log.backend"),
];

/// Flags for every key below a prefix; `_` in the key's name is `-` in the flag's.
const PREFIXED: &[(&str, &str)] = &[
    ("ingest.", "ingest.kafka."),
    ("ingest-log.embedded.", "ingest_log.embedded."),
];

/// Flags of a block that is in several places: the prefix of the flags, and the block's key.
const COMPACTIONS: &[(&str, &str)] = &[
    ("backend-worker.compaction.", "backend_worker.compaction."),
    (
        "backend-scheduler.provider.work.compaction.",
        "backend_scheduler.provider.compaction.compaction.",
    ),
];
const COMPACTION_FLAGS: &[(&str, &str)] = &[
    ("block-retention", "block_retention"),
    ("compacted-block-retention", "compacted_block_retention"),
    ("compaction-window", "compaction_window"),
    ("max-block-bytes", "max_block_bytes"),
    ("max-objects-per-block", "max_compaction_objects"),
    ("max-time-per-tenant", "max_time_per_tenant"),
];

/// As [`COMPACTIONS`]. Upstream glues these prefixes to the names without a dot.
const STORES: &[(&str, &str)] = &[
    ("generator", "metrics_generator.ring.kvstore."),
    ("live-store", "live_store.ring.kvstore."),
    (
        "live-store.partition-ring.",
        "live_store.partition_ring.kvstore.",
    ),
];
const STORE_FLAGS: &[(&str, &str)] = &[
    ("store", "store"),
    ("prefix", "prefix"),
    ("consul.hostname", "consul.host"),
    ("consul.acl-token", "consul.acl_token"),
    ("consul.client-timeout", "consul.http_client_timeout"),
    ("consul.consistent-reads", "consul.consistent_reads"),
    ("consul.watch-rate-limit", "consul.watch_rate_limit"),
    ("consul.watch-burst-size", "consul.watch_burst_size"),
    ("consul.cas-retry-delay", "consul.cas_retry_delay"),
    ("etcd.endpoints", "etcd.endpoints"),
    ("etcd.dial-timeout", "etcd.dial_timeout"),
    ("etcd.max-retries", "etcd.max_retries"),
    ("etcd.tls-enabled", "etcd.tls_enabled"),
    ("etcd.tls-cert-path", "etcd.tls_cert_path"),
    ("etcd.tls-key-path", "etcd.tls_key_path"),
    ("etcd.tls-ca-path", "etcd.tls_ca_path"),
    ("etcd.tls-server-name", "etcd.tls_server_name"),
    (
        "etcd.tls-insecure-skip-verify",
        "etcd.tls_insecure_skip_verify",
    ),
    ("etcd.tls-cipher-suites", "etcd.tls_cipher_suites"),
    ("etcd.tls-min-version", "etcd.tls_min_version"),
    ("etcd.username", "etcd.username"),
    ("etcd.password", "etcd.password"),
    ("multi.primary", "multi.primary"),
    ("multi.secondary", "multi.secondary"),
    ("multi.mirror-enabled", "multi.mirror_enabled"),
    ("multi.mirror-timeout", "multi.mirror_timeout"),
];

/// Flags that set no key: name, whether it is a boolean, default, meaning.
const BARE: &[(&str, bool, &str, &str)] = &[
    (
        "config.file",
        false,
        "",
        "The YAML file. Without one: everything on this machine, data under ./data.",
    ),
    (
        "config.expand-env",
        true,
        "false",
        "Expand ${…} in the file and in the file of tenants.",
    ),
    (
        "config.verify",
        true,
        "false",
        "Check the configuration, print warnings, exit: 0 without warnings, else 1.",
    ),
    ("version", true, "false", "Print the version and exit."),
    (
        "health",
        true,
        "false",
        "Ask a running process whether it is ready, print the answer, exit: 0 if it is, else 1.",
    ),
    (
        "health.url",
        false,
        "http://localhost:3200/ready",
        "What -health asks.",
    ),
    ("help", true, "false", "Print this text and exit."),
    ("h", true, "false", "The same as -help."),
    (
        "mutex-profile-fraction",
        false,
        "0",
        "Accepted without effect.",
    ),
    (
        "block-profile-threshold",
        false,
        "0",
        "Accepted without effect.",
    ),
];

/// Every flag, in the order of the help text.
pub fn flags() -> Vec<Flag> {
    let mut keys = Vec::new();
    Config::default().describe("", "", &mut keys);
    let mut pairs: Vec<(String, String)> = NAMED
        .iter()
        .map(|(name, path)| (name.to_string(), path.to_string()))
        .collect();
    for (flag_prefix, key_prefix) in PREFIXED {
        for key in keys
            .iter()
            .filter_map(|key| key.path.strip_prefix(key_prefix))
        {
            pairs.push((
                format!("{flag_prefix}{}", key.replace('_', "-")),
                format!("{key_prefix}{key}"),
            ));
        }
    }
    for (places, names) in [(COMPACTIONS, COMPACTION_FLAGS), (STORES, STORE_FLAGS)] {
        for (flag_prefix, key_prefix) in places {
            for (flag, key) in names {
                pairs.push((format!("{flag_prefix}{flag}"), format!("{key_prefix}{key}")));
            }
        }
    }
    let keyed = pairs.into_iter().filter_map(|(name, path)| {
        let KeyInfo {
            kind, default, doc, ..
        } = keys.iter().find(|key| key.path == path)?.clone();
        let doc = doc.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(Flag {
            name,
            path,
            is_bool: kind == "bool",
            default,
            doc,
        })
    });
    let bare = BARE.iter().map(|(name, is_bool, default, doc)| Flag {
        name: name.to_string(),
        path: String::new(),
        is_bool: *is_bool,
        default: default.to_string(),
        doc: doc.to_string(),
    });
    bare.chain(keyed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_its_key_and_its_own_name() {
        let mut keys = Vec::new();
        Config::default().describe("", "", &mut keys);
        let has = |path: &str| keys.iter().any(|key| key.path == path);
        for (name, path) in NAMED {
            assert!(has(path), "-{name} sets {path}, which is no key");
        }
        for (places, names) in [(COMPACTIONS, COMPACTION_FLAGS), (STORES, STORE_FLAGS)] {
            for (_, prefix) in places {
                for (_, key) in names {
                    assert!(has(&format!("{prefix}{key}")), "{prefix}{key} is no key");
                }
            }
        }
        let mut names: Vec<_> = flags().into_iter().map(|flag| flag.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "two flags of one name");
        for flag in flags() {
            assert!(!flag.doc.is_empty(), "-{} has no meaning", flag.name);
        }
    }
}
