//! `storage` (configuration.md §7.1).

use super::cache::{BackgroundCache, Memcached, Redis};
use super::object_stores::{AzureStore, GcsStore, LocalStore, S3Store, StoreKind};
use crate::block::{block, choice};
use crate::types::{Duration, mins};

choice! {
    /// The format that blocks are written in. Empty = vParquet5.
    pub enum BlockVersion {
        Unset = "",
        VParquet3 = "vParquet3",
        VParquet4 = "vParquet4",
        VParquet5 = "vParquet5",
    }
}

choice! {
    /// Whose attributes a column holds.
    pub enum ColumnScope {
        Unset = "",
        Resource = "resource",
        Span = "span",
        Event = "event",
    }
}

choice! {
    /// What a column holds.
    pub enum ColumnType {
        Text = "string",
        Int = "int",
    }
}

block! {
    /// An attribute with a column of its own.
    pub struct DedicatedColumn {
        /// Whose attribute.
        scope: ColumnScope;
        /// Name of the attribute.
        name: String;
        /// Its type.
        kind("type"): ColumnType;
        /// Further properties: `array` (several values), `blob` (long texts). Others are warned of.
        options: Vec<String>;
    }
}

/// The columns that blocks have when the configuration says nothing.
pub fn default_columns() -> Vec<DedicatedColumn> {
    use ColumnScope::{Resource, Span};
    use ColumnType::{Int, Text};
    [
        (Resource, "k8s.cluster.name", Text),
        (Resource, "k8s.namespace.name", Text),
        (Resource, "k8s.pod.name", Text),
        (Resource, "k8s.container.name", Text),
        (Span, "http.request.method", Text),
        (Span, "http.response.status_code", Int),
        (Span, "url.path", Text),
        (Span, "url.route", Text),
        (Span, "server.address", Text),
        (Span, "server.port", Int),
        (Span, "http.method", Text),
        (Span, "http.url", Text),
        (Span, "http.route", Text),
        (Span, "http.status_code", Int),
    ]
    .into_iter()
    .map(|(scope, name, kind)| DedicatedColumn {
        scope,
        name: name.to_string(),
        kind,
        options: Vec::new(),
    })
    .collect()
}

block! {
    /// How blocks are written.
    pub struct BlockFormat {
        /// Chance that a bloom filter says yes for an absent trace.
        bloom_filter_false_positive: f64 = 0.01;
        /// Bytes of one part of a bloom filter.
        bloom_filter_shard_size_bytes: u64 = 102_400;
        /// Format.
        version: BlockVersion = BlockVersion::VParquet5;
        /// Bytes of a row group.
        parquet_row_group_size_bytes: u64 = 100_000_000;
        /// How hard pages are compressed with zstd, from 1 (quick) to 19 (small). Vivace's own.
        zstd_level: u32 = 3;
        /// Attributes with columns of their own.
        parquet_dedicated_columns: Vec<DedicatedColumn> = default_columns();
    }
}

block! {
    /// A folder of blocks that are still being written.
    pub struct WalFormat {
        /// The folder.
        path: String = "/var/tempo/wal".into();
        /// Times of spans further from now are cut to this for the times of a block.
        ingestion_time_range_slack: Duration = mins(2);
    }
}

impl WalFormat {
    /// The defaults in another folder.
    pub fn at(path: &str) -> WalFormat {
        WalFormat {
            path: path.to_string(),
            ..WalFormat::default()
        }
    }
}

block! {
    /// Which parts of a block are cached. Superseded by roles of `cache`.
    pub struct CacheControl {
        /// Footers.
        footer: bool;
        /// Column indexes.
        column_index: bool;
        /// Offset indexes.
        offset_index: bool;
    }
}

block! {
    /// How blocks are read.
    pub struct BlockSearch {
        /// Bytes of a read without a buffer.
        chunk_size_bytes: u64 = 1_000_000;
        /// Traces read ahead.
        prefetch_trace_count: u32 = 1000;
        /// Buffers of a reader.
        read_buffer_count: u32 = 32;
        /// Bytes of each.
        read_buffer_size_bytes: u64 = 1_048_576;
        cache_control: CacheControl;
    }
}

block! {
    /// Jobs on blocks at once.
    pub struct WorkPool {
        /// Jobs at once.
        max_workers: u32 = 400;
        /// Jobs that wait; beyond, the query fails.
        queue_depth: u32 = 20_000;
    }
}

block! {
    /// Traces in blocks.
    pub struct TraceStorage {
        pool: WorkPool;
        wal: WalFormat;
        block: BlockFormat;
        search: BlockSearch;
        /// Pause between two looks for new blocks; 0 = never.
        blocklist_poll: Duration = mins(5);
        /// Blocks looked at at once.
        blocklist_poll_concurrency: u32 = 50;
        /// Tenants looked at at once; 0 = one.
        blocklist_poll_tenant_concurrency: u32;
        /// List the store when there is no index of a tenant.
        blocklist_poll_fallback: bool = true;
        /// Processes that write the index of a tenant.
        blocklist_poll_tenant_index_builders: u32 = 2;
        /// An index older than this is not used; 0 = any is.
        blocklist_poll_stale_tenant_index: Duration;
        /// Random wait before each tenant, in milliseconds.
        blocklist_poll_jitter_ms: u32;
        /// Errors in a row that a tenant may have in one look.
        blocklist_poll_tolerate_consecutive_errors: u32 = 1;
        /// Tenants that may fail in one look.
        blocklist_poll_tolerate_tenant_failures: u32 = 1;
        /// Delete what is left of tenants without blocks.
        empty_tenant_deletion_enabled: bool;
        /// When they have had none for this time.
        empty_tenant_deletion_age: Duration;
        /// Where blocks lie.
        backend: StoreKind;
        local: LocalStore;
        gcs: GcsStore;
        s3: S3Store;
        azure: AzureStore;
        /// Deprecated: use the top level `cache`.
        cache: DeprecatedCache;
        background_cache: BackgroundCache;
        memcached: Option<Memcached>;
        redis: Option<Redis>;
        /// Deprecated: least compaction level of blocks whose bloom filters are cached.
        cache_min_compaction_level: u32;
        /// Deprecated: most age of blocks whose bloom filters are cached.
        cache_max_block_age: Duration;
    }
}

choice! {
    /// The cache of the old place.
    pub enum DeprecatedCache {
        Unset = "",
        Memcached = "memcached",
        Redis = "redis",
    }
}

block! {
    /// What is stored where.
    pub struct Storage {
        trace: TraceStorage;
    }
}
