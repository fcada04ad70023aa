//! Spans that were chosen.

use std::collections::HashMap;

use crate::bitmap::Bitmap;
use crate::shape::Members;

/// Spans of a chunk, and for conditions on events or links, which of them met the conditions.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub spans: Bitmap,
    /// By span: the first event for which the filter was true. Only where the filter looks at events.
    pub event_of_span: HashMap<u32, u32>,
    /// The same for links.
    pub link_of_span: HashMap<u32, u32>,
}

impl Selection {
    pub fn of(spans: Bitmap) -> Self {
        Self {
            spans,
            ..Self::default()
        }
    }

    /// The event that stands for a span: the one that met the conditions, else its first.
    pub fn event(&self, events: &Members, span: u32) -> Option<u32> {
        let first = || events.of_span(span).next();
        self.event_of_span.get(&span).copied().or_else(first)
    }

    /// The link that stands for a span.
    pub fn link(&self, links: &Members, span: u32) -> Option<u32> {
        let first = || links.of_span(span).next();
        self.link_of_span.get(&span).copied().or_else(first)
    }
}
