//! Messages between shards.

use std::sync::{Arc, Mutex, PoisonError};

use vivace_distributor::{PushError, Pushed};
use vivace_live_store::{Error as LookupError, Snapshot};
use vivace_model::{SpanBatch, TraceId};
use vivace_protocol::trace::Fragment;
use vivace_shards::mailbox::{self, Receiver, Reply, Sender};

use super::queries::Task;

/// Messages that may wait for one shard; beyond, senders are told to come again.
const WAITING_MAX: usize = 4096;

/// Work for the owner of a partition, or for every shard.
pub enum Message {
    /// Store a batch.
    Push {
        partition: u32,
        tenant: Arc<str>,
        batch: SpanBatch,
        received_unix_nano: u64,
        skip_metrics_generation: bool,
        reply: Reply<Result<Pushed, PushError>>,
    },
    /// Find a trace in all partitions of this shard.
    FindTrace {
        tenant: Arc<str>,
        trace_id: TraceId,
        reply: Reply<Result<Vec<Fragment>, LookupError>>,
    },
    /// Everything of a tenant in all partitions of this shard.
    Snapshot {
        tenant: Arc<str>,
        reply: Reply<Result<Snapshot, LookupError>>,
    },
    /// Part of a query.
    Task(Task),
}

/// One mailbox for each shard; made before the shards start.
pub struct Inboxes {
    senders: Vec<Sender<Message>>,
    receivers: Mutex<Vec<Option<Receiver<Message>>>>,
}

impl Inboxes {
    /// Mailboxes for this many shards.
    pub fn new(shards: usize) -> Self {
        let (senders, receivers) = (0..shards)
            .map(|_| mailbox::named("partitions", WAITING_MAX))
            .map(|(sender, receiver)| (sender, Some(receiver)))
            .unzip();
        Self {
            senders,
            receivers: Mutex::new(receivers),
        }
    }

    /// The receiving end; each shard takes its own once.
    pub fn take(&self, shard: usize) -> Option<Receiver<Message>> {
        // Nothing in here can panic half-way.
        let mut receivers = self
            .receivers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        receivers.get_mut(shard)?.take()
    }

    /// The sending ends, by shard.
    pub fn senders(&self) -> &[Sender<Message>] {
        &self.senders
    }
}
