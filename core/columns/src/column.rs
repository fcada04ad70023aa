//! What can be asked of a chunk.

use vivace_traceql::{Attribute, Field, Intrinsic, Scope};

/// Who owns a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Resource,
    /// Instrumentation scope.
    Scope,
    Span,
    Event,
    Link,
}

/// A column of one level. Unscoped attributes are two: the span's and the resource's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    Intrinsic(Intrinsic),
    /// Level is never `Trace`.
    Attribute(Level, std::sync::Arc<str>),
    /// Start of spans: Int cells, unix nanoseconds as the bits of a u64.
    SpanStart,
    /// Earliest start of a trace's spans, like `SpanStart`.
    TraceStart,
    /// Latest end, like `SpanStart`.
    TraceEnd,
    /// W3C trace state of spans: String cells.
    TraceState,
}

impl Column {
    pub fn level(&self) -> Level {
        match self {
            Self::Intrinsic(intrinsic) => level_of(*intrinsic),
            Self::Attribute(level, _) => *level,
            Self::SpanStart | Self::TraceState => Level::Span,
            Self::TraceStart | Self::TraceEnd => Level::Trace,
        }
    }

    /// The columns that a field reads, in the order in which a value is looked for. Empty for `parent` and its attributes, which
    /// nothing has.
    pub fn of_field(field: &Field) -> Vec<Self> {
        match field {
            Field::Intrinsic(Intrinsic::Parent) => Vec::new(),
            Field::Intrinsic(intrinsic) => Vec::from([Self::Intrinsic(*intrinsic)]),
            Field::Attribute(attribute) if attribute.parent => Vec::new(),
            Field::Attribute(Attribute { scope, key, .. }) => {
                let levels: &[Level] = match scope {
                    Scope::Unscoped => &[Level::Span, Level::Resource],
                    Scope::Span => &[Level::Span],
                    Scope::Resource => &[Level::Resource],
                    Scope::Event => &[Level::Event],
                    Scope::Link => &[Level::Link],
                    Scope::Instrumentation => &[Level::Scope],
                };
                let column = |&level| Self::Attribute(level, key.clone());
                levels.iter().map(column).collect()
            }
        }
    }
}

fn level_of(intrinsic: Intrinsic) -> Level {
    match intrinsic {
        Intrinsic::TraceId
        | Intrinsic::TraceDuration
        | Intrinsic::TraceRootName
        | Intrinsic::TraceRootService => Level::Trace,
        Intrinsic::InstrumentationName | Intrinsic::InstrumentationVersion => Level::Scope,
        Intrinsic::EventName | Intrinsic::EventTimeSinceStart => Level::Event,
        Intrinsic::LinkTraceId | Intrinsic::LinkSpanId => Level::Link,
        Intrinsic::Duration
        | Intrinsic::Name
        | Intrinsic::Status
        | Intrinsic::StatusMessage
        | Intrinsic::Kind
        | Intrinsic::SpanId
        | Intrinsic::ParentId
        | Intrinsic::ChildCount
        | Intrinsic::Parent
        | Intrinsic::NestedSetLeft
        | Intrinsic::NestedSetRight
        | Intrinsic::NestedSetParent => Level::Span,
    }
}
