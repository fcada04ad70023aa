//! Answers of searches, of tags and of metrics queries (http-api.md §6-8). Lists are printed as `[]` where clients look into them.
//!
//! All take a `pause` that is called every few elements: an answer may have many thousands.

use std::collections::BTreeMap;

use prost::Message as _;

use super::text::{Object, push_double, push_number, push_text};
use super::trace::push_key_value;
use crate::pause::Pause;
use crate::tempopb::*;

/// Bytes of JSON for one of protobuf, about.
const GROWTH: usize = 3;

/// `{"traces":[...],"metrics":{...}}`
pub async fn search(response: &SearchResponse, pause: impl AsyncFn()) -> String {
    let mut out = buffer(response.encoded_len());
    let mut object = Object::open(&mut out);
    let mut pause = Pause::new(pause);
    let list = object.member("traces");
    push_all(list, &response.traces, push_trace, &mut pause).await;
    push_search_metrics(&mut object, response.metrics.as_ref());
    object.close();
    out
}

/// `{"series":[...],"metrics":{...}}` with samples.
pub async fn query_range(response: &QueryRangeResponse, pause: impl AsyncFn()) -> String {
    let mut out = buffer(response.encoded_len());
    let mut object = Object::open(&mut out);
    let mut pause = Pause::new(pause);
    let list = object.member("series");
    push_all(list, &response.series, push_series, &mut pause).await;
    push_search_metrics(&mut object, response.metrics.as_ref());
    push_status(&mut object, response.status, &response.message);
    object.close();
    out
}

/// `{"series":[...],"metrics":{...}}` with one value each. No other members: clients refuse those they don't know.
pub async fn query_instant(response: &QueryInstantResponse, pause: impl AsyncFn()) -> String {
    let mut out = buffer(response.encoded_len());
    let mut object = Object::open(&mut out);
    let mut pause = Pause::new(pause);
    let list = object.member("series");
    push_all(list, &response.series, push_instant, &mut pause).await;
    push_search_metrics(&mut object, response.metrics.as_ref());
    push_status(&mut object, response.status, &response.message);
    object.close();
    out
}

/// `{"tagNames":[...],"metrics":{...}}`
pub async fn search_tags(response: &SearchTagsResponse, pause: impl AsyncFn()) -> String {
    texts(
        "tagNames",
        &response.tag_names,
        response.metrics.as_ref(),
        pause,
    )
    .await
}

/// `{"tagValues":["..."],"metrics":{...}}`
pub async fn search_tag_values(
    response: &SearchTagValuesResponse,
    pause: impl AsyncFn(),
) -> String {
    texts(
        "tagValues",
        &response.tag_values,
        response.metrics.as_ref(),
        pause,
    )
    .await
}

/// `{"scopes":[{"name":"span","tags":[...]}],"metrics":{...}}`
pub async fn search_tags_v2(response: &SearchTagsV2Response, pause: impl AsyncFn()) -> String {
    let mut out = buffer(response.encoded_len());
    let mut object = Object::open(&mut out);
    let mut pause = Pause::new(pause);
    let list = object.member("scopes");
    list.push('[');
    for (index, scope) in response.scopes.iter().enumerate() {
        if index > 0 {
            list.push(',');
        }
        let mut object = Object::open(list);
        object.text("name", &scope.name);
        if !scope.tags.is_empty() {
            push_all(object.member("tags"), &scope.tags, push_string, &mut pause).await;
        }
        object.close();
    }
    list.push(']');
    push_metadata_metrics(&mut object, response.metrics.as_ref());
    object.close();
    out
}

/// `{"tagValues":[{"type":"string","value":"..."}],"metrics":{...}}`
pub async fn search_tag_values_v2(
    response: &SearchTagValuesV2Response,
    pause: impl AsyncFn(),
) -> String {
    let mut out = buffer(response.encoded_len());
    let mut object = Object::open(&mut out);
    let mut pause = Pause::new(pause);
    let list = object.member("tagValues");
    push_all(list, &response.tag_values, push_tag_value, &mut pause).await;
    push_metadata_metrics(&mut object, response.metrics.as_ref());
    object.close();
    out
}

/// For language models: `{"tagValues":{"string":["a"]},"metrics":{"inspectedBytes":51}}`
pub async fn search_tag_values_llm(
    response: &SearchTagValuesV2Response,
    pause: impl AsyncFn(),
) -> String {
    let mut by_type: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for value in &response.tag_values {
        by_type.entry(&value.r#type).or_default().push(&value.value);
    }
    let mut out = buffer(response.encoded_len());
    let mut object = Object::open(&mut out);
    let mut pause = Pause::new(pause);
    let mut values = Object::open(object.member("tagValues"));
    for (kind, texts) in &by_type {
        let list = values.member_named(kind);
        push_all(list, texts, |out, text| push_text(out, text), &mut pause).await;
    }
    values.close();
    let mut metrics = Object::open(object.member("metrics"));
    let inspected = response.metrics.as_ref().map_or(0, |m| m.inspected_bytes);
    push_number(metrics.member("inspectedBytes"), inspected);
    metrics.close();
    object.close();
    out
}

async fn texts(
    name: &str,
    items: &[String],
    metrics: Option<&MetadataMetrics>,
    pause: impl AsyncFn(),
) -> String {
    let bytes: usize = items.iter().map(|item| item.len() + 4).sum();
    let mut out = buffer(bytes);
    let mut object = Object::open(&mut out);
    let list = object.member(name);
    push_all(list, items, push_string, &mut Pause::new(pause)).await;
    push_metadata_metrics(&mut object, metrics);
    object.close();
    out
}

fn buffer(encoded: usize) -> String {
    String::with_capacity(encoded.saturating_mul(GROWTH).saturating_add(64))
}

async fn push_all<T>(
    out: &mut String,
    items: &[T],
    push: impl Fn(&mut String, &T),
    pause: &mut Pause<impl AsyncFn()>,
) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(out, item);
        pause.step().await;
    }
    out.push(']');
}

#[expect(clippy::ptr_arg, reason = "an element of a list of strings")]
fn push_string(out: &mut String, text: &String) {
    push_text(out, text);
}

fn push_trace(out: &mut String, trace: &TraceSearchMetadata) {
    let mut object = Object::open(out);
    object.text("traceID", &trace.trace_id);
    object.text("rootServiceName", &trace.root_service_name);
    object.text("rootTraceName", &trace.root_trace_name);
    object.long("startTimeUnixNano", trace.start_time_unix_nano);
    object.int("durationMs", trace.duration_ms);
    if let Some(set) = &trace.span_set {
        push_span_set(object.member("spanSet"), set);
    }
    object.list("spanSets", &trace.span_sets, push_span_set);
    if !trace.service_stats.is_empty() {
        let mut services = Object::open(object.member("serviceStats"));
        for (name, stats) in &trace.service_stats {
            let mut service = Object::open(services.member_named(name));
            service.int("spanCount", stats.span_count);
            service.int("errorCount", stats.error_count);
            service.close();
        }
        services.close();
    }
    object.close();
}

fn push_span_set(out: &mut String, set: &SpanSet) {
    let mut object = Object::open(out);
    object.list("spans", &set.spans, push_found_span);
    object.int("matched", set.matched);
    object.list("attributes", &set.attributes, push_key_value);
    object.close();
}

fn push_found_span(out: &mut String, span: &FoundSpan) {
    let mut object = Object::open(out);
    object.text("spanID", &span.span_id);
    object.text("name", &span.name);
    object.long("startTimeUnixNano", span.start_time_unix_nano);
    object.long("durationNanos", span.duration_nanos);
    object.list("attributes", &span.attributes, push_key_value);
    object.close();
}

fn push_series(out: &mut String, series: &TimeSeries) {
    let mut object = Object::open(out);
    object.list("labels", &series.labels, push_key_value);
    object.list("samples", &series.samples, |out, sample| {
        let mut object = Object::open(out);
        push_millis(&mut object, sample.timestamp_ms);
        push_value(&mut object, sample.value);
        object.close();
    });
    object.list("exemplars", &series.exemplars, |out, exemplar| {
        let mut object = Object::open(out);
        object.list("labels", &exemplar.labels, push_key_value);
        push_value(&mut object, exemplar.value);
        push_millis(&mut object, exemplar.timestamp_ms);
        object.close();
    });
    object.close();
}

fn push_instant(out: &mut String, series: &InstantSeries) {
    let mut object = Object::open(out);
    object.list("labels", &series.labels, push_key_value);
    push_value(&mut object, series.value);
    object.close();
}

fn push_value(object: &mut Object<'_>, value: f64) {
    if value != 0.0 {
        push_double(object.member("value"), value);
    }
}

fn push_millis(object: &mut Object<'_>, millis: i64) {
    if millis != 0 {
        push_number(object.member("timestampMs"), format_args!("\"{millis}\""));
    }
}

fn push_tag_value(out: &mut String, value: &TagValue) {
    let mut object = Object::open(out);
    object.text("type", &value.r#type);
    object.text("value", &value.value);
    object.close();
}

fn push_status(object: &mut Object<'_>, status: i32, message: &str) {
    let label = PartialStatus::try_from(status)
        .ok()
        .map(PartialStatus::name);
    object.name_of("status", status, label);
    object.text("message", message);
}

fn push_search_metrics(object: &mut Object<'_>, metrics: Option<&SearchMetrics>) {
    let mut inner = Object::open(object.member("metrics"));
    if let Some(metrics) = metrics {
        inner.int("inspectedTraces", metrics.inspected_traces);
        inner.long("inspectedBytes", metrics.inspected_bytes);
        inner.int("totalBlocks", metrics.total_blocks);
        inner.int("completedJobs", metrics.completed_jobs);
        inner.int("totalJobs", metrics.total_jobs);
        inner.long("totalBlockBytes", metrics.total_block_bytes);
        inner.long("inspectedSpans", metrics.inspected_spans);
        inner.long("backendReads", metrics.backend_reads);
        inner.long("backendBytes", metrics.backend_bytes);
        push_additional(&mut inner, &metrics.additional_metrics);
    }
    inner.close();
}

fn push_metadata_metrics(object: &mut Object<'_>, metrics: Option<&MetadataMetrics>) {
    let mut inner = Object::open(object.member("metrics"));
    if let Some(metrics) = metrics {
        inner.long("inspectedBytes", metrics.inspected_bytes);
        inner.int("totalJobs", metrics.total_jobs);
        inner.int("completedJobs", metrics.completed_jobs);
        inner.int("totalBlocks", metrics.total_blocks);
        inner.long("totalBlockBytes", metrics.total_block_bytes);
        inner.long("backendReads", metrics.backend_reads);
        inner.long("backendBytes", metrics.backend_bytes);
        push_additional(&mut inner, &metrics.additional_metrics);
    }
    inner.close();
}

fn push_additional(object: &mut Object<'_>, metrics: &BTreeMap<String, i64>) {
    if !metrics.is_empty() {
        let mut more = Object::open(object.member("additionalMetrics"));
        for (name, value) in metrics {
            push_number(more.member_named(name), format_args!("\"{value}\""));
        }
        more.close();
    }
}
