//! How queries are cut into jobs, and what jobs give back.
//!
//! The front end decides how many jobs run at once, in which order, and when it has enough; where spans lie and how a job reads them
//! is the business of whoever implements `QuerySource`. A job that is dropped stops within 50 ms.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use vivace_engine::TraceResult;
use vivace_model::TraceId;
use vivace_query_metrics::{MetricsRequest, Partials};
use vivace_traceql::{Field, Query};

use crate::source::SourceError;

/// What a job has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCost {
    pub inspected_bytes: u64,
    pub inspected_spans: u64,
    /// Reads of the object store, and their bytes.
    pub backend_reads: u64,
    pub backend_bytes: u64,
}

/// Starts the work of a job. It is called again when a try has failed in a way that may pass.
pub type Start<T> = Box<dyn Fn() -> LocalBoxFuture<'static, Result<(T, JobCost), SourceError>>>;

/// A piece of a query that can run on its own.
pub struct Job<T> {
    /// About what it reads.
    pub bytes: u64,
    /// Unix nanoseconds: no span in it starts later. `u64::MAX` for live data.
    pub newest: u64,
    pub run: Start<T>,
}

/// The jobs of one query over one tenant, newest data first. They begin in this order, so a job may wait for those before it.
pub struct Jobs<T> {
    pub jobs: Vec<Job<T>>,
    /// Blocks looked at, and their bytes.
    pub blocks: u32,
    pub block_bytes: u64,
}

/// What the source keeps of a search from its jobs to its completion, by tenant: both must see the same data, though spans move.
#[derive(Clone, Default)]
pub struct Remembered(Rc<RefCell<Vec<OfTenant>>>);

/// A tenant, and what is kept for it.
type OfTenant = (String, Rc<dyn Any>);

impl Remembered {
    pub fn set(&self, tenant: &str, value: Rc<dyn Any>) {
        let mut all = self.0.borrow_mut();
        all.retain(|(known, _)| known != tenant);
        all.push((tenant.to_owned(), value));
    }

    pub fn get(&self, tenant: &str) -> Option<Rc<dyn Any>> {
        let all = self.0.borrow();
        let found = all.iter().find(|(known, _)| known == tenant);
        found.map(|(_, value)| Rc::clone(value))
    }
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Remembered({})", self.0.borrow().len())
    }
}

/// A search.
#[derive(Clone, Debug)]
pub struct SearchSpec {
    pub query: Arc<Query>,
    /// Unix seconds, both included: traces that overlap.
    pub start: u64,
    pub end: u64,
    /// Spans of a set that are listed; 0: all.
    pub spans_per_set: u32,
    /// Traces wanted. A job may stop when it has as many, unless `most_recent`.
    pub limit: u32,
    /// The newest traces, not any.
    pub most_recent: bool,
    /// The source's own.
    pub remembered: Remembered,
}

/// A metrics query.
#[derive(Clone, Debug)]
pub struct MetricsSpec {
    pub query: Arc<Query>,
    pub request: MetricsRequest,
    /// Whether hints that only operators should use count.
    pub allow_unsafe_hints: bool,
}

/// Scope of tag names, in the order in which answers list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TagScope {
    Event,
    Instrumentation,
    Link,
    Resource,
    Span,
}

/// Names or values of tags.
#[derive(Clone, Debug)]
pub struct TagsSpec {
    /// None: every scope; ignored for values.
    pub scope: Option<TagScope>,
    /// The field whose values are asked for; None: names.
    pub values_of: Option<Field>,
    /// OR of ANDs; None: unfiltered.
    pub filter: Option<Arc<Vec<Vec<vivace_traceql::Condition>>>>,
    /// Unix seconds, both included: blocks that overlap.
    pub start: u64,
    pub end: u64,
    /// A job stops when it has found that many bytes of text, or (0: no limit) that many distinct names of a scope or values.
    pub max_bytes: u64,
    pub limit: u32,
}

/// A value of a tag: type (`string`, `int`, `float`, `bool`, `duration`, `keyword`) and text.
pub type TagValue = (&'static str, Box<str>);

/// What a tag job found; nothing twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TagsFound {
    pub names: Vec<(TagScope, Box<str>)>,
    pub values: Vec<TagValue>,
}

/// Where spans are, for queries. Dropping a future gives its work up.
pub trait QuerySource {
    /// Jobs of a search. Every trace comes from one job.
    fn search<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<SearchSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<Vec<TraceResult>>, SourceError>>;

    /// Evaluates traces of an answer again over everything that is known of them, where more than one place has a part. Those that
    /// don't match any more as a whole are left out; the order stays.
    fn complete<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<SearchSpec>,
        found: Vec<TraceResult>,
    ) -> LocalBoxFuture<'a, Result<Vec<TraceResult>, SourceError>>;

    /// Jobs of a metrics query.
    fn metrics<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<MetricsSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<Partials>, SourceError>>;

    /// Jobs that look for tags.
    fn tags<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<TagsSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<TagsFound>, SourceError>>;

    /// A trace's whole spans that match a filter, for `q` of trace by id: ids of spans.
    fn matching_spans<'a>(
        &'a self,
        query: &'a Query,
        trace_id: TraceId,
        fragments: &'a [vivace_protocol::trace::Fragment],
    ) -> LocalBoxFuture<'a, Result<Vec<[u8; 8]>, SourceError>>;
}
