//! From the configuration, which is Tempo's, to the settings of each part.

use std::time::Duration;

use ::http::{HeaderName, HeaderValue};
use vivace_block::dedicated::{self, ColumnOption, DedicatedColumn};
use vivace_block::{Format, WellKnown};
use vivace_block_builder as block_builder;
use vivace_columns::Level;
use vivace_config::Config;
use vivace_config::blocks::distributor::LogSpans;
use vivace_config::blocks::live_store::LiveStore;
use vivace_config::blocks::process::{DiskDriver, NetDriver};
use vivace_config::blocks::receivers::HttpReceiver;
use vivace_config::blocks::storage::{self, BlockVersion, ColumnScope, ColumnType};
use vivace_config::types::Secret;
use vivace_distributor as distributor;
use vivace_engine::Dedicated;
use vivace_ingest_log as ingest_log;
use vivace_live_store as live_store;
use vivace_shards::http::compression::Encoding;
use vivace_shards::runtime::{self, DiskChoice, DriverChoice};

use crate::glue::COMMIT_GROUP;
use crate::listeners::OtlpHttp;

/// Live data of a shard when no memory limit was configured: a server beside others should not take what it can. More
/// than a section has, so that one which becomes a block is in memory while the next one grows.
const LIVE_BYTES_WITHOUT_LIMIT: u64 = 48 << 20;
/// A section of a shard then, unless `live_store.max_block_bytes` was set. Smaller ones take less memory, but make more blocks,
/// each with its own bloom filter and footer.
const SECTION_BYTES_WITHOUT_LIMIT: u64 = 32 << 20;
/// Ages of sections are looked at no more often.
const CHECK_PERIOD_LEAST: Duration = Duration::from_millis(50);
/// Bytes that one group of records syncs together and a queue in front of it may hold.
const PENDING_GROUPS: u64 = 8;

/// The runtime.
pub fn runtime(config: &Config, memory_limit_bytes: u64) -> runtime::Config {
    runtime::Config {
        shards: config.shards,
        pin: config.runtime.pin_threads,
        driver: match config.runtime.driver {
            NetDriver::Auto => DriverChoice::Auto,
            NetDriver::IoUring => DriverChoice::Uring,
            NetDriver::Epoll => DriverChoice::Epoll,
        },
        disk: match config.runtime.disk {
            DiskDriver::Auto => DiskChoice::Auto,
            DiskDriver::IoUring => DiskChoice::Uring,
            DiskDriver::Pwrite => DiskChoice::Pwrite,
        },
        memory_limit_bytes,
        ..runtime::Config::default()
    }
}

/// The embedded log.
pub fn ingest_log(config: &Config) -> ingest_log::Config {
    let log = &config.ingest_log.embedded;
    let max_group_bytes = log.max_commit_bytes.0;
    ingest_log::Config {
        path: config.ingest_log_path().into(),
        partitions: log.partitions,
        segment_bytes: log.segment_size.0,
        max_record_bytes: log.max_record_size.0,
        max_group_bytes,
        max_pending_bytes: max_group_bytes * PENDING_GROUPS,
        min_free_bytes: log.min_free_bytes.0,
        commit_delay: span(log.max_commit_interval),
        max_bytes: log.max_bytes.0,
        // What blocks hold goes at once.
        retention_bytes: 1,
        retention_age: Duration::ZERO,
        pin_groups: vec![COMMIT_GROUP.to_owned()],
        ..ingest_log::Config::default()
    }
}

/// The live store of one shard of `shards`.
pub fn live_store(config: &Config, memory_limit_bytes: u64, shards: usize) -> live_store::Config {
    let shards = shards.max(1) as u64;
    let mut settings = live_store::Config::for_budget(memory_limit_bytes / shards);
    if config.memory.limit.0 == 0 {
        settings.max_live_bytes = settings.max_live_bytes.min(LIVE_BYTES_WITHOUT_LIMIT);
    }
    settings.ages.max_trace_idle = span(config.live_store.max_trace_idle);
    settings.ages.max_trace_live = span(config.live_store.max_trace_live);
    settings.ages.flush_check_period = span(config.live_store.flush_check_period);
    settings
        .zone
        .clone_from(&config.live_store.ring.instance_zone);
    settings
}

/// The block builder of one shard of `shards`.
pub fn block_builder(
    config: &Config,
    memory_limit_bytes: u64,
    shards: usize,
) -> block_builder::Config {
    let live = &config.live_store;
    let budget = memory_limit_bytes / shards.max(1) as u64;
    // What is built takes three times its size. Beside live data, its index and the caches that leaves a third of the
    // budget to requests and queries, most of it below the mark at which ingest is refused.
    let mut max_block_bytes = live.max_block_bytes;
    // 0: nobody knows how much memory there is.
    if budget > 0 {
        max_block_bytes = max_block_bytes.min((budget / 32).max(1));
    }
    let is_set = live.max_block_bytes != LiveStore::default().max_block_bytes;
    if config.memory.limit.0 == 0 && !is_set {
        max_block_bytes = max_block_bytes.min(SECTION_BYTES_WITHOUT_LIMIT);
    }
    block_builder::Config {
        folder: local_blocks(config).into(),
        check_period: span(live.flush_check_period).max(CHECK_PERIOD_LEAST),
        max_trace_idle: span(live.max_trace_idle),
        max_trace_live: span(live.max_trace_live),
        max_block_duration: span(live.max_block_duration),
        max_block_bytes,
        upload_timeout: span(live.flush_op_timeout),
    }
}

/// Where blocks lie until they are uploaded: where the configuration says, else beside what the process keeps anyway.
pub fn local_blocks(config: &Config) -> String {
    let own = &config.live_store.wal.path;
    if *own == LiveStore::default().wal.path {
        format!(
            "{}/blocks",
            config.storage.trace.wal.path.trim_end_matches('/')
        )
    } else {
        own.clone()
    }
}

/// How blocks are written for a tenant with these columns of its own; none: those of all tenants.
pub fn block_options(
    config: &Config,
    own_columns: &[storage::DedicatedColumn],
) -> block_builder::BlockOptions {
    let block = &config.storage.trace.block;
    let columns = columns_of(config, own_columns);
    block_builder::BlockOptions {
        format: match block.version {
            BlockVersion::Unset | BlockVersion::VParquet5 => Format::VParquet5,
            BlockVersion::VParquet3 | BlockVersion::VParquet4 => Format::VParquet4,
        },
        dedicated: dedicated_columns(columns),
        row_group_bytes: block.parquet_row_group_size_bytes,
        // Checked when the configuration was read.
        zstd_level: i32::try_from(block.zstd_level).unwrap_or(i32::MAX),
        bloom_false_positive: block.bloom_filter_false_positive,
        bloom_shard_bytes: block.bloom_filter_shard_size_bytes,
    }
}

fn columns_of<'c>(
    config: &'c Config,
    own: &'c [storage::DedicatedColumn],
) -> &'c [storage::DedicatedColumn] {
    match own {
        [] => &config.storage.trace.block.parquet_dedicated_columns,
        own => own,
    }
}

/// What queries take for attributes with columns of their own: those configured, and those that blocks have always had.
pub fn dedicated(config: &Config, own_columns: &[storage::DedicatedColumn]) -> Dedicated {
    let configured = dedicated_columns(columns_of(config, own_columns));
    let configured = configured.into_iter().map(|column| {
        let level = match column.scope {
            dedicated::Scope::Resource => Level::Resource,
            dedicated::Scope::Span => Level::Span,
            dedicated::Scope::Event => Level::Event,
        };
        (level, column.name.into())
    });
    let known = |level, all: &'static [WellKnown]| {
        let attributes = all.iter().map(|known| known.attribute());
        // A missing service name reads as empty.
        let optional = attributes.filter(|name| *name != WellKnown::ServiceName.attribute());
        optional.map(move |name| (level, name.into()))
    };
    configured
        .chain(known(Level::Resource, &WellKnown::OF_RESOURCE))
        .chain(known(Level::Span, &WellKnown::OF_SPAN))
        .collect()
}

/// The columns that make sense; the configuration has been warned of the others.
fn dedicated_columns(columns: &[storage::DedicatedColumn]) -> Vec<DedicatedColumn> {
    let mut out: Vec<DedicatedColumn> = Vec::with_capacity(columns.len());
    for column in columns {
        let scope = match column.scope {
            ColumnScope::Resource => dedicated::Scope::Resource,
            ColumnScope::Span => dedicated::Scope::Span,
            ColumnScope::Event => dedicated::Scope::Event,
            ColumnScope::Unset => continue,
        };
        let kind = match column.kind {
            ColumnType::Text => dedicated::Kind::String,
            ColumnType::Int => dedicated::Kind::Int,
        };
        let twice = |one: &DedicatedColumn| one.scope == scope && one.name == column.name;
        if column.name.is_empty() || out.iter().any(twice) {
            continue;
        }
        let options = column
            .options
            .iter()
            .filter_map(|option| match (option.as_str(), kind) {
                ("array", _) => Some(ColumnOption::Array),
                ("blob", dedicated::Kind::String) => Some(ColumnOption::Blob),
                _ => None,
            });
        out.push(DedicatedColumn {
            scope,
            name: column.name.clone(),
            kind,
            options: options.collect(),
        });
    }
    out
}

/// Bytes of bloom filters and footers in memory, of all shards.
pub fn block_cache(config: &Config, memory_limit_bytes: u64) -> u64 {
    const MOST: u64 = 512 << 20;
    match config.memory.block_cache.0 {
        0 if memory_limit_bytes == 0 => MOST,
        0 => (memory_limit_bytes / 16).min(MOST),
        // More than half would leave nothing to work with.
        bytes if memory_limit_bytes > 0 => bytes.min(memory_limit_bytes / 2),
        bytes => bytes,
    }
}

/// The distributor, but for the limits of single listeners.
pub fn distributor(config: &Config) -> distributor::Config {
    let block = &config.distributor;
    let log = |spans: &LogSpans| distributor::SpanLog {
        enabled: spans.enabled,
        include_all_attributes: spans.include_all_attributes,
        filter_by_status_error: spans.filter_by_status_error,
    };
    distributor::Config {
        multitenancy: config.is_multitenant(),
        max_attribute_bytes: block.max_attribute_bytes,
        retry_after_on_resource_exhausted: span(block.retry_after_on_resource_exhausted),
        artificial_delay: block.artificial_delay.map(span),
        log_received_spans: log(&block.log_received_spans),
        log_discarded_spans: log(&block.log_discarded_spans),
        metric_received_spans: distributor::SpanMetric {
            enabled: block.metric_received_spans.enabled,
            root_only: block.metric_received_spans.root_only,
        },
        ..distributor::Config::default()
    }
}

/// A header that a receiver shall send and can't.
#[derive(Debug, thiserror::Error)]
#[error("distributor.receivers: the header {name:?} of response_headers cannot be sent: {why}")]
pub struct HeaderError {
    name: String,
    why: ::http::Error,
}

/// An OTLP/HTTP receiver.
pub fn http_receiver(receiver: &HttpReceiver) -> Result<OtlpHttp, HeaderError> {
    let header = |(name, value): (&String, &Secret)| {
        let checked = || -> Result<_, ::http::Error> {
            Ok((
                HeaderName::try_from(name.as_str())?,
                HeaderValue::try_from(value.reveal())?,
            ))
        };
        checked().map_err(|why| HeaderError {
            name: name.clone(),
            why,
        })
    };
    let response_headers = receiver.response_headers.iter().map(header);
    let algorithms = &receiver.compression_algorithms;
    let encodings = algorithms.iter().filter_map(|name| Encoding::parse(name));
    let cors = receiver.cors.as_ref().map(|cors| distributor::Cors {
        origins: cors.allowed_origins.clone(),
        headers: cors.allowed_headers.clone(),
        exposed: cors.exposed_headers.clone(),
        max_age: cors.max_age,
    });
    let read_timeout = span(receiver.read_timeout);
    Ok(OtlpHttp {
        max_body_bytes: usize::try_from(receiver.max_body_bytes()).unwrap_or(usize::MAX),
        receiver: distributor::HttpReceiver {
            traces_path: receiver.traces_url_path.clone(),
            encodings: (!algorithms.is_empty()).then(|| encodings.collect()),
            read_timeout: (!read_timeout.is_zero()).then_some(read_timeout),
            response_headers: response_headers.collect::<Result<_, _>>()?,
            keep_alive: receiver.keep_alives_enabled,
            cors: cors.filter(|cors| !cors.origins.is_empty()),
        },
    })
}

/// A duration of the configuration; negative ones count as zero.
pub fn span(duration: vivace_config::types::Duration) -> Duration {
    duration.as_std()
}

/// The memory that budgets share: the configured limit, or a part of what the cgroup or the machine has.
/// Reads files: called before the shards start.
pub fn memory_limit(config: &Config) -> u64 {
    if config.memory.limit.0 > 0 {
        return config.memory.limit.0;
    }
    let ratio = config.memory.automemlimit_ratio.clamp(0.0, 1.0);
    let available = cgroup_limit().into_iter().chain(machine_memory()).min();
    // Exact enough: a float holds sizes of memory to the byte up to 8 PiB.
    available.map_or(0, |bytes| (bytes as f64 * ratio) as u64)
}

/// Read once, before the shards start.
fn cgroup_limit() -> Option<u64> {
    let files = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    files
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok())
}

/// Read once, before the shards start.
fn machine_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}

/// What the budgets of the shards may hold in all: the limit less what no budget counts (code, stacks, tables,
/// what the allocator keeps).
pub fn budgets(memory_limit: u64) -> u64 {
    const UNCOUNTED: u64 = 56 << 20;
    memory_limit - UNCOUNTED.max(memory_limit / 8).min(memory_limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Most bytes of a section of one of two shards, on a machine with 16 GiB.
    fn section(limit: u64, max_block_bytes: u64) -> u64 {
        let memory = if limit > 0 { limit } else { 16 << 30 };
        section_of(memory, limit, max_block_bytes)
    }

    fn section_of(memory: u64, limit: u64, max_block_bytes: u64) -> u64 {
        let mut config = Config::default();
        config.memory.limit.0 = limit;
        if max_block_bytes > 0 {
            config.live_store.max_block_bytes = max_block_bytes;
        }
        block_builder(&config, memory, 2).max_block_bytes
    }

    #[test]
    fn sections_are_as_large_as_configured_and_as_memory_allows() {
        assert_eq!(section(0, 0), SECTION_BYTES_WITHOUT_LIMIT);
        assert_eq!(section(0, 100 * MIB), 100 * MIB);
        assert_eq!(section(0, MIB), MIB);
        assert_eq!(section(0, 1 << 40), 256 * MIB);
        assert_eq!(section(512 * MIB, 1 << 40), 8 * MIB);
        assert_eq!(section(512 * MIB, MIB), MIB);
        assert_eq!(section(16 << 30, 0), 50 * MIB);
        // Of a machine that does not tell what it has.
        assert_eq!(section_of(0, 0, 0), SECTION_BYTES_WITHOUT_LIMIT);
        assert_eq!(section_of(0, 0, 100 * MIB), 100 * MIB);
    }
}
