//! Who asks: the tenant rules of queries (configuration.md §9), for the query frontend.

use std::rc::Rc;

use http::{HeaderMap, StatusCode};
use vivace_config::tenant::{self, TenantError};
use vivace_query_frontend::{QueryLimits, TenantRefusal, Tenants};

use crate::limits::ShardLimits;

/// The tenants of one process.
pub struct QueryTenants {
    /// Whether requests carry their tenant.
    pub multitenancy: bool,
    /// Whether `a|b` is allowed.
    pub several: bool,
    /// Limits.
    pub limits: Rc<ShardLimits>,
}

impl Tenants for QueryTenants {
    fn of_request(&self, headers: &HeaderMap) -> Result<Vec<String>, TenantRefusal> {
        if !self.multitenancy {
            return Ok(vec![tenant::SINGLE_TENANT.to_owned()]);
        }
        let header = headers
            .get(tenant::METADATA_KEY)
            .map(|value| value.to_str().unwrap_or("\u{fffd}"));
        match header {
            None | Some("") => Err(refusal(StatusCode::UNAUTHORIZED, &TenantError::NoOrgId)),
            Some(text) => tenant::parse_query(text, self.several)
                .map_err(|error| refusal(StatusCode::BAD_REQUEST, &error)),
        }
    }

    fn max_bytes_per_trace(&self, tenant: &str) -> u64 {
        self.limits.of(tenant).max_bytes_per_trace
    }

    fn query_limits(&self, tenant: &str) -> QueryLimits {
        let limits = self.limits.of(tenant);
        let read = &limits.limits.read;
        QueryLimits {
            max_search_duration: read.max_search_duration.as_std(),
            max_metrics_duration: read.max_metrics_duration.as_std(),
            max_bytes_per_tag_values_query: read.max_bytes_per_tag_values_query,
            max_condition_groups_per_tag_query: read.max_condition_groups_per_tag_query,
            left_pad_trace_ids: read.left_pad_trace_ids,
            unsafe_query_hints: read.unsafe_query_hints,
        }
    }
}

fn refusal(status: StatusCode, error: &TenantError) -> TenantRefusal {
    TenantRefusal {
        status,
        text: error.to_string(),
    }
}
