//! Tenant → limits: the tenant's entry, else that of `*`, else the defaults (configuration.md §8.1).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::file::{TenantFile, WILDCARD};
use crate::blocks::root::Config;
use crate::blocks::tenant_limits::{Limits, RateStrategy};
use crate::types::Duration as ConfigDuration;

/// Where a tenant's limits come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSource {
    /// Its own entry.
    Tenant,
    /// The entry of `*`.
    Wildcard,
    Defaults,
}

/// The limits of one tenant, ready for use: what falls back to other keys has done so.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantLimits {
    pub source: LimitSource,
    /// What the rate limit applies to.
    pub rate_strategy: RateStrategy,
    /// Bytes a second. 0 refuses everything.
    pub rate_limit_bytes: u64,
    /// Bytes at once. 0 refuses everything.
    pub burst_size_bytes: u64,
    /// Most live traces in a live-store; 0 = no limit.
    pub max_traces_per_user: u64,
    /// Partitions that the tenant is spread over; 0 = all.
    pub tenant_shard_size: u32,
    /// Longest attribute key or value in bytes; 0 = no limit.
    pub max_attribute_bytes: u64,
    /// Answers take at least this long.
    pub artificial_delay: Option<Duration>,
    /// The pause that a refused client is told; none if it is to be told none.
    pub retry_after: Option<Duration>,
    /// Most bytes of a trace; 0 = no limit.
    pub max_bytes_per_trace: u64,
    /// All limits, after what falls back to the defaults.
    pub limits: Limits,
}

impl TenantLimits {
    fn new(config: &Config, source: LimitSource, mut limits: Limits) -> TenantLimits {
        let defaults = &config.overrides.defaults;
        if source != LimitSource::Defaults {
            fall_back(&mut limits, defaults);
        }
        let distributor = &config.distributor;
        let ingestion = &limits.ingestion;
        let positive =
            |duration: ConfigDuration| (duration > ConfigDuration::ZERO).then(|| duration.as_std());
        let retry_info = ingestion.retry_info_enabled.unwrap_or(true);
        TenantLimits {
            source,
            rate_strategy: ingestion.rate_strategy,
            rate_limit_bytes: ingestion.rate_limit_bytes,
            burst_size_bytes: ingestion.burst_size_bytes,
            max_traces_per_user: ingestion.max_traces_per_user,
            tenant_shard_size: ingestion.tenant_shard_size,
            max_attribute_bytes: match ingestion.max_attribute_bytes {
                0 => distributor.max_attribute_bytes,
                own => own,
            },
            artificial_delay: ingestion
                .artificial_delay
                .or(distributor.artificial_delay)
                .and_then(positive),
            retry_after: positive(distributor.retry_after_on_resource_exhausted)
                .filter(|_| retry_info),
            max_bytes_per_trace: limits.global.max_bytes_per_trace,
            limits,
        }
    }
}

/// The exceptions to "an entry replaces the defaults as a whole".
fn fall_back(limits: &mut Limits, defaults: &Limits) {
    limits.ingestion.rate_strategy = defaults.ingestion.rate_strategy;
    limits.read.max_condition_groups_per_tag_query =
        defaults.read.max_condition_groups_per_tag_query;
    fn or<T: Copy>(own: &mut Option<T>, default: Option<T>) {
        *own = own.or(default);
    }
    or(
        &mut limits.ingestion.retry_info_enabled,
        defaults.ingestion.retry_info_enabled,
    );
    or(
        &mut limits.read.engine_bytes_tracking,
        defaults.read.engine_bytes_tracking,
    );
    let (own, default) = (&mut limits.metrics_generator, &defaults.metrics_generator);
    or(
        &mut own.native_histogram_bucket_factor,
        default.native_histogram_bucket_factor,
    );
    or(
        &mut own.native_histogram_max_bucket_number,
        default.native_histogram_max_bucket_number,
    );
    or(
        &mut own.native_histogram_min_reset_duration,
        default.native_histogram_min_reset_duration,
    );
    or(
        &mut own.span_name_sanitization,
        default.span_name_sanitization,
    );
}

/// Everybody's limits, from one reading of the configuration and the file of tenants.
#[derive(Clone, Debug)]
pub struct Resolver {
    tenants: HashMap<String, Arc<TenantLimits>>,
    /// Of tenants without an entry.
    others: Arc<TenantLimits>,
    defaults: Arc<TenantLimits>,
}

impl Resolver {
    /// `file`: the last good one, if there is one.
    pub fn new(config: &Config, file: Option<&TenantFile>) -> Resolver {
        let defaults = &config.overrides.defaults;
        let defaults = Arc::new(TenantLimits::new(
            config,
            LimitSource::Defaults,
            defaults.clone(),
        ));
        let mut tenants = HashMap::new();
        let mut others = defaults.clone();
        for (tenant, limits) in file.iter().flat_map(|file| &file.entries) {
            if tenant == WILDCARD {
                others = Arc::new(TenantLimits::new(
                    config,
                    LimitSource::Wildcard,
                    limits.clone(),
                ));
            } else {
                let limits = TenantLimits::new(config, LimitSource::Tenant, limits.clone());
                tenants.insert(tenant.clone(), Arc::new(limits));
            }
        }
        Resolver {
            tenants,
            others,
            defaults,
        }
    }

    /// A tenant's limits.
    pub fn limits(&self, tenant: &str) -> &Arc<TenantLimits> {
        self.tenants.get(tenant).unwrap_or(&self.others)
    }

    /// The limits of the configuration itself.
    pub fn defaults(&self) -> &Arc<TenantLimits> {
        &self.defaults
    }

    /// The tenants with entries of their own, in no order.
    pub fn tenants(&self) -> impl Iterator<Item = (&str, &Arc<TenantLimits>)> {
        self.tenants
            .iter()
            .map(|(tenant, limits)| (tenant.as_str(), limits))
    }
}
