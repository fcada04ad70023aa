//! What the tests share: records that tell who they are, and a model of what was promised.

// Each test binary uses a part of this.
#![allow(dead_code, reason = "shared by several test binaries")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use vivace_ingest_log::{Config, Deps, Entry, Handle, Position, Service, Shared, Tail};

/// Small segments, no deliberate limits, for tests.
pub fn config(path: impl Into<PathBuf>) -> Config {
    Config {
        path: path.into(),
        partitions: 1,
        segment_bytes: 16 << 10,
        max_record_bytes: 64 << 10,
        max_group_bytes: 8 << 10,
        max_pending_bytes: 256 << 10,
        min_free_bytes: 0,
        retention_age: Duration::ZERO,
        ..Config::default()
    }
}

pub async fn start(config: &Config) -> Result<Handle, vivace_ingest_log::Error> {
    start_shared(config, &Shared::new()).await
}

pub async fn start_shared(
    config: &Config,
    shared: &Shared,
) -> Result<Handle, vivace_ingest_log::Error> {
    let deps = Deps {
        shared: shared.clone(),
    };
    Service::start(config.clone(), deps).await
}

/// The bytes of record `id`: its number, then a pattern.
pub fn content(id: u64, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len.max(8));
    out.extend_from_slice(&id.to_le_bytes());
    let mut word = id;
    while out.len() < len {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.truncate(len.max(8));
    out
}

/// The same in several parts.
pub fn record(id: u64, len: usize) -> Vec<Bytes> {
    let whole = Bytes::from(content(id, len));
    let cut = (id as usize % 3) * whole.len() / 3;
    vec![whole.slice(..cut), whole.slice(cut..)]
}

/// Who a payload is, after checking every byte of it.
pub fn identify(payload: &Bytes) -> u64 {
    assert!(
        payload.as_ptr().addr().is_multiple_of(8),
        "payload is not aligned"
    );
    let id = u64::from_le_bytes(*payload.first_chunk().expect("a whole record"));
    assert_eq!(
        *payload,
        content(id, payload.len()),
        "record {id} is changed"
    );
    id
}

/// What one partition was asked and has promised.
#[derive(Default)]
pub struct Promises {
    /// Every record ever given to an append.
    pub tried: BTreeSet<u64>,
    /// What must be there: acknowledged, or seen by a reader after a start.
    pub kept: BTreeMap<u64, u64>,
    /// Consumer group: at least, at most.
    pub committed: (u64, u64),
    /// What the tail of this run has heard.
    pub told: Vec<(u64, u64)>,
}

pub type Model = Rc<RefCell<BTreeMap<u32, Promises>>>;

/// A tail that writes down what it hears.
pub struct Listener {
    pub model: Model,
    pub from: u64,
    pub positions: RefCell<Vec<(u64, Position)>>,
}

impl Tail for Listener {
    fn deliver(&self, partition: u32, offset: u64, record: &[Bytes]) {
        let whole: Vec<u8> = record.concat();
        let id = u64::from_le_bytes(*whole.first_chunk().expect("a whole record"));
        let mut model = self.model.borrow_mut();
        let told = &mut model.entry(partition).or_default().told;
        let expected = told.last().map_or(self.from, |(last, _)| last + 1);
        assert_eq!(
            offset, expected,
            "the tail of {partition} hears out of order"
        );
        told.push((offset, id));
    }

    fn deliver_at(&self, partition: u32, offset: u64, position: Position, record: &[Bytes]) {
        self.positions.borrow_mut().push((offset, position));
        self.deliver(partition, offset, record);
    }
}

/// Reads a partition from its start; tries again when the disk fails.
pub async fn read_all(handle: &Handle, partition: u32) -> Vec<Entry> {
    let mut reader = handle.read(partition, 0).expect("own partition");
    let mut entries = Vec::new();
    loop {
        match reader.next().await {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => return entries,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

/// Checks the log against the promises, after a start. What is readable now stays promised.
pub async fn verify(handle: &Handle, model: &Model, retained: bool) {
    for partition in handle.owned() {
        let start = handle.start_offset(partition).unwrap();
        let end = handle.end_offset(partition).unwrap();
        let entries = read_all(handle, partition).await;
        let mut model = model.borrow_mut();
        let promises = model.entry(partition).or_default();
        let mut found = BTreeMap::new();
        let mut ids = BTreeSet::new();
        let mut next = start;
        for entry in &entries {
            assert_eq!(entry.offset, next, "partition {partition}: a gap");
            next += 1;
            let id = identify(&entry.payload);
            assert!(promises.tried.contains(&id), "nobody appended {id}");
            assert!(ids.insert(id), "partition {partition}: {id} is there twice");
            found.insert(entry.offset, id);
        }
        assert_eq!(next, end, "partition {partition}: the end is missing");
        for (offset, id) in &promises.kept {
            assert!(
                found.get(offset) == Some(id) || (retained && *offset < start),
                "partition {partition}: acknowledged record {id} at {offset} is lost \
                 (now {:?}, log {start}..{end})",
                found.get(offset)
            );
        }
        promises.kept.extend(found);
        promises.told.clear();
        let (least, most) = promises.committed;
        let committed = handle.committed(partition, "group").unwrap().unwrap_or(0);
        assert!(
            (least..=most).contains(&committed),
            "partition {partition}: committed {committed}, promised {least}..={most}"
        );
        assert!(committed <= end);
        promises.committed = (committed, committed);
    }
    assert_eq!(handle.corruption_report().ranges, []);
}
