//! What others may call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use vivace_shards::{Class, Task, shard_count, shard_id, spawn};

use crate::Config;
use crate::corruption::CorruptionReport;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::partition::Partition;
use crate::reader::{self, Entry, Position, Reader};
use crate::scrub::scrub;
use crate::shared::Shared;

/// Hears of every record of a partition.
pub trait Tail {
    /// In offset order, each record once, after it is durable and before its append resolves.
    fn deliver(&self, partition: u32, offset: u64, record: &[Bytes]);

    /// The same with the record's place on the disk, for [`Handle::read_at`].
    fn deliver_at(&self, partition: u32, offset: u64, position: Position, record: &[Bytes]) {
        let _ = position;
        self.deliver(partition, offset, record);
    }
}

/// What the log needs from outside.
#[derive(Clone)]
pub struct Deps {
    /// The same for every shard.
    pub shared: Shared,
}

/// The log as a component.
pub struct Service;

impl Service {
    /// Opens the log on this shard and recovers the partitions that belong to it. Call it on
    /// every shard: partition `p` belongs to shard `p % shard_count`.
    pub async fn start(config: Config, deps: Deps) -> Result<Handle, Error> {
        let meta = deps.shared.open(&config).await?;
        let config = Rc::new(config);
        let metrics = Rc::new(Metrics::new());
        let mut partitions = BTreeMap::new();
        for id in (shard_id() as u32..meta.partitions).step_by(shard_count().max(1)) {
            let partition = Partition::new(id, Rc::clone(&config), &meta, Rc::clone(&metrics));
            partition.recover().await?;
            partitions.insert(id, Rc::new(partition));
        }
        let mut tasks = Tasks::default();
        for partition in partitions.values() {
            tasks
                .writers
                .push(spawn(Class::Ingest, Rc::clone(partition).write_on()));
            tasks
                .others
                .push(spawn(Class::Ingest, Rc::clone(partition).prepare_on()));
        }
        let all: Vec<_> = partitions.values().cloned().collect();
        tasks
            .others
            .push(spawn(Class::Background, retain_on(all.clone())));
        tasks.others.push(spawn(Class::Background, scrub(all)));
        Ok(Handle {
            inner: Rc::new(Inner {
                log_id: meta.salt,
                count: meta.partitions,
                partitions,
                tasks: RefCell::new(tasks),
                _shared: deps.shared,
            }),
        })
    }
}

async fn retain_on(partitions: Vec<Rc<Partition>>) {
    let Some(interval) = partitions.first().map(|p| p.config.retention_interval) else {
        return;
    };
    loop {
        vivace_shards::time::sleep(interval).await;
        for partition in &partitions {
            if let Err(error) = partition.retain().await {
                tracing::warn!(partition = partition.id, %error, "ingest log: retention failed");
            }
        }
    }
}

/// The log, as one shard sees it. Cheap to clone; the last clone's drop ends the log's tasks
/// without waiting for what is queued ([`close`](Handle::close) waits).
#[derive(Clone)]
pub struct Handle {
    inner: Rc<Inner>,
}

struct Inner {
    log_id: u64,
    count: u32,
    partitions: BTreeMap<u32, Rc<Partition>>,
    tasks: RefCell<Tasks>,
    _shared: Shared,
}

#[derive(Default)]
struct Tasks {
    writers: Vec<Task<()>>,
    others: Vec<Task<()>>,
}

impl Handle {
    /// Partitions of the whole log.
    pub fn partitions(&self) -> u32 {
        self.inner.count
    }

    /// A random number that this log got when it was made. Offsets mean something together with it only: another log
    /// in the same place begins at 0 again.
    pub fn log_id(&self) -> u64 {
        self.inner.log_id
    }

    /// The partitions of this shard. The other methods take these only.
    pub fn owned(&self) -> Vec<u32> {
        self.inner.partitions.keys().copied().collect()
    }

    fn partition(&self, partition: u32) -> Result<&Rc<Partition>, Error> {
        let owned = self.inner.partitions.get(&partition);
        owned.ok_or_else(|| Error::NotOwned {
            partition,
            shard: shard_id(),
        })
    }

    /// Appends a record (its bytes in any number of parts). Resolves to its offset when it is
    /// durable and the tail has it. If the future is dropped the record may be written all the
    /// same; after an error it is not readable (unless the process ends at once: then it may be).
    pub async fn append(&self, partition: u32, record: Vec<Bytes>) -> Result<u64, Error> {
        let promise = self.partition(partition)?.enqueue(record)?;
        promise.await.unwrap_or(Err(Error::Closed))
    }

    /// Reads from an offset on, or from the oldest record if that is later.
    pub fn read(&self, partition: u32, from: u64) -> Result<Reader, Error> {
        Ok(Reader::new(Rc::clone(self.partition(partition)?), from))
    }

    /// Reads one record.
    pub async fn read_one(&self, partition: u32, offset: u64) -> Result<Entry, Error> {
        let log = self.partition(partition)?;
        let mut reader = Reader::short(Rc::clone(log), offset);
        match reader.next().await? {
            Some(entry) if entry.offset == offset => Ok(entry),
            _ => Err(Error::NotFound {
                partition,
                offset,
                start_offset: log.start_offset(),
                end_offset: log.end_offset(),
            }),
        }
    }

    /// Reads one record whose place is known, in one I/O.
    pub async fn read_at(
        &self,
        partition: u32,
        offset: u64,
        position: Position,
    ) -> Result<Entry, Error> {
        match reader::read_at(self.partition(partition)?, offset, position).await? {
            Some(entry) => Ok(entry),
            None => self.read_one(partition, offset).await,
        }
    }

    /// Sets the partition's tail; returns the first offset it will be told of. Older records are
    /// to be read.
    pub fn set_tail(&self, partition: u32, tail: Rc<dyn Tail>) -> Result<u64, Error> {
        Ok(self.partition(partition)?.set_tail(tail))
    }

    /// Makes durable that a consumer group has everything below `next_offset`. A lower offset
    /// than the one committed is ignored.
    pub async fn commit(&self, partition: u32, group: &str, next_offset: u64) -> Result<(), Error> {
        let log = self.partition(partition)?;
        log.commit(group, next_offset, false).await
    }

    /// The same, but also backwards: to read again.
    pub async fn force_commit(
        &self,
        partition: u32,
        group: &str,
        next_offset: u64,
    ) -> Result<(), Error> {
        let log = self.partition(partition)?;
        log.commit(group, next_offset, true).await
    }

    /// The next offset that a group wants, as of its last durable commit.
    pub fn committed(&self, partition: u32, group: &str) -> Result<Option<u64>, Error> {
        Ok(self.partition(partition)?.committed(group))
    }

    /// Offset of the oldest record that is kept.
    pub fn start_offset(&self, partition: u32) -> Result<u64, Error> {
        Ok(self.partition(partition)?.start_offset())
    }

    /// Offset that the next record gets; everything below is durable.
    pub fn end_offset(&self, partition: u32) -> Result<u64, Error> {
        Ok(self.partition(partition)?.end_offset())
    }

    /// Damage found so far in this shard's partitions.
    pub fn corruption_report(&self) -> CorruptionReport {
        let mut all = CorruptionReport::default();
        for partition in self.inner.partitions.values() {
            all.merge(&partition.corruption());
        }
        all
    }

    /// Runs retention now. Returns how many segments it deleted.
    pub async fn retain(&self) -> Result<usize, Error> {
        let mut deleted = 0;
        for partition in self.inner.partitions.values() {
            deleted += partition.retain().await?;
        }
        Ok(deleted)
    }

    /// Refuses new records, writes what is queued, and ends the log's tasks on this shard.
    /// Everything acknowledged is durable already.
    pub async fn close(&self) {
        for partition in self.inner.partitions.values() {
            partition.close();
        }
        let tasks = std::mem::take(&mut *self.inner.tasks.borrow_mut());
        for writer in tasks.writers {
            writer.fallible().await;
        }
        for task in tasks.others {
            task.cancel().await;
        }
        for partition in self.inner.partitions.values() {
            partition.remove_spares().await;
        }
    }
}
