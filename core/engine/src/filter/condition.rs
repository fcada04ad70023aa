//! A field compared with a literal, on whole columns.

use std::collections::HashSet;
use std::sync::Arc;

use vivace_columns::{Bitmap, CellKind, Cells, Kinds, Strings};
use vivace_traceql::regex::Matcher;
use vivace_traceql::{Compare, Field, Intrinsic, Kind, Static, Status};

use super::truth::Truth;
use crate::error::PlanError;
use crate::value::{Val, holds, of_elements, span_id_text};

/// What is compared with.
#[derive(Clone, Debug)]
pub enum Literal {
    Int(i64),
    Float(f64),
    /// Nanoseconds.
    Duration(i64),
    Text(Arc<str>),
    /// Equal to any of them.
    Texts(Arc<HashSet<Arc<str>>>),
    Bool(bool),
    Status(Status),
    Kind(Kind),
    Regex(Arc<Matcher>),
}

impl Literal {
    /// The literal that a field is compared with; None for what queries have no literals of. Trace ids are told without leading
    /// zeros, so that those of a literal are dropped (traceql.md §3.2).
    pub fn compared_with(
        field: &Field,
        op: Compare,
        value: &Static,
    ) -> Result<Option<Self>, PlanError> {
        let is_regex = matches!(op, Compare::Regex | Compare::NotRegex);
        let Static::String(text) = value else {
            return Ok(Self::of_static(value));
        };
        let text: Arc<str> = match field {
            Field::Intrinsic(Intrinsic::TraceId) => text.trim_start_matches('0').into(),
            _ => text.clone(),
        };
        Ok(Some(match is_regex {
            true => Self::Regex(Arc::new(Matcher::new(&text)?)),
            false => Self::Text(text),
        }))
    }

    fn of_static(value: &Static) -> Option<Self> {
        Some(match value {
            Static::Int(value) => Self::Int(*value),
            Static::Float(value) => Self::Float(*value),
            Static::Duration(nanos) => Self::Duration(*nanos),
            Static::String(text) => Self::Text(text.clone()),
            Static::Bool(value) => Self::Bool(*value),
            Static::Status(status) => Self::Status(*status),
            Static::Kind(kind) => Self::Kind(*kind),
            _ => return None,
        })
    }
}

/// A comparison with a literal.
#[derive(Clone, Debug)]
pub struct Test {
    pub op: Compare,
    pub literal: Literal,
    /// Numbers are compared across types. Otherwise a literal meets values of its own type only, as they lie in columns by type
    /// (traceql.md §5.3 R2, accident 27).
    pub by_value: bool,
}

/// What tests of strings of a dictionary have given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memo {
    Unknown,
    No,
    Yes,
}

/// Remembers what strings gave; only for dictionaries that are not much larger than the column.
struct Texts<'t> {
    test: &'t Test,
    strings: &'t Strings,
    memo: Vec<Memo>,
}

impl<'t> Texts<'t> {
    fn new(test: &'t Test, strings: &'t Strings) -> Self {
        let remembered = if strings.is_dictionary() {
            strings.len()
        } else {
            0
        };
        Self {
            test,
            strings,
            memo: vec![Memo::Unknown; remembered],
        }
    }

    #[inline]
    fn accepts(&mut self, number: u64) -> bool {
        let Some(memo) = self.memo.get_mut(number as usize) else {
            return self.test.accepts_text(self.strings.get(number));
        };
        if *memo == Memo::Unknown {
            let is = self.test.accepts_text(self.strings.get(number));
            *memo = if is { Memo::Yes } else { Memo::No };
        }
        *memo == Memo::Yes
    }
}

impl Test {
    /// Whether `nestedSetParent` passes for roots (-1) only.
    pub fn is_root(&self) -> bool {
        match (self.op, &self.literal) {
            (Compare::Less, Literal::Int(than)) => *than == 0,
            (Compare::Equal, Literal::Int(to)) => *to == -1,
            _ => false,
        }
    }

    /// A text of the right type.
    pub fn accepts_text(&self, text: &[u8]) -> bool {
        match (&self.literal, self.op) {
            (Literal::Text(literal), op) => holds(op, Some(text.cmp(literal.as_bytes()))),
            (Literal::Texts(texts), op) => {
                let is_one = std::str::from_utf8(text).is_ok_and(|text| texts.contains(text));
                is_one == (op == Compare::Equal)
            }
            (Literal::Regex(matcher), Compare::Regex) => matcher.is_match(text),
            (Literal::Regex(matcher), Compare::NotRegex) => !matcher.is_match(text),
            _ => false,
        }
    }

    fn accepts_int(&self, value: i64) -> bool {
        match self.literal {
            Literal::Int(literal) | Literal::Duration(literal) => {
                holds(self.op, Some(value.cmp(&literal)))
            }
            Literal::Float(literal) if self.by_value => {
                holds(self.op, (value as f64).partial_cmp(&literal))
            }
            _ => false,
        }
    }

    fn accepts_float(&self, value: f64) -> bool {
        match self.literal {
            Literal::Float(literal) => holds(self.op, value.partial_cmp(&literal)),
            Literal::Int(literal) | Literal::Duration(literal) if self.by_value => {
                holds(self.op, value.partial_cmp(&(literal as f64)))
            }
            _ => false,
        }
    }

    /// Durations are typed fields: every number compares with them.
    fn accepts_duration(&self, nanos: i64) -> bool {
        match self.literal {
            Literal::Float(literal) => holds(self.op, (nanos as f64).partial_cmp(&literal)),
            _ => self.accepts_int(nanos),
        }
    }

    fn accepts_scalar(&self, value: Val<'_>) -> bool {
        let is_equality = matches!(self.op, Compare::Equal | Compare::NotEqual);
        match (value, &self.literal) {
            (Val::Text(text), _) => self.accepts_text(text),
            (Val::SpanId(id), _) => self.accepts_text(&span_id_text(id)),
            (Val::Int(value), _) => self.accepts_int(value),
            (Val::Float(value), _) => self.accepts_float(value),
            (Val::Duration(nanos), _) => self.accepts_duration(nanos),
            (Val::Bool(value), Literal::Bool(literal)) if is_equality => {
                holds(self.op, Some(value.cmp(literal)))
            }
            (Val::Status(value), Literal::Status(literal)) if is_equality => {
                holds(self.op, Some(value.cmp(literal)))
            }
            (Val::Kind(value), Literal::Kind(literal)) if is_equality => {
                holds(self.op, Some(value.cmp(literal)))
            }
            _ => false,
        }
    }

    /// Whether elements of the array are of a type that the literal meets at all.
    fn meets(&self, value: Val<'_>) -> bool {
        match (value, &self.literal) {
            (Val::Text(_), Literal::Text(_) | Literal::Texts(_) | Literal::Regex(_)) => true,
            (Val::Bool(_), Literal::Bool(_)) => true,
            (Val::Int(_), Literal::Int(_) | Literal::Duration(_)) => true,
            (Val::Float(_), Literal::Float(_)) => true,
            (Val::Int(_) | Val::Float(_), literal) => {
                self.by_value
                    && matches!(
                        literal,
                        Literal::Int(_) | Literal::Float(_) | Literal::Duration(_)
                    )
            }
            _ => false,
        }
    }

    /// Whether a value passes; nil never does.
    pub fn accepts(&self, value: Val<'_>) -> bool {
        match value {
            Val::Array(array) => {
                array.iter().next().is_some_and(|first| self.meets(first))
                    && of_elements(self.op, array, |one| self.accepts_scalar(one))
            }
            scalar => self.accepts_scalar(scalar),
        }
    }

    /// Whether one element of an array passes on its own.
    pub fn accepts_element(&self, value: Val<'_>) -> bool {
        self.accepts_scalar(value)
    }

    /// By owner of the column: whether its value passes, or is there and does not.
    pub fn over(&self, cells: &Cells, want_no: bool) -> Truth {
        let yes = self.passing(cells);
        let no = want_no.then(|| {
            let mut no = present(cells);
            no.subtract(&yes);
            no
        });
        Truth { yes, no }
    }

    fn passing(&self, cells: &Cells) -> Bitmap {
        match &cells.kinds {
            Kinds::All(CellKind::Nil) => Bitmap::empty(cells.owners),
            Kinds::All(CellKind::String) => {
                let mut texts = Texts::new(self, &cells.strings);
                scan(cells, |bits| texts.accepts(bits))
            }
            Kinds::All(CellKind::Int) => scan(cells, |bits| self.accepts_int(bits.cast_signed())),
            Kinds::All(CellKind::Float) => {
                scan(cells, |bits| self.accepts_float(f64::from_bits(bits)))
            }
            Kinds::All(CellKind::Duration) => {
                scan(cells, |bits| self.accepts_duration(bits.cast_signed()))
            }
            Kinds::All(kind @ (CellKind::Status | CellKind::Kind | CellKind::Bool)) => {
                scan(cells, |bits| {
                    self.accepts_scalar(Val::of_cell(cells, *kind, bits))
                })
            }
            _ => {
                let mut texts = Texts::new(self, &cells.strings);
                scan_cells(cells, |kind, bits| match kind {
                    CellKind::String => texts.accepts(bits),
                    kind => self.accepts(Val::of_cell(cells, kind, bits)),
                })
            }
        }
    }
}

/// Owners with a value.
pub fn present(cells: &Cells) -> Bitmap {
    match (&cells.kinds, &cells.at) {
        (Kinds::All(CellKind::Nil), _) => Bitmap::empty(cells.owners),
        (Kinds::All(_), None) => Bitmap::full(cells.owners),
        _ => scan_cells(cells, |kind, _| kind != CellKind::Nil),
    }
}

#[inline]
fn scan(cells: &Cells, mut is: impl FnMut(u64) -> bool) -> Bitmap {
    match &cells.at {
        None => Bitmap::from_fn(cells.owners, |owner| {
            cells.bits.get(owner as usize).is_some_and(|&bits| is(bits))
        }),
        Some(at) => {
            let mut set = Bitmap::empty(cells.owners);
            for (&owner, &bits) in at.iter().zip(&cells.bits) {
                if is(bits) {
                    set.insert(owner);
                }
            }
            set
        }
    }
}

#[inline]
fn scan_cells(cells: &Cells, mut is: impl FnMut(CellKind, u64) -> bool) -> Bitmap {
    let mut set = Bitmap::empty(cells.owners);
    for (cell, &bits) in cells.bits.iter().enumerate() {
        if is(cells.kind(cell), bits) {
            set.insert(cells.owner(cell));
        }
    }
    set
}
