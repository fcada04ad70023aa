//! How many spans a span stands for.

use vivace_columns::{CellKind, Cells, Chunk, Column};

use crate::observe::ObserveError;
use crate::sampling::spans_for;

/// Weights by trace state, each distinct one of a dictionary parsed once.
pub(crate) struct Weights<'c> {
    /// None: every span counts once.
    states: Option<&'c Cells>,
    /// By number of the string; NaN: not parsed yet.
    by_string: Vec<f64>,
    factor: f64,
}

impl<'c> Weights<'c> {
    /// `factor` multiplies all of them.
    pub(crate) fn new<C: Chunk>(
        chunk: &'c C,
        extrapolates: bool,
        factor: f64,
    ) -> Result<Self, ObserveError> {
        let column = Column::TraceState;
        let states = match extrapolates {
            false => None,
            true => match chunk.cells(&column) {
                Some(cells) => Some(cells),
                None => return Err(ObserveError::NotLoaded { column }),
            },
        };
        let known = |cells: &Cells| match cells.strings.is_dictionary() {
            true => cells.strings.len(),
            false => 0,
        };
        Ok(Self {
            by_string: vec![f64::NAN; states.map_or(0, known)],
            states,
            factor,
        })
    }

    #[inline]
    pub(crate) fn of(&mut self, span: u32) -> f64 {
        match self.states {
            None => self.factor,
            Some(cells) => self.extrapolated(cells, span),
        }
    }

    fn extrapolated(&mut self, cells: &Cells, span: u32) -> f64 {
        let (kind, bits) = cells.get(span);
        if kind != CellKind::String {
            return self.factor;
        }
        match self.by_string.get_mut(bits as usize) {
            Some(known) if !known.is_nan() => *known * self.factor,
            Some(unknown) => {
                *unknown = spans_for(cells.strings.get(bits));
                *unknown * self.factor
            }
            None => spans_for(cells.strings.get(bits)) * self.factor,
        }
    }
}
