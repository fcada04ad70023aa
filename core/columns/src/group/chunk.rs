//! `Chunk` over rows of a row group.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use vivace_block::Format;
use vivace_block::schema::Column as Leaf;
use vivace_block_reader::{DefLevels, OpenBlock, Part, Ranges, RepLevels, Wanted};
use vivace_model::TraceId;
use vivace_traceql::{Field, Intrinsic, Scope};

use super::attributes::LevelAttributes;
use super::children::Tree;
use super::direct::{self, Make};
use super::error::LoadError;
use super::layout::Layout;
use super::merge::merge;
use super::owners::Levels;
use super::parts::{NoParts, PartName, Shared, SharedPart, SharedParts};
use super::places::{
    AttributeLeaves, Extent, LEVELS, is_service_name, level_index, named_leaves, scope_of,
};
use super::room::{OwnLimit, Room};
use super::source::Source;
use super::stats::Stats;
use super::{named, table};
use crate::bitmap::Bitmap;
use crate::cells::Cells;
use crate::chunk::{Chunk, ServiceStats};
use crate::column::{Column, Level};
use crate::shape::{Members, Shape};
use crate::strings::Strings;
use crate::table::AttributeTable;

/// Some rows (traces) of a row group of a block. Rows without spans are traces without spans.
///
/// Of a column that was loaded for some traces only, pages before the first and behind the last of them are not read; other owners have no
/// value then.
pub struct GroupChunk<R, P> {
    source: Source<R, P>,
    layout: Arc<Layout>,
    columns: HashMap<Column, Arc<Cells>>,
    events: Option<Arc<Members>>,
    links: Option<Arc<Members>>,
    trace_ids: Option<Arc<[TraceId]>>,
    stats: Option<Arc<Stats>>,
    attributes: Vec<LevelAttributes>,
    tables: [Option<AttributeTable>; LEVELS.len()],
    /// Decoded parts that other queries have left, and what of them was used here, in bytes.
    parts: Box<dyn SharedParts>,
    shared_bytes: u64,
}

/// What a chunk may take, and what it may share.
pub struct ChunkMemory {
    /// What is fetched and decoded takes at most so many bytes (and for some moments as much as one leaf more): what needs more is an error.
    /// Shared parts are not counted; whoever keeps them accounts for them.
    pub limit: usize,
    /// Where what is decoded comes from, shared parts included. What is fetched is the business of `Ranges`.
    pub room: Rc<dyn Room>,
    /// Parts that other queries have decoded.
    pub parts: Box<dyn SharedParts>,
}

impl ChunkMemory {
    /// At most so many bytes, nothing shared.
    pub fn alone(limit: usize) -> Self {
        Self {
            limit,
            room: Rc::new(OwnLimit),
            parts: Box::new(NoParts),
        }
    }
}

/// How a column is made.
enum Plan {
    Nil,
    Leaf(usize, Make),
    ChildCount([usize; 3]),
    Attribute {
        key: Arc<str>,
        /// Leaves of its own.
        named: Vec<usize>,
    },
}

impl<R: Ranges, P: AsyncFn()> GroupChunk<R, P> {
    /// Reads who belongs to whom, one leaf. `rows` are counted from the start of the row group; see `plan_rows`.
    /// `pause` is called after some 50,000 slots of work.
    pub async fn open(
        open: Arc<OpenBlock>,
        group_index: usize,
        rows: Range<u32>,
        ranges: R,
        memory: ChunkMemory,
        pause: P,
    ) -> Result<Self, LoadError<R::Error>> {
        let ChunkMemory { limit, room, parts } = memory;
        let format = open.format();
        let mut source = Source::new(open, group_index, rows, ranges, (limit, room), pause)?;
        if format == Format::VParquet3 {
            return Err(source.version3());
        }
        let layout = match parts.get(&PartName::Layout) {
            Some(SharedPart(Shared::Layout(layout))) => layout,
            _ => {
                let layout = Arc::new(Layout::load(&mut source).await?);
                source.settle();
                parts.put(PartName::Layout, SharedPart(Shared::Layout(layout.clone())));
                layout
            }
        };
        let leaves = |&level| AttributeLeaves::of(&source.block, level);
        let leaves: Option<Vec<_>> = LEVELS.iter().map(leaves).collect();
        let leaves = leaves.ok_or_else(|| source.version3())?;
        Ok(Self {
            source,
            layout,
            columns: HashMap::new(),
            events: None,
            links: None,
            trace_ids: None,
            stats: None,
            attributes: leaves.into_iter().map(LevelAttributes::new).collect(),
            tables: [const { None }; LEVELS.len()],
            parts,
            shared_bytes: 0,
        })
    }

    /// Takes a column that another query has decoded. True: it is there now.
    fn take_shared(&mut self, column: &Column) -> Result<bool, LoadError<R::Error>> {
        let Some(SharedPart(Shared::Cells(cells))) =
            self.parts.get(&PartName::Cells(column.clone()))
        else {
            return Ok(false);
        };
        let bytes = cells.memory_bytes();
        self.source.share(self.leaf_for_errors(column), bytes)?;
        self.shared_bytes += bytes as u64;
        self.columns.insert(column.clone(), cells);
        Ok(true)
    }

    /// The leaf that is named when there is no memory for a column.
    fn leaf_for_errors(&self, column: &Column) -> usize {
        match self.plan(column) {
            Plan::Leaf(leaf, _) => leaf,
            _ => self
                .level_attributes(column.level())
                .map_or(0, |level| level.leaves.key),
        }
    }

    /// Traces to load a column for: all of them where that is not much more, so that others can use it.
    fn widened(&self, traces: Range<u32>) -> Range<u32> {
        let all = self.layout.shape.traces();
        match self.parts.is_kept() && (traces.end - traces.start) * 2 >= all {
            true => 0..all,
            false => traces,
        }
    }

    /// From the first trace to keep to the last.
    fn traces(&self, keep: Option<&Bitmap>) -> Range<u32> {
        let count = self.layout.shape.traces();
        let Some(keep) = keep else {
            return 0..count;
        };
        let kept = keep.iter().take_while(|trace| *trace < count);
        let bounds = kept.fold(None, |bounds: Option<(u32, u32)>, trace| {
            Some((bounds.map_or(trace, |(first, _)| first), trace))
        });
        bounds.map_or(0..0, |(first, last)| first..last + 1)
    }

    fn rows(&self, traces: &Range<u32>) -> Range<u32> {
        let first = self.source.rows.start;
        first + traces.start..first + traces.end
    }

    fn extent(&self, level: Level, traces: &Range<u32>) -> Extent {
        let owners = |traces: &Range<u32>| {
            let (events, links) = (self.events.as_deref(), self.links.as_deref());
            self.layout.owners_of(level, traces, events, links)
        };
        let all = owners(&(0..self.layout.shape.traces()));
        Extent {
            level,
            traces: traces.clone(),
            rows: self.rows(traces),
            owners: owners(traces).unwrap_or(0..0),
            total: all.map_or(0, |all| all.end),
        }
    }

    fn find(&self, column: Leaf) -> Option<usize> {
        self.source.block.find(Part::Column(column))
    }

    fn level_attributes(&self, level: Level) -> Option<&LevelAttributes> {
        self.attributes.get(level_index(level)?)
    }

    fn plan(&self, column: &Column) -> Plan {
        if let Column::Attribute(level, key) = column {
            return Plan::Attribute {
                key: key.clone(),
                named: named_leaves(&self.source.block, *level, key),
            };
        }
        let Some((leaf, make)) = direct::leaf_of(column) else {
            return Plan::Nil;
        };
        if let Some(leaf) = self.find(leaf) {
            return Plan::Leaf(leaf, make);
        }
        let tree = (
            self.find(Leaf::SpanId),
            self.find(Leaf::ParentSpanId),
            self.find(Leaf::Kind),
        );
        match (column, tree) {
            (Column::Intrinsic(Intrinsic::ChildCount), (Some(id), Some(parent), Some(kind))) => {
                Plan::ChildCount([id, parent, kind])
            }
            _ => Plan::Nil,
        }
    }

    /// The leaves that a plan reads whatever dictionaries say.
    fn leaves_of(plan: &Plan) -> &[usize] {
        match plan {
            Plan::Nil => &[],
            Plan::Leaf(leaf, _) => std::slice::from_ref(leaf),
            Plan::ChildCount(leaves) => leaves,
            Plan::Attribute { named, .. } => named,
        }
    }

    /// The leaves of generic attributes that plans read, where the row group has their keys.
    fn generic_leaves(&self, plans: &[(&Column, Plan)], traces: &Range<u32>) -> Vec<usize> {
        let mut leaves = Vec::new();
        for (column, plan) in plans {
            if let Plan::Attribute { key, .. } = plan
                && let Some(attributes) = self.level_attributes(column.level())
                && !attributes.is_known_to_lack(&self.source, key)
            {
                leaves.extend(attributes.missing(traces));
            }
        }
        leaves.sort_unstable();
        leaves.dedup();
        leaves
    }

    /// Reads what plans need in one step, or in two where it is not known yet whether a level has a key.
    async fn fetch_for(
        &mut self,
        plans: &[(&Column, Plan)],
        traces: &Range<u32>,
    ) -> Result<(), LoadError<R::Error>> {
        let rows = self.rows(traces);
        let all = self.source.rows.clone();
        let mut parts: Vec<(usize, Range<u32>)> = Vec::new();
        let mut keys = Vec::new();
        for (column, plan) in plans {
            let leaves = Self::leaves_of(plan).iter();
            parts.extend(leaves.map(|leaf| (*leaf, rows.clone())));
            let level = column.level();
            parts.extend(self.member_leaf(level).map(|leaf| (leaf, all.clone())));
            if let Plan::Attribute { .. } = plan {
                keys.extend(self.level_attributes(level).map(|level| level.leaves.key));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        let unread = self.source.unread_dictionaries(&keys);
        if unread.is_empty() {
            let generic = self.generic_leaves(plans, traces).into_iter();
            parts.extend(generic.map(|leaf| (leaf, rows.clone())));
            return self.source.fetch_parts(&parts).await;
        }
        parts.extend(unread.iter().map(|leaf| (*leaf, all.start..all.start)));
        self.source.fetch_parts(&parts).await?;
        self.source.read_dictionaries(&unread)?;
        let generic = self.generic_leaves(plans, traces);
        self.source.fetch(&generic, rows).await
    }

    /// The leaf whose levels tell how many events or links each span has.
    fn member_leaf(&self, level: Level) -> Option<usize> {
        match level {
            Level::Event if self.events.is_none() => self.find(Leaf::EventTimeSinceStartNano),
            Level::Link if self.links.is_none() => self.find(Leaf::LinkSpanId),
            _ => None,
        }
    }

    /// Reads events or links of all spans, unless they are there.
    async fn load_members(&mut self, level: Level) -> Result<(), LoadError<R::Error>> {
        let Some(leaf) = self.member_leaf(level) else {
            return Ok(());
        };
        let name = match level {
            Level::Event => PartName::Events,
            _ => PartName::Links,
        };
        if let Some(SharedPart(Shared::Members(members))) = self.parts.get(&name) {
            match level {
                Level::Event => self.events = Some(members),
                _ => self.links = Some(members),
            }
            return Ok(());
        }
        let rows = self.source.rows.clone();
        self.source.fetch(&[leaf], rows.clone()).await?;
        let wanted = Wanted {
            rep: RepLevels::Repeats,
            def: DefLevels::All,
            values: false,
        };
        let data = self.source.read(leaf, rows, wanted).await?;
        let levels = self
            .source
            .leaf(leaf)
            .map(|leaf| (leaf.max_rep, leaf.max_def));
        let (max_rep, max_def) = levels.unwrap_or((0, 0));
        let levels = Levels {
            rep: &data.page.rep_levels,
            def: &data.page.def_levels,
            max_rep,
            max_def,
            owner_def: max_def.saturating_sub(1),
        };
        let starts = levels.starts(self.layout.shape.spans() as usize);
        let starts = starts.ok_or_else(|| self.source.corrupt(leaf, "slots of other spans"))?;
        self.source.hold(leaf, starts.len() * 4)?;
        let slots = data.page.slots;
        drop(data);
        self.source.settle();
        self.source.worked(slots).await;
        let members = Arc::new(Members { starts });
        self.parts
            .put(name, SharedPart(Shared::Members(members.clone())));
        match level {
            Level::Event => self.events = Some(members),
            _ => self.links = Some(members),
        }
        Ok(())
    }

    async fn make(&mut self, plan: Plan, extent: &Extent) -> Result<Cells, LoadError<R::Error>> {
        let rows = extent.rows.clone();
        match plan {
            Plan::Nil => Ok(Cells::nil(extent.level, extent.total)),
            Plan::Leaf(leaf, make) => {
                let data = self.source.read(leaf, rows, Wanted::VALUES).await?;
                let cells = direct::cells(data, make, extent);
                cells.ok_or_else(|| self.source.corrupt(leaf, "values of other owners"))
            }
            Plan::ChildCount([id, parent, kind]) => {
                let tree = Tree {
                    ids: self.source.read(id, rows.clone(), Wanted::VALUES).await?,
                    parents: self
                        .source
                        .read(parent, rows.clone(), Wanted::VALUES)
                        .await?,
                    kinds: self.source.read(kind, rows, Wanted::VALUES).await?,
                };
                let traces = extent.traces.clone();
                let shape = &self.layout.shape;
                let counts = tree.child_counts(shape, traces, &mut self.source).await;
                let counts = counts.ok_or_else(|| self.source.corrupt(id, "ids of other spans"))?;
                Ok(extent.dense(crate::CellKind::Int, counts, Strings::none()))
            }
            Plan::Attribute { key, named } => self.make_attribute(&key, &named, extent).await,
        }
    }

    /// Values of leaves of its own first, then what has none there: values of other types are generic attributes.
    async fn make_attribute(
        &mut self,
        key: &str,
        named: &[usize],
        extent: &Extent,
    ) -> Result<Cells, LoadError<R::Error>> {
        let generic = match level_index(extent.level).and_then(|at| self.attributes.get_mut(at)) {
            Some(attributes) => attributes.cells(&mut self.source, key, extent).await?,
            None => Cells::nil(extent.level, extent.total),
        };
        let mut cells: Option<Cells> = None;
        for &leaf in named {
            let levels = self.source.leaf(leaf);
            let levels = levels.map_or((0, 0), |leaf| (leaf.max_rep, leaf.max_def));
            let owner_def = match extent.level {
                Level::Resource => 1,
                Level::Event => 4,
                _ => 3,
            };
            let wanted = named::wanted(levels.0, owner_def);
            let rows = extent.rows.clone();
            let data = self.source.read(leaf, rows, wanted).await?;
            let slots = data.page.slots;
            let own = named::cells(data, levels, owner_def, extent);
            let own = own.ok_or_else(|| self.source.corrupt(leaf, "values of other owners"))?;
            self.source.worked(slots).await;
            let is_service = is_service_name(&self.source.block, leaf);
            cells = Some(match cells {
                None if is_service => {
                    let is_there = |cells: &Cells, bits| !cells.strings.get(bits).is_empty();
                    merge(own, &generic, is_there)
                }
                None => own,
                Some(cells) => merge(cells, &own, |_, _| true),
            });
        }
        Ok(match cells {
            Some(cells) => merge(cells, &generic, |_, _| true),
            None => generic,
        })
    }

    /// The dictionary's strings, where the leaf has one.
    async fn dictionary(&mut self, leaf: usize) -> Result<Option<Strings>, LoadError<R::Error>> {
        let mut found = self.source.dictionaries(&[leaf]).await?;
        Ok(found.pop().flatten().map(Strings::of_dictionary))
    }

    async fn strings_of_attribute(
        &mut self,
        level: Level,
        key: &str,
    ) -> Result<Option<Strings>, LoadError<R::Error>> {
        let Some(leaves) = self.level_attributes(level).map(|level| level.leaves) else {
            return Ok(Some(Strings::none()));
        };
        let named = named_leaves(&self.source.block, level, key);
        let is_text = |leaf: &usize| {
            let physical = self.source.leaf(*leaf).map(|leaf| leaf.physical);
            physical == Some(vivace_block::schema::Physical::ByteArray)
        };
        let own: Vec<usize> = named.into_iter().filter(is_text).collect();
        let [values, ..] = leaves.values;
        let all = [&[leaves.key, values], &own[..]].concat();
        let found = self.source.dictionaries(&all).await?;
        let (Some(Some(_)), Some(attributes)) = (found.first(), self.level_attributes(level))
        else {
            return Ok(None);
        };
        let is_generic = !attributes.is_known_to_lack(&self.source, key);
        let strings = |at: usize| {
            let dictionary = found.get(at).cloned().flatten();
            dictionary.map(Strings::of_dictionary)
        };
        Ok(match (is_generic, &own[..]) {
            (false, []) => Some(Strings::none()),
            (true, []) => strings(1),
            (false, [_]) => strings(2),
            // Of two leaves.
            _ => None,
        })
    }

    async fn read_strings_of(
        &mut self,
        column: &Column,
    ) -> Result<Option<Strings>, LoadError<R::Error>> {
        if let Column::Attribute(level, key) = column {
            return self.strings_of_attribute(*level, key).await;
        }
        let Some((leaf, make)) = direct::leaf_of(column) else {
            return Ok(Some(Strings::none()));
        };
        match (make, self.find(leaf)) {
            (Make::Text, Some(leaf)) => self.dictionary(leaf).await,
            (Make::Number(_), _) => Ok(Some(Strings::none())),
            // Their texts are not stored.
            (Make::SpanId | Make::TraceId, _) | (Make::Text, None) => Ok(None),
        }
    }

    /// Named leaves that have a value in the row group: name and leaf.
    async fn named_with_values(
        &mut self,
        level: Level,
    ) -> Result<Vec<Box<str>>, LoadError<R::Error>> {
        let Some(scope) = scope_of(level) else {
            return Ok(Vec::new());
        };
        let block = self.source.block.clone();
        let named: Vec<_> = block.named_attributes(scope).collect();
        let leaves: Vec<usize> = named.iter().map(|(_, leaf)| *leaf).collect();
        let dictionaries = self.source.dictionaries(&leaves).await?;
        let without =
            |((_, leaf), found): (&(_, usize), &Option<_>)| found.is_none().then_some(*leaf);
        let unknown: Vec<usize> = named
            .iter()
            .zip(&dictionaries)
            .filter_map(without)
            .collect();
        let rows = self.source.rows.clone();
        self.source.fetch(&unknown, rows.clone()).await?;
        let mut names = Vec::new();
        for ((name, leaf), dictionary) in named.into_iter().zip(dictionaries) {
            let has_value = match dictionary {
                Some(dictionary) => {
                    let strings = Strings::of_dictionary(dictionary);
                    let is_service = is_service_name(&block, leaf);
                    (0..strings.len() as u64)
                        .any(|number| !is_service || !strings.get(number).is_empty())
                }
                None => {
                    let data = self.source.read(leaf, rows.clone(), Wanted::VALUES).await?;
                    self.source.settle();
                    !data.page.values.is_empty()
                }
            };
            if has_value {
                names.push(name.into());
            }
        }
        Ok(names)
    }
}

impl<R: Ranges, P: AsyncFn()> Chunk for GroupChunk<R, P> {
    type Error = LoadError<R::Error>;

    fn shape(&self) -> &Shape {
        &self.layout.shape
    }

    async fn load(&mut self, columns: &[Column], keep: Option<&Bitmap>) -> Result<(), Self::Error> {
        let traces = self.widened(self.traces(keep));
        let is_whole = traces == (0..self.layout.shape.traces());
        let mut plans: Vec<(&Column, Plan)> = Vec::new();
        for column in columns {
            let is_planned = plans.iter().any(|(planned, _)| *planned == column);
            if is_planned || self.columns.contains_key(column) {
                continue;
            }
            if self.take_shared(column)? {
                self.load_members(column.level()).await?;
                continue;
            }
            plans.push((column, self.plan(column)));
        }
        if plans.is_empty() {
            return Ok(());
        }
        self.fetch_for(&plans, &traces).await?;
        for (column, plan) in plans {
            let level = column.level();
            self.load_members(level).await?;
            let extent = self.extent(level, &traces);
            let leaf = self.leaf_for_errors(column);
            let cells = self.make(plan, &extent).await?;
            let bytes = cells.memory_bytes() + cells.strings.memory_bytes();
            self.source.hold(leaf, bytes)?;
            self.source.settle();
            let cells = Arc::new(cells);
            if is_whole {
                let part = SharedPart(Shared::Cells(cells.clone()));
                self.parts.put(PartName::Cells(column.clone()), part);
            }
            self.columns.insert(column.clone(), cells);
        }
        Ok(())
    }

    fn cells(&self, column: &Column) -> Option<&Cells> {
        self.columns.get(column).map(|cells| &**cells)
    }

    /// Dictionaries are taken to have all strings of their chunk, as Tempo takes them (block-format.md §3.1): a writer that goes over to
    /// plain pages within a chunk makes a block that can't be searched.
    async fn strings_of(&mut self, column: &Column) -> Result<Option<Strings>, Self::Error> {
        // What is there already costs less than its dictionary.
        let is_kept = self.parts.is_kept();
        if is_kept && (self.columns.contains_key(column) || self.take_shared(column)?) {
            self.load_members(column.level()).await?;
            return Ok(None);
        }
        let name = PartName::Texts(column.clone());
        if let Some(SharedPart(Shared::Texts(texts))) = self.parts.get(&name) {
            return Ok(texts);
        }
        let texts = self.read_strings_of(column).await?;
        self.parts
            .put(name, SharedPart(Shared::Texts(texts.clone())));
        Ok(texts)
    }

    async fn load_events(&mut self) -> Result<(), Self::Error> {
        self.load_members(Level::Event).await
    }

    fn events(&self) -> Option<&Members> {
        self.events.as_deref()
    }

    async fn load_links(&mut self) -> Result<(), Self::Error> {
        self.load_members(Level::Link).await
    }

    fn links(&self) -> Option<&Members> {
        self.links.as_deref()
    }

    async fn load_trace_ids(&mut self) -> Result<(), Self::Error> {
        let (None, Some(leaf)) = (&self.trace_ids, self.find(Leaf::TraceId)) else {
            return Ok(());
        };
        if let Some(SharedPart(Shared::TraceIds(ids))) = self.parts.get(&PartName::TraceIds) {
            self.trace_ids = Some(ids);
            return Ok(());
        }
        let rows = self.source.rows.clone();
        self.source.fetch(&[leaf], rows.clone()).await?;
        let data = self.source.read(leaf, rows.clone(), Wanted::VALUES).await?;
        let id = |index| {
            let bytes = data.bytes(index);
            let end = &bytes[bytes.len().saturating_sub(16)..];
            let mut id = [0; 16];
            for (place, &byte) in id.iter_mut().rev().zip(end.iter().rev()) {
                *place = byte;
            }
            TraceId(id)
        };
        let ids: Vec<TraceId> = (0..data.page.values.len()).map(id).collect();
        if ids.len() != rows.len() {
            return Err(self.source.corrupt(leaf, "ids of other rows"));
        }
        self.source.hold(leaf, ids.len() * 16)?;
        drop(data);
        self.source.settle();
        let ids: Arc<[TraceId]> = ids.into();
        let part = SharedPart(Shared::TraceIds(ids.clone()));
        self.parts.put(PartName::TraceIds, part);
        self.trace_ids = Some(ids);
        Ok(())
    }

    fn trace_ids(&self) -> Option<&[TraceId]> {
        self.trace_ids.as_deref()
    }

    async fn service_stats(&mut self, trace: u32) -> Result<Vec<ServiceStats>, Self::Error> {
        if self.stats.is_none() {
            let name = PartName::ServiceStats;
            self.stats = Some(match self.parts.get(&name) {
                Some(SharedPart(Shared::ServiceStats(stats))) => stats,
                _ => {
                    let stats = Arc::new(Stats::load(&mut self.source).await?);
                    self.source.settle();
                    let part = SharedPart(Shared::ServiceStats(stats.clone()));
                    self.parts.put(name, part);
                    stats
                }
            });
        }
        let stats = self.stats.as_ref();
        Ok(stats.map(|stats| stats.of_trace(trace)).unwrap_or_default())
    }

    async fn load_table(&mut self, level: Level) -> Result<(), Self::Error> {
        let Some(at) = level_index(level) else {
            return Ok(());
        };
        if self.tables.get(at).is_some_and(Option::is_some) {
            return Ok(());
        }
        let traces = 0..self.layout.shape.traces();
        let attributes = self.attributes.get(at);
        let mut leaves = attributes.map_or_else(Vec::new, |level| level.missing(&traces));
        leaves.extend(self.member_leaf(level));
        self.source.fetch(&leaves, self.source.rows.clone()).await?;
        self.load_members(level).await?;
        let extent = self.extent(level, &traces);
        let block = self.source.block.clone();
        let scope = scope_of(level).into_iter();
        let named: Vec<&str> = scope
            .flat_map(|scope| block.named_attributes(scope))
            .map(|(name, _)| name)
            .collect();
        let is_named = |key: &[u8]| named.iter().any(|name| name.as_bytes() == key);
        let places = (self.attributes.get_mut(at), self.tables.get_mut(at));
        if let (Some(attributes), Some(place)) = places {
            *place = Some(table::load(&mut self.source, attributes, &extent, is_named).await?);
            self.source.settle();
        }
        Ok(())
    }

    fn table(&self, level: Level) -> Option<&AttributeTable> {
        self.tables.get(level_index(level)?)?.as_ref()
    }

    async fn keys(&mut self, level: Level) -> Result<Vec<Box<str>>, Self::Error> {
        let name = PartName::Keys(level);
        if let Some(SharedPart(Shared::Keys(keys))) = self.parts.get(&name) {
            return Ok(keys.to_vec());
        }
        let mut keys = self.named_with_values(level).await?;
        if let Some(at) = level_index(level)
            && let Some(leaf) = self.attributes.get(at).map(|level| level.leaves.key)
        {
            let names = match self.dictionary(leaf).await? {
                Some(names) => Some(names),
                // Without one all keys are read.
                None => {
                    let traces = 0..self.layout.shape.traces();
                    self.load_members(level).await?;
                    let extent = self.extent(level, &traces);
                    self.source.fetch(&[leaf], extent.rows.clone()).await?;
                    match self.attributes.get_mut(at) {
                        Some(attributes) => {
                            Some(attributes.names(&mut self.source, &extent).await?)
                        }
                        None => None,
                    }
                }
            };
            let names = names.unwrap_or_else(Strings::none);
            let texts = (0..names.len() as u64).map(|number| names.get(number));
            keys.extend(texts.map(|text| Box::from(String::from_utf8_lossy(text))));
        }
        keys.sort_unstable();
        keys.dedup();
        let part = SharedPart(Shared::Keys(keys.clone().into()));
        self.parts.put(name, part);
        Ok(keys)
    }

    /// All of the block's, whether or not the chunk has values there: what `load_table` leaves out must not depend on what was read.
    fn named(&self, level: Level) -> Vec<Field> {
        let (scope, of_query) = match scope_of(level) {
            Some(scope @ vivace_block::dedicated::Scope::Resource) => (scope, Scope::Resource),
            Some(scope @ vivace_block::dedicated::Scope::Span) => (scope, Scope::Span),
            Some(scope @ vivace_block::dedicated::Scope::Event) => (scope, Scope::Event),
            None => return Vec::new(),
        };
        let named = self.source.block.named_attributes(scope);
        let mut names: Vec<&str> = named.map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let field = |name| Field::attribute(of_query, name);
        names.into_iter().map(field).collect()
    }

    fn bytes_read(&self) -> u64 {
        self.source.bytes_read() + self.shared_bytes
    }

    fn memory_bytes(&self) -> usize {
        self.source.memory_bytes()
    }
}
