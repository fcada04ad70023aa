//! Traces of a search.

use vivace_engine::{SpanSetResult, TraceResult};
use vivace_model::TraceId;
use vivace_protocol::tempopb::{
    FoundSpan, SearchMetrics, ServiceStats, SpanSet, TraceSearchMetadata,
};

use super::values::key_value;
use crate::run::Progress;

/// Stands for the service of the root of a trace that has none yet.
const NO_ROOT: &str = "<root span not yet received>";
const NANOS_A_MILLI: u64 = 1_000_000;

/// How trace ids are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Without leading zeros.
    Short,
    /// With all 32 digits.
    Whole,
}

impl Ids {
    fn text(self, id: TraceId) -> String {
        let number = u128::from_be_bytes(*id.as_bytes());
        match self {
            Self::Short => format!("{number:x}"),
            Self::Whole => format!("{number:032x}"),
        }
    }
}

/// One trace; a legacy search answers without span sets.
pub fn trace(trace: &TraceResult, ids: Ids, legacy: bool) -> TraceSearchMetadata {
    let span_sets: Vec<SpanSet> = match legacy {
        true => Vec::new(),
        false => trace.span_sets.iter().map(span_set).collect(),
    };
    let stats = trace.services.iter().map(|service| {
        let stats = ServiceStats {
            span_count: service.spans,
            error_count: service.errors,
        };
        (service.service.to_string(), stats)
    });
    TraceSearchMetadata {
        trace_id: ids.text(trace.trace_id),
        root_service_name: match trace.root_service.is_empty() {
            true => NO_ROOT.to_owned(),
            false => trace.root_service.to_string(),
        },
        root_trace_name: trace.root_name.to_string(),
        start_time_unix_nano: trace.start_unix_nano,
        duration_ms: u32::try_from(trace.duration_nano / NANOS_A_MILLI).unwrap_or(u32::MAX),
        span_set: span_sets.first().cloned(),
        span_sets,
        service_stats: stats.collect(),
    }
}

fn span_set(set: &SpanSetResult) -> SpanSet {
    let spans = set.spans.iter().map(|span| FoundSpan {
        span_id: format!("{:016x}", u64::from_be_bytes(*span.span_id.as_bytes())),
        name: span.name.as_deref().unwrap_or_default().to_owned(),
        start_time_unix_nano: span.start_unix_nano,
        duration_nanos: span.duration_nano,
        attributes: span.attributes.iter().map(key_value).collect(),
    });
    SpanSet {
        spans: spans.collect(),
        matched: set.matched,
        attributes: set.attributes.iter().map(key_value).collect(),
    }
}

/// What the jobs of a search or of a metrics query cost.
pub fn search_metrics(progress: &Progress) -> SearchMetrics {
    SearchMetrics {
        inspected_traces: 0,
        inspected_bytes: progress.cost.inspected_bytes,
        total_blocks: progress.blocks,
        completed_jobs: progress.completed_jobs,
        total_jobs: progress.total_jobs,
        total_block_bytes: progress.block_bytes,
        inspected_spans: progress.cost.inspected_spans,
        backend_reads: progress.cost.backend_reads,
        backend_bytes: progress.cost.backend_bytes,
        additional_metrics: Default::default(),
    }
}
