//! Everything of one tenant at one moment, for queries that look at all spans.

use futures_util::StreamExt;
use futures_util::stream::iter;
use vivace_model::SpanBatch;
use vivace_protocol::record;
use vivace_shards::memory::{Charge, Kind, try_charge};

use crate::error::Error;
use crate::limits::READS_AT_ONCE;
use crate::store::Store;

/// A batch of the tenant.
#[derive(Clone, Debug)]
pub struct LiveBatch {
    pub partition: u32,
    pub offset: u64,
    pub batch: SpanBatch,
}

/// The tenant's spans on one shard.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// By partition and offset.
    pub batches: Vec<LiveBatch>,
    /// By partition of the shard: every record at or above this offset that was durable at the moment is in `batches`, and nothing
    /// below it.
    pub first_offsets: Vec<(u32, u64)>,
    /// For what was read back from the log.
    pub charges: Vec<Charge>,
}

impl Store {
    /// Every span of a tenant that this shard has. What is only in the log is read back.
    pub async fn snapshot(&self, tenant: &str) -> Result<Snapshot, Error> {
        let mut snapshot = Snapshot::default();
        let to_read = self.resident(tenant, &mut snapshot);
        let reads = to_read.into_iter().map(|(partition, offset)| async move {
            let read = self.inner.reader.read(partition, offset).await;
            (partition, offset, read)
        });
        let mut reads = iter(reads).buffered(READS_AT_ONCE);
        while let Some((partition, offset, read)) = reads.next().await {
            let payload = read.map_err(|source| Error::Read {
                partition,
                offset,
                source,
            })?;
            let Some(payload) = payload else {
                // It went into a listed block meanwhile, and with it everything before it.
                snapshot.forget(partition, offset + 1);
                continue;
            };
            self.inner.shared.metrics.read_back.inc();
            let charge = try_charge(payload.len() as u64, Kind::Query)
                .map_err(|error| Error::Memory(error.to_string()))?;
            snapshot.charges.push(charge);
            let corrupt = |reason: String| Error::Corrupt {
                partition,
                offset,
                reason,
            };
            let (_, batch) = record::decode(payload).map_err(|error| corrupt(error.to_string()))?;
            snapshot.batches.push(LiveBatch {
                partition,
                offset,
                batch,
            });
            vivace_shards::breathe().await;
        }
        drop(reads);
        snapshot
            .batches
            .sort_by_key(|one| (one.partition, one.offset));
        let inspected: u64 = snapshot
            .batches
            .iter()
            .map(|one| one.batch.as_bytes().len() as u64)
            .sum();
        if inspected > 0 {
            let metrics = &self.inner.shared.metrics;
            let labels = [tenant, "search"];
            metrics
                .inspected
                .with_label_values(&labels)
                .inc_by(inspected);
        }
        vivace_shards::breathe().await;
        Ok(snapshot)
    }

    /// Takes what is in memory; returns the places of what is not. All at one moment: nothing waits in here.
    fn resident(&self, tenant: &str, snapshot: &mut Snapshot) -> Vec<(u32, u64)> {
        let state = self.inner.state.borrow();
        let wanted = state.find_tenant(tenant);
        let mut to_read = Vec::new();
        for (&id, partition) in &state.partitions {
            let numbers = partition.batches.first()..partition.batches.next();
            let first = partition.batches.get(numbers.start);
            let first = first.map_or(partition.next_offset, |batch| batch.offset);
            snapshot.first_offsets.push((id, first));
            let Some(wanted) = wanted else { continue };
            for number in numbers {
                let Some(entry) = partition.batches.get(number) else {
                    continue;
                };
                if entry.tenant != wanted {
                    continue;
                }
                match partition.resident(number) {
                    Some(batch) => snapshot.batches.push(LiveBatch {
                        partition: id,
                        offset: entry.offset,
                        batch: batch.clone(),
                    }),
                    None => to_read.push((id, entry.offset)),
                }
            }
        }
        to_read
    }
}

impl Snapshot {
    /// Takes out what is below an offset.
    pub fn forget(&mut self, partition: u32, offset: u64) {
        self.batches
            .retain(|one| one.partition != partition || one.offset >= offset);
        for (id, first) in &mut self.first_offsets {
            if *id == partition {
                *first = (*first).max(offset);
            }
        }
    }
}
