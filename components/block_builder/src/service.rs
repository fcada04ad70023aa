//! The loop: cut, build, upload, commit, release. One section of a shard at a time, its tenants beside each other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use futures_util::{StreamExt as _, stream};
use uuid::Uuid;
use vivace_block::{BlockMeta, id};
use vivace_model::SpanBatch;
use vivace_shards::disk;
use vivace_shards::event::Event;
use vivace_shards::memory::{self, Charge, Kind};
use vivace_shards::time::{Instant, sleep, timeout};

use crate::aside::Aside;
use crate::build::{LocalBlock, build};
use crate::config::{BlockOptions, Config};
use crate::error::Error;
use crate::limits::{
    BLOCKS_AT_ONCE, MEMORY_FACTOR, MEMORY_PATIENCE, MEMORY_RETRY, RECORDS_PER_BREATH, RETRY_FIRST,
    RETRY_MOST,
};
use crate::metrics::Metrics;
use crate::sections::{Section, Sections};
use crate::source::{Bucket, Record, Source};
use crate::upload::upload;

/// What the block builder is connected to.
pub struct Deps {
    pub source: Rc<dyn Source>,
    pub bucket: Rc<dyn Bucket>,
    /// How a tenant's blocks are written now.
    pub options: Box<dyn Fn(&str) -> BlockOptions>,
    /// Whether live data takes so much room that sections should not wait for their age.
    pub crowded: Box<dyn Fn() -> bool>,
}

/// The block builder of one shard; cheap to clone.
#[derive(Clone)]
pub struct BlockBuilder {
    inner: Rc<Inner>,
}

struct Inner {
    config: Config,
    deps: Deps,
    metrics: Metrics,
    partitions: RefCell<BTreeMap<u32, Sections>>,
    /// A section was cut outside of the loop.
    cut: Event,
    /// What this shard last added to the process's gauges.
    reported: RefCell<(i64, i64)>,
}

/// Removes what an earlier process left in the folder. Once per process, before any shard builds.
pub async fn clean_folder(folder: &Path) -> Result<(), Error> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Folder { what, path, source }
    };
    disk::create_dir_all(folder)
        .await
        .map_err(failed("create", folder))?;
    let entries = disk::read_dir(folder)
        .await
        .map_err(failed("list", folder))?;
    for entry in entries {
        if !entry.is_dir && entry.name.ends_with(".parquet") {
            let path = folder.join(&entry.name);
            disk::remove_file(&path)
                .await
                .map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

impl BlockBuilder {
    pub fn new(config: Config, deps: Deps) -> Self {
        Self {
            inner: Rc::new(Inner {
                config,
                deps,
                metrics: Metrics::register(),
                partitions: RefCell::default(),
                cut: Event::default(),
                reported: RefCell::default(),
            }),
        }
    }

    /// Takes a partition on. Offsets below `committed` are in blocks; `planned` is the end of the section that an earlier
    /// process began, if it did.
    pub fn own(&self, partition: u32, committed: u64, planned: u64) {
        let sections = Sections::new(committed, planned);
        self.inner
            .partitions
            .borrow_mut()
            .insert(partition, sections);
    }

    /// A record of a partition is durable, of so many bytes. Told in the order of offsets.
    pub fn observe(&self, partition: u32, offset: u64, bytes: u64) {
        let inner = &*self.inner;
        let now = Instant::now().as_nanos();
        let most = inner.config.max_block_bytes;
        if let Some(sections) = inner.partitions.borrow_mut().get_mut(&partition)
            && sections.observe(offset, bytes, now, most)
        {
            inner.cut.set();
        }
    }

    /// Runs for as long as the shard.
    pub async fn run(self) {
        let inner = &*self.inner;
        loop {
            // Either a section was cut by size, or it is time to look at ages.
            let _ = timeout(inner.config.check_period, inner.cut.wait()).await;
            let now = Instant::now().as_nanos();
            let crowded = (inner.deps.crowded)();
            for sections in inner.partitions.borrow_mut().values_mut() {
                sections.cut_by_age(now, &inner.config);
                if crowded {
                    sections.cut_now();
                }
            }
            while let Some((partition, section)) = inner.oldest() {
                inner.report();
                let mut pause = RETRY_FIRST;
                let mut again = section.planned;
                while let Err(error) = inner.take_over(partition, section, again).await {
                    if again {
                        inner.metrics.completion_retries_failed.inc();
                    }
                    again = true;
                    inner.metrics.completion_failed.inc();
                    tracing::warn!(
                        partition, from = section.from, to = section.to, %error, retry_in = ?pause,
                        "a section of the ingest log is not in blocks yet; the log keeps it"
                    );
                    sleep(pause).await;
                    pause = (pause * 2).min(RETRY_MOST);
                    inner.metrics.completion_retries.inc();
                }
                if let Some(sections) = inner.partitions.borrow_mut().get_mut(&partition) {
                    sections.done();
                }
            }
            inner.report();
        }
    }
}

impl Inner {
    /// The section to take over next: of the partition that has most to do.
    fn oldest(&self) -> Option<(u32, Section)> {
        let partitions = self.partitions.borrow();
        let waiting = partitions
            .iter()
            .filter_map(|(id, sections)| Some((sections.backlog(), *id, sections.oldest()?)));
        waiting
            .max_by_key(|(backlog, id, _)| (*backlog, std::cmp::Reverse(*id)))
            .map(|(_, id, section)| (id, section))
    }

    /// Everything from the plan to the release. May be repeated from the beginning at any point; then `again` is set.
    async fn take_over(&self, partition: u32, section: Section, again: bool) -> Result<(), Error> {
        let source = &*self.deps.source;
        let log = |what| move |source| Error::Log { what, source };
        if !section.planned {
            source
                .plan(partition, section.to)
                .await
                .map_err(log("write a plan to"))?;
        }
        if !again {
            let reason = section.reason.as_str();
            self.metrics.blocks_cut.with_label_values(&[reason]).inc();
        }
        let _charge = self
            .memory(section.bytes.saturating_mul(MEMORY_FACTOR))
            .await;
        let cut = &self.metrics.cut;
        let records = source.read(partition, section.from..section.to);
        let records = cut.polls(records).await.map_err(log("read"))?;
        let _room = records.room;
        let tenants = cut.polls(self.by_tenant(partition, records.all)).await?;
        let blocks = tenants.into_iter().map(|(tenant, batches)| {
            let block =
                id::deterministic(&tenant, u64::from(partition), section.from, source.log_id());
            self.block(tenant, block, batches, again)
        });
        let mut blocks = stream::iter(blocks).buffer_unordered(BLOCKS_AT_ONCE);
        let mut outcome = Ok(());
        // All of them get their chance before a failure is told: what is done is found by the next attempt.
        while let Some(done) = blocks.next().await {
            outcome = outcome.and(done);
        }
        outcome?;
        source
            .commit(partition, section.to)
            .await
            .map_err(log("commit to"))?;
        source.release(partition, section.to).await;
        self.metrics.cleared.with_label_values(&["wal"]).inc();
        Ok(())
    }

    async fn memory(&self, bytes: u64) -> Charge {
        let started = Instant::now();
        loop {
            match memory::try_charge(bytes, Kind::Background) {
                Ok(charge) => return charge,
                // Live data goes from memory only when it is in blocks: at some time it has to be done.
                Err(_) if started.elapsed() >= MEMORY_PATIENCE => {
                    return memory::charge(bytes, Kind::Background);
                }
                Err(_) => sleep(MEMORY_RETRY).await,
            }
        }
    }

    /// The batches of each tenant, in the order of the log.
    async fn by_tenant(
        &self,
        partition: u32,
        records: Vec<Record>,
    ) -> Result<BTreeMap<Box<str>, Vec<SpanBatch>>, Error> {
        let mut tenants: BTreeMap<Box<str>, Vec<SpanBatch>> = BTreeMap::new();
        for (number, record) in records.into_iter().enumerate() {
            match record {
                Record::Spans { tenant, batch } => tenants.entry(tenant).or_default().push(batch),
                Record::Undecodable {
                    offset,
                    payload,
                    why,
                } => {
                    self.metrics.undecodable.inc();
                    let aside = Aside {
                        folder: &self.config.folder,
                        partition,
                        offset,
                    };
                    aside.keep(payload, &why).await?;
                }
            }
            if number % RECORDS_PER_BREATH == 0 {
                vivace_shards::breathe().await;
            }
        }
        Ok(tenants)
    }

    /// One block of a section: there already, or built and uploaded.
    async fn block(
        &self,
        tenant: Box<str>,
        block: Uuid,
        batches: Vec<SpanBatch>,
        again: bool,
    ) -> Result<(), Error> {
        let failed = |source| Error::Upload {
            tenant: tenant.to_string(),
            block,
            source,
        };
        if again {
            // The section is the same as then, so a block with a meta is whole.
            let existing = self.deps.bucket.existing(&tenant, block).await;
            if let Some(meta) = existing.map_err(failed)? {
                self.publish(meta);
                return Ok(());
            }
        }
        let started = Instant::now();
        let options = (self.deps.options)(&tenant);
        let metrics = &self.metrics;
        let built = build(&self.config.folder, &tenant, block, &batches, options);
        let local = metrics.write.polls(built).await?;
        drop(batches);
        let meta = local.built.meta.clone();
        metrics.completed.inc();
        metrics
            .completion_seconds
            .observe(started.elapsed().as_secs_f64());
        metrics.completion_bytes.observe(meta.size as f64);
        metrics.spans.inc_by(local.built.spans);
        metrics.duplicates.inc_by(local.built.duplicates);
        let uploaded = metrics.upload.polls(self.upload(&local)).await;
        local.remove().await;
        metrics.cleared.with_label_values(&["complete"]).inc();
        uploaded?;
        tracing::info!(
            msg = "block uploaded",
            tenant = &*tenant,
            block = %block,
            traces = meta.total_objects,
            bytes = meta.size,
            seconds = started.elapsed().as_secs_f64(),
        );
        self.publish(meta);
        Ok(())
    }

    fn publish(&self, meta: BlockMeta) {
        self.deps.bucket.publish(meta);
    }

    /// Uploads until it succeeds: the block is built, and giving it up would only mean building it again.
    async fn upload(&self, local: &LocalBlock) -> Result<(), Error> {
        let meta = &local.built.meta;
        let mut pause = RETRY_FIRST;
        let mut attempt = 0_u64;
        loop {
            let started = Instant::now();
            let bound = self.config.upload_timeout;
            let outcome = match timeout(bound, upload(&*self.deps.bucket, local)).await {
                Ok(outcome) => outcome.map_err(|source| Error::Upload {
                    tenant: meta.tenant_id.clone(),
                    block: meta.block_id,
                    source,
                }),
                Err(_) => Err(Error::Slow {
                    tenant: meta.tenant_id.clone(),
                    block: meta.block_id,
                    seconds: bound.as_secs(),
                }),
            };
            let error = match outcome {
                Ok(()) => {
                    self.metrics.flushed.inc();
                    self.metrics
                        .flush_seconds
                        .observe(started.elapsed().as_secs_f64());
                    self.metrics.flush_bytes.observe(meta.size as f64);
                    return Ok(());
                }
                Err(error) => error,
            };
            self.metrics.flush_failed.inc();
            if attempt > 0 {
                self.metrics.flush_retries_failed.inc();
            }
            attempt += 1;
            tracing::warn!(%error, attempt, retry_in = ?pause, "a block is not uploaded yet; ingest goes on");
            sleep(pause).await;
            self.metrics.flush_retries.inc();
            pause = (pause * 2).min(RETRY_MOST);
        }
    }

    fn report(&self) {
        let partitions = self.partitions.borrow();
        let now = partitions.values().map(Sections::backlog).fold(
            (0, 0),
            |(sections, bytes): (i64, i64), (more, size)| {
                (sections + more as i64, bytes + size as i64)
            },
        );
        self.tell(now);
    }

    /// The gauges are for the process: each shard adds what changed on it.
    fn tell(&self, now: (i64, i64)) {
        let before = self.reported.replace(now);
        self.metrics.waiting.add(now.0 - before.0);
        self.metrics.backlog_bytes.add(now.1 - before.1);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tell((0, 0));
    }
}
