//! What a leaf means, whatever its path in a format is.

use crate::WellKnown;
use crate::dedicated::Slot;

/// Whose generic attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttributeOwner {
    Resource,
    Scope,
    Span,
    Event,
    Link,
}

/// A leaf of a generic attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttributeLeaf {
    Key,
    IsArray,
    /// `Value`
    String,
    /// `ValueInt`
    Int,
    /// `ValueDouble`
    Double,
    /// `ValueBool`
    Bool,
    /// `ValueUnsupported`: JSON of what fits none of the others.
    Unsupported,
}

/// The meaning of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    TraceId,
    TraceIdText,
    TraceStartUnixNano,
    TraceEndUnixNano,
    TraceDurationNano,
    RootServiceName,
    RootSpanName,
    StatsServiceName,
    StatsSpanCount,
    StatsErrorCount,
    ResourceDroppedAttributes,
    /// A leaf that one attribute always has; in version 5 `service.name` only.
    WellKnown(WellKnown),
    ScopeName,
    ScopeVersion,
    ScopeDroppedAttributes,
    /// `ss.SpanCount`, version 5.
    ScopeSpanCount,
    SpanId,
    ParentSpanId,
    /// Nested set: left of the parent, -1 for roots, 0 for what hangs nowhere.
    ParentId,
    NestedSetLeft,
    NestedSetRight,
    /// Version 5.
    ChildCount,
    SpanName,
    Kind,
    TraceState,
    SpanStartUnixNano,
    SpanDurationNano,
    StatusCode,
    StatusMessage,
    SpanDroppedAttributes,
    DroppedEvents,
    DroppedLinks,
    /// Version 5; of 15, 60, 300 or 3600 seconds.
    StartTimeRounded(u32),
    EventTimeSinceStartNano,
    EventName,
    EventDroppedAttributes,
    LinkTraceId,
    LinkSpanId,
    LinkTraceState,
    LinkDroppedAttributes,
    Attribute(AttributeOwner, AttributeLeaf),
    Dedicated(Slot),
}
