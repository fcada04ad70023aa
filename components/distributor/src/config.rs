//! Settings of the distributor (configuration.md §5.1), and what a tenant may do.

use crate::limits::{GRPC_MESSAGE_BYTES, HTTP_BODY_BYTES};
use crate::receiver::HttpReceiver;
use std::time::Duration;

/// `log_received_spans` and `log_discarded_spans`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanLog {
    pub enabled: bool,
    pub include_all_attributes: bool,
    /// Only spans whose status is an error.
    pub filter_by_status_error: bool,
}

/// `metric_received_spans`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanMetric {
    pub enabled: bool,
    /// Only spans without a parent.
    pub root_only: bool,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub multitenancy: bool,
    pub max_attribute_bytes: u64,
    /// What refused clients are told to wait; zero tells them nothing.
    pub retry_after_on_resource_exhausted: Duration,
    pub artificial_delay: Option<Duration>,
    pub log_received_spans: SpanLog,
    pub log_discarded_spans: SpanLog,
    pub metric_received_spans: SpanMetric,
    /// The other keys of the HTTP receiver.
    pub http: HttpReceiver,
    /// Largest decompressed body of OTLP/HTTP.
    pub http_max_body_bytes: usize,
    /// Largest decompressed message of OTLP/gRPC; the server that the service is added to enforces it.
    pub grpc_max_message_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            multitenancy: false,
            max_attribute_bytes: 2048,
            retry_after_on_resource_exhausted: Duration::from_secs(5),
            artificial_delay: None,
            log_received_spans: SpanLog::default(),
            log_discarded_spans: SpanLog::default(),
            metric_received_spans: SpanMetric::default(),
            http: HttpReceiver::default(),
            http_max_body_bytes: HTTP_BODY_BYTES,
            grpc_max_message_bytes: GRPC_MESSAGE_BYTES,
        }
    }
}

/// A tenant's limits as the overrides give them at the moment of a request (configuration.md §8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantLimits {
    pub rate_limit_bytes: u64,
    pub burst_size_bytes: u64,
    /// 0: the distributor's own.
    pub max_attribute_bytes: u64,
    pub artificial_delay: Option<Duration>,
    pub retry_info_enabled: bool,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self {
            rate_limit_bytes: 30_000_000,
            burst_size_bytes: 30_000_000,
            max_attribute_bytes: 0,
            artificial_delay: None,
            retry_info_enabled: true,
        }
    }
}

impl Config {
    /// Longest key or string value for a tenant, in bytes; 0: any.
    pub(crate) fn attribute_limit(&self, tenant: &TenantLimits) -> usize {
        let effective = if tenant.max_attribute_bytes > 0 {
            tenant.max_attribute_bytes
        } else {
            self.max_attribute_bytes
        };
        usize::try_from(effective).unwrap_or(usize::MAX)
    }

    /// The delay that applies to a tenant's requests, if any.
    pub(crate) fn delay(&self, tenant: &TenantLimits) -> Option<Duration> {
        let delay = tenant.artificial_delay.or(self.artificial_delay)?;
        (!delay.is_zero()).then(|| delay.min(crate::limits::MAX_ARTIFICIAL_DELAY))
    }

    /// The hint that a refused request of a tenant carries, if any.
    pub(crate) fn retry_hint(&self, tenant: &TenantLimits) -> Option<Duration> {
        let hint = self.retry_after_on_resource_exhausted;
        (tenant.retry_info_enabled && !hint.is_zero()).then_some(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_wins_where_it_says_something() {
        let config = Config {
            artificial_delay: Some(Duration::from_secs(1)),
            ..Config::default()
        };
        let tenant = TenantLimits::default();
        assert_eq!(config.attribute_limit(&tenant), 2048);
        assert_eq!(config.delay(&tenant), Some(Duration::from_secs(1)));
        assert_eq!(config.retry_hint(&tenant), Some(Duration::from_secs(5)));
        let tenant = TenantLimits {
            max_attribute_bytes: 7,
            artificial_delay: Some(Duration::ZERO),
            retry_info_enabled: false,
            ..tenant
        };
        assert_eq!(config.attribute_limit(&tenant), 7);
        assert_eq!(
            (config.delay(&tenant), config.retry_hint(&tenant)),
            (None, None)
        );
        let off = Config {
            max_attribute_bytes: 0,
            retry_after_on_resource_exhausted: Duration::ZERO,
            ..config
        };
        assert_eq!(off.attribute_limit(&TenantLimits::default()), 0);
        assert_eq!(off.retry_hint(&TenantLimits::default()), None);
    }
}
