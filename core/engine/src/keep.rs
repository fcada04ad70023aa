//! Traces that can still matter.

use vivace_columns::{Bitmap, Shape};

/// Columns are loaded for these traces only. The set never grows while a chunk is worked on, as columns are loaded once.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// None: all.
    traces: Option<Bitmap>,
    /// Whether spans that one term leaves out matter to nobody else.
    may_narrow: bool,
}

impl Keep {
    /// All traces, for good.
    pub fn all() -> Self {
        Self::default()
    }

    /// All traces, until something narrows it.
    pub fn narrowing() -> Self {
        Self {
            traces: None,
            may_narrow: true,
        }
    }

    pub fn traces(&self) -> Option<&Bitmap> {
        self.traces.as_ref()
    }

    /// Only traces of these spans from now on, if that is allowed.
    pub fn narrow(&mut self, shape: &Shape, spans: &Bitmap) {
        if self.may_narrow {
            self.traces = Some(traces_of(shape, spans));
        }
    }

    /// Only these traces from now on.
    pub fn set(&mut self, traces: Bitmap) {
        self.traces = Some(traces);
    }

    /// From now on terms may narrow it.
    pub fn allow_narrowing(&mut self) {
        self.may_narrow = true;
    }
}

/// Traces with any of the spans.
pub fn traces_of(shape: &Shape, spans: &Bitmap) -> Bitmap {
    Bitmap::from_fn(shape.traces(), |trace| spans.any_of(shape.spans_of(trace)))
}
