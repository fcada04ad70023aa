//! The shape for language models (http-api.md §4.2): hex ids, attributes as flat objects, the service
//! name lifted out of its resource.

use prost::Message as _;

use super::text::{Object, push_base64, push_double, push_hex, push_list, push_number, push_text};
use crate::pause::{Pause, finish};
use crate::tempopb::*;

const SERVICE_NAME: &str = "service.name";

/// The body of a v2 answer for `Accept: application/vnd.grafana.llm`; `{}` for a trace without spans.
pub fn to_json_llm(response: &TraceByIdResponse) -> String {
    finish(to_json_llm_pausing(response, async || {}))
}

/// [`to_json_llm`], calling `pause` every few spans.
pub async fn to_json_llm_pausing(response: &TraceByIdResponse, pause: impl AsyncFn()) -> String {
    let mut pause = Pause::new(pause);
    let batches = response
        .trace
        .as_ref()
        .map_or(&[][..], |t| &t.resource_spans);
    let Some(first) = batches
        .iter()
        .flat_map(|rs| &rs.scope_spans)
        .flat_map(|ss| &ss.spans)
        .next()
    else {
        return "{}".to_owned();
    };
    let mut out = String::with_capacity(response.encoded_len() + 64);
    let mut object = Object::open(&mut out);
    let mut trace = Object::open(object.member("trace"));
    push_id(trace.member("traceId"), &first.trace_id);
    let services = trace.member("services");
    let mut separator = '[';
    for resource_spans in batches {
        services.push(std::mem::replace(&mut separator, ','));
        push_service(services, resource_spans, &mut pause).await;
    }
    services.push(']');
    trace.close();

    let inspected = response.metrics.as_ref().map_or(0, |m| m.inspected_bytes);
    let mut metrics = Object::open(object.member("metrics"));
    push_number(metrics.member("inspectedBytes"), inspected);
    metrics.close();
    let status = PartialStatus::try_from(response.status).unwrap_or(PartialStatus::Complete);
    push_text(object.member("status"), status.name());
    object.text("message", &response.message);
    object.close();
    out
}

async fn push_service(out: &mut String, spans: &ResourceSpans, pause: &mut Pause<impl AsyncFn()>) {
    let attributes = spans.resource.as_ref().map_or(&[][..], |r| &r.attributes);
    let mut object = Object::open(out);
    let service = attributes.iter().find_map(|a| match (&*a.key, &a.value) {
        (
            SERVICE_NAME,
            Some(AnyValue {
                value: Some(Value::String(name)),
            }),
        ) => Some(&**name),
        _ => None,
    });
    push_text(object.member("serviceName"), service.unwrap_or(""));
    push_attributes(
        object.member("resource"),
        attributes,
        service.map(|_| SERVICE_NAME),
    );
    let scopes = object.member("scopes");
    scopes.push('[');
    for (index, scope_spans) in spans.scope_spans.iter().enumerate() {
        if index > 0 {
            scopes.push(',');
        }
        let mut scope = Object::open(scopes);
        if let Some(content) = &scope_spans.scope {
            scope.text("name", &content.name);
            scope.text("version", &content.version);
        }
        let list = scope.member("spans");
        list.push('[');
        for (index, span) in scope_spans.spans.iter().enumerate() {
            if index > 0 {
                list.push(',');
            }
            push_span(list, span);
            pause.step().await;
        }
        list.push(']');
        scope.close();
    }
    scopes.push(']');
    object.close();
}

fn push_span(out: &mut String, span: &Span) {
    let mut object = Object::open(out);
    push_id(object.member("spanId"), &span.span_id);
    if !span.parent_span_id.is_empty() {
        push_id(object.member("parentSpanId"), &span.parent_span_id);
    }
    object.text("name", &span.name);
    push_name(object.member("kind"), span.kind, span_kind_name(span.kind));
    push_long(
        object.member("startTimeUnixNano"),
        span.start_time_unix_nano,
    );
    push_long(object.member("endTimeUnixNano"), span.end_time_unix_nano);
    let duration = span
        .end_time_unix_nano
        .saturating_sub(span.start_time_unix_nano);
    push_number(object.member("durationMs"), duration / 1_000_000);
    push_attributes(object.member("attributes"), &span.attributes, None);
    object.list("events", &span.events, |out, event| {
        let mut object = Object::open(out);
        object.text("name", &event.name);
        push_long(object.member("timeUnixNano"), event.time_unix_nano);
        push_attributes(object.member("attributes"), &event.attributes, None);
        object.close();
    });
    object.list("links", &span.links, |out, link| {
        let mut object = Object::open(out);
        push_id(object.member("traceId"), &link.trace_id);
        push_id(object.member("spanId"), &link.span_id);
        push_attributes(object.member("attributes"), &link.attributes, None);
        object.close();
    });
    let (code, message) = span
        .status
        .as_ref()
        .map_or((0, ""), |s| (s.code, &*s.message));
    let mut status = Object::open(object.member("status"));
    push_name(status.member("code"), code, status_code_name(code));
    status.text("message", message);
    status.close();
    object.close();
}

fn push_id(out: &mut String, id: &[u8]) {
    out.push('"');
    push_hex(out, id);
    out.push('"');
}

fn push_long(out: &mut String, value: u64) {
    push_number(out, format_args!("\"{value}\""));
}

fn push_name(out: &mut String, number: i32, name: Option<&str>) {
    match name {
        Some(name) => push_text(out, name),
        None => push_number(out, number),
    }
}

/// One object, keys sorted; of equal keys the last value counts, as an object can hold only one.
fn push_attributes(out: &mut String, attributes: &[KeyValue], without: Option<&str>) {
    let mut sorted: Vec<&KeyValue> = attributes
        .iter()
        .rev()
        .filter(|a| Some(&*a.key) != without)
        .collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    sorted.dedup_by(|later, kept| later.key == kept.key);
    let mut object = Object::open(out);
    for attribute in sorted {
        push_plain(
            object.member_named(&attribute.key),
            attribute.value.as_ref(),
        );
    }
    object.close();
}

/// A value as plain JSON: numbers are numbers here, also 64-bit ones.
fn push_plain(out: &mut String, value: Option<&AnyValue>) {
    match value.and_then(|v| v.value.as_ref()) {
        None => out.push_str("null"),
        Some(Value::String(v)) => push_text(out, v),
        Some(Value::Bool(v)) => push_number(out, v),
        Some(Value::Int(v)) => push_number(out, v),
        Some(Value::Double(v)) => push_double(out, *v),
        Some(Value::Array(v)) => push_list(out, &v.values, |out, v| push_plain(out, Some(v))),
        Some(Value::KvList(v)) => push_attributes(out, &v.values, None),
        Some(Value::Bytes(v)) => push_base64(out, v),
    }
}
