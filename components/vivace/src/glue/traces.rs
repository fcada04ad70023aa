//! The query frontend's way to spans: live data of every shard, and blocks.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, try_join_all};
use vivace_live_store::Error as LookupError;
use vivace_model::TraceId;
use vivace_protocol::trace::Fragment;
use vivace_querier::{Error as QuerierError, Lookup, Querier};
use vivace_query_frontend::{BlockLookup, FromBlocks, SourceError, TraceSource};
use vivace_shards::mailbox::{TrySendError, oneshot};
use vivace_shards::shard_id;

use super::{Inboxes, Message, Owner};

/// Finds traces in the live data of all shards. All are asked: the number of partitions may have been another when a
/// trace was written.
pub struct Traces {
    /// Mailboxes of all shards.
    pub inboxes: Arc<Inboxes>,
    /// The partitions of this shard.
    pub own: Owner,
    /// Looks into blocks.
    pub querier: Querier,
}

impl TraceSource for Traces {
    fn find_recent<'a>(
        &'a self,
        tenant: &'a str,
        trace_id: TraceId,
    ) -> LocalBoxFuture<'a, Result<Vec<Fragment>, SourceError>> {
        let tenant: Arc<str> = Arc::from(tenant);
        let asked = self
            .inboxes
            .senders()
            .iter()
            .enumerate()
            .map(|(shard, inbox)| {
                let (reply, promise) = oneshot();
                let message = Message::FindTrace {
                    tenant: Arc::clone(&tenant),
                    trace_id,
                    reply,
                };
                let sent = if shard == shard_id() {
                    self.own.handle(message);
                    Ok(())
                } else {
                    inbox.try_send(message)
                };
                async move {
                    match sent {
                        Ok(()) => promise
                            .await
                            .map_err(|_| SourceError::Unavailable("the server is stopping".into()))?
                            .map_err(|error| lookup_error(&error)),
                        Err(TrySendError::Full(_)) => Err(SourceError::Busy(format!(
                            "shard {shard} has too many requests waiting"
                        ))),
                        Err(TrySendError::Closed(_)) => {
                            Err(SourceError::Unavailable("the server is stopping".into()))
                        }
                    }
                }
            });
        let asked: Vec<_> = asked.collect();
        async move { Ok(try_join_all(asked).await?.concat()) }.boxed_local()
    }

    fn find_in_blocks<'a>(
        &'a self,
        tenant: &'a str,
        lookup: &'a BlockLookup,
    ) -> LocalBoxFuture<'a, Result<FromBlocks, SourceError>> {
        async move {
            let lookup = Lookup {
                trace_id: lookup.trace_id,
                blocks: lookup.blocks.clone(),
                start_seconds: lookup.start_seconds,
                end_seconds: lookup.end_seconds,
            };
            let found = self.querier.find_trace(tenant, &lookup).await;
            let found = found.map_err(|error| block_error(&error))?;
            Ok(FromBlocks {
                fragments: found.fragments,
                reads: found.reads,
                read_bytes: found.read_bytes,
            })
        }
        .boxed_local()
    }
}

pub(super) fn block_error(error: &QuerierError) -> SourceError {
    let text = error.to_string();
    match error {
        QuerierError::Memory { .. } | QuerierError::Gather { .. } | QuerierError::Found { .. } => {
            SourceError::Busy(text)
        }
        _ if error.is_retryable() => SourceError::Unavailable(text),
        _ => SourceError::Failed(text),
    }
}

pub(super) fn lookup_error(error: &LookupError) -> SourceError {
    match error {
        LookupError::Memory(_) => SourceError::Busy(error.to_string()),
        _ => SourceError::Failed(error.to_string()),
    }
}
