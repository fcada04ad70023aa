//! Settings with which the process cannot start.

use std::collections::HashMap;

use crate::blocks::cache::CacheRole;
use crate::blocks::ingest_log::LogBackend;
use crate::blocks::object_stores::StoreKind;
use crate::blocks::root::Config;
use crate::blocks::server::Server;
use crate::error::Problem;
use crate::types::Duration;
use crate::yaml::Mark;

/// The targets of Tempo 3.
pub const TARGETS: &[&str] = &[
    "all",
    "distributor",
    "live-store",
    "block-builder",
    "metrics-generator",
    "metrics-generator-no-local-blocks",
    "querier",
    "query-frontend",
    "backend-scheduler",
    "backend-worker",
];

/// The highest level of zstd that needs no extra memory to read.
const MAX_ZSTD_LEVEL: u32 = 19;

/// Collects problems by key.
#[derive(Default)]
pub(super) struct Found(Vec<Problem>);

impl Found {
    pub(super) fn add(&mut self, path: &str, message: impl Into<String>) {
        self.0.push(Problem {
            mark: Mark::default(),
            path: path.to_string(),
            message: message.into(),
        });
    }

    pub(super) fn add_if(&mut self, wrong: bool, path: &str, message: impl Into<String>) {
        if wrong {
            self.add(path, message);
        }
    }
}

/// Everything that keeps the process from starting.
pub fn fatal(config: &Config) -> Vec<Problem> {
    let mut found = Found::default();
    target(config, &mut found);
    storage(config, &mut found);
    queries(config, &mut found);
    caches(config, &mut found);
    server(&config.server, "server", &mut found);
    if config.internal_server.enable {
        server(
            &config.internal_server.server,
            "internal_server",
            &mut found,
        );
    }
    process(config, &mut found);
    super::receivers::receivers(config, &mut found);
    ingest_log(config, &mut found);
    found.0
}

fn target(config: &Config, found: &mut Found) {
    let target = config.target.as_str();
    if !TARGETS.contains(&target) {
        let near =
            crate::removed::nearest(target, TARGETS).map(|near| format!("; did you mean {near}?"));
        found.add(
            "target",
            format!(
                "unrecognised module name: {target}{}",
                near.unwrap_or_default()
            ),
        );
    } else if target != "all" {
        found.add(
            "target",
            format!("{target} is not available on its own in this version: only `all` is, which runs every component in one process"),
        );
    }
}

fn storage(config: &Config, found: &mut Found) {
    let trace = &config.storage.trace;
    let empty = |text: &str| text.is_empty();
    match trace.backend {
        StoreKind::Unset => found.add(
            "storage.trace.backend",
            "failed to create store: unknown backend : it must be one of local, s3, gcs, azure",
        ),
        StoreKind::Local => found.add_if(
            empty(&trace.local.path),
            "storage.trace.local.path",
            "must be set for the backend local",
        ),
        StoreKind::S3 => found.add_if(
            empty(&trace.s3.bucket),
            "storage.trace.s3.bucket",
            "must be set for the backend s3",
        ),
        StoreKind::Gcs => {
            found.add_if(
                empty(&trace.gcs.bucket_name),
                "storage.trace.gcs.bucket_name",
                "must be set for the backend gcs",
            );
        }
        StoreKind::Azure => found.add_if(
            empty(&trace.azure.container_name),
            "storage.trace.azure.container_name",
            "must be set for the backend azure",
        ),
    }
    found.add_if(
        empty(&trace.wal.path),
        "storage.trace.wal.path",
        "must be set",
    );
    let rate = trace.block.bloom_filter_false_positive;
    found.add_if(
        !(rate > 0.0 && rate < 1.0),
        "storage.trace.block.bloom_filter_false_positive",
        format!("invalid bloom filter fp rate {rate}: it must be between 0 and 1"),
    );
    found.add_if(
        !(1..=MAX_ZSTD_LEVEL).contains(&trace.block.zstd_level),
        "storage.trace.block.zstd_level",
        format!("must be from 1 to {MAX_ZSTD_LEVEL}"),
    );
    found.add_if(
        trace.block.bloom_filter_shard_size_bytes == 0,
        "storage.trace.block.bloom_filter_shard_size_bytes",
        "positive value required for bloom-filter shard size",
    );
}

fn queries(config: &Config, found: &mut Found) {
    let frontend = &config.query_frontend;
    let prefix = config.http_api_prefix.as_str();
    found.add_if(
        !prefix.is_empty() && !is_path(prefix),
        "http_api_prefix",
        format!("{prefix:?} must start with a slash, such as /tempo, and hold no braces"),
    );
    for (index, pattern) in frontend.url_deny_list.iter().enumerate() {
        if let Err(error) = regex::Regex::new(pattern) {
            let path = format!("query_frontend.url_deny_list[{index}]");
            found.add(&path, format!("not a regular expression: {error}"));
        }
    }
    let headers = frontend.log_query_request_headers.as_str();
    header_names("query_frontend.log_query_request_headers", headers, found);
    let (after, cutoff) = (
        frontend.search.query_backend_after,
        frontend.query_end_cutoff,
    );
    found.add_if(
        cutoff > after,
        "query_frontend.search.query_backend_after",
        format!("QueryBackendAfter ({after}) must be greater than query end cutoff ({cutoff})"),
    );
    found.add_if(
        !(2..=100_000).contains(&frontend.trace_by_id.query_shards),
        "query_frontend.trace_by_id.query_shards",
        "frontend query shards should be between 2 and 100000 (both inclusive)",
    );
}

/// A path that can stand in front of others.
pub(super) fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(['{', '}'])
}

/// Checks a list with commas.
fn header_names(path: &str, list: &str, found: &mut Found) {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    for name in list.split(',').map(str::trim) {
        found.add_if(
            !name.bytes().all(token),
            path,
            format!("{name:?} is no header name"),
        );
    }
}

fn caches(config: &Config, found: &mut Found) {
    let mut by_role: HashMap<CacheRole, usize> = HashMap::new();
    for (index, cache) in config.cache.caches.iter().enumerate() {
        let path = format!("cache.caches[{index}]");
        found.add_if(
            cache.memcached.is_some() == cache.redis.is_some(),
            &path,
            "exactly one of memcached and redis must be set",
        );
        found.add_if(
            cache.roles.is_empty(),
            &path,
            "at least one role must be set",
        );
        for role in &cache.roles {
            if by_role.insert(*role, index).is_some() {
                found.add(
                    &path,
                    format!("the role {role} is already claimed by another cache"),
                );
            }
        }
    }
}

fn server(server: &Server, path: &str, found: &mut Found) {
    for (key, network) in [
        ("http_listen_network", &server.http_listen_network),
        ("grpc_listen_network", &server.grpc_listen_network),
    ] {
        // The internal server has no gRPC listener and so no network for it.
        found.add_if(
            !matches!(network.as_str(), "tcp" | "tcp4" | "tcp6" | ""),
            &format!("{path}.{key}"),
            format!("{network:?} must be tcp, tcp4 or tcp6"),
        );
    }
    let prefix = server.http_path_prefix.as_str();
    found.add_if(
        !prefix.is_empty() && !is_path(prefix),
        &format!("{path}.http_path_prefix"),
        format!("{prefix:?} must start with a slash, and hold no braces"),
    );
    header_names(
        &format!("{path}.log_source_ips_header"),
        &server.log_source_ips_header,
        found,
    );
    header_names(
        &format!("{path}.log_request_exclude_headers_list"),
        &server.log_request_exclude_headers_list,
        found,
    );
    if let Err(error) = regex::Regex::new(&server.log_source_ips_regex) {
        let path = format!("{path}.log_source_ips_regex");
        found.add(&path, format!("not a regular expression: {error}"));
    }
    let pair = (
        server.log_source_ips_header.is_empty(),
        server.log_source_ips_regex.is_empty(),
    );
    found.add_if(
        pair.0 != pair.1,
        &format!("{path}.log_source_ips_header"),
        "log_source_ips_header and log_source_ips_regex must be set together",
    );
    for (name, tls) in [
        ("http_tls_config", &server.http_tls_config),
        ("grpc_tls_config", &server.grpc_tls_config),
    ] {
        let has_key = !tls.key.is_empty() || !tls.key_file.is_empty();
        found.add_if(
            tls.is_enabled() != has_key,
            &format!("{path}.{name}"),
            "a certificate and its private key must be set together",
        );
        let both = (!tls.cert.is_empty() && !tls.cert_file.is_empty())
            || (!tls.key.is_empty() && !tls.key_file.is_empty())
            || (!tls.client_ca.is_empty() && !tls.client_ca_file.is_empty());
        found.add_if(
            both,
            &format!("{path}.{name}"),
            "a value and its file must not both be set",
        );
    }
}

fn process(config: &Config, found: &mut Found) {
    const MAX_SHARDS: usize = 1024;
    found.add_if(
        config.shards > MAX_SHARDS,
        "shards",
        format!("at most {MAX_SHARDS} shards"),
    );
    const MIN_MEMORY: u64 = 16 << 20;
    found.add_if(
        config.memory.limit.0 != 0 && config.memory.limit.0 < MIN_MEMORY,
        "memory.limit",
        "must be 0 (that of the machine) or at least 16MiB",
    );
    // What runs again and again needs a pause.
    for (path, period) in [
        (
            "overrides.per_tenant_override_period",
            config.overrides.per_tenant_override_period,
        ),
        (
            "live_store.flush_check_period",
            config.live_store.flush_check_period,
        ),
        (
            "live_store.commit_interval",
            config.live_store.commit_interval,
        ),
    ] {
        found.add_if(
            period <= Duration::ZERO,
            path,
            format!("{period} must be above 0"),
        );
    }
    for (index, write) in config
        .metrics_generator
        .storage
        .remote_write
        .iter()
        .enumerate()
    {
        let path = format!("metrics_generator.storage.remote_write[{index}].url");
        found.add_if(write.url.is_empty(), &path, "must be set");
    }
    let ratio = config.memory.automemlimit_ratio;
    found.add_if(
        !(ratio > 0.0 && ratio <= 1.0),
        "memory.automemlimit_ratio",
        format!("{ratio} must be above 0 and at most 1"),
    );
    let mut names = HashMap::new();
    for forwarder in &config.distributor.forwarders {
        let path = "distributor.forwarders";
        found.add_if(forwarder.name.is_empty(), path, "a forwarder needs a name");
        found.add_if(
            names.insert(forwarder.name.as_str(), ()).is_some(),
            path,
            format!("two forwarders are named {:?}", forwarder.name),
        );
        found.add_if(
            forwarder.otlpgrpc.endpoints.is_empty(),
            path,
            format!("the forwarder {:?} has no endpoints", forwarder.name),
        );
    }
}

fn ingest_log(config: &Config, found: &mut Found) {
    const MIN_SEGMENT: u64 = 1 << 20;
    const MAX_SEGMENT: u64 = 4 << 30;
    const MAX_PARTITIONS: u32 = 4096;
    const MIN_COMMIT: u64 = 64 << 10;
    const MAX_COMMIT: u64 = 1 << 30;
    let log = &config.ingest_log;
    let instead = "is not available in this version: use `embedded`, the durable log in files of this process";
    match log.backend {
        LogBackend::Embedded => {}
        LogBackend::Kafka => found.add("ingest_log.backend", format!("`kafka` {instead}")),
        LogBackend::ObjectStore => {
            found.add("ingest_log.backend", format!("`object_store` {instead}"))
        }
    }
    let embedded = &log.embedded;
    found.add_if(
        !(MIN_SEGMENT..=MAX_SEGMENT).contains(&embedded.segment_size.0),
        "ingest_log.embedded.segment_size",
        "must be from 1MiB to 4GiB",
    );
    found.add_if(
        embedded.max_record_size.0 == 0 || embedded.max_record_size.0 > embedded.segment_size.0 / 2,
        "ingest_log.embedded.max_record_size",
        "must be above 0 and at most half of segment_size",
    );
    found.add_if(
        embedded.max_bytes.0 != 0
            && embedded.max_bytes.0 < embedded.segment_size.0.saturating_mul(3),
        "ingest_log.embedded.max_bytes",
        "must be 0 (no limit) or at least three segments",
    );
    found.add_if(
        embedded.partitions > MAX_PARTITIONS,
        "ingest_log.embedded.partitions",
        format!("at most {MAX_PARTITIONS} partitions"),
    );
    found.add_if(
        !(MIN_COMMIT..=MAX_COMMIT).contains(&embedded.max_commit_bytes.0),
        "ingest_log.embedded.max_commit_bytes",
        "must be from 64KiB to 1GiB",
    );
    let interval = embedded.max_commit_interval.as_nanos();
    found.add_if(
        !(0..=1_000_000_000).contains(&interval),
        "ingest_log.embedded.max_commit_interval",
        "must be from 0 to 1s",
    );
}
