//! The block builder's way to the log and the live store.

use std::ops::Range;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use vivace_block_builder::{BoxError, Record, Records, Source};
use vivace_ingest_log::{Entry, Handle as Log};
use vivace_live_store::{Loan, Store};
use vivace_protocol::record;

use super::SectionBook;

/// The consumer group whose commits say what is in blocks: the log keeps everything from there on.
pub const COMMIT_GROUP: &str = "live-store";
/// Its commits say where the section that begins at the other group's offset will end.
pub const PLAN_GROUP: &str = "live-store-section";

/// The partitions of one shard.
pub struct LogSections {
    pub log: Log,
    pub store: Store,
    /// Where sections are noted before their blocks can be listed.
    pub book: Arc<SectionBook>,
}

impl Source for LogSections {
    fn log_id(&self) -> u64 {
        self.log.log_id()
    }

    fn plan(&self, partition: u32, to: u64) -> LocalBoxFuture<'_, Result<(), BoxError>> {
        async move {
            self.log.commit(partition, PLAN_GROUP, to).await?;
            let committed = self.log.committed(partition, COMMIT_GROUP)?.unwrap_or(0);
            let from = committed.max(self.log.start_offset(partition)?);
            self.book.note(partition, from..to);
            Ok(())
        }
        .boxed_local()
    }

    fn read(
        &self,
        partition: u32,
        offsets: Range<u64>,
    ) -> LocalBoxFuture<'_, Result<Records, BoxError>> {
        async move {
            let mut records = Vec::new();
            // What comes back from the log takes the place of live batches: a process that lags behind has no more of both.
            let mut loan = self.store.lend();
            let mut next = offsets.start;
            for held in self.store.held(partition, offsets.clone()) {
                // What the live store has only by name is in the log; what it does not have at all may be there, undecodable.
                if let Some(batch) = held.batch {
                    self.read_log(partition, next..held.offset, &mut records, &mut loan)
                        .await?;
                    let tenant = held.tenant;
                    records.push(Record::Spans { tenant, batch });
                    next = held.offset + 1;
                }
            }
            self.read_log(partition, next..offsets.end, &mut records, &mut loan)
                .await?;
            Ok(Records {
                all: records,
                room: Box::new(loan),
            })
        }
        .boxed_local()
    }

    fn commit(&self, partition: u32, to: u64) -> LocalBoxFuture<'_, Result<(), BoxError>> {
        async move { Ok(self.log.commit(partition, COMMIT_GROUP, to).await?) }.boxed_local()
    }

    fn release(&self, partition: u32, to: u64) -> LocalBoxFuture<'_, ()> {
        self.store.forget_before(partition, to).boxed_local()
    }
}

impl LogSections {
    async fn read_log(
        &self,
        partition: u32,
        offsets: Range<u64>,
        records: &mut Vec<Record>,
        loan: &mut Loan,
    ) -> Result<(), BoxError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let mut reader = self.log.read(partition, offsets.start)?;
        while let Some(entry) = reader.next().await? {
            if entry.offset >= offsets.end {
                break;
            }
            loan.grow(entry.payload.len() as u64);
            records.push(decode(entry));
            vivace_shards::breathe().await;
        }
        Ok(())
    }
}

fn decode(entry: Entry) -> Record {
    match record::decode(entry.payload.clone()) {
        Ok((header, batch)) => Record::Spans {
            tenant: header.tenant.into(),
            batch,
        },
        Err(error) => Record::Undecodable {
            offset: entry.offset,
            payload: entry.payload,
            why: error.to_string(),
        },
    }
}
