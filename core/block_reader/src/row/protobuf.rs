//! Values and links as version 3 has them in events and spans: OTLP's protobuf.

use prost::Message;
use vivace_model::{LinkRow, Owner, SpanBatchBuilder, StringId, TooDeep, Value};

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub value: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Kind {
    #[prost(bytes = "vec", tag = "1")]
    String(Vec<u8>),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(Array),
    #[prost(message, tag = "6")]
    KvList(KvList),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Array {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KvList {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Links {
    #[prost(message, repeated, tag = "1")]
    pub links: Vec<Link>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Link {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub trace_state: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "5")]
    pub dropped_attributes_count: u32,
    #[prost(fixed32, tag = "6")]
    pub flags: u32,
}

/// The value of an encoded `AnyValue`; bytes that are none, or nested too deeply, are kept as bytes.
pub(super) fn value(builder: &mut SpanBatchBuilder, encoded: &[u8]) -> Value {
    let decoded = AnyValue::decode(encoded).ok();
    let mark = builder.begin_list();
    let value = decoded.and_then(|decoded| any_value(builder, Some(&decoded)).ok());
    value.unwrap_or_else(|| {
        builder.drop_elements(mark);
        builder.bytes(encoded)
    })
}

fn any_value(builder: &mut SpanBatchBuilder, value: Option<&AnyValue>) -> Result<Value, TooDeep> {
    let Some(kind) = value.and_then(|value| value.value.as_ref()) else {
        return Ok(Value::EMPTY);
    };
    Ok(match kind {
        Kind::String(text) => Value::string(builder.intern_lossy(text).0),
        Kind::Bool(value) => Value::bool(*value),
        Kind::Int(value) => Value::int(*value),
        Kind::Double(value) => Value::double(*value),
        Kind::Bytes(bytes) => builder.bytes(bytes),
        Kind::Array(array) => {
            let mark = builder.begin_list();
            for value in &array.values {
                let value = any_value(builder, Some(value))?;
                builder.element(StringId(0), value);
            }
            builder.end_array(mark)?
        }
        Kind::KvList(list) => {
            let mark = builder.begin_list();
            for pair in &list.values {
                let value = any_value(builder, pair.value.as_ref())?;
                let key = builder.intern_lossy(&pair.key).0;
                builder.element(key, value);
            }
            builder.end_kvlist(mark)?
        }
    })
}

/// Adds the links of a span; None when the bytes are none.
pub(super) fn links(builder: &mut SpanBatchBuilder, encoded: &[u8]) -> Option<()> {
    for link in Links::decode(encoded).ok()?.links {
        for attribute in &link.attributes {
            let key = builder.intern_lossy(&attribute.key).0;
            let value = any_value(builder, attribute.value.as_ref()).ok()?;
            builder.attribute(Owner::Link, key, value);
        }
        let trace_state = builder.intern_lossy(&link.trace_state).0;
        builder.link(LinkRow {
            trace_id: &link.trace_id,
            span_id: &link.span_id,
            trace_state,
            flags: link.flags,
            dropped_attributes_count: link.dropped_attributes_count,
        });
    }
    Some(())
}
