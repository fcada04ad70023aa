//! Spans below their resources and scopes, each of which stands once in a row.

use hashbrown::HashMap;

use super::context::Contexts;
use super::gather::Placed;

/// Spans of one resource and scope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScopeGroup {
    /// That of the first span of all that are merged with it.
    pub(crate) resource: u32,
    /// That of its first span.
    pub(crate) scope: u32,
    /// Number of its resource among those of the row.
    pub(crate) rank: u32,
    /// First of its spans in the order of the row.
    pub(crate) first: u32,
    pub(crate) spans: u32,
}

/// What a resource of the row holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// That of its first span.
    resource: u32,
    groups: u32,
    spans: u32,
}

/// The groups of the current trace; used again for every trace.
///
/// They stand by size, small ones first: levels and counts of rows of the same size then look alike, and compress. Those of one
/// size are in the order of their first spans.
#[derive(Default)]
pub(crate) struct Groups {
    /// By resource (those with few groups first, of these the ones with few spans), then by spans.
    pub(crate) groups: Vec<ScopeGroup>,
    /// Places of spans, in the order of the row.
    pub(crate) order: Vec<u32>,
    /// Group of each span.
    of_span: Vec<u32>,
    found: Vec<ScopeGroup>,
    by_pair: HashMap<(u32, u32), u32, foldhash::fast::RandomState>,
    by_resource: HashMap<u32, u32, foldhash::fast::RandomState>,
    /// By rank.
    held: Vec<Held>,
    ranked: Vec<u32>,
}

impl Groups {
    pub(crate) fn form(&mut self, spans: &[Placed], contexts: &Contexts<'_>) {
        self.find(spans, contexts);
        self.ranked.clear();
        self.ranked.extend(0..self.found.len() as u32);
        let found = &mut self.found;
        if found.len() > 1 {
            let held = &self.held;
            // Stable: what is of one size stays in the order of first spans.
            self.ranked.sort_by_key(|group| {
                let group = &found[*group as usize];
                let Held { groups, spans, .. } = held[group.rank as usize];
                (groups, spans, group.rank, group.spans)
            });
        }
        let mut first = 0;
        for group in &self.ranked {
            let group = &mut found[*group as usize];
            group.first = first;
            first += group.spans;
        }
        self.order.clear();
        self.order.resize(spans.len(), 0);
        let mut next: u32;
        self.groups.clear();
        self.groups
            .extend(self.ranked.iter().map(|group| found[*group as usize]));
        for (place, group) in self.of_span.iter().enumerate() {
            next = found[*group as usize].first;
            found[*group as usize].first += 1;
            self.order[next as usize] = place as u32;
        }
    }

    fn find(&mut self, spans: &[Placed], contexts: &Contexts<'_>) {
        self.of_span.clear();
        self.found.clear();
        self.by_pair.clear();
        self.by_resource.clear();
        self.held.clear();
        let mut last = None;
        for span in spans {
            let pair = contexts.of(span.batch, span.row);
            let group = match last {
                Some((before, group)) if before == pair => group,
                _ => self.group_of(pair, contexts),
            };
            last = Some((pair, group));
            let group_of = &mut self.found[group as usize];
            group_of.spans += 1;
            self.held[group_of.rank as usize].spans += 1;
            self.of_span.push(group);
        }
    }

    fn group_of(&mut self, pair: (u32, u32), contexts: &Contexts<'_>) -> u32 {
        let alike = contexts.alike(pair);
        let next = self.found.len() as u32;
        let group = *self.by_pair.entry(alike).or_insert(next);
        if group == next {
            let resources = self.by_resource.len() as u32;
            let rank = *self.by_resource.entry(alike.0).or_insert(resources);
            if rank == resources {
                self.held.push(Held {
                    resource: pair.0,
                    groups: 0,
                    spans: 0,
                });
            }
            let held = &mut self.held[rank as usize];
            held.groups += 1;
            self.found.push(ScopeGroup {
                resource: held.resource,
                scope: pair.1,
                rank,
                first: 0,
                spans: 0,
            });
        }
        group
    }
}
