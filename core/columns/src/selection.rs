//! Spans that were chosen.

use std::collections::HashMap;

use crate::bitmap::Bitmap;

/// Spans of a chunk, and for conditions on events or links, which of them met the conditions.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub spans: Bitmap,
    /// By span: the first event for which the filter was true; readers prefer its values. Only where the filter looks at events.
    pub event_of_span: HashMap<u32, u32>,
    /// The same for links.
    pub link_of_span: HashMap<u32, u32>,
    /// The last event for which the filter was true: answers list its values (traceql.md, accident 29).
    pub last_event_of_span: HashMap<u32, u32>,
    pub last_link_of_span: HashMap<u32, u32>,
}

impl Selection {
    pub fn of(spans: Bitmap) -> Self {
        Self {
            spans,
            ..Self::default()
        }
    }
}
