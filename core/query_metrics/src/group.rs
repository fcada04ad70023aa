//! Groups spans by their fields. Values are told apart by the numbers that a chunk has for them; their texts are looked at once per
//! value and chunk.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use vivace_columns::{CellKind, Cells, Chunk, Level, Selection, ValueAt};
use vivace_traceql::{Field, Static};

use crate::cursor::{FieldCursor, Place};
use crate::labels::{GroupKey, label_value};
use crate::limits::MAX_BY;
use crate::observe::ObserveError;
use crate::partials::Groups;

/// Not looked at yet.
const UNKNOWN: u32 = u32::MAX;
/// The code of what has no value.
pub(crate) const NO_VALUE: u32 = 0;

/// Small numbers for the values of one field in a chunk. Equal values of different columns may have different ones.
pub(crate) struct FieldCodes<'c> {
    cursor: FieldCursor<'c>,
    /// By column of the field.
    codes: Vec<ColumnCodes<'c>>,
    /// By code; as labels show them.
    values: Vec<Static>,
}

/// Codes of one column.
struct ColumnCodes<'c> {
    /// By owner: of levels that many spans share.
    by_owner: Vec<u32>,
    /// By number of a string in the column's dictionary.
    by_string: Vec<u32>,
    /// Strings without a dictionary.
    by_text: HashMap<&'c [u8], u32, RandomState>,
    /// Everything else.
    by_bits: HashMap<(CellKind, u64), u32, RandomState>,
    /// Of all lists: they have one label value.
    lists: u32,
}

impl<'c> FieldCodes<'c> {
    pub(crate) fn new<C: Chunk>(chunk: &'c C, field: &Field) -> Result<Self, ObserveError> {
        let cursor = FieldCursor::new(chunk, field)?;
        let codes = cursor.columns.iter().map(|column| {
            let cells = column.cells;
            let shared = matches!(cells.level, Level::Trace | Level::Resource | Level::Scope);
            ColumnCodes {
                by_owner: vec![UNKNOWN; if shared { cells.owners as usize } else { 0 }],
                by_string: Vec::new(),
                by_text: HashMap::default(),
                by_bits: HashMap::default(),
                lists: UNKNOWN,
            }
        });
        let nothing = cursor.without.clone().unwrap_or(Static::Nil);
        Ok(Self {
            codes: codes.collect(),
            cursor,
            values: vec![nothing],
        })
    }

    /// The value of a code.
    pub(crate) fn value(&self, code: u32) -> &Static {
        self.values.get(code as usize).unwrap_or(&Static::Nil)
    }

    /// How many codes there are so far.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The code of a span's value.
    #[inline]
    pub(crate) fn code(&mut self, at: Place, selection: &Selection) -> u32 {
        for column in 0..self.codes.len() {
            let cells = self.cursor.columns[column].cells;
            let code = match self.cursor.shared_owner(cells.level, at) {
                Some(owner) => match self.codes[column].by_owner.get(owner as usize) {
                    Some(&code) if code != UNKNOWN => code,
                    _ => self.code_of_owner(column, owner),
                },
                None => match self.cursor.cell(column, at, selection) {
                    Some(cell) => self.codes[column].code(cells, cell, &mut self.values),
                    None => NO_VALUE,
                },
            };
            if code != NO_VALUE {
                return code;
            }
        }
        NO_VALUE
    }

    /// The code of the value that an owner of a shared level has in one of the field's columns.
    pub(crate) fn code_of_owner(&mut self, column: usize, owner: u32) -> u32 {
        let cursor = &mut self.cursor.columns[column];
        let code = match cursor.cell(owner) {
            Some(cell) => self.codes[column].code(cursor.cells, cell, &mut self.values),
            None => NO_VALUE,
        };
        if let Some(known) = self.codes[column].by_owner.get_mut(owner as usize) {
            *known = code;
        }
        code
    }
}

impl<'c> ColumnCodes<'c> {
    #[inline]
    fn code(&mut self, cells: &'c Cells, cell: usize, values: &mut Vec<Static>) -> u32 {
        let kind = cells.kind(cell);
        let bits = cells.bits.get(cell).copied().unwrap_or(0);
        let code = match kind {
            CellKind::Nil => return NO_VALUE,
            CellKind::String if cells.strings.is_dictionary() => {
                if self.by_string.is_empty() {
                    self.by_string = vec![UNKNOWN; cells.strings.len()];
                }
                match self.by_string.get_mut(bits as usize) {
                    Some(code) => code,
                    None => return NO_VALUE,
                }
            }
            CellKind::String => {
                let text = cells.strings.get(bits);
                self.by_text.entry(text).or_insert(UNKNOWN)
            }
            CellKind::StringArray
            | CellKind::IntArray
            | CellKind::FloatArray
            | CellKind::BoolArray => &mut self.lists,
            CellKind::Int
            | CellKind::Float
            | CellKind::Bool
            | CellKind::Duration
            | CellKind::Status
            | CellKind::Kind
            | CellKind::SpanId => self.by_bits.entry((kind, bits)).or_insert(UNKNOWN),
        };
        if *code == UNKNOWN {
            let cells = Some(cells);
            let value = ValueAt { kind, bits, cells }.to_static();
            *code = values.len() as u32;
            values.push(label_value(value));
        }
        *code
    }
}

/// The number of a group that is not counted, since there are too many.
pub(crate) const IGNORED: u32 = u32::MAX - 1;

/// Finds the group of a span.
pub(crate) struct Grouper<'c> {
    fields: Vec<FieldCodes<'c>>,
    /// By code, with one field or none.
    single: Vec<u32>,
    /// By codes, with several.
    several: HashMap<[u32; MAX_BY], u32, RandomState>,
    last: ([u32; MAX_BY], u32),
    has_own_label: bool,
}

impl<'c> Grouper<'c> {
    /// `has_own_label`: see `GroupKey`.
    pub(crate) fn new<C: Chunk>(
        chunk: &'c C,
        by: &[Field],
        has_own_label: bool,
    ) -> Result<Self, ObserveError> {
        let fields = by.iter().map(|field| FieldCodes::new(chunk, field));
        Ok(Self {
            fields: fields.collect::<Result<_, _>>()?,
            single: Vec::new(),
            several: HashMap::default(),
            last: ([UNKNOWN; MAX_BY], UNKNOWN),
            has_own_label,
        })
    }

    /// The number of the span's group in `groups`, which gets it if it is new; `IGNORED` if that is full.
    #[inline]
    pub(crate) fn group(&mut self, at: Place, selection: &Selection, groups: &mut Groups) -> u32 {
        let mut codes = [NO_VALUE; MAX_BY];
        for (code, field) in codes.iter_mut().zip(&mut self.fields) {
            *code = field.code(at, selection);
        }
        if self.fields.len() > 1 {
            if codes == self.last.0 {
                return self.last.1;
            }
            let known = self.several.get(&codes).copied();
            let group = known.unwrap_or_else(|| {
                let group = groups.number_of(self.key(&codes));
                self.several.insert(codes, group);
                group
            });
            self.last = (codes, group);
            return group;
        }
        let code = codes[0] as usize;
        match self.single.get(code) {
            Some(&group) if group != UNKNOWN => group,
            _ => {
                let group = groups.number_of(self.key(&codes));
                if self.single.len() <= code {
                    self.single.resize(code + 1, UNKNOWN);
                }
                self.single[code] = group;
                group
            }
        }
    }

    fn key(&self, codes: &[u32; MAX_BY]) -> GroupKey {
        let values = self.fields.iter().zip(codes);
        let values = values.map(|(field, &code)| field.value(code).clone());
        GroupKey::new(values, self.has_own_label)
    }
}
