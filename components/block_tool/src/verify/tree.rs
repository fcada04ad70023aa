//! The tree of a row, as the levels of its columns describe it. All columns must describe the same one.

use vivace_block::WellKnown;
use vivace_block::dedicated::Scope;
use vivace_block::schema::{AttributeOwner, Column, Leaf};

use super::rows::Cells;

/// A repeated group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Stats,
    Resources,
    Scopes,
    Spans,
    Events,
    Links,
    ResourceAttributes,
    ScopeAttributes,
    SpanAttributes,
    EventAttributes,
    LinkAttributes,
}

const GROUPS: usize = 11;

impl Group {
    pub fn of_attributes(owner: AttributeOwner) -> Self {
        match owner {
            AttributeOwner::Resource => Self::ResourceAttributes,
            AttributeOwner::Scope => Self::ScopeAttributes,
            AttributeOwner::Span => Self::SpanAttributes,
            AttributeOwner::Event => Self::EventAttributes,
            AttributeOwner::Link => Self::LinkAttributes,
        }
    }
}

/// The groups that a leaf lies in, the outermost first.
fn groups(column: Column) -> &'static [Group] {
    use Group::*;
    const RESOURCE: &[Group] = &[Resources];
    const SCOPE: &[Group] = &[Resources, Scopes];
    const SPAN: &[Group] = &[Resources, Scopes, Spans];
    const EVENT: &[Group] = &[Resources, Scopes, Spans, Events];
    const LINK: &[Group] = &[Resources, Scopes, Spans, Links];
    match column {
        Column::TraceId
        | Column::TraceIdText
        | Column::TraceStartUnixNano
        | Column::TraceEndUnixNano
        | Column::TraceDurationNano
        | Column::RootServiceName
        | Column::RootSpanName => &[],
        Column::StatsServiceName | Column::StatsSpanCount | Column::StatsErrorCount => &[Stats],
        Column::ResourceDroppedAttributes => RESOURCE,
        Column::WellKnown(known) if WellKnown::OF_SPAN.contains(&known) => SPAN,
        Column::WellKnown(_) => RESOURCE,
        Column::ScopeName
        | Column::ScopeVersion
        | Column::ScopeDroppedAttributes
        | Column::ScopeSpanCount => SCOPE,
        Column::SpanId
        | Column::ParentSpanId
        | Column::ParentId
        | Column::NestedSetLeft
        | Column::NestedSetRight
        | Column::ChildCount
        | Column::SpanName
        | Column::Kind
        | Column::TraceState
        | Column::SpanStartUnixNano
        | Column::SpanDurationNano
        | Column::StatusCode
        | Column::StatusMessage
        | Column::SpanDroppedAttributes
        | Column::DroppedEvents
        | Column::DroppedLinks
        | Column::StartTimeRounded(_) => SPAN,
        Column::EventTimeSinceStartNano | Column::EventName | Column::EventDroppedAttributes => {
            EVENT
        }
        Column::LinkTraceId
        | Column::LinkSpanId
        | Column::LinkTraceState
        | Column::LinkDroppedAttributes => LINK,
        Column::Dedicated(slot) => match slot.scope {
            Scope::Resource => RESOURCE,
            Scope::Span => SPAN,
            Scope::Event => EVENT,
        },
        Column::Attribute(owner, _) => match owner {
            AttributeOwner::Resource => &[Resources, ResourceAttributes],
            AttributeOwner::Scope => &[Resources, Scopes, ScopeAttributes],
            AttributeOwner::Span => &[Resources, Scopes, Spans, SpanAttributes],
            AttributeOwner::Event => &[Resources, Scopes, Spans, Events, EventAttributes],
            AttributeOwner::Link => &[Resources, Scopes, Spans, Links, LinkAttributes],
        },
    }
}

/// How many children each element has.
#[derive(Default)]
pub(super) struct Tree {
    /// For each group, the elements of it in each element of the group around it, in the order of the row.
    children: [Option<Vec<u32>>; GROUPS],
    /// For each leaf that is not required, how many values each element has.
    values: Vec<Vec<u32>>,
    scratch: Vec<Vec<u32>>,
}

impl Tree {
    /// Reads the levels of all columns of a row. The error names the column that does not go with those before it.
    pub fn read(&mut self, row: &[Cells<'_>]) -> Result<(), String> {
        self.children
            .iter_mut()
            .for_each(|children| *children = None);
        self.values.resize_with(row.len(), Vec::new);
        for (number, cells) in row.iter().enumerate() {
            let groups = groups(cells.leaf.column);
            if !self.count(cells, groups.len()) {
                return Err(format!("levels of {} that cannot be", cells.leaf.path));
            }
            for (group, counted) in groups.iter().zip(&self.scratch) {
                match &mut self.children[*group as usize] {
                    Some(children) if children != counted => {
                        return Err(format!(
                            "{} has other {group:?} than the columns before it",
                            cells.leaf.path
                        ));
                    }
                    Some(_) => {}
                    none => *none = Some(counted.clone()),
                }
            }
            let values = &mut self.values[number];
            values.clear();
            if let Some(counted) = self.scratch.get(groups.len()) {
                values.extend_from_slice(counted);
            }
        }
        Ok(())
    }

    /// Fills `scratch` with the children at each level, and behind them with the values of each element if the leaf is
    /// not required. False: such levels describe no tree.
    fn count(&mut self, cells: &Cells<'_>, levels: usize) -> bool {
        let Leaf {
            max_rep, max_def, ..
        } = *cells.leaf;
        let repeated = usize::from(max_rep) > levels;
        let optional = !repeated && usize::from(max_def) > levels;
        let all = levels + usize::from(repeated || optional);
        self.scratch.resize_with(all, Vec::new);
        self.scratch.iter_mut().for_each(Vec::clear);
        for slot in 0..cells.slots {
            let rep = usize::try_from(cells.rep.get(slot).copied().unwrap_or(0)).unwrap_or(0);
            let def = usize::try_from(cells.def.get(slot).copied().unwrap_or(0)).unwrap_or(0);
            let begins_row = slot == 0;
            if (rep == 0) != begins_row || (rep > 0 && def < rep) {
                return false;
            }
            if rep == 0
                && let Some(outermost) = self.scratch.first_mut()
            {
                outermost.push(0);
            }
            for level in rep.max(1)..=all {
                if def < level {
                    break;
                }
                let Some(last) = self.scratch[level - 1].last_mut() else {
                    return false;
                };
                // An element that goes on must have begun; an optional one is there once.
                if level == rep && *last == 0 {
                    return false;
                }
                *last += 1;
                if level < all {
                    self.scratch[level].push(0);
                }
            }
        }
        true
    }

    /// The elements of a group in each element of the group around it.
    pub fn children(&self, group: Group) -> &[u32] {
        self.children[group as usize].as_deref().unwrap_or_default()
    }

    /// All elements of a group.
    pub fn total(&self, group: Group) -> usize {
        self.children(group)
            .iter()
            .map(|count| *count as usize)
            .sum()
    }

    /// How many values of a leaf that is not required each element has.
    pub fn values(&self, leaf: usize) -> &[u32] {
        self.values.get(leaf).map_or(&[], Vec::as_slice)
    }
}
