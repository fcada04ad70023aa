//! Batches, a log in memory, and a store over it.

use crate::{BoxError, Config, RecordReader, Shared, Store, TraceLimits};
use bytes::Bytes;
use futures_util::future::{LocalBoxFuture, ready};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use vivace_model::{Owner, SpanBatch, SpanBatchBuilder, SpanId, SpanRow, StringId, TraceId, Value};
use vivace_protocol::record;
use vivace_shards::sim::Sim;

pub fn trace_id(n: u64) -> TraceId {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    TraceId(id)
}

/// Spans as (trace, span, bytes of an attribute).
pub fn batch(spans: &[(u64, u64, usize)]) -> SpanBatch {
    let mut builder = SpanBatchBuilder::new();
    let key = builder.intern("service.name");
    let value = builder.intern("shop");
    builder.attribute(Owner::Resource, key, Value::string(value));
    let resource = builder.resource(0, StringId(0), &[]).unwrap();
    let scope = builder
        .scope(StringId(0), StringId(0), 0, StringId(0))
        .unwrap();
    for &(trace, span, padding) in spans {
        let key = builder.intern("padding");
        let value = builder.intern(&"x".repeat(padding));
        builder.attribute(Owner::Span, key, Value::string(value));
        let name = builder.intern("GET /cart");
        let row = SpanRow {
            trace_id: trace_id(trace),
            span_id: SpanId(span.to_be_bytes()),
            parent_span_id: None,
            name,
            kind: 2,
            start_unix_nano: 1_000 + span,
            end_unix_nano: 2_000 + span,
            status_code: 0,
            status_message: StringId(0),
            trace_state: StringId(0),
            flags: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
            resource,
            scope,
        };
        builder.end_span(row).unwrap();
    }
    builder.finish().unwrap()
}

pub fn payload(tenant: &str, batch: &SpanBatch) -> Bytes {
    let header = record::Header {
        tenant: tenant.into(),
        received_unix_nano: 5,
        skip_metrics_generation: false,
    };
    record::encode(&header, batch).concat().into()
}

/// What was appended, by partition and offset.
#[derive(Default)]
pub struct Log {
    pub records: RefCell<BTreeMap<(u32, u64), Bytes>>,
    pub reads: RefCell<u64>,
}

impl RecordReader for Log {
    fn read(
        &self,
        partition: u32,
        offset: u64,
    ) -> LocalBoxFuture<'_, Result<Option<Bytes>, BoxError>> {
        *self.reads.borrow_mut() += 1;
        Box::pin(ready(Ok(self
            .records
            .borrow()
            .get(&(partition, offset))
            .cloned())))
    }
}

pub fn store_with(config: Config, limits: TraceLimits, shared: Arc<Shared>) -> (Store, Rc<Log>) {
    let log = Rc::new(Log::default());
    (
        Store::new(config, shared, move |_| limits, log.clone()),
        log,
    )
}

pub fn store(config: Config, limits: TraceLimits) -> (Store, Rc<Log>) {
    store_with(config, limits, Shared::new(1, "single-tenant"))
}

/// The metrics of one `Shared`: other tests of the process have theirs.
pub fn text_of(shared: &Shared) -> String {
    prometheus::TextEncoder::new()
        .encode_to_string(&shared.collect())
        .unwrap()
}

/// Runs a test on one simulated shard.
pub fn simulate<Fut: Future<Output = ()> + 'static>(test: impl Fn() -> Fut + 'static) {
    let ended = Sim::new(7).run(move || {
        let test = test();
        async move {
            test.await;
            Ok(())
        }
    });
    if let Err(failure) = ended {
        panic!("{failure}");
    }
}

/// The ids of the spans that a lookup finds, sorted, with repeats.
pub async fn find(store: &Store, tenant: &str, trace: u64) -> Vec<u64> {
    let fragments = store.find_trace(tenant, trace_id(trace)).await.unwrap();
    let mut ids = Vec::new();
    for fragment in fragments {
        for row in fragment.rows {
            let view = fragment.batch.view();
            let span = view.span(row);
            assert_eq!(span.trace_id(), trace_id(trace));
            ids.push(u64::from_be_bytes(span.span_id().0));
        }
    }
    ids.sort_unstable();
    ids
}
