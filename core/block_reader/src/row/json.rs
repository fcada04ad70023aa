//! `ValueUnsupported`: the proto-JSON of an OTLP value.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use vivace_model::{ListMark, SpanBatchBuilder, StringId, TooDeep, Value};

/// The value of a text; a text that is no such value is kept as it is.
pub(super) fn value(builder: &mut SpanBatchBuilder, text: &[u8]) -> Value {
    let parsed: Option<Json> = serde_json::from_slice(text).ok();
    let mark = builder.begin_list();
    let value = parsed.and_then(|json| any_value(builder, &json).ok().flatten());
    value.unwrap_or_else(|| as_text(builder, mark, text))
}

/// The list of a text, as version 3 has it: the JSON of the list itself, or of a value that is one.
pub(super) fn list(builder: &mut SpanBatchBuilder, text: &[u8], with_keys: bool) -> Value {
    let parsed: Option<Json> = serde_json::from_slice(text).ok();
    let mark = builder.begin_list();
    let value = parsed.and_then(|json| match json.get("values") {
        Some(_) => list_value(builder, &json, with_keys).ok().flatten(),
        None if json.as_object().is_some_and(serde_json::Map::is_empty) => {
            list_value(builder, &json, with_keys).ok().flatten()
        }
        None => any_value(builder, &json).ok().flatten(),
    });
    value.unwrap_or_else(|| as_text(builder, mark, text))
}

fn as_text(builder: &mut SpanBatchBuilder, mark: ListMark, text: &[u8]) -> Value {
    builder.drop_elements(mark);
    Value::string(builder.intern_lossy(text).0)
}

/// None when the JSON is not that of a value.
fn any_value(builder: &mut SpanBatchBuilder, json: &Json) -> Result<Option<Value>, TooDeep> {
    let Json::Object(members) = json else {
        return Ok(None);
    };
    let Some((name, inner)) = members.iter().next() else {
        return Ok(Some(Value::EMPTY));
    };
    Ok(match (name.as_str(), inner) {
        ("stringValue", Json::String(text)) => Some(Value::string(builder.intern(text))),
        ("boolValue", Json::Bool(value)) => Some(Value::bool(*value)),
        ("intValue", inner) => int(inner).map(Value::int),
        ("doubleValue", inner) => double(inner).map(Value::double),
        ("bytesValue", Json::String(text)) => STANDARD
            .decode(text)
            .ok()
            .map(|bytes| builder.bytes(&bytes)),
        ("arrayValue", list) => return list_value(builder, list, false),
        ("kvlistValue", list) => return list_value(builder, list, true),
        _ => None,
    })
}

fn int(json: &Json) -> Option<i64> {
    match json {
        Json::String(text) => text.parse().ok(),
        json => json.as_i64(),
    }
}

fn double(json: &Json) -> Option<f64> {
    match json {
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        },
        json => json.as_f64(),
    }
}

fn list_value(
    builder: &mut SpanBatchBuilder,
    json: &Json,
    with_keys: bool,
) -> Result<Option<Value>, TooDeep> {
    let none = Vec::new();
    let elements = match json.get("values") {
        None if json.is_object() => &none,
        Some(Json::Array(elements)) => elements,
        _ => return Ok(None),
    };
    let mark = builder.begin_list();
    for element in elements {
        let (key, inner) = match with_keys {
            false => (StringId(0), Some(element)),
            true => {
                let key = element
                    .get("key")
                    .and_then(Json::as_str)
                    .unwrap_or_default();
                (builder.intern(key), element.get("value"))
            }
        };
        let value = match inner {
            None | Some(Json::Null) => Some(Value::EMPTY),
            Some(json) => any_value(builder, json)?,
        };
        match value {
            Some(value) => builder.element(key, value),
            None => {
                builder.drop_elements(mark);
                return Ok(None);
            }
        }
    }
    match with_keys {
        false => builder.end_array(mark).map(Some),
        true => builder.end_kvlist(mark).map(Some),
    }
}
