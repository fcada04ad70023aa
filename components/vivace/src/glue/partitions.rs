//! The distributor's way to the partitions.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use vivace_distributor::{PartitionSink, Push, PushError, Pushed};
use vivace_shards::mailbox::{TrySendError, oneshot};
use vivace_shards::shard_id;

use super::{Inboxes, Message, Owner};

/// Sends each push to the owner of its partition.
pub struct Partitions {
    /// Partitions of the whole process.
    pub count: u32,
    /// Mailboxes of all shards.
    pub inboxes: Arc<Inboxes>,
    /// The partitions of this shard, which are reached without a mailbox.
    pub own: Owner,
}

impl PartitionSink for Partitions {
    fn partitions(&self) -> u32 {
        self.count
    }

    fn push(&self, push: Push) -> LocalBoxFuture<'_, Result<Pushed, PushError>> {
        let shards = self.inboxes.senders().len();
        let owner = push.partition as usize % shards;
        let (reply, promise) = oneshot();
        let message = Message::Push {
            partition: push.partition,
            tenant: Arc::from(&*push.tenant),
            batch: push.batch,
            received_unix_nano: push.received_unix_nano,
            skip_metrics_generation: push.skip_metrics_generation,
            reply,
        };
        let sent = if owner == shard_id() {
            self.own.handle(message);
            Ok(())
        } else {
            self.inboxes.senders()[owner].try_send(message)
        };
        async move {
            match sent {
                Ok(()) => promise.await.unwrap_or_else(|_| {
                    Err(PushError::Unavailable("the server is stopping".into()))
                }),
                Err(TrySendError::Full(_)) => Err(PushError::Busy(format!(
                    "shard {owner} has too many requests waiting"
                ))),
                Err(TrySendError::Closed(_)) => {
                    Err(PushError::Unavailable("the server is stopping".into()))
                }
            }
        }
        .boxed_local()
    }
}
