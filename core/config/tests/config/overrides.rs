//! Who gets which limits (configuration.md §8.1).

use std::time::Duration;

use vivace_config::{Config, Invocation, LimitSource, Resolver, Source, TenantFile, load};

const CONFIG: &str = "
storage: {trace: {backend: local, local: {path: /x}}}
distributor: {artificial_delay: 7ms}
overrides:
  defaults:
    ingestion: {rate_strategy: global, max_traces_per_user: 77, retry_info_enabled: false}
    read: {max_condition_groups_per_tag_query: 9, engine_bytes_tracking: true}
    metrics_generator: {native_histogram_bucket_factor: 2}
";

fn config(text: &str) -> Config {
    let source = Source {
        name: "c.yaml",
        text,
    };
    load(&Invocation::default(), Some(source), &|_| None)
        .unwrap_or_else(|error| panic!("{error}"))
        .config
}

fn tenants(config: &Config, text: &str) -> TenantFile {
    let source = Source {
        name: "o.yaml",
        text,
    };
    TenantFile::parse(source, config, false, &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn defaults_apply_to_tenants_without_entries() {
    let config = config(CONFIG);
    let resolver = Resolver::new(&config, None);
    let limits = resolver.limits("anyone");
    assert_eq!(limits.source, LimitSource::Defaults);
    assert_eq!(
        (limits.rate_limit_bytes, limits.burst_size_bytes),
        (30_000_000, 30_000_000)
    );
    assert_eq!(
        (limits.max_traces_per_user, limits.max_bytes_per_trace),
        (77, 5_000_000)
    );
    assert_eq!(limits.max_attribute_bytes, 2048);
    assert_eq!(limits.artificial_delay, Some(Duration::from_millis(7)));
    assert_eq!(limits.retry_after, None);
}

#[test]
fn an_entry_replaces_the_defaults_as_a_whole_with_the_known_exceptions() {
    let config = config(CONFIG);
    let file = tenants(
        &config,
        "overrides:\n  a:\n    ingestion: {rate_strategy: local, burst_size_bytes: 5, max_attribute_bytes: 10}\n    read: {max_condition_groups_per_tag_query: 1}\n  '*':\n    ingestion: {retry_info_enabled: true, artificial_delay: 0s}\n",
    );
    let resolver = Resolver::new(&config, Some(&file));
    let own = resolver.limits("a");
    assert_eq!(own.source, LimitSource::Tenant);
    assert_eq!((own.rate_limit_bytes, own.burst_size_bytes), (0, 5));
    assert_eq!((own.max_traces_per_user, own.max_bytes_per_trace), (0, 0));
    assert_eq!(own.max_attribute_bytes, 10);
    assert_eq!(own.rate_strategy.as_str(), "global");
    assert_eq!(own.limits.read.max_condition_groups_per_tag_query, 9);
    assert_eq!(own.limits.read.engine_bytes_tracking, Some(true));
    assert_eq!(own.limits.read.max_bytes_per_tag_values_query, 0);
    assert_eq!(
        own.limits.metrics_generator.native_histogram_bucket_factor,
        Some(2.0)
    );
    assert_eq!(own.artificial_delay, Some(Duration::from_millis(7)));
    assert_eq!(own.retry_after, None);

    let other = resolver.limits("b");
    assert_eq!(other.source, LimitSource::Wildcard);
    assert_eq!(other.retry_after, Some(Duration::from_secs(5)));
    assert_eq!(other.artificial_delay, None);
    assert_eq!(other.max_attribute_bytes, 2048);
    assert_eq!(
        resolver
            .tenants()
            .map(|(tenant, _)| tenant)
            .collect::<Vec<_>>(),
        ["a"]
    );
}

#[test]
fn flat_names_mean_the_same_as_scoped_ones() {
    let flat = config(
        "storage: {trace: {backend: local, local: {path: /x}}}
overrides:
  enable_legacy_overrides: true
  per_tenant_override_config: /o.yaml
  ingestion_rate_limit_bytes: 1
  ingestion_burst_size_bytes: 2
  ingestion_artificial_delay: 3s
  max_traces_per_user: 4
  max_bytes_per_trace: 5
  max_search_duration: 6d
  block_retention: 7h
  metrics_generator_processors: [span-metrics]
  metrics_generator_forwarder_queue_size: 8
  metrics_generator_processor_span_metrics_dimensions: [a]
  metrics_generator_processor_service_graphs_histogram_buckets: [1, 2]
  parquet_dedicated_columns: [{scope: span, name: b, type: int}]
  forwarders: [c]
  cost_attribution: {max_cardinality: 9}
",
    );
    let scoped = config(
        "storage: {trace: {backend: local, local: {path: /x}}}
overrides:
  enable_legacy_overrides: true
  per_tenant_override_config: /o.yaml
  defaults:
    ingestion: {rate_limit_bytes: 1, burst_size_bytes: 2, artificial_delay: 3s, max_traces_per_user: 4}
    global: {max_bytes_per_trace: 5}
    read: {max_search_duration: 6d}
    compaction: {block_retention: 7h}
    metrics_generator:
      processors: [span-metrics]
      forwarder: {queue_size: 8}
      processor: {span_metrics: {dimensions: [a]}, service_graphs: {histogram_buckets: [1, 2]}}
    storage: {parquet_dedicated_columns: [{scope: span, name: b, type: int}]}
    forwarders: [c]
    cost_attribution: {max_cardinality: 9}
",
    );
    assert_eq!(flat, scoped);
    let file = tenants(
        &flat,
        "overrides: {a: {ingestion_rate_limit_bytes: 1, max_traces_per_user: 2}}",
    );
    assert!(file.is_legacy);
    assert_eq!(file.entries["a"].ingestion.rate_limit_bytes, 1);
    assert_eq!(file.entries["a"].ingestion.max_traces_per_user, 2);

    let strict = config("storage: {trace: {backend: local, local: {path: /x}}}");
    let source = Source {
        name: "o.yaml",
        text: "overrides: {a: {ingestion_rate_limit_bytes: 1}}",
    };
    let error = TenantFile::parse(source, &strict, false, &|_| None)
        .expect_err("refused")
        .to_string();
    assert!(error.contains("-config.enable-legacy-overrides"), "{error}");
}
