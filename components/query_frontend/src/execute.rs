//! From a checked request to a query under way, whoever asked.

use std::rc::Rc;

use vivace_query_metrics::MetricsPlan;
use vivace_shards::time::unix_nanos;

use crate::api::{Api, Queries};
use crate::config::nanos;
use crate::error::QueryError;
use crate::jobs::{Jobs, MetricsSpec, TagsSpec};
use crate::limits::TAG_CONDITION_GROUPS;
use crate::metrics::Op;
use crate::params::{
    BadParameter, Bounds, MetricsCall, RawMetrics, RawSearch, RawTags, SearchPlan, TagsPlan, What,
    plan_metrics, plan_names, plan_search, plan_values,
};
use crate::run::{MetricsRun, Rules, Runner, SearchRun, TagBounds, TagsRun};
use crate::source::{QueryLimits, SourceError};

/// Which of the tag endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagsOf {
    /// Names, of all scopes together (v1) or by scope.
    Names { v1: bool },
    /// Values, as text (v1) or with types.
    Values { v1: bool },
}

impl Api {
    pub(crate) fn queries(&self) -> Result<&Queries, QueryError> {
        let missing = || SourceError::Unavailable("queries are not served by this process".into());
        Ok(self.deps.queries.as_ref().ok_or_else(missing)?)
    }

    fn limits(&self, tenants: &[String]) -> Vec<QueryLimits> {
        let limits = tenants
            .iter()
            .map(|tenant| self.deps.tenants.query_limits(tenant));
        limits.collect()
    }

    pub(crate) fn plan_search(
        &self,
        tenants: &[String],
        raw: RawSearch,
    ) -> Result<SearchPlan, QueryError> {
        let config = &self.queries()?.config;
        let bounds = self.search_bounds(tenants)?;
        let plan = plan_search(raw, &config.search, bounds)?;
        if plan.math {
            return Err(QueryError::Math);
        }
        Ok(plan)
    }

    /// Bounds of time of searches and tags; of several tenants the strictest.
    fn search_bounds(&self, tenants: &[String]) -> Result<Bounds, QueryError> {
        let config = &self.queries()?.config;
        let limits = self.limits(tenants);
        let own = limits
            .iter()
            .map(|limits| nanos(limits.max_search_duration));
        Ok(Bounds {
            now: unix_nanos(),
            default_range: config.search.default_range,
            cutoff: config.cutoff,
            max_range: strictest(own, config.search.max_range),
        })
    }

    /// Begins a search. Without jobs if nothing can match.
    pub(crate) async fn search(
        &self,
        tenants: &[String],
        plan: &SearchPlan,
    ) -> Result<SearchRun, QueryError> {
        let queries = self.queries()?;
        let spec = Rc::new(plan.spec.clone());
        let mut jobs = Vec::new();
        for tenant in tenants.iter().filter(|_| !plan.empty) {
            jobs.push(queries.source.search(tenant, Rc::clone(&spec)).await?);
        }
        let concurrent = queries.config.search.concurrent_jobs;
        let runner = self.runner(tenants, Op::Search, jobs, (concurrent, true))?;
        let source = Rc::clone(&queries.source);
        Ok(SearchRun::new(source, tenants.to_vec(), spec, runner))
    }

    pub(crate) fn plan_metrics(
        &self,
        tenants: &[String],
        raw: &RawMetrics,
    ) -> Result<MetricsCall, QueryError> {
        let config = &self.queries()?.config;
        let limits = self.limits(tenants);
        let own = limits
            .iter()
            .map(|limits| nanos(limits.max_metrics_duration));
        let bounds = Bounds {
            now: unix_nanos(),
            default_range: 0,
            cutoff: config.cutoff,
            max_range: strictest(own, config.metrics.max_range),
        };
        Ok(plan_metrics(raw, &config.metrics, bounds)?)
    }

    /// Begins a metrics query.
    pub(crate) async fn metrics(
        &self,
        tenants: &[String],
        call: &MetricsCall,
    ) -> Result<MetricsRun, QueryError> {
        let queries = self.queries()?;
        let limits = self.limits(tenants);
        let plan = MetricsPlan::new(&call.query, call.request, false)
            .map_err(|error| BadParameter(error.to_string()))?;
        let mut jobs = Vec::new();
        for (tenant, limits) in tenants.iter().zip(limits).filter(|_| !call.empty) {
            let spec = Rc::new(MetricsSpec {
                query: call.query.clone(),
                request: call.request,
                allow_unsafe_hints: limits.unsafe_query_hints,
            });
            jobs.push(queries.source.metrics(tenant, spec).await?);
        }
        let concurrent = queries.config.metrics.concurrent_jobs;
        let runner = self.runner(tenants, Op::Metrics, jobs, (concurrent, false))?;
        Ok(MetricsRun::new(plan, runner))
    }

    pub(crate) fn plan_tags(
        &self,
        tenants: &[String],
        raw: &RawTags,
        of: TagsOf,
    ) -> Result<TagsPlan, QueryError> {
        let bounds = self.search_bounds(tenants)?;
        let limits = self.limits(tenants);
        let groups = limits
            .iter()
            .map(|limits| limits.max_condition_groups_per_tag_query)
            .filter(|groups| *groups > 0)
            .min()
            .unwrap_or(TAG_CONDITION_GROUPS);
        Ok(match of {
            TagsOf::Names { v1 } => plan_names(raw, v1, groups, bounds)?,
            TagsOf::Values { v1 } => plan_values(raw, v1, groups, bounds)?,
        })
    }

    /// Begins to look for tags. Without jobs if the answer is known.
    pub(crate) async fn tags(
        &self,
        tenants: &[String],
        plan: &TagsPlan,
    ) -> Result<TagsRun, QueryError> {
        let queries = self.queries()?;
        let limits = self.limits(tenants);
        let (scope, values_of, looks) = match &plan.what {
            What::Names(names) => (names.scope, None, names.of_data),
            What::Values(field) => (None, Some(field.clone()), true),
            What::Fixed(_) => (None, None, false),
        };
        let mut jobs = Vec::new();
        for (tenant, limits) in tenants.iter().zip(&limits).filter(|_| looks) {
            let spec = Rc::new(TagsSpec {
                scope,
                values_of: values_of.clone(),
                filter: plan.filter.clone(),
                start: plan.window.start,
                end: plan.window.end,
                max_bytes: limits.max_bytes_per_tag_values_query,
                limit: plan.limit,
            });
            jobs.push(queries.source.tags(tenant, spec).await?);
        }
        let concurrent = queries.config.search.concurrent_jobs;
        let runner = self.runner(tenants, Op::Metadata, jobs, (concurrent, false))?;
        let own = limits
            .iter()
            .map(|limits| limits.max_bytes_per_tag_values_query);
        let bounds = TagBounds {
            // Several tenants may have as much as the one that may have most; 0 is no limit.
            bytes: own
                .clone()
                .find(|bytes| *bytes == 0)
                .or(own.max())
                .unwrap_or(0),
            limit: plan.limit,
            stale: plan.stale,
        };
        Ok(TagsRun::new(runner, bounds))
    }

    /// The jobs of all tenants as one query, under the name that they have together.
    fn runner<T: 'static>(
        &self,
        tenants: &[String],
        op: Op,
        jobs: Vec<Jobs<T>>,
        (concurrent, is_cautious): (usize, bool),
    ) -> Result<Runner<T>, QueryError> {
        let rules = Rules {
            concurrent,
            is_cautious,
            retries: self.queries()?.config.max_retries,
            metrics: self.metrics.queue.clone(),
        };
        let runner = Runner::new(&self.queue, &tenants.join("|"), jobs, rules)?;
        self.metrics.cut(op, runner.progress().total_jobs);
        Ok(runner)
    }
}

/// The smallest bound of tenants; one without its own has the general one. 0 is no bound.
fn strictest(own: impl Iterator<Item = u64>, general: u64) -> u64 {
    own.map(|own| if own == 0 { general } else { own })
        .filter(|bound| *bound > 0)
        .min()
        .unwrap_or(0)
}
