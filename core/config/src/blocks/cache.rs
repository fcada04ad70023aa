//! `cache` (configuration.md §7.4).

use super::tls::SwitchedTls;
use crate::block::{block, choice};
use crate::types::{Duration, Secret, millis, mins, secs};

choice! {
    /// What a cache is used for.
    pub enum CacheRole {
        Bloom = "bloom",
        TraceIdIndex = "trace-id-index",
        ParquetFooter = "parquet-footer",
        ParquetColumnIndex = "parquet-column-idx",
        ParquetOffsetIndex = "parquet-offset-idx",
        ParquetPage = "parquet-page",
        FrontendSearch = "frontend-search",
    }
}

block! {
    /// Writes to caches in the background.
    pub struct BackgroundCache {
        /// Writers.
        writeback_goroutines: u32 = 10;
        /// Writes that wait.
        writeback_buffer: u32 = 10_000;
    }
}

block! {
    /// Memcached servers.
    pub struct Memcached {
        /// Host of the servers.
        host: String;
        /// Name of the SRV record, or port.
        service: String = "memcached".into();
        /// Servers, with commas; instead of `host`.
        addresses: String;
        /// Longest time of a request.
        timeout: Duration = millis(100);
        /// Longest time to connect; 0 = `timeout`.
        connect_timeout: Duration;
        /// Idle connections kept to each server.
        max_idle_conns: u32 = 100;
        /// Idle connections kept above those in use, in percent; negative = all.
        min_idle_conns_headroom_percentage: f64 = -1.0;
        /// Pause between two look-ups of the servers.
        update_interval: Duration = mins(1);
        /// Few keys move when a server comes or goes.
        consistent_hash: bool = true;
        /// Larger values are not cached; 0 = no limit.
        max_item_size: u64;
        /// Life of a value; 0 = no end.
        ttl: Duration;
        /// The same.
        expiration: Duration;
        /// Errors in a row after which a server is left alone.
        circuit_breaker_consecutive_failures: u32 = 10;
        /// For how long.
        circuit_breaker_timeout: Duration = secs(10);
        /// Errors are forgotten after this time.
        circuit_breaker_interval: Duration = secs(10);
        [inline] tls: SwitchedTls;
    }
}

block! {
    /// Redis servers.
    pub struct Redis {
        /// Servers, with commas.
        endpoint: String;
        /// Name of the Sentinel master.
        master_name: String;
        /// Longest time of a request.
        timeout: Duration = millis(100);
        /// Life of a value; 0 = no end.
        ttl: Duration;
        /// The same.
        expiration: Duration;
        /// Number of the database.
        db: u32;
        /// Connections; 0 = chosen by the CPUs.
        pool_size: u32;
        /// Idle connections kept.
        min_idle_conns: u32;
        /// User name.
        username: String;
        /// Password.
        password: Secret;
        /// User name for Sentinel.
        sentinel_username: String;
        /// Password for Sentinel.
        sentinel_password: Secret;
        [inline] tls: SwitchedTls;
        /// A connection is closed when idle for this time; 0 = never.
        conn_max_idle_time: Duration;
        /// A connection is closed at this age; 0 = never.
        conn_max_lifetime: Duration;
        /// The old name of `conn_max_idle_time`.
        idle_timeout: Duration;
        /// The old name of `conn_max_lifetime`.
        max_connection_age: Duration;
        /// One server, even if several are named.
        single_node: bool;
        /// Read from the nearest server.
        route_by_latency: bool;
        /// Read from any server.
        route_randomly: bool;
        /// Read from replicas.
        read_only: bool;
        /// Most redirections of one request; 0 = 3.
        max_redirects: u32;
        /// Larger values are not cached; 0 = no limit.
        max_item_size: u64;
    }
}

block! {
    /// One cache and what it is used for.
    pub struct Cache {
        /// What for; each role in one cache only.
        roles: Vec<CacheRole>;
        memcached: Option<Memcached>;
        redis: Option<Redis>;
    }
}

block! {
    /// Caches of what is read from the store.
    pub struct Caches {
        background: BackgroundCache;
        /// The caches.
        caches: Vec<Cache>;
    }
}
