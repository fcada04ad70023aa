//! Values and lists of them.

use std::sync::Arc;

use vivace_config::types::Duration;
use vivace_protocol::tempopb::{AnyValue, ArrayValue, KeyValue, Value};
use vivace_traceql::{Kind, Static, Status};

/// A named value. Durations, statuses and kinds are text (traceql.md §6.3); nil is the text `nil`.
pub(super) fn key_value((key, value): &(Arc<str>, Static)) -> KeyValue {
    KeyValue {
        key: key.to_string(),
        value: Some(AnyValue {
            value: Some(any_value(value)),
        }),
    }
}

fn any_value(value: &Static) -> Value {
    match value {
        Static::Nil => Value::String("nil".into()),
        Static::Int(number) => Value::Int(*number),
        Static::Float(number) => Value::Double(*number),
        Static::String(text) => Value::String(text.to_string()),
        Static::Bool(truth) => Value::Bool(*truth),
        Static::Duration(nanos) => Value::String(Duration::from_nanos(*nanos).to_string()),
        Static::Status(status) => Value::String(status_name(*status).into()),
        Static::Kind(kind) => Value::String(kind_name(*kind).into()),
        Static::IntArray(items) => array(items.iter().map(|item| Value::Int(*item))),
        Static::FloatArray(items) => array(items.iter().map(|item| Value::Double(*item))),
        Static::StringArray(items) => {
            array(items.iter().map(|item| Value::String(item.to_string())))
        }
        Static::BoolArray(items) => array(items.iter().map(|item| Value::Bool(*item))),
    }
}

fn array(items: impl Iterator<Item = Value>) -> Value {
    let values = items.map(|value| AnyValue { value: Some(value) });
    Value::Array(ArrayValue {
        values: values.collect(),
    })
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Error => "error",
        Status::Ok => "ok",
        Status::Unset => "unset",
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "unspecified",
        Kind::Internal => "internal",
        Kind::Client => "client",
        Kind::Server => "server",
        Kind::Producer => "producer",
        Kind::Consumer => "consumer",
    }
}
