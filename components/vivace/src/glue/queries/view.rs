//! Where every span of a tenant is.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::try_join_all;
use vivace_block::{BlockMeta, id};
use vivace_querier::{FoundMemory, View};
use vivace_query_frontend::SourceError;
use vivace_shards::mailbox::oneshot;
use vivace_shards::memory::Charge;

use super::source::Inner;
use crate::glue::Message;
use crate::glue::live::Live;
use crate::glue::traces::{block_error, lookup_error};

/// A view, and what was read back from the log or put together for it.
pub(super) struct Held {
    pub view: View,
    _charges: Vec<Charge>,
    _memory: FoundMemory,
}

impl Held {
    /// A view of data that was put together.
    pub fn gathered(view: View, memory: FoundMemory) -> Self {
        Self {
            view,
            _charges: Vec::new(),
            _memory: memory,
        }
    }
}

impl Inner {
    /// Where every span of the tenant is at this moment: live data first, blocks after that, as spans move in that direction only.
    pub(super) async fn view(
        &self,
        tenant: &str,
        start: u64,
        end: u64,
    ) -> Result<Rc<Held>, SourceError> {
        let name: Arc<str> = tenant.into();
        let asked = (0..self.inboxes.senders().len()).map(|shard| {
            let (reply, promise) = oneshot();
            let message = Message::Snapshot {
                tenant: Arc::clone(&name),
                reply,
            };
            let sent = self.send(shard, message);
            async move {
                sent?;
                promise
                    .await
                    .map_err(|_| SourceError::Unavailable("the server is stopping".into()))?
                    .map_err(|error| lookup_error(&error))
            }
        });
        let mut live = Live::default();
        for snapshot in try_join_all(asked).await? {
            live.add(snapshot);
        }
        let listed = self.querier.listed(tenant);
        let mut blocks = listed.map_err(|error| block_error(&error))?.to_vec();
        self.part(tenant, &mut live, &mut blocks);
        let batches = live.batches.into_iter().map(|one| one.batch).collect();
        Ok(Rc::new(Held {
            view: View::new(name, batches, blocks, start, end),
            _charges: live.charges,
            _memory: FoundMemory::default(),
        }))
    }

    /// Takes care that no span is both in live data and in a block: what live data has whole is left out of the blocks, what it has
    /// given up in part is left out of live data.
    fn part(&self, tenant: &str, live: &mut Live, blocks: &mut Vec<Arc<BlockMeta>>) {
        for section in self.sections.beyond(&live.first_offsets) {
            let partition = u64::from(section.partition);
            let block = id::deterministic(tenant, partition, section.offsets.start, self.log_id);
            let first = live.first_offset(section.partition);
            if section.offsets.start >= first {
                blocks.retain(|meta| meta.block_id != block);
            } else if blocks.iter().any(|meta| meta.block_id == block) {
                live.forget(section.partition, section.offsets.end);
            }
        }
    }
}
