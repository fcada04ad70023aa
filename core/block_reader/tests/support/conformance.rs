//! The recorded blocks, requests and answers beside the project.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value as Json;
use vivace_block::BlockMeta;
use vivace_model::{SpanBatch, TraceId};
use vivace_protocol::otlp::{ScanOptions, Scanner};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance")
}

/// Meta and data of the block of a format, None where the data is not beside the project.
pub fn block(format: &str) -> Option<(BlockMeta, Bytes)> {
    let tenant = folder().join("blocks").join(format).join("single-tenant");
    let block = std::fs::read_dir(tenant).ok()?.next()?.unwrap().path();
    let meta = std::fs::read(block.join("meta.json")).unwrap();
    let data = std::fs::read(block.join("data.parquet")).unwrap();
    Some((BlockMeta::from_json(&meta).unwrap(), data.into()))
}

/// All requests as batches; one attribute was cut at ingest.
pub fn batches() -> Vec<SpanBatch> {
    let mut paths: Vec<_> = std::fs::read_dir(folder().join("otlp"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pb"))
        .collect();
    paths.sort();
    let mut scanner = Scanner::new();
    let options = ScanOptions {
        max_attribute_bytes: 2048,
        partitions: 1,
    };
    paths
        .iter()
        .flat_map(|path| {
            let request = std::fs::read(path).unwrap();
            scanner.scan("tenant", &request, &options).unwrap().batches
        })
        .map(|(_, batch)| batch)
        .collect()
}

/// The recorded answers to trace by id: path and body.
pub fn trace_answers() -> Vec<(String, Json)> {
    let file = std::fs::read(folder().join("answers.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&file[..])
        .read_to_string(&mut text)
        .unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .filter(|answer| answer["kind"] == "trace")
        .map(|answer| {
            (
                answer["path"].as_str().unwrap().to_owned(),
                answer["body"].clone(),
            )
        })
        .collect()
}

/// Which batches hold each trace.
pub fn traces(
    batches: &[SpanBatch],
) -> BTreeMap<TraceId, Vec<(SpanBatch, std::ops::Range<usize>)>> {
    let mut traces: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for batch in batches {
        for (id, rows) in batch.view().trace_runs() {
            traces.entry(id).or_default().push((batch.clone(), rows));
        }
    }
    traces
}
