//! Traces that a search has found, and which of them are the answer.

use std::cmp::Reverse;
use std::collections::HashMap;

use vivace_engine::{SpanSetResult, TraceResult};
use vivace_model::TraceId;

use crate::limits::{SPARE_TRACES, SPARE_TRACES_MORE};

/// What one tenant has of a trace.
struct Part {
    tenant: usize,
    result: TraceResult,
    /// Evaluated over everything that is known of it.
    complete: bool,
}

struct Entry {
    /// Counts up in the order of finding.
    number: u64,
    parts: Vec<Part>,
}

impl Entry {
    fn start(&self) -> u64 {
        let starts = self.parts.iter().map(|part| part.result.start_unix_nano);
        starts.min().unwrap_or(0)
    }

    fn is_complete(&self) -> bool {
        self.parts.iter().all(|part| part.complete)
    }
}

/// The traces found so far. The answer is made of the first `limit` in their order: that of finding, or the newest first.
pub struct Held {
    limit: usize,
    newest_first: bool,
    found: u64,
    traces: HashMap<TraceId, Entry>,
    /// Of the results, never less.
    bytes: usize,
}

impl Held {
    pub fn new(limit: u32, newest_first: bool) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            newest_first,
            found: 0,
            traces: HashMap::new(),
            bytes: 0,
        }
    }

    /// Takes what a job of a tenant has found.
    pub fn add(&mut self, tenant: usize, mut found: Vec<TraceResult>) {
        found.sort_by_key(|trace| (Reverse(trace.start_unix_nano), trace.trace_id));
        for result in found {
            self.bytes += result.memory_bytes();
            let number = self.found;
            self.found += 1;
            let entry = self.traces.entry(result.trace_id).or_insert(Entry {
                number,
                parts: Vec::new(),
            });
            let known = entry.parts.iter_mut().find(|part| part.tenant == tenant);
            match known {
                // Complete means that everything is in it already.
                Some(part) if part.complete => {}
                Some(part) => merge(&mut part.result, result),
                None => entry.parts.push(Part {
                    tenant,
                    result,
                    complete: false,
                }),
            }
        }
        self.drop_spare();
    }

    /// Traces far behind those of the answer.
    fn drop_spare(&mut self) {
        let kept = self.limit.saturating_mul(SPARE_TRACES);
        if self.traces.len() > kept.saturating_add(SPARE_TRACES_MORE) {
            for id in self.ranked().split_off(kept) {
                self.traces.remove(&id);
            }
            // What merged into another counted twice.
            let parts = self.traces.values().flat_map(|entry| &entry.parts);
            self.bytes = parts.map(|part| part.result.memory_bytes()).sum();
        }
    }

    /// About what they take in memory.
    pub fn memory_bytes(&self) -> usize {
        self.bytes
    }

    fn rank(&self, id: TraceId, entry: &Entry) -> (u64, TraceId) {
        if self.newest_first {
            (u64::MAX - entry.start(), id)
        } else {
            (entry.number, id)
        }
    }

    fn ranked(&self) -> Vec<TraceId> {
        let mut ranks: Vec<_> = self
            .traces
            .iter()
            .map(|(id, entry)| self.rank(*id, entry))
            .collect();
        ranks.sort_unstable();
        ranks.into_iter().map(|(_, id)| id).collect()
    }

    /// The traces of the answer as it stands.
    pub fn answer(&self) -> Vec<TraceId> {
        let mut ids = self.ranked();
        ids.truncate(self.limit);
        ids
    }

    /// Of these, those that start later than `newest`, which no trace that is still to be found can take the place of.
    pub fn certain(&self, newest: Option<u64>) -> Vec<TraceId> {
        let mut ids = self.answer();
        if self.newest_first
            && let Some(newest) = newest
        {
            let start = |id: &TraceId| self.traces.get(id).map_or(0, Entry::start);
            ids.retain(|id| start(id) > newest);
        }
        ids
    }

    /// Whether jobs that are left, with spans that start at `newest` at the latest, can't change the answer.
    pub fn is_enough(&self, newest: Option<u64>) -> bool {
        let (Some(newest), true) = (newest, self.traces.len() >= self.limit) else {
            return newest.is_none();
        };
        if !self.newest_first {
            return true;
        }
        let mut starts: Vec<u64> = self.traces.values().map(Entry::start).collect();
        let last = self.limit.saturating_sub(1);
        let (_, last, _) = starts.select_nth_unstable_by_key(last, |start| Reverse(*start));
        *last > newest
    }

    /// Takes the parts of these traces that are not complete, at most `most`, by tenant.
    pub fn take_incomplete(
        &mut self,
        ids: &[TraceId],
        most: usize,
    ) -> Vec<(usize, Vec<TraceResult>)> {
        let mut by_tenant: Vec<(usize, Vec<TraceResult>)> = Vec::new();
        let mut taken = 0;
        for id in ids {
            if taken >= most {
                break;
            }
            let Some(entry) = self.traces.get_mut(id) else {
                continue;
            };
            for part in entry.parts.iter().filter(|part| !part.complete) {
                taken += 1;
                let result = part.result.clone();
                match by_tenant
                    .iter_mut()
                    .find(|(tenant, _)| *tenant == part.tenant)
                {
                    Some((_, results)) => results.push(result),
                    None => by_tenant.push((part.tenant, vec![result])),
                }
            }
        }
        by_tenant
    }

    /// Puts the completed parts of a tenant in the place of what was asked for; those that are missing don't match.
    pub fn put_complete(&mut self, tenant: usize, asked: &[TraceId], complete: Vec<TraceResult>) {
        let mut complete: HashMap<TraceId, TraceResult> = complete
            .into_iter()
            .map(|result| (result.trace_id, result))
            .collect();
        for id in asked {
            let Some(entry) = self.traces.get_mut(id) else {
                continue;
            };
            match complete.remove(id) {
                Some(result) => {
                    self.bytes += result.memory_bytes();
                    for part in &mut entry.parts {
                        if part.tenant == tenant {
                            part.result = result.clone();
                            part.complete = true;
                        }
                    }
                }
                None => entry.parts.retain(|part| part.tenant != tenant),
            }
            if entry.parts.is_empty() {
                self.traces.remove(id);
            }
        }
    }

    /// Whether all parts of a trace are complete.
    pub fn is_complete(&self, id: &TraceId) -> bool {
        self.traces.get(id).is_some_and(Entry::is_complete)
    }

    /// Tenants that have a part of a trace.
    pub fn parts(&self, id: &TraceId) -> usize {
        self.traces.get(id).map_or(0, |entry| entry.parts.len())
    }

    /// A trace with all its parts merged, and the first tenant that has it.
    pub fn get(&self, id: &TraceId) -> Option<(usize, TraceResult)> {
        let mut parts = self.traces.get(id)?.parts.iter();
        let first = parts.next()?;
        let mut result = first.result.clone();
        for part in parts {
            merge(&mut result, part.result.clone());
        }
        Some((first.tenant, result))
    }
}

/// Two views of one trace (traceql.md §6.4).
fn merge(into: &mut TraceResult, other: TraceResult) {
    if into.root_service.is_empty() {
        into.root_service = other.root_service;
    }
    if into.root_name.is_empty() {
        into.root_name = other.root_name;
    }
    into.start_unix_nano = into.start_unix_nano.min(other.start_unix_nano);
    into.duration_nano = into.duration_nano.max(other.duration_nano);
    for stats in other.services {
        let mut known = into.services.iter_mut();
        match known.find(|known| known.service == stats.service) {
            Some(known) => {
                known.spans = known.spans.max(stats.spans);
                known.errors = known.errors.max(stats.errors);
            }
            None => into.services.push(stats),
        }
    }
    for set in other.span_sets {
        let identity = by_attributes(&set);
        let mut known = into.span_sets.iter_mut();
        match known.find(|known| by_attributes(known) == identity) {
            Some(known) if known.matched < set.matched => *known = set,
            Some(_) => {}
            None => into.span_sets.push(set),
        }
    }
}

fn by_attributes(set: &SpanSetResult) -> Vec<(&str, &vivace_traceql::Static)> {
    let attributes = set.attributes.iter();
    attributes
        .filter(|(name, _)| name.starts_with("by"))
        .map(|(name, value)| (&**name, value))
        .collect()
}
