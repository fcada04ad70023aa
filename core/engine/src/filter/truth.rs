//! Three-valued answers: yes, no, unknown (a value is missing).

use vivace_columns::Bitmap;

/// Rows for which a condition is true, and those for which it is false. Rows in neither lack a value: no negation finds them
/// (traceql.md, accident 2).
#[derive(Clone, Debug)]
pub struct Truth {
    pub yes: Bitmap,
    /// None: nobody asks.
    pub no: Option<Bitmap>,
}

impl Truth {
    pub fn constant(value: bool, rows: u32, want_no: bool) -> Self {
        let (yes, no) = match value {
            true => (Bitmap::full(rows), Bitmap::empty(rows)),
            false => (Bitmap::empty(rows), Bitmap::full(rows)),
        };
        Self {
            yes,
            no: want_no.then_some(no),
        }
    }

    pub fn and(&mut self, other: &Self) {
        self.yes.and(&other.yes);
        if let (Some(no), Some(other)) = (&mut self.no, &other.no) {
            no.or(other);
        }
    }

    pub fn or(&mut self, other: &Self) {
        self.yes.or(&other.yes);
        if let (Some(no), Some(other)) = (&mut self.no, &other.no) {
            no.and(other);
        }
    }

    /// Must have been asked for both.
    pub fn negate(&mut self) {
        if let Some(no) = &mut self.no {
            std::mem::swap(no, &mut self.yes);
        }
    }
}
