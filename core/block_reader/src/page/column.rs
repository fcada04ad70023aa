//! Rows of one page, decoded.

use super::raw::RawPage;
use crate::encoding::decode::{self, Pick};
use crate::encoding::hybrid::Hybrid;
use crate::error::Malformed;
use crate::thrift::Decoded;
use crate::values::{Budget, Dictionary, Values};

/// Level slots and values of some rows of a column. A slot has a value when its definition level is the highest.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnPage {
    /// One a slot; all zero, and not stored, when the column is not repeated. A row begins at each 0.
    pub rep_levels: Vec<u8>,
    /// One a slot; not stored when the column is required all the way: then every slot has a value.
    pub def_levels: Vec<u8>,
    /// Codes if the pages have a dictionary, values otherwise.
    pub values: Values,
    /// Level slots.
    pub slots: usize,
}

/// Which repetition levels are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepLevels {
    None,
    /// Only whether a level is the highest of the leaf: those that are not may read as lower than they are, and nothing is
    /// kept when none is.
    Repeats,
    All,
}

/// Which definition levels are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefLevels {
    None,
    /// Only whether there is a value: levels of slots without may read as lower than they are, and nothing is kept when
    /// there is no value at all.
    Present,
    All,
}

/// What of a column is kept. What is not is skipped as fast as its encoding allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub rep: RepLevels,
    pub def: DefLevels,
    pub values: bool,
}

impl Wanted {
    pub const ALL: Self = Self {
        rep: RepLevels::All,
        def: DefLevels::All,
        values: true,
    };
    /// For columns where each owner has a value.
    pub const VALUES: Self = Self {
        rep: RepLevels::None,
        def: DefLevels::None,
        values: true,
    };
}

/// How a leaf's levels and values look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub physical: vivace_block::schema::Physical,
    pub max_rep: u8,
    pub max_def: u8,
}

/// Rows of a chunk, and what of them is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowRange {
    pub start: u64,
    pub end: u64,
    pub wanted: Wanted,
}

/// The slots of a page that belong to the rows asked for.
struct Slots {
    skip: usize,
    take: usize,
    /// Rows that begin in the page.
    rows: u64,
}

fn usize_of(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

/// `before` rows began in earlier pages. Appends repetition levels to `out`.
fn find_slots(
    page: &RawPage,
    shape: Shape,
    before: u64,
    rows: RowRange,
    out: &mut ColumnPage,
    budget: &mut Budget,
) -> Decoded<Slots> {
    let slots = page.header.values;
    if shape.max_rep == 0 {
        let start = usize_of(rows.start.saturating_sub(before)).min(slots);
        let end = usize_of(rows.end.saturating_sub(before)).clamp(start, slots);
        return Ok(Slots {
            skip: start,
            take: end - start,
            rows: slots as u64,
        });
    }
    let mut levels = page.rep_levels(shape.max_rep)?;
    let (mut skip, mut begun) = (0, 0);
    if before <= rows.start {
        let wanted = usize_of(rows.start - before).saturating_add(1);
        let mut ahead = levels.clone();
        let (passed, equal) = ahead.skip_until(slots, 0, wanted)?;
        if equal < wanted {
            return Ok(Slots {
                skip: slots,
                take: 0,
                rows: equal as u64,
            });
        }
        skip = passed - 1;
        begun = equal - 1;
        levels.skip(skip)?;
    }
    // The first slot taken is the wanted row's own start, or goes on with a row of an earlier page.
    let rows_left = usize_of(rows.end.saturating_sub(before.saturating_add(begun as u64)));
    let mut ahead = levels.clone();
    let (passed, equal) = ahead.skip_until(slots - skip, 0, rows_left.saturating_add(1))?;
    let take = if equal > rows_left {
        passed - 1
    } else {
        passed
    };
    let counted = begun + equal;
    let total = match page.rows() {
        Some(rows) => rows,
        None => (counted + ahead.skip_counting(slots - skip - passed, 0)?) as u64,
    };
    let is_kept = match rows.wanted.rep {
        RepLevels::None => false,
        RepLevels::All => true,
        RepLevels::Repeats => {
            let max = u32::from(shape.max_rep);
            !out.rep_levels.is_empty() || levels.clone().skip_counting(take, max)? > 0
        }
    };
    if is_kept {
        append_levels(
            &mut levels,
            take,
            shape.max_rep,
            out.slots,
            &mut out.rep_levels,
            budget,
        )?;
    }
    Ok(Slots {
        skip,
        take,
        rows: total,
    })
}

/// `before` slots came from earlier pages; those of them that were not kept read as 0.
fn append_levels(
    levels: &mut Hybrid<'_>,
    take: usize,
    max: u8,
    before: usize,
    out: &mut Vec<u8>,
    budget: &mut Budget,
) -> Decoded<()> {
    budget.take(take + before.saturating_sub(out.len()))?;
    out.resize(before, 0);
    levels.read(take, out, |level| level as u8)?;
    check(out.get(before..).unwrap_or_default(), max)
}

fn check(levels: &[u8], max: u8) -> Decoded<()> {
    if levels.iter().any(|&level| level > max) {
        return Err(Malformed::new("a level higher than the column has"));
    }
    Ok(())
}

impl ColumnPage {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            rep_levels: Vec::new(),
            def_levels: Vec::new(),
            values: decode::none_of(shape.physical),
            slots: 0,
        }
    }

    /// Appends what a page has of `rows`, when `before` rows began in earlier pages. Returns how many rows begin in it.
    /// `dictionary` is asked for when a page with codes follows one without, or the other way round.
    pub(crate) fn append(
        &mut self,
        page: &RawPage,
        shape: Shape,
        before: u64,
        rows: RowRange,
        dictionary: impl Fn() -> Decoded<std::sync::Arc<Dictionary>>,
        budget: &mut Budget,
    ) -> Decoded<u64> {
        let slots = find_slots(page, shape, before, rows, self, budget)?;
        let pick = self.append_definitions(page, shape, &slots, rows.wanted.def, budget)?;
        self.slots += slots.take;
        if pick.take == 0 || !rows.wanted.values {
            return Ok(slots.rows);
        }
        let body = page.values()?;
        let encoding = page.header.encoding;
        if !decode::is_dictionary(encoding) {
            if let Values::Codes(codes) = &self.values {
                self.values = resolve(&*dictionary()?, codes)?;
            }
            decode::values(encoding, &body, pick, budget, &mut self.values)?;
            return Ok(slots.rows);
        }
        if self.values.is_empty() {
            self.values = Values::Codes(Vec::new());
        }
        match &mut self.values {
            Values::Codes(codes) => decode::codes(&body, pick, budget, codes)?,
            values => {
                let mut codes = Vec::new();
                decode::codes(&body, pick, budget, &mut codes)?;
                extend(values, resolve(&*dictionary()?, &codes)?, budget)?;
            }
        }
        Ok(slots.rows)
    }

    fn append_definitions(
        &mut self,
        page: &RawPage,
        shape: Shape,
        slots: &Slots,
        wanted: DefLevels,
        budget: &mut Budget,
    ) -> Decoded<Pick> {
        if shape.max_def == 0 {
            return Ok(Pick {
                skip: slots.skip,
                take: slots.take,
            });
        }
        if slots.take == 0 {
            return Ok(Pick { skip: 0, take: 0 });
        }
        let max = u32::from(shape.max_def);
        let mut levels: Hybrid<'_> = page.def_levels(shape.max_def)?;
        let skip = levels.skip_counting(slots.skip, max)?;
        let take = levels.clone().skip_counting(slots.take, max)?;
        let is_kept = match wanted {
            DefLevels::None => false,
            DefLevels::All => true,
            DefLevels::Present => take > 0 || !self.def_levels.is_empty(),
        };
        if is_kept {
            append_levels(
                &mut levels,
                slots.take,
                shape.max_def,
                self.slots,
                &mut self.def_levels,
                budget,
            )?;
        }
        Ok(Pick { skip, take })
    }
}

fn resolve(dictionary: &Dictionary, codes: &[u32]) -> Decoded<Values> {
    dictionary
        .resolve(codes)
        .ok_or_else(|| Malformed::new("a code that is not in the dictionary"))
}

fn extend(values: &mut Values, more: Values, budget: &mut Budget) -> Decoded<()> {
    match (values, more) {
        (Values::Bool(values), Values::Bool(more)) => values.extend(more),
        (Values::I32(values), Values::I32(more)) => values.extend(more),
        (Values::I64(values), Values::I64(more)) => values.extend(more),
        (Values::F64(values), Values::F64(more)) => values.extend(more),
        (Values::Bytes(values), Values::Bytes(more)) => {
            for value in more.iter() {
                budget.take(value.len())?;
                values.push(value);
            }
        }
        _ => {
            return Err(Malformed::new(
                "a dictionary of another type than the column",
            ));
        }
    }
    Ok(())
}
