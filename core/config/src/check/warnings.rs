//! Settings that work but are likely not meant.

use std::collections::HashSet;
use std::fmt;

use crate::blocks::object_stores::{AzureStore, GcsStore, LocalStore, S3Store, StoreKind};
use crate::blocks::root::Config;
use crate::blocks::storage::{
    BlockVersion, ColumnScope, ColumnType, DedicatedColumn, DeprecatedCache,
};

/// One warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What is doubtful.
    pub message: String,
    /// What follows from it, or what to do; may be empty.
    pub explain: String,
}

impl Warning {
    pub(super) fn new(message: impl Into<String>, explain: impl Into<String>) -> Warning {
        Warning {
            message: message.into(),
            explain: explain.into(),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        if self.explain.is_empty() {
            Ok(())
        } else {
            write!(out, ": {}", self.explain)
        }
    }
}

/// Everything doubtful. `is_legacy`: limits came in the old, flat names.
pub fn warnings(config: &Config, is_legacy: bool) -> Vec<Warning> {
    let mut out = Vec::new();
    let mut warn_if = |doubtful: bool, message: &str, explain: &str| {
        if doubtful {
            out.push(Warning::new(message, explain));
        }
    };
    let trace = &config.storage.trace;
    let poll = trace.blocklist_poll;
    let scheduled = &config.backend_scheduler.provider.compaction.compaction;
    warn_if(
        is_legacy,
        "overrides use the old, flat names",
        "move each limit to its scoped name, such as ingestion.rate_limit_bytes",
    );
    warn_if(
        trace.backend == StoreKind::Local && config.target != "all",
        "storage.trace.backend is local, but target is not all",
        "other processes don't see the blocks of this one",
    );
    warn_if(
        config.query_frontend.mcp_server.enabled,
        "query_frontend.mcp_server.enabled is true",
        "language models get trace data, which may hold what they should not see",
    );
    warn_if(
        config.distributor.log_received_spans.enabled,
        "distributor.log_received_spans.enabled is true",
        "every received span is logged, which costs much",
    );
    warn_if(
        config.distributor.log_discarded_spans.enabled,
        "distributor.log_discarded_spans.enabled is true",
        "every discarded span is logged, which costs much",
    );
    warn_if(
        config.live_store.complete_block_timeout < poll,
        "live_store.complete_block_timeout is below storage.trace.blocklist_poll",
        "for a while, blocks are in no answer: no longer here and not yet found in the store",
    );
    for (name, compaction) in [
        (
            "backend_scheduler.provider.compaction.compaction",
            scheduled,
        ),
        (
            "backend_worker.compaction",
            &config.backend_worker.compaction,
        ),
    ] {
        warn_if(
            compaction.block_retention < poll,
            &format!("{name}.block_retention is below storage.trace.blocklist_poll"),
            "blocks may be deleted before they were ever found",
        );
        warn_if(
            compaction.retention_concurrency == 0,
            &format!("{name}.retention_concurrency is 0"),
            "it must be above 0; the default counts",
        );
    }
    warn_if(
        config.backend_scheduler.work.prune_age <= poll.times(2),
        "backend_scheduler.work.prune_age is not above twice storage.trace.blocklist_poll",
        "jobs may be done again because the list of blocks is still old",
    );
    let by_id = &config.query_frontend.trace_by_id;
    warn_if(
        by_id.concurrent_shards > by_id.query_shards,
        "query_frontend.trace_by_id.concurrent_shards is above query_shards",
        "there are never more jobs at once than query_shards",
    );
    warn_if(
        trace.blocklist_poll_concurrency == 0,
        "storage.trace.blocklist_poll_concurrency is 0",
        "it must be above 0; the default counts",
    );
    warn_if(
        trace.s3.native_aws_auth_enabled,
        "storage.trace.s3.native_aws_auth_enabled is deprecated",
        "credentials of the environment are always tried; remove the key",
    );
    warn_if(
        trace.cache != DeprecatedCache::Unset,
        "storage.trace.cache is deprecated",
        "use the top level block `cache`",
    );
    warn_if(
        !config.query_frontend.rf1_after.is_empty(),
        "query_frontend.rf1_after is ignored",
        "remove the key",
    );
    warn_if(
        shares_place(config),
        "storage.trace and overrides.user_configurable_overrides.client share one place",
        "give one of them another bucket, prefix or folder",
    );
    const TRANSFORMATIONS: &[&str] = &["or_to_in", "all"];
    for name in &config.query_frontend.skip_ast_transformations {
        warn_if(
            !TRANSFORMATIONS.contains(&name.as_str()),
            &format!("query_frontend.skip_ast_transformations has the unknown name {name:?}"),
            "it is ignored",
        );
    }
    warn_if(
        !config.block_builder.assigned_partitions.is_empty()
            && config.block_builder.partitions_per_instance > 0,
        "block_builder has both assigned_partitions and partitions_per_instance",
        "set one of them",
    );
    warn_if(
        trace.block.version == BlockVersion::VParquet3,
        "storage.trace.block.version is vParquet3, which is read but not written any more",
        "blocks are written as vParquet4, which the same tools read",
    );
    columns(
        "storage.trace.block",
        &trace.block.parquet_dedicated_columns,
        &mut out,
    );
    columns(
        "overrides.defaults.storage",
        &config.overrides.defaults.storage.parquet_dedicated_columns,
        &mut out,
    );
    super::unavailable::unavailable(config, &mut out);
    out
}

/// Whether the limits that tenants set for themselves would lie among the blocks.
fn shares_place(config: &Config) -> bool {
    let user = &config.overrides.user_configurable_overrides;
    let (trace, client) = (&config.storage.trace, &user.client);
    if !user.enabled || trace.backend != client.backend {
        return false;
    }
    let bucket = |local: &LocalStore, s3: &S3Store, gcs: &GcsStore, azure: &AzureStore| match trace
        .backend
    {
        StoreKind::Unset => None,
        StoreKind::Local => Some((local.path.clone(), String::new())),
        StoreKind::S3 => Some((s3.bucket.clone(), s3.prefix.clone())),
        StoreKind::Gcs => Some((gcs.bucket_name.clone(), gcs.prefix.clone())),
        StoreKind::Azure => Some((azure.container_name.clone(), azure.prefix.clone())),
    };
    let of_blocks = bucket(&trace.local, &trace.s3, &trace.gcs, &trace.azure);
    of_blocks.is_some()
        && of_blocks == bucket(&client.local, &client.s3, &client.gcs, &client.azure)
}

/// What is wrong with dedicated columns; the wrong ones are left out when blocks are written.
fn columns(path: &str, columns: &[DedicatedColumn], out: &mut Vec<Warning>) {
    const MAX_TEXTS: usize = 20;
    const MAX_INTS: usize = 5;
    let mut seen = HashSet::new();
    let path = format!("{path}.parquet_dedicated_columns");
    for column in columns {
        if column.name.is_empty() || column.scope == ColumnScope::Unset {
            out.push(Warning::new(
                format!("{path} has a column without a name or a scope"),
                "it is left out",
            ));
        } else if !seen.insert((column.scope, column.name.as_str())) {
            let message = format!(
                "{path} has the column {}.{} twice",
                column.scope, column.name
            );
            out.push(Warning::new(message, "the second is left out"));
        }
        for option in &column.options {
            let allowed = match column.kind {
                ColumnType::Text => &["array", "blob"][..],
                ColumnType::Int => &["array"][..],
            };
            if !allowed.contains(&option.as_str()) {
                let column = format!("{}.{} of type {}", column.scope, column.name, column.kind);
                let message =
                    format!("{path}: the column {column} has the unsupported option {option:?}");
                out.push(Warning::new(message, "the option is ignored"));
            }
        }
    }
    for scope in ColumnScope::ALL {
        for (kind, most) in [(ColumnType::Text, MAX_TEXTS), (ColumnType::Int, MAX_INTS)] {
            let count = columns
                .iter()
                .filter(|column| column.scope == *scope && column.kind == kind)
                .count();
            if count > most {
                let message = format!(
                    "{path} has {count} columns of scope {scope} and type {kind}, more than {most}"
                );
                out.push(Warning::new(message, "those after the limit are left out"));
            }
        }
    }
}
