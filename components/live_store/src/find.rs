//! Lookups: all spans of a trace that this shard has.

use crate::error::Error;
use crate::limits::{BATCHES_PER_BREATH, READS_AT_ONCE};
use crate::store::Store;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::iter;
use vivace_model::{SpanBatch, SpanBatchBuilder, TraceId};
use vivace_protocol::record;
use vivace_protocol::trace::Fragment;
use vivace_shards::memory::{Kind, try_charge};

/// Rows that were read back are put together into batches of about this size.
const GATHERED_BYTES: usize = 1 << 20;

/// A batch that may hold the trace.
enum Place {
    InMemory(SpanBatch),
    InLog { partition: u32, offset: u64 },
}

impl Store {
    /// Every span of a trace: batches that hold some, with the rows. Not deduplicated: a span delivered twice is there twice.
    ///
    /// What is only in the log is read back; then the fragments hold copies of the trace's rows, so that an answer keeps no other trace's
    /// bytes alive. An unreadable record is an error: an answer without it would look complete.
    pub async fn find_trace(&self, tenant: &str, trace: TraceId) -> Result<Vec<Fragment>, Error> {
        let places = self.places(tenant, trace);
        let mut fragments = Vec::new();
        let mut to_read = Vec::new();
        let mut inspected = 0;
        for place in places {
            match place {
                Place::InMemory(batch) => {
                    inspected += batch.as_bytes().len() as u64;
                    let rows = batch.view().find_trace(trace);
                    fragments.extend(rows.map(|rows| Fragment { batch, rows }));
                    if fragments.len() % BATCHES_PER_BREATH == 0 {
                        vivace_shards::breathe().await;
                    }
                }
                Place::InLog { partition, offset } => to_read.push((partition, offset)),
            }
        }
        if !to_read.is_empty() {
            inspected += self
                .read_back(tenant, trace, to_read, &mut fragments)
                .await?;
        }
        if inspected > 0 {
            self.inner
                .shared
                .metrics
                .inspected
                .with_label_values(&[tenant, "traces"])
                .inc_by(inspected);
        }
        Ok(fragments)
    }

    /// Oldest first.
    fn places(&self, tenant: &str, trace: TraceId) -> Vec<Place> {
        let state = self.inner.state.borrow();
        let Some(number) = state.find_tenant(tenant) else {
            return Vec::new();
        };
        let hash = self.inner.hash(number, trace);
        let mut places = Vec::new();
        for (id, partition) in &state.partitions {
            let Some(newest) = partition.batches.next().checked_sub(1) else {
                continue;
            };
            for at in partition.index.find(hash, newest) {
                if let Some(batch) = partition.resident(at) {
                    places.push(Place::InMemory(batch.clone()));
                } else if let Some(batch) = partition.batches.get(at) {
                    places.push(Place::InLog {
                        partition: *id,
                        offset: batch.offset,
                    });
                }
            }
        }
        places.reverse();
        places
    }

    /// Returns the bytes read.
    async fn read_back(
        &self,
        tenant: &str,
        trace: TraceId,
        places: Vec<(u32, u64)>,
        fragments: &mut Vec<Fragment>,
    ) -> Result<u64, Error> {
        let reads = places.into_iter().map(|(partition, offset)| async move {
            let read = self.inner.reader.read(partition, offset).await;
            (partition, offset, read)
        });
        let mut reads = iter(reads).buffered(READS_AT_ONCE);
        let mut gathered = Gathered {
            builder: SpanBatchBuilder::new(),
            trace,
            fragments,
        };
        let mut total = 0;
        while let Some((partition, offset, read)) = reads.next().await {
            let payload = read.map_err(|source| Error::Read {
                partition,
                offset,
                source,
            })?;
            // Gone: the log deletes what is in listed blocks, and those are asked after this store.
            let Some(payload) = payload else { continue };
            total += payload.len() as u64;
            self.inner.shared.metrics.read_back.inc();
            let _charge = try_charge(payload.len() as u64, Kind::Query)
                .map_err(|error| Error::Memory(error.to_string()))?;
            gathered
                .add(tenant, payload)
                .map_err(|reason| Error::Corrupt {
                    partition,
                    offset,
                    reason,
                })?;
            vivace_shards::breathe().await;
        }
        gathered.finish();
        Ok(total)
    }
}

/// Collects the trace's rows out of records.
struct Gathered<'a> {
    builder: SpanBatchBuilder,
    trace: TraceId,
    fragments: &'a mut Vec<Fragment>,
}

impl Gathered<'_> {
    fn add(&mut self, tenant: &str, payload: Bytes) -> Result<(), String> {
        let (header, batch) = record::decode(payload).map_err(|error| error.to_string())?;
        let view = batch.view();
        let Some(rows) = view.find_trace(self.trace) else {
            return Ok(());
        };
        if header.tenant != tenant {
            return Ok(());
        }
        if self.builder.append_rows(&view, rows.clone()).is_err() {
            self.finish();
            // An empty builder takes what one batch held.
            self.builder
                .append_rows(&view, rows)
                .map_err(|full| full.to_string())?;
        }
        if self.builder.estimated_bytes() > GATHERED_BYTES {
            self.finish();
        }
        Ok(())
    }

    fn finish(&mut self) {
        if let Some(batch) = self.builder.finish() {
            let rows = 0..batch.view().span_count();
            self.fragments.push(Fragment { batch, rows });
        }
    }
}
