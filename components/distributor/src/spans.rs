//! Looking at single spans, where an operator asked for it: `log_received_spans`, `log_discarded_spans`, `metric_received_spans`.

use crate::config::{Config, SpanLog, SpanMetric};
use crate::limits::DEBUG_SERIES;
use crate::tenants::Known;
use prometheus::{IntCounter, IntCounterVec};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use vivace_model::{AttributesView, SpanBatch, SpanView, ValueView};
use vivace_shards::metrics::counter_vec;

/// `Status.code` of OTLP.
const STATUS_ERROR: i32 = 2;

/// The labels of everything beyond the maximum of series.
const OVERFLOW: &str = "__overflow__";

/// Tenant, span name, service.
type Series = (String, String, String);

pub(crate) struct SpanWatch {
    log_received: SpanLog,
    log_discarded: SpanLog,
    metric: Option<Counting>,
}

struct Counting {
    options: SpanMetric,
    family: IntCounterVec,
    /// The series this shard has counted into.
    known: RefCell<HashMap<Series, IntCounter>>,
}

impl SpanWatch {
    pub fn new(config: &Config) -> Self {
        let metric = config.metric_received_spans.enabled.then(|| Counting {
            options: config.metric_received_spans,
            family: counter_vec(
                "tempo_distributor_debug_spans_received_total",
                "Spans received, by name and service.",
                &["tenant", "name", "service"],
            ),
            known: RefCell::default(),
        });
        Self {
            log_received: config.log_received_spans,
            log_discarded: config.log_discarded_spans,
            metric,
        }
    }

    /// The valid spans of a request.
    pub fn received(&self, tenant: &Known, batch: &SpanBatch) {
        if !self.log_received.enabled && self.metric.is_none() {
            return;
        }
        for span in batch.view().spans() {
            if self.log_received.enabled {
                log(&self.log_received, tenant, span);
            }
            if let Some(metric) = &self.metric
                && !(metric.options.root_only && span.parent_span_id().is_some())
            {
                metric.count(tenant, span);
            }
        }
    }

    /// The invalid spans of a request. They have no ids to name them by: the line says how many there were and what was wrong first.
    pub fn discarded(&self, tenant: &Known, first: &str, spans: u64) {
        if self.log_discarded.enabled {
            tracing::info!(tenant = %tenant.name, spans, err = first, "discarded");
        }
    }
}

impl Counting {
    fn count(&self, tenant: &Known, span: SpanView<'_>) {
        let mut known = self.known.borrow_mut();
        let mut key: Series = (
            tenant.name.to_string(),
            span.name().to_owned(),
            service_of(span).to_owned(),
        );
        if known.len() >= DEBUG_SERIES && !known.contains_key(&key) {
            key = (OVERFLOW.into(), OVERFLOW.into(), OVERFLOW.into());
        }
        let family = &self.family;
        known
            .entry(key)
            .or_insert_with_key(|(tenant, name, service)| {
                family.with_label_values(&[tenant, name, service])
            })
            .inc();
    }
}

fn service_of(span: SpanView<'_>) -> &str {
    match span.resource().attributes().get("service.name") {
        Some(ValueView::String(name)) => name,
        _ => "",
    }
}

fn log(options: &SpanLog, tenant: &Known, span: SpanView<'_>) {
    if options.filter_by_status_error && span.status_code() != STATUS_ERROR {
        return;
    }
    let (tenant, spanid, traceid) = (&tenant.name, span.span_id(), span.trace_id());
    if !options.include_all_attributes {
        tracing::info!(%spanid, %traceid, %tenant, "received");
        return;
    }
    let mut tags = String::new();
    push_tags(&mut tags, span.resource().attributes());
    push_tags(&mut tags, span.attributes());
    tracing::info!(
        %spanid,
        %traceid,
        %tenant,
        name = span.name(),
        service_name = service_of(span),
        duration_seconds = span.duration_nano() as f64 / 1e9,
        kind = span.kind(),
        status = span.status_code(),
        tags,
        "received"
    );
}

fn push_tags(tags: &mut String, attributes: AttributesView<'_>) {
    for (key, value) in attributes {
        if !tags.is_empty() {
            tags.push(' ');
        }
        // Writing to a string does not fail.
        let _ = write!(tags, "{key}={value:?}");
    }
}
