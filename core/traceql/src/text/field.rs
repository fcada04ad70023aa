//! Attributes and intrinsics.

use std::borrow::Cow;
use std::fmt;

use crate::ast::{Attribute, Field, Intrinsic, Scope};
use crate::lexer::name::quote;

impl Intrinsic {
    /// The canonical name: the old one where there is one (`duration`), else with its scope (`span:id`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Name => "name",
            Self::Status => "status",
            Self::StatusMessage => "statusMessage",
            Self::Kind => "kind",
            Self::SpanId => "span:id",
            Self::ParentId => "span:parentID",
            Self::ChildCount => "span:childCount",
            Self::Parent => "parent",
            Self::TraceId => "trace:id",
            Self::TraceDuration => "traceDuration",
            Self::TraceRootName => "rootName",
            Self::TraceRootService => "rootServiceName",
            Self::EventName => "event:name",
            Self::EventTimeSinceStart => "event:timeSinceStart",
            Self::LinkTraceId => "link:traceID",
            Self::LinkSpanId => "link:spanID",
            Self::InstrumentationName => "instrumentation:name",
            Self::InstrumentationVersion => "instrumentation:version",
            Self::NestedSetLeft => "nestedSetLeft",
            Self::NestedSetRight => "nestedSetRight",
            Self::NestedSetParent => "nestedSetParent",
        }
    }
}

impl Scope {
    /// The word, which is empty for unscoped attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unscoped => "",
            Self::Span => "span",
            Self::Resource => "resource",
            Self::Event => "event",
            Self::Link => "link",
            Self::Instrumentation => "instrumentation",
        }
    }
}

impl Field {
    /// The key without its scope, or the canonical name of an intrinsic: what responses call the field.
    pub fn bare_key(&self) -> &str {
        match self {
            Self::Intrinsic(intrinsic) => intrinsic.name(),
            Self::Attribute(attribute) => &attribute.key,
        }
    }
}

impl fmt::Display for Intrinsic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = quote(&self.key);
        if self.parent {
            f.write_str("parent.")?;
            match self.scope {
                // A bare key would be read as a scope and a key.
                Scope::Unscoped
                    if ["span.", "resource."]
                        .iter()
                        .any(|scope| key.starts_with(scope)) =>
                {
                    key = Cow::Owned(format!("\"{}\"", key.replace('\\', "\\\\")));
                }
                Scope::Unscoped => {}
                scope => write!(f, "{}.", scope.name())?,
            }
        } else {
            write!(f, "{}.", self.scope.name())?;
        }
        f.write_str(&key)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intrinsic(intrinsic) => intrinsic.fmt(f),
            Self::Attribute(attribute) => attribute.fmt(f),
        }
    }
}
