//! What a query reads off a span.

use std::sync::Arc;

/// Where an attribute is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// `.x`: the span's, else the resource's (traceql.md §5.4).
    Unscoped,
    Span,
    Resource,
    Event,
    Link,
    Instrumentation,
}

/// A key looked up in a scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attribute {
    pub scope: Scope,
    /// `parent.x`, `parent.span.x`, `parent.resource.x`: parsed, then refused outside metrics functions, where it reads as missing.
    pub parent: bool,
    pub key: Arc<str>,
}

/// A built-in field (traceql.md §3.1). Both spellings of a field are one intrinsic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Intrinsic {
    Duration,
    Name,
    Status,
    StatusMessage,
    Kind,
    SpanId,
    ParentId,
    ChildCount,
    /// `parent`: parsed, then refused outside metrics functions.
    Parent,
    TraceId,
    TraceDuration,
    TraceRootName,
    TraceRootService,
    EventName,
    EventTimeSinceStart,
    LinkTraceId,
    LinkSpanId,
    InstrumentationName,
    InstrumentationVersion,
    NestedSetLeft,
    NestedSetRight,
    NestedSetParent,
}

/// A reference to a value of a span.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Intrinsic(Intrinsic),
    Attribute(Attribute),
}

impl Field {
    pub fn attribute(scope: Scope, key: &str) -> Self {
        Self::Attribute(Attribute {
            scope,
            parent: false,
            key: key.into(),
        })
    }
}
