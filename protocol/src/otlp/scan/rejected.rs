//! Spans that are not stored, and why.

use super::limits::MAX_NAME_IN_MESSAGE;
use super::locate;
use super::wire::{Range, Reader};

/// Why a span is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    TraceId {
        bytes: u32,
    },
    SpanId {
        bytes: u32,
    },
    ParentSpanId {
        bytes: u32,
    },
    /// An AnyValue of a kind that is not OTLP's, or not for traces; a reference to a dictionary of profiles.
    Unsupported,
    TooDeep,
    TooLarge,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use vivace_model::limits::MAX_VALUE_DEPTH;
        match self {
            Self::TraceId { bytes } => {
                write!(
                    f,
                    "trace ids must be 128 bit, received {} bits",
                    u64::from(*bytes) * 8
                )
            }
            Self::SpanId { bytes } => write!(
                f,
                "span ids must be 64 bit and not all zero, received {} bits",
                u64::from(*bytes) * 8
            ),
            Self::ParentSpanId { bytes } => write!(
                f,
                "parent span ids must be 64 bit or empty, received {} bits",
                u64::from(*bytes) * 8
            ),
            Self::Unsupported => f.write_str("an attribute has a value of an unknown kind"),
            Self::TooDeep => {
                write!(
                    f,
                    "an attribute value is nested more than {MAX_VALUE_DEPTH} levels deep"
                )
            }
            Self::TooLarge => f.write_str("the span is too large"),
        }
    }
}

/// Spans that were not stored, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Not 16 bytes, or all zero.
    pub invalid_trace_id: u64,
    /// Not 8 bytes, or all zero; or a parent's id that is neither 8 bytes nor empty.
    pub invalid_span_id: u64,
    /// An attribute (of the span, its events, links, resource or scope) has a value of an unknown kind.
    pub unsupported_value: u64,
    /// An attribute value has too many levels.
    pub value_too_deep: u64,
    /// No batch can hold the span.
    pub span_too_large: u64,
    /// Why the first of these in the request was rejected, and which one it is. Empty when there are none.
    pub first_message: String,
}

impl Rejected {
    pub fn total(&self) -> u64 {
        self.reasons().iter().map(|reason| reason.1).sum()
    }

    /// Counts by the label values of `tempo_discarded_spans_total`.
    pub fn reasons(&self) -> [(&'static str, u64); 5] {
        [
            ("invalid_trace_id", self.invalid_trace_id),
            ("invalid_span_id", self.invalid_span_id),
            ("unsupported_value", self.unsupported_value),
            ("value_too_deep", self.value_too_deep),
            ("span_too_large", self.span_too_large),
        ]
    }
}

/// Counts, and remembers the first in the order of the request.
#[derive(Default)]
pub(super) struct Rejections {
    counts: Rejected,
    first: Option<(Range, Reason)>,
}

impl Rejections {
    pub(super) fn add(&mut self, span: Range, reason: Reason) {
        *match reason {
            Reason::TraceId { .. } => &mut self.counts.invalid_trace_id,
            Reason::SpanId { .. } | Reason::ParentSpanId { .. } => &mut self.counts.invalid_span_id,
            Reason::Unsupported => &mut self.counts.unsupported_value,
            Reason::TooDeep => &mut self.counts.value_too_deep,
            Reason::TooLarge => &mut self.counts.span_too_large,
        } += 1;
        if self.first.is_none_or(|(first, _)| span.start < first.start) {
            self.first = Some((span, reason));
        }
    }

    pub(super) fn finish(self, request: &[u8]) -> Rejected {
        let mut rejected = self.counts;
        if let Some((span, reason)) = self.first {
            // The byte before the span's own belongs to its field, and to no field inside.
            let path = locate::path(request, (span.start as usize).saturating_sub(1));
            rejected.first_message = format!("{reason} (span {:?}, {path})", name(request, span));
        }
        rejected
    }
}

/// The name of a span, shortened.
fn name(request: &[u8], span: Range) -> String {
    let mut fields = Reader::range(request, span);
    let mut name = &[][..];
    while let Ok(Some(key)) = fields.key() {
        let value = if key == 0x2a {
            fields.payload().map(|payload| name = payload)
        } else {
            fields.skip_value(key)
        };
        if value.is_err() {
            break;
        }
    }
    let text = String::from_utf8_lossy(&name[..name.len().min(4 * MAX_NAME_IN_MESSAGE)]);
    text.chars().take(MAX_NAME_IN_MESSAGE).collect()
}
