//! Spans below their resources and scopes, each of which stands once in a row.

use hashbrown::HashMap;

use super::context::Contexts;
use super::gather::Placed;

/// Spans of one resource and scope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScopeGroup {
    /// Those of its first span.
    pub(crate) resource: u32,
    pub(crate) scope: u32,
    /// Resources of the row are numbered in the order of their first spans.
    pub(crate) rank: u32,
    /// First of its spans in the order of the row.
    pub(crate) first: u32,
    pub(crate) spans: u32,
}

/// The groups of the current trace; used again for every trace.
#[derive(Default)]
pub(crate) struct Groups {
    /// By resource in the order of their first spans, then by scope likewise.
    pub(crate) groups: Vec<ScopeGroup>,
    /// Places of spans, in the order of the row.
    pub(crate) order: Vec<u32>,
    /// Group of each span.
    of_span: Vec<u32>,
    found: Vec<ScopeGroup>,
    by_pair: HashMap<(u32, u32), u32, foldhash::fast::RandomState>,
    by_resource: HashMap<u32, u32, foldhash::fast::RandomState>,
    ranked: Vec<u32>,
}

impl Groups {
    pub(crate) fn form(&mut self, spans: &[Placed], contexts: &Contexts<'_>) {
        self.find(spans, contexts);
        self.ranked.clear();
        self.ranked.extend(0..self.found.len() as u32);
        let found = &mut self.found;
        // Stable: groups of a resource stay in the order of their first spans.
        self.ranked.sort_by_key(|group| found[*group as usize].rank);
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
        let mut last = None;
        for span in spans {
            let pair = contexts.of(span.batch, span.row);
            let group = match last {
                Some((before, group)) if before == pair => group,
                _ => self.group_of(pair, contexts),
            };
            last = Some((pair, group));
            self.found[group as usize].spans += 1;
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
            self.found.push(ScopeGroup {
                resource: pair.0,
                scope: pair.1,
                rank,
                first: 0,
                spans: 0,
            });
        }
        group
    }
}
