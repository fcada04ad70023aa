//! The blocks that are known of, by tenant: one list for the whole process.
//!
//! Readers take snapshots and keep nobody waiting. Polls replace the list of a tenant by what the store says; what this process itself
//! has done since is done to the new list again, so that a poll that began earlier neither hides a block just written nor brings
//! back one just compacted.

mod changes;
mod metrics;
mod tenant;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use vivace_block::BlockMeta;
use vivace_shards::time;

use changes::{Change, Journal};
pub(crate) use metrics::export;
pub use tenant::{CompactedBlock, TenantBlocks};

/// How long compacted blocks are still looked into when the configuration does not say: twice the default pause between polls.
const DEFAULT_GRACE: Duration = Duration::from_secs(600);

/// What this process has done to the blocks of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Blocks that are there now.
    pub added: Vec<BlockMeta>,
    /// Live blocks that were marked compacted, and when.
    pub compacted: Vec<(Uuid, DateTime<Utc>)>,
    /// Blocks, live or compacted, that were deleted.
    pub removed: Vec<Uuid>,
}

/// The known blocks of all tenants.
#[derive(Debug)]
pub struct Blocklist {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tenants: BTreeMap<String, Tenant>,
    /// Whether a poll has succeeded, and what was wrong with the last one that has not.
    complete: bool,
    failure: Option<String>,
    /// Counts polls that began.
    polls: u64,
    /// Whether polls replace the list; without them nothing is kept to be done again.
    polled: bool,
    grace: Duration,
}

#[derive(Debug, Default)]
struct Tenant {
    blocks: Arc<TenantBlocks>,
    journal: Journal,
    /// What was last made for traces by id of `blocks`.
    for_traces: Option<ForTraces>,
    /// Why the list is missing, if it has never been read.
    unread: Option<String>,
    index: Option<IndexState>,
}

/// The blocks that may hold traces, and until when these are they.
#[derive(Clone, Debug)]
struct ForTraces {
    blocks: Arc<[Arc<BlockMeta>]>,
    until: DateTime<Utc>,
}

impl ForTraces {
    fn of(blocks: &TenantBlocks, grace: TimeDelta) -> Self {
        let since = now() - grace;
        let mut until = DateTime::<Utc>::MAX_UTC;
        let recent = blocks.compacted.iter().filter(|block| {
            // A block that is in both lists is read once.
            block.compacted_time >= since && !blocks.is_live(&block.meta)
        });
        let recent = recent.map(|block| {
            let gone = block.compacted_time.checked_add_signed(grace);
            until = until.min(gone.unwrap_or(DateTime::<Utc>::MAX_UTC));
            Arc::clone(&block.meta)
        });
        let blocks = blocks.live.iter().cloned().chain(recent).collect();
        Self { blocks, until }
    }
}

/// What a poll knows of a tenant's index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexState {
    /// Whether this process writes it.
    pub builder: bool,
    pub created_at: DateTime<Utc>,
}

/// A poll under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Poll(u64);

impl Default for Blocklist {
    fn default() -> Self {
        let state = State {
            tenants: BTreeMap::new(),
            complete: false,
            failure: None,
            polls: 0,
            polled: false,
            grace: DEFAULT_GRACE,
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

impl Blocklist {
    /// An empty list, which is not complete.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is behind the lock is valid between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blocks of a tenant as they are known now; empty for one that is not known.
    pub fn snapshot(&self, tenant: &str) -> Arc<TenantBlocks> {
        let state = self.state();
        let tenant = state.tenants.get(tenant);
        tenant.map_or_else(Arc::default, |tenant| Arc::clone(&tenant.blocks))
    }

    /// The blocks that may hold traces of a tenant: live ones, newest end first, then compacted ones that somebody may not know the
    /// successors of yet (marked within twice the pause between polls). The list is made when the blocks have changed, and shared:
    /// counting the references of ten thousand metas takes longer than all else.
    pub fn for_trace_by_id(&self, tenant: &str) -> Arc<[Arc<BlockMeta>]> {
        let (blocks, grace) = {
            let state = self.state();
            let Some(known) = state.tenants.get(tenant) else {
                return Arc::default();
            };
            match &known.for_traces {
                Some(made) if now() <= made.until => return Arc::clone(&made.blocks),
                _ => (Arc::clone(&known.blocks), state.grace),
            }
        };
        let made = ForTraces::of(
            &blocks,
            TimeDelta::from_std(grace).unwrap_or(TimeDelta::MAX),
        );
        let found = Arc::clone(&made.blocks);
        let mut state = self.state();
        // Made without the lock: meanwhile the blocks, or how long they are kept, may have changed.
        if state.grace == grace
            && let Some(known) = state.tenants.get_mut(tenant)
            && Arc::ptr_eq(&known.blocks, &blocks)
        {
            known.for_traces = Some(made);
        }
        drop(state);
        found
    }

    /// The tenants that have blocks, in order.
    pub fn tenants(&self) -> Vec<String> {
        let state = self.state();
        let some = state.tenants.iter().filter(|(_, t)| !t.blocks.is_empty());
        some.map(|(name, _)| name.clone()).collect()
    }

    /// Live and compacted blocks of all tenants.
    pub fn lengths(&self) -> (usize, usize) {
        let state = self.state();
        let blocks = state.tenants.values().map(|tenant| &tenant.blocks);
        blocks.fold((0, 0), |(live, compacted), blocks| {
            (live + blocks.live.len(), compacted + blocks.compacted.len())
        })
    }

    /// Adds a block that was just written. From now on everybody sees it.
    pub fn add(&self, meta: BlockMeta) {
        let tenant = meta.tenant_id.clone();
        self.change(&tenant, [Change::Added(Arc::new(meta))]);
    }

    /// Notes what was done to blocks of a tenant in the store.
    pub fn update(&self, tenant: &str, update: Update) {
        let added = update.added.into_iter().map(|m| Change::Added(Arc::new(m)));
        let compacted = update.compacted.into_iter();
        let compacted = compacted.map(|(block, at)| Change::Compacted(block, at));
        let removed = update.removed.into_iter().map(Change::Removed);
        self.change(tenant, added.chain(compacted).chain(removed));
    }

    fn change(&self, tenant: &str, changes: impl IntoIterator<Item = Change>) {
        let mut state = self.state();
        let (polls, polled) = (state.polls, state.polled);
        let tenant = state.tenants.entry(tenant.to_owned()).or_default();
        tenant.for_traces = None;
        let blocks = Arc::make_mut(&mut tenant.blocks);
        for mut change in changes {
            change.share_columns(blocks);
            change.apply(blocks);
            if polled {
                tenant.journal.push(polls, change);
            }
        }
    }

    /// Whether the store has been looked through once since the start. Before, answers from the list are partial.
    pub fn is_complete(&self) -> bool {
        self.state().complete
    }

    /// Why [`Blocklist::is_complete`] is false.
    pub fn why_incomplete(&self) -> String {
        let failure = self.state().failure.clone();
        failure.unwrap_or_else(|| "the blocks in the store have not been listed yet".to_owned())
    }

    /// Why the blocks of this tenant are not known, if they are not: nothing has been listed yet, or its own list has never been read.
    pub fn missing(&self, tenant: &str) -> Option<String> {
        let state = self.state();
        match state.tenants.get(tenant) {
            _ if !state.complete => drop(state),
            Some(tenant) => return tenant.unread.clone(),
            None => return None,
        }
        Some(self.why_incomplete())
    }

    /// Declares the list complete, for a process that does not look into the store.
    pub fn set_complete(&self) {
        let mut state = self.state();
        state.complete = true;
        state.failure = None;
    }

    /// From now on the list is polled; compacted blocks are looked into for this long.
    pub(crate) fn prepare_polls(&self, grace: Duration) {
        let mut state = self.state();
        state.polled = true;
        state.grace = grace;
        let tenants = state.tenants.values_mut();
        tenants.for_each(|tenant| tenant.for_traces = None);
    }

    pub(crate) fn begin_poll(&self) -> Poll {
        let mut state = self.state();
        state.polled = true;
        state.polls += 1;
        Poll(state.polls)
    }

    /// Replaces the list of a tenant by what a poll has found.
    pub(crate) fn apply(
        &self,
        poll: Poll,
        tenant: &str,
        mut found: TenantBlocks,
        index: Option<IndexState>,
    ) {
        let mut state = self.state();
        let tenant = state.tenants.entry(tenant.to_owned()).or_default();
        tenant.journal.replay(&mut found);
        // Those noted since the poll began may not be in what it found, nor in an index that the next one reads.
        tenant.journal.forget_before(poll.0);
        tenant.unread = None;
        tenant.index = index;
        let made = tenant.for_traces.take();
        let old = std::mem::replace(&mut tenant.blocks, Arc::new(found));
        drop(state);
        drop(made);
        // Freeing ten thousands of metas is not for the lock.
        drop(old);
    }

    /// A tenant could not be polled; its former list stays.
    pub(crate) fn tenant_failed(&self, tenant: &str, why: &str) {
        let mut state = self.state();
        let is_new = !state.tenants.contains_key(tenant);
        let tenant = state.tenants.entry(tenant.to_owned()).or_default();
        if is_new || tenant.unread.is_some() || tenant.index.is_none() && tenant.blocks.is_empty() {
            tenant.unread = Some(why.to_owned());
        }
    }

    /// Ends a poll that has seen these tenants: the others are gone, but for what was noted since it began.
    pub(crate) fn end_poll(&self, poll: Poll, seen: &[String]) {
        let mut state = self.state();
        state.complete = true;
        state.failure = None;
        let mut gone = Vec::new();
        state.tenants.retain(|name, tenant| {
            if seen.binary_search(name).is_ok() {
                return true;
            }
            let mut blocks = TenantBlocks::default();
            tenant.journal.replay(&mut blocks);
            tenant.journal.forget_before(poll.0);
            tenant.index = None;
            tenant.for_traces = None;
            gone.push(std::mem::replace(&mut tenant.blocks, Arc::new(blocks)));
            !tenant.blocks.is_empty() || !tenant.journal.is_empty()
        });
        drop(state);
        drop(gone);
    }

    pub(crate) fn poll_failed(&self, why: &str) {
        self.state().failure = Some(why.to_owned());
    }
}

/// The time; in the simulator, the simulated one.
pub(crate) fn now() -> DateTime<Utc> {
    let nanos = i64::try_from(time::unix_nanos()).unwrap_or(i64::MAX);
    DateTime::from_timestamp_nanos(nanos)
}

#[cfg(test)]
mod tests;
