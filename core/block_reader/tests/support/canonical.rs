//! A trace as a list of spans with all they have, in an order that says nothing.

use serde_json::Value as Json;
use vivace_model::SpanBatch;
use vivace_protocol::trace::{CombineOptions, Fragment, combine, to_json_v1};

/// The answer to trace by id, by protobuf's JSON.
pub fn answer(fragments: &[(SpanBatch, std::ops::Range<usize>)]) -> Json {
    let fragments: Vec<Fragment> = fragments
        .iter()
        .map(|(batch, rows)| Fragment {
            batch: batch.clone(),
            rows: rows.clone(),
        })
        .collect();
    let combined = combine(&fragments, CombineOptions::trace_by_id(0));
    serde_json::from_str(&to_json_v1(&combined.trace)).unwrap()
}

pub fn answer_of(batch: &SpanBatch) -> Json {
    answer(&[(batch.clone(), 0..batch.view().span_count())])
}

/// Every span with its resource and scope, lists of attributes, events and links sorted. What blocks do not keep is
/// left out: schema URLs, entities, flags, and a `service.name` that is empty (blocks have that for none).
pub fn spans(answer: &Json) -> Vec<String> {
    let none = Vec::new();
    let list = |json: &Json, names: &[&str]| -> Vec<Json> {
        let found = names.iter().find_map(|name| json.get(name)?.as_array());
        found.unwrap_or(&none).clone()
    };
    let trace = answer.get("trace").unwrap_or(answer);
    let mut out = Vec::new();
    for resource in list(trace, &["resourceSpans", "batches"]) {
        for scope in list(&resource, &["scopeSpans", "instrumentationLibrarySpans"]) {
            for span in list(&scope, &["spans"]) {
                let part = |json: &Json, name| sorted(json.get(name).unwrap_or(&Json::Null));
                out.push(format!(
                    "{} | {} | {}",
                    part(&resource, "resource"),
                    part(&scope, "scope"),
                    sorted(&span)
                ));
            }
        }
    }
    out.sort();
    out
}

fn sorted(json: &Json) -> Json {
    match json {
        Json::Object(members) => {
            let kept = members.iter().filter(|(name, value)| {
                let is_default = value.is_null()
                    || value.as_array().is_some_and(Vec::is_empty)
                    || value.as_object().is_some_and(serde_json::Map::is_empty)
                    || value.as_str() == Some("");
                let unkept = ["schemaUrl", "entityRefs", "flags"].contains(&name.as_str());
                !unkept && (!is_default || name.ends_with("Value"))
            });
            Json::Object(
                kept.map(|(name, value)| {
                    let value = match name.as_str() {
                        "attributes" | "events" | "links" => {
                            let nameless = serde_json::json!(
                                {"key": "service.name", "value": {"stringValue": ""}}
                            );
                            let items = value.as_array().unwrap().iter();
                            let kept = items.filter(|item| **item != nameless);
                            let mut items: Vec<Json> = kept.map(sorted).collect();
                            items.sort_by_cached_key(Json::to_string);
                            Json::Array(items)
                        }
                        _ => sorted(value),
                    };
                    (name.clone(), value)
                })
                .collect(),
            )
        }
        Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
