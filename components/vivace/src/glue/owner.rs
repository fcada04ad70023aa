//! The owner of partitions: admits batches, writes them to the log, indexes what is durable, finds traces.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use vivace_block_builder::BlockBuilder;
use vivace_distributor::{PushError, Pushed};
use vivace_ingest_log::{Error as LogError, Handle as Log, Tail};
use vivace_live_store::{Admission, Store};
use vivace_model::SpanBatch;
use vivace_protocol::record::{self, Header};
use vivace_querier::Querier;
use vivace_shards::mailbox::Receiver;
use vivace_shards::time::Instant;
use vivace_shards::{Class, spawn};

use super::Message;

/// The partitions of one shard; cheap to clone.
#[derive(Clone)]
pub struct Owner {
    log: Log,
    store: Store,
    querier: Querier,
    under_way: Rc<UnderWay>,
}

/// Batches that wait for the disk, by the address of their bytes: when a record has become durable, its batch and
/// tenant are here, and need not be decoded again.
#[derive(Default)]
struct UnderWay {
    batches: RefCell<HashMap<usize, (Rc<str>, SpanBatch)>>,
}

impl UnderWay {
    fn add(&self, tenant: Rc<str>, batch: &SpanBatch) -> Waiting<'_> {
        let key = address(batch.as_bytes());
        self.batches
            .borrow_mut()
            .insert(key, (tenant, batch.clone()));
        Waiting { list: self, key }
    }

    fn take(&self, bytes: &Bytes) -> Option<(Rc<str>, SpanBatch)> {
        self.batches.borrow_mut().remove(&address(bytes))
    }
}

/// Takes the batch off the list, however the append ends.
struct Waiting<'a> {
    list: &'a UnderWay,
    key: usize,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.list.batches.borrow_mut().remove(&self.key);
    }
}

fn address(bytes: &Bytes) -> usize {
    bytes.as_ptr() as usize
}

/// Hands durable records to the live store, and tells the block builder of them, before their appends resolve: read-your-writes.
struct Index {
    store: Store,
    blocks: BlockBuilder,
    under_way: Rc<UnderWay>,
}

impl Tail for Index {
    fn deliver(&self, partition: u32, offset: u64, parts: &[Bytes]) {
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        self.blocks.observe(partition, offset, bytes);
        if let Some((tenant, batch)) = parts.last().and_then(|bytes| self.under_way.take(bytes)) {
            self.store.insert(partition, offset, &tenant, batch);
            return;
        }
        // The append's task is gone (the shard is stopping) but its record became durable.
        match record::decode(Bytes::from(parts.concat())) {
            Ok((header, batch)) => self.store.insert(partition, offset, &header.tenant, batch),
            Err(error) => {
                tracing::error!(partition, offset, %error, "a record written just now cannot be decoded");
            }
        }
    }
}

impl Owner {
    /// Connects the log's tail to the store. The store has replayed the log already.
    pub fn new(
        log: Log,
        store: Store,
        querier: Querier,
        blocks: &BlockBuilder,
    ) -> Result<Self, LogError> {
        let under_way = Rc::<UnderWay>::default();
        for partition in log.owned() {
            let tail = Index {
                store: store.clone(),
                blocks: blocks.clone(),
                under_way: Rc::clone(&under_way),
            };
            log.set_tail(partition, Rc::new(tail))?;
        }
        Ok(Self {
            log,
            store,
            querier,
            under_way,
        })
    }

    /// The log's own number.
    pub fn log_id(&self) -> u64 {
        self.log.log_id()
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Serves this shard's mailbox until the process stops.
    pub async fn serve(self, inbox: Receiver<Message>) {
        while let Some(message) = inbox.recv().await {
            self.handle(message);
        }
    }

    /// Starts the work that a message asks for.
    pub fn handle(&self, message: Message) {
        let owner = self.clone();
        match message {
            Message::Push {
                partition,
                tenant,
                batch,
                received_unix_nano,
                skip_metrics_generation,
                reply,
            } => {
                let header = Header {
                    tenant: tenant.to_string(),
                    received_unix_nano,
                    skip_metrics_generation,
                };
                spawn(Class::Ingest, async move {
                    let outcome = owner.push(partition, header, batch).await;
                    // A client that has gone does not want to know.
                    let _ = reply.send(outcome);
                })
                .detach();
            }
            Message::Snapshot { tenant, reply } => owner.snapshot(tenant, reply),
            Message::Task(task) => {
                spawn(Class::Query, task(owner.querier.clone())).detach();
            }
            Message::FindTrace {
                tenant,
                trace_id,
                reply,
            } => {
                spawn(Class::Query, async move {
                    if reply.is_closed() {
                        return;
                    }
                    let found = owner.store.find_trace(&tenant, trace_id).await;
                    let _ = reply.send(found);
                })
                .detach();
            }
        }
    }

    async fn push(
        &self,
        partition: u32,
        header: Header,
        batch: SpanBatch,
    ) -> Result<Pushed, PushError> {
        let admission = self.store.admit(&header.tenant, &batch, Instant::now());
        let admission = admission.map_err(|error| match error.is_retryable() {
            true => PushError::Busy(error.to_string()),
            false => PushError::Other(error.to_string()),
        })?;
        let (batch, discarded, ticket) = match admission {
            Admission::Accept(ticket) => (Some(batch), Vec::new(), ticket),
            Admission::Filtered {
                batch,
                discarded,
                ticket,
            } => (batch, discarded, ticket),
        };
        let discarded = discarded
            .into_iter()
            .map(|one| (one.reason.as_str(), one.spans))
            .collect();
        let Some(batch) = batch else {
            return Ok(Pushed {
                record_bytes: 0,
                discarded,
            });
        };
        let record = record::encode(&header, &batch);
        let record_bytes = record.iter().map(|part| part.len() as u64).sum();
        let waiting = self.under_way.add(header.tenant.into(), &batch);
        self.log
            .append(partition, record)
            .await
            .map_err(|error| push_error(&error))?;
        drop(waiting);
        ticket.stored();
        Ok(Pushed {
            record_bytes,
            discarded,
        })
    }
}

fn push_error(error: &LogError) -> PushError {
    let text = error.to_string();
    match error {
        LogError::Busy { .. } => PushError::Busy(text),
        LogError::TooLarge { .. } => PushError::TooLarge(text),
        _ if error.is_retryable() => PushError::Unavailable(text),
        _ => PushError::Other(text),
    }
}
