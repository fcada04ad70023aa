//! A block with something of everything, as the writer makes it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use serde_json::{Value as Json, json};
use uuid::Uuid;
use vivace_block::dedicated::{DedicatedColumn, Kind, Scope, default_columns};
use vivace_block::keys::{self, BlockObject};
use vivace_block::{BlockMeta, Format};
use vivace_block_writer::{Options, Sink, write_block};
use vivace_protocol::otlp::{ScanOptions, Scanner, json_to_protobuf};

use crate::block::Place;
use crate::source::{ListedBlock, Source, SourceError};
use crate::verify::report::{Check, Report};
use crate::verify::verify;

pub const TENANT: &str = "tenant";
pub const BLOCK: Uuid = Uuid::from_u128(0x4017_42ca_c857_45ce_946e_1334_3cdd_9be8);
const START: u64 = 1_700_000_000_000_000_000;

/// A bucket in memory.
#[derive(Clone, Default)]
pub struct Bucket(pub BTreeMap<String, Bytes>);

impl Source for Bucket {
    fn tenants(&self) -> Result<Vec<String>, SourceError> {
        Ok(vec![TENANT.to_owned()])
    }

    fn blocks(&self, _: &str) -> Result<Vec<ListedBlock>, SourceError> {
        Ok(vec![ListedBlock {
            id: BLOCK,
            compacted: false,
        }])
    }

    fn size(&self, key: &str) -> Result<Option<u64>, SourceError> {
        Ok(self.0.get(key).map(|bytes| bytes.len() as u64))
    }

    fn read(&self, key: &str) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.get(key).cloned())
    }

    fn read_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, SourceError> {
        let Some(bytes) = self.0.get(key) else {
            return Err(SourceError::new(key, "there is none"));
        };
        let place = |at: u64| (at as usize).min(bytes.len());
        Ok(bytes.slice(place(range.start)..place(range.end)))
    }
}

/// All objects of a block.
#[derive(Clone)]
pub struct Objects {
    pub meta: BlockMeta,
    pub data: Bytes,
    pub blooms: Vec<Bytes>,
    pub index: Option<Bytes>,
}

pub fn place() -> Place {
    Place {
        tenant: TENANT.to_owned(),
        block: BLOCK,
    }
}

impl Objects {
    pub fn bucket(&self) -> Bucket {
        let key = |object| keys::block_object(TENANT, BLOCK, object);
        let mut objects = BTreeMap::new();
        objects.insert(key(BlockObject::Meta), self.meta.to_json());
        objects.insert(key(BlockObject::Data), self.data.clone());
        for (number, bloom) in self.blooms.iter().enumerate() {
            objects.insert(key(BlockObject::Bloom(number as u32)), bloom.clone());
        }
        if let Some(index) = &self.index {
            objects.insert(key(BlockObject::Index), index.clone());
        }
        Bucket(objects)
    }

    pub fn verify(&self) -> Report {
        verify(&self.bucket(), &place(), true, &mut std::io::sink()).unwrap()
    }

    /// The checks that fail, with what they say.
    pub fn failed(&self) -> Vec<Check> {
        let report = self.verify();
        let mut text = Vec::new();
        report.print(&mut text).unwrap();
        let failed = report.failed();
        if !failed.is_empty() {
            // Seen only where the test fails.
            println!("{}", String::from_utf8(text).unwrap());
        }
        failed
    }
}

/// Runs a future that never waits.
pub fn now<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing waits"),
    }
}

struct Memory(Vec<u8>);

impl Sink for Memory {
    type Error = Infallible;

    async fn append(&mut self, bytes: Bytes) -> Result<(), Infallible> {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }
}

fn attribute(key: &str, value: Json) -> Json {
    json!({ "key": key, "value": value })
}

fn texts(values: &[&str]) -> Json {
    let values: Vec<_> = values
        .iter()
        .map(|text| json!({ "stringValue": text }))
        .collect();
    json!({ "arrayValue": { "values": values } })
}

/// Span `number` of a trace; 0 is the root.
fn span(trace: u64, number: u64) -> Json {
    let id = |number: u64| format!("{:016x}", trace * 100 + number + 1);
    let start = START + trace * 1_000_000_000 + number * 7_000_000;
    let parent = match number {
        0 => String::new(),
        // The last one of some traces has a parent that is not there.
        4 if trace.is_multiple_of(3) => "ffffffffffffffff".to_owned(),
        number => id(number / 2),
    };
    json!({
        "traceId": format!("{:032x}", u128::from(trace + 1) << 90 | 0xabc),
        "spanId": id(number),
        "parentSpanId": parent,
        "name": format!("op-{}", number % 3),
        "kind": number % 6,
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": (start + 5_000_000 + trace).to_string(),
        "status": { "code": if number == 2 { 2 } else { 0 }, "message": "a" },
        "attributes": [
            attribute("http.method", json!({ "stringValue": "GET" })),
            attribute("http.status_code", json!({ "intValue": 200 + number })),
            attribute("text", json!({ "stringValue": format!("value {trace}") })),
            attribute("double", json!({ "doubleValue": number as f64 / 4.0 })),
            attribute("bool", json!({ "boolValue": number == 1 })),
            attribute("list", texts(&["a", "b"])),
            attribute("none", json!({})),
            attribute("map", json!({ "kvlistValue": { "values": [] } })),
        ],
        "events": if number == 1 { json!([
            { "timeUnixNano": (start + 1).to_string(), "name": "event",
              "attributes": [attribute("e", json!({ "intValue": 1 }))] },
            { "timeUnixNano": (start + 2).to_string(), "name": "other" },
        ]) } else { json!([]) },
        "links": if number == 3 { json!([
            { "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708",
              "attributes": [attribute("l", json!({ "boolValue": true }))] },
        ]) } else { json!([]) },
    })
}

const TRACES: u64 = 60;

fn request() -> Json {
    let resource = |service: &str, first: u64| {
        let scope = |first: u64| {
            let numbers = (first..5).step_by(4);
            let spans = (0..TRACES).flat_map(|trace| numbers.clone().map(move |n| span(trace, n)));
            json!({
                "scope": { "name": format!("scope-{first}"), "version": "1",
                           "attributes": [attribute("s", json!({ "intValue": first }))] },
                "spans": spans.collect::<Vec<_>>(),
            })
        };
        json!({
            "resource": { "attributes": [
                attribute("service.name", json!({ "stringValue": service })),
                attribute("k8s.pod.name", json!({ "stringValue": format!("{service}-1") })),
                attribute("zone", json!({ "stringValue": "a" })),
                attribute("cpu", json!({ "intValue": 4 })),
            ] },
            "scopeSpans": [scope(first), scope(first + 1)],
        })
    };
    json!({ "resourceSpans": [resource("front", 0), resource("back", 2)] })
}

/// The block as the writer makes it, in several row groups and bloom shards.
pub fn written(format: Format) -> Objects {
    let request = json_to_protobuf(request().to_string().as_bytes()).unwrap();
    let options = ScanOptions {
        max_attribute_bytes: 2048,
        partitions: 1,
    };
    let batches = Scanner::new()
        .scan(TENANT, &request, &options)
        .unwrap()
        .batches;
    let batches: Vec<_> = batches.into_iter().map(|(_, batch)| batch).collect();
    let mut dedicated = default_columns();
    dedicated.push(DedicatedColumn::new(Scope::Event, "e", Kind::Int));
    let options = Options {
        dedicated,
        row_group_bytes: 4_000,
        bloom_shard_bytes: 16,
        ..Options::new(format, TENANT, BLOCK)
    };
    let mut data = Memory(Vec::new());
    let built = now(write_block(&batches, &options, &mut data, async || {})).unwrap();
    assert!(built.meta.total_records > 2 && built.meta.bloom_shards > 2);
    Objects {
        meta: built.meta,
        data: data.0.into(),
        blooms: built.blooms,
        index: Some(built.index),
    }
}
