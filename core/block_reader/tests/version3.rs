//! Version 3, of which there is no file: one is made by the `parquet` crate from what the format is said to be.

mod support;

use std::sync::Arc;

use bytes::Bytes;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{Type, TypePtr};
use prost::Message as _;
use serde_json::{Value as Json, json};
use support::canonical::answer_of;
use support::{Memory, now};
use uuid::Uuid;
use vivace_block::dedicated::{DedicatedColumn, Kind, Scope};
use vivace_block::{BlockMeta, ZERO_TIME};
use vivace_block_reader::OpenBlock;
use vivace_model::TraceId;
use vivace_protocol::tempopb::otlp;

fn list(name: &str, members: &str) -> String {
    format!(
        "required group {name} (LIST) {{ repeated group list {{ required group element {{ {members} }} }} }} "
    )
}

fn slots() -> String {
    let slots = (1..=10).map(|slot| format!("optional binary String{slot:02} (STRING); "));
    format!(
        "required group DedicatedAttributes {{ {} }}",
        slots.collect::<String>()
    )
}

fn texts(repetition: &str, names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("{repetition} binary {name} (STRING); "))
        .collect()
}

fn schema() -> Type {
    let attributes = list(
        "Attrs",
        "required binary Key (STRING); optional binary Value (STRING); optional int64 ValueInt; optional double ValueDouble; \
         optional boolean ValueBool; optional binary ValueKVList (STRING); optional binary ValueArray (STRING); ",
    );
    let event_attributes = list(
        "Attrs",
        "required binary Key (STRING); required binary Value; ",
    );
    let events = list(
        "Events",
        &format!(
            "required int64 TimeUnixNano; required binary Name (STRING); {event_attributes} \
             required int32 DroppedAttributesCount; optional binary Test (STRING); "
        ),
    );
    let spans = list(
        "Spans",
        &format!(
            "required binary SpanID; required binary ParentSpanID; required int32 ParentID; required int32 NestedSetLeft; \
             required int32 NestedSetRight; required binary Name (STRING); required int64 Kind; required binary TraceState (STRING); \
             required int64 StartTimeUnixNano; required int64 DurationNano; required int64 StatusCode; \
             required binary StatusMessage (STRING); {attributes} required int32 DroppedAttributesCount; {events} \
             required int32 DroppedEventsCount; required binary Links; required int32 DroppedLinksCount; \
             {} optional int64 HttpStatusCode; {}",
            texts("optional", &["HttpMethod", "HttpUrl"]),
            slots(),
        ),
    );
    let scopes = list(
        "ss",
        &format!(
            "required group Scope {{ {} }} {spans}",
            texts("required", &["Name", "Version"])
        ),
    );
    let well_known = texts(
        "optional",
        &[
            "Cluster",
            "Namespace",
            "Pod",
            "Container",
            "K8sClusterName",
            "K8sNamespaceName",
            "K8sPodName",
            "K8sContainerName",
        ],
    );
    let resources = list(
        "rs",
        &format!(
            "required group Resource {{ {attributes} required binary ServiceName (STRING); {well_known} {} }} {scopes}",
            slots()
        ),
    );
    let message = format!(
        "message Trace {{ required binary TraceID; required binary TraceIDText (STRING); required int64 StartTimeUnixNano; \
         required int64 EndTimeUnixNano; required int64 DurationNano; {} {resources} }}",
        texts("required", &["RootServiceName", "RootSpanName"]),
    );
    parse_message_type(&message).unwrap()
}

/// Slots and values of the leaves, in order.
#[derive(Default, Clone)]
struct Leaf {
    rep: Vec<i16>,
    def: Vec<i16>,
    values: Vec<Json>,
}

/// Takes a record apart. Bytes are arrays of numbers; lists leave out their two inner levels.
fn shred(
    node: &TypePtr,
    value: Option<&Json>,
    rep: i16,
    (depth, def): (i16, i16),
    leaves: &mut [Leaf],
) -> usize {
    let info = node.get_basic_info();
    let optional =
        info.has_repetition() && info.repetition() == parquet::basic::Repetition::OPTIONAL;
    let def = def + i16::from(optional && value.is_some());
    if node.is_primitive() {
        leaves[0].rep.push(rep);
        leaves[0].def.push(def);
        let absent =
            depth > def - i16::from(optional && value.is_some()) || (optional && value.is_none());
        if !absent {
            let default = match node.get_physical_type() {
                parquet::basic::Type::BYTE_ARRAY => json!(""),
                _ => json!(0),
            };
            leaves[0].values.push(value.cloned().unwrap_or(default));
        }
        return 1;
    }
    if node.get_fields().len() == 1 && node.get_fields()[0].name() == "list" {
        let element = &node.get_fields()[0].get_fields()[0];
        let items = value
            .and_then(Json::as_array)
            .filter(|items| !items.is_empty());
        let Some(items) = items else {
            return shred(element, None, rep, (depth + 1, def), leaves);
        };
        let level = depth + 1;
        let mut used = 0;
        for (number, item) in items.iter().enumerate() {
            let rep = if number == 0 { rep } else { level };
            used = shred(element, Some(item), rep, (level, level), leaves);
        }
        return used;
    }
    let mut used = 0;
    for field in node.get_fields() {
        let value = value.and_then(|value| value.get(field.name()));
        used += shred(field, value, rep, (depth, def), &mut leaves[used..]);
    }
    used
}

fn bytes(json: &Json) -> ByteArray {
    match json {
        Json::Array(bytes) => {
            let bytes = bytes.iter().map(|byte| byte.as_u64().unwrap() as u8);
            ByteArray::from(bytes.collect::<Vec<u8>>())
        }
        json => ByteArray::from(json.as_str().unwrap()),
    }
}

fn file(records: &[Json]) -> Bytes {
    let schema = Arc::new(schema());
    let mut file = SerializedFileWriter::new(
        Vec::new(),
        schema.clone(),
        Arc::new(WriterProperties::new()),
    )
    .unwrap();
    let mut leaves = vec![Leaf::default(); 78];
    for record in records {
        assert_eq!(shred(&schema, Some(record), 0, (0, 0), &mut leaves), 77);
    }
    let mut group = file.next_row_group().unwrap();
    for leaf in &leaves[..77] {
        let mut column = group.next_column().unwrap().unwrap();
        let (def, rep) = (Some(&leaf.def[..]), Some(&leaf.rep[..]));
        let ints = || leaf.values.iter().map(|value| value.as_i64().unwrap());
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                let values: Vec<_> = leaf.values.iter().map(bytes).collect();
                writer.write_batch(&values, def, rep).unwrap();
            }
            ColumnWriter::Int32ColumnWriter(writer) => {
                let values: Vec<i32> = ints().map(|value| value as i32).collect();
                writer.write_batch(&values, def, rep).unwrap();
            }
            ColumnWriter::Int64ColumnWriter(writer) => {
                writer
                    .write_batch(&ints().collect::<Vec<_>>(), def, rep)
                    .unwrap();
            }
            ColumnWriter::DoubleColumnWriter(writer) => {
                let values: Vec<_> = leaf
                    .values
                    .iter()
                    .map(|value| value.as_f64().unwrap())
                    .collect();
                writer.write_batch(&values, def, rep).unwrap();
            }
            ColumnWriter::BoolColumnWriter(writer) => {
                let values: Vec<_> = leaf
                    .values
                    .iter()
                    .map(|value| value.as_bool().unwrap())
                    .collect();
                writer.write_batch(&values, def, rep).unwrap();
            }
            _ => panic!("a type that the schema does not have"),
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    file.into_inner().unwrap().into()
}

fn key_value(key: &str, value: otlp::Value) -> otlp::KeyValue {
    otlp::KeyValue {
        key: key.to_owned(),
        value: Some(otlp::AnyValue { value: Some(value) }),
    }
}

/// The message around the links of a span: they are its repeated field 1.
#[derive(Clone, PartialEq, prost::Message)]
struct Links {
    #[prost(message, repeated, tag = "1")]
    links: Vec<otlp::Link>,
}

fn record() -> Json {
    let any = otlp::AnyValue {
        value: Some(otlp::Value::Array(otlp::ArrayValue {
            values: vec![otlp::AnyValue {
                value: Some(otlp::Value::Int(7)),
            }],
        })),
    };
    let links = Links {
        links: vec![otlp::Link {
            trace_id: vec![9; 16],
            span_id: vec![8; 8],
            trace_state: "a=b".to_owned(),
            attributes: vec![key_value("l", otlp::Value::Bool(true))],
            ..Default::default()
        }],
    };
    let id: Vec<u8> = (1..=16).collect();
    json!({
        "TraceID": id, "TraceIDText": "0102", "RootServiceName": "shop", "RootSpanName": "one",
        "rs": [
            {
                "Resource": {
                    "ServiceName": "shop", "Cluster": "c1", "DedicatedAttributes": { "String01": "10.0.0.1" },
                    "Attrs": [
                        { "Key": "r.int", "ValueInt": -5 },
                        { "Key": "r.double", "ValueDouble": 2.5 },
                        { "Key": "r.list", "ValueArray": "{\"values\":[{\"stringValue\":\"x\"},{\"intValue\":\"1\"}]}" },
                        { "Key": "r.map", "ValueKVList": "{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"boolValue\":true}}]}}" },
                        { "Key": "r.nothing" },
                    ],
                },
                "ss": [
                    {
                        "Scope": { "Name": "lib", "Version": "1" },
                        "Spans": [
                            {
                                "SpanID": [1, 1, 1, 1, 1, 1, 1, 1], "Name": "one", "Kind": 2, "StartTimeUnixNano": 1000,
                                "DurationNano": 50, "StatusCode": 2, "StatusMessage": "bad", "DroppedEventsCount": 3,
                                "HttpMethod": "GET", "HttpStatusCode": 500,
                                "DedicatedAttributes": { "String01": "i-1" },
                                "Attrs": [{ "Key": "s", "Value": "v" }, { "Key": "t", "ValueBool": false }],
                                "Events": [
                                    { "TimeUnixNano": 1010, "Name": "e1", "Attrs": [{ "Key": "k", "Value": any.encode_to_vec() }] },
                                    { "TimeUnixNano": 1020, "Name": "e2", "DroppedAttributesCount": 4 },
                                ],
                                "Links": links.encode_to_vec(),
                            },
                            { "SpanID": [2, 2], "ParentSpanID": [1, 1, 1, 1, 1, 1, 1, 1], "Name": "two", "StartTimeUnixNano": 1001 },
                        ],
                    },
                    { "Scope": { "Name": "idle" } },
                ],
            },
            { "Resource": { "ServiceName": "nobody" } },
        ],
    })
}

fn meta(data: &Bytes) -> BlockMeta {
    BlockMeta {
        format: "vParquet3".to_owned(),
        block_id: Uuid::nil(),
        tenant_id: "t".to_owned(),
        start_time: ZERO_TIME,
        end_time: ZERO_TIME,
        total_objects: 2,
        size: data.len() as u64,
        compaction_level: 0,
        index_page_size: 0,
        total_records: 1,
        bloom_shards: 1,
        footer_size: 0,
        dedicated_columns: [
            DedicatedColumn::new(Scope::Resource, "ip", Kind::String),
            DedicatedColumn::new(Scope::Span, "instance", Kind::String),
        ]
        .into(),
        replication_factor: 1,
    }
}

#[test]
fn everything_that_version_3_keeps() {
    let mut first = record();
    first["TraceID"] = json!(vec![0; 16]);
    first["rs"] = json!([]);
    let data = file(&[first, record()]);
    let meta = meta(&data);
    let ranges = Memory::new(data);
    let block = now(OpenBlock::open(&meta, &ranges)).unwrap();
    let find = |id| now(block.find_trace(id, &ranges, async || {})).unwrap();
    assert!(find(TraceId([0; 16])).is_none(), "a row without spans");
    let id: [u8; 16] = std::array::from_fn(|index| index as u8 + 1);
    let answer = answer_of(&find(TraceId(id)).unwrap().batch);
    let text = |value| json!({ "stringValue": value });
    let expected = json!({
        "attributes": [
            { "key": "r.int", "value": { "intValue": "-5" } },
            { "key": "r.double", "value": { "doubleValue": 2.5 } },
            { "key": "r.list", "value": { "arrayValue": { "values": [text("x"), { "intValue": "1" }] } } },
            { "key": "r.map", "value": { "kvlistValue": { "values": [{ "key": "a", "value": { "boolValue": true } }] } } },
            { "key": "r.nothing", "value": {} },
            { "key": "ip", "value": text("10.0.0.1") },
            { "key": "service.name", "value": text("shop") },
            { "key": "cluster", "value": text("c1") },
        ],
    });
    let batch = &answer["batches"][0];
    assert_eq!(batch["resource"], expected);
    assert_eq!(
        batch["scopeSpans"][0]["scope"],
        json!({ "name": "lib", "version": "1" })
    );
    let [one, two] = &batch["scopeSpans"][0]["spans"].as_array().unwrap()[..] else {
        panic!("{answer}");
    };
    assert_eq!(two["spanId"], "AAAAAAAAAgI=");
    assert_eq!(two["parentSpanId"], "AQEBAQEBAQE=");
    assert_eq!(
        (&one["startTimeUnixNano"], &one["endTimeUnixNano"]),
        (&json!("1000"), &json!("1050"))
    );
    assert_eq!(
        one["status"],
        json!({ "code": "STATUS_CODE_ERROR", "message": "bad" })
    );
    assert_eq!(one["droppedEventsCount"], 3);
    assert_eq!(
        one["attributes"],
        json!([
            { "key": "s", "value": text("v") },
            { "key": "t", "value": { "boolValue": false } },
            { "key": "instance", "value": text("i-1") },
            { "key": "http.method", "value": text("GET") },
            { "key": "http.status_code", "value": { "intValue": "500" } },
        ])
    );
    assert_eq!(
        one["events"],
        json!([
            {
                "timeUnixNano": "1010", "name": "e1",
                "attributes": [{ "key": "k", "value": { "arrayValue": { "values": [{ "intValue": "7" }] } } }],
            },
            { "timeUnixNano": "1020", "name": "e2", "droppedAttributesCount": 4 },
        ])
    );
    assert_eq!(
        one["links"],
        json!([{
            "traceId": "CQkJCQkJCQkJCQkJCQkJCQ==", "spanId": "CAgICAgICAg=", "traceState": "a=b",
            "attributes": [{ "key": "l", "value": { "boolValue": true } }],
        }])
    );
}
