//! Trace answers, v1 and v2 (http-api.md §4.2). Members stand in the order of the .proto files.

use prost::Message as _;

use super::text::{Object, push_base64, push_double, push_number, push_text};
use crate::pause::{Pause, finish};
use crate::tempopb::*;

/// The body of a v1 answer: a [`Trace`] whose root member is called `batches`.
pub fn to_json_v1(trace: &Trace) -> String {
    finish(to_json_v1_pausing(trace, async || {}))
}

/// [`to_json_v1`], calling `pause` every few spans: a large trace takes longer than one may keep a
/// thread that others wait for.
pub async fn to_json_v1_pausing(trace: &Trace, pause: impl AsyncFn()) -> String {
    let mut out = String::with_capacity(capacity(trace.encoded_len()));
    push_trace(&mut out, trace, "batches", &mut Pause::new(pause)).await;
    out
}

/// The body of a v2 answer. `trace` and `metrics` are printed although nothing was found.
pub fn to_json_v2(response: &TraceByIdResponse) -> String {
    finish(to_json_v2_pausing(response, async || {}))
}

/// [`to_json_v2`], calling `pause` every few spans.
pub async fn to_json_v2_pausing(response: &TraceByIdResponse, pause: impl AsyncFn()) -> String {
    let mut out = String::with_capacity(capacity(response.encoded_len()));
    let none = Trace::default();
    let trace = response.trace.as_ref().unwrap_or(&none);
    let mut object = Object::open(&mut out);
    push_trace(
        object.member("trace"),
        trace,
        "resourceSpans",
        &mut Pause::new(pause),
    )
    .await;
    push_metrics(object.member("metrics"), response.metrics.as_ref());
    let label = PartialStatus::try_from(response.status)
        .ok()
        .map(PartialStatus::name);
    object.name_of("status", response.status, label);
    object.text("message", &response.message);
    object.close();
    out
}

/// JSON of spans is a bit less than twice their protobuf.
fn capacity(encoded: usize) -> usize {
    encoded + encoded / 2 + 64
}

async fn push_trace(
    out: &mut String,
    trace: &Trace,
    root: &str,
    pause: &mut Pause<impl AsyncFn()>,
) {
    let mut object = Object::open(out);
    if !trace.resource_spans.is_empty() {
        let out = object.member(root);
        let mut separator = '[';
        for resource_spans in &trace.resource_spans {
            out.push(std::mem::replace(&mut separator, ','));
            push_resource_spans(out, resource_spans, pause).await;
        }
        out.push(']');
    }
    object.close();
}

async fn push_resource_spans(
    out: &mut String,
    spans: &ResourceSpans,
    pause: &mut Pause<impl AsyncFn()>,
) {
    let mut object = Object::open(out);
    push_resource(object.member("resource"), spans.resource.as_ref());
    if !spans.scope_spans.is_empty() {
        let out = object.member("scopeSpans");
        let mut separator = '[';
        for scope_spans in &spans.scope_spans {
            out.push(std::mem::replace(&mut separator, ','));
            push_scope_spans(out, scope_spans, pause).await;
        }
        out.push(']');
    }
    object.text("schemaUrl", &spans.schema_url);
    object.close();
}

async fn push_scope_spans(out: &mut String, spans: &ScopeSpans, pause: &mut Pause<impl AsyncFn()>) {
    let mut object = Object::open(out);
    push_scope(object.member("scope"), spans.scope.as_ref());
    if !spans.spans.is_empty() {
        let out = object.member("spans");
        let mut separator = '[';
        for span in &spans.spans {
            out.push(std::mem::replace(&mut separator, ','));
            push_span(out, span);
            pause.step().await;
        }
        out.push(']');
    }
    object.text("schemaUrl", &spans.schema_url);
    object.close();
}

fn push_resource(out: &mut String, resource: Option<&Resource>) {
    let mut object = Object::open(out);
    if let Some(resource) = resource {
        object.list("attributes", &resource.attributes, push_key_value);
        object.int("droppedAttributesCount", resource.dropped_attributes_count);
    }
    object.close();
}

fn push_scope(out: &mut String, scope: Option<&InstrumentationScope>) {
    let mut object = Object::open(out);
    if let Some(scope) = scope {
        object.text("name", &scope.name);
        object.text("version", &scope.version);
        object.list("attributes", &scope.attributes, push_key_value);
        object.int("droppedAttributesCount", scope.dropped_attributes_count);
    }
    object.close();
}

fn push_span(out: &mut String, span: &Span) {
    let mut object = Object::open(out);
    object.base64("traceId", &span.trace_id);
    object.base64("spanId", &span.span_id);
    object.text("traceState", &span.trace_state);
    object.base64("parentSpanId", &span.parent_span_id);
    object.int("flags", span.flags);
    object.text("name", &span.name);
    object.name_of("kind", span.kind, span_kind_name(span.kind));
    object.long("startTimeUnixNano", span.start_time_unix_nano);
    object.long("endTimeUnixNano", span.end_time_unix_nano);
    object.list("attributes", &span.attributes, push_key_value);
    object.int("droppedAttributesCount", span.dropped_attributes_count);
    object.list("events", &span.events, push_event);
    object.int("droppedEventsCount", span.dropped_events_count);
    object.list("links", &span.links, push_link);
    object.int("droppedLinksCount", span.dropped_links_count);
    let mut status = Object::open(object.member("status"));
    if let Some(content) = &span.status {
        status.text("message", &content.message);
        status.name_of("code", content.code, status_code_name(content.code));
    }
    status.close();
    object.close();
}

fn push_event(out: &mut String, event: &Event) {
    let mut object = Object::open(out);
    object.long("timeUnixNano", event.time_unix_nano);
    object.text("name", &event.name);
    object.list("attributes", &event.attributes, push_key_value);
    object.int("droppedAttributesCount", event.dropped_attributes_count);
    object.close();
}

fn push_link(out: &mut String, link: &Link) {
    let mut object = Object::open(out);
    object.base64("traceId", &link.trace_id);
    object.base64("spanId", &link.span_id);
    object.text("traceState", &link.trace_state);
    object.list("attributes", &link.attributes, push_key_value);
    object.int("droppedAttributesCount", link.dropped_attributes_count);
    object.int("flags", link.flags);
    object.close();
}

pub(super) fn push_key_value(out: &mut String, attribute: &KeyValue) {
    let mut object = Object::open(out);
    object.text("key", &attribute.key);
    if let Some(value) = &attribute.value {
        push_any_value(object.member("value"), value);
    }
    object.close();
}

/// Members of a oneof are printed whatever they hold. Recursion is as deep as the value, which whoever
/// took it in has bounded.
fn push_any_value(out: &mut String, value: &AnyValue) {
    let mut object = Object::open(out);
    match &value.value {
        None => {}
        Some(Value::String(v)) => push_text(object.member("stringValue"), v),
        Some(Value::Bool(v)) => push_number(object.member("boolValue"), v),
        Some(Value::Int(v)) => push_number(object.member("intValue"), format_args!("\"{v}\"")),
        Some(Value::Double(v)) => push_double(object.member("doubleValue"), *v),
        Some(Value::Array(v)) => {
            let mut inner = Object::open(object.member("arrayValue"));
            inner.list("values", &v.values, push_any_value);
            inner.close();
        }
        Some(Value::KvList(v)) => {
            let mut inner = Object::open(object.member("kvlistValue"));
            inner.list("values", &v.values, push_key_value);
            inner.close();
        }
        Some(Value::Bytes(v)) => push_base64(object.member("bytesValue"), v),
    }
    object.close();
}

/// Figures of an answer: all 64-bit, so all strings. Also used where nothing was counted: `{}`.
fn push_metrics(out: &mut String, metrics: Option<&TraceByIdMetrics>) {
    let mut object = Object::open(out);
    if let Some(metrics) = metrics {
        object.long("inspectedBytes", metrics.inspected_bytes);
        object.long("backendReads", metrics.backend_reads);
        object.long("backendBytes", metrics.backend_bytes);
        if !metrics.additional_metrics.is_empty() {
            let mut more = Object::open(object.member("additionalMetrics"));
            for (name, value) in &metrics.additional_metrics {
                push_number(more.member_named(name), format_args!("\"{value}\""));
            }
            more.close();
        }
    }
    object.close();
}
