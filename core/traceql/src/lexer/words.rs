//! Words and operators of the language (traceql.md §1.2).

use crate::ast::{Intrinsic, Kind, Scope, Status};
use crate::limits::{MAX_SUGGESTION_CHARS, MAX_SUGGESTION_DISTANCE};

/// Read greedily: characters are added while the result is in this list. `|` and `&` are not operators by themselves.
pub const OPERATORS: &[&str] = &[
    "=", "!=", ">", ">=", "<", "<=", "=~", "!~", "+", "-", "*", "/", "%", "^", "&&", "||", "!",
    ">>", "<<", "~", "!>", "!>>", "!<", "!<<", "&>", "&>>", "&<", "&<<", "&~", "|",
];

/// Words that may follow a colon scope, and nowhere else.
const AFTER_COLON: &[&str] = &[
    "childCount",
    "rootService",
    "id",
    "traceID",
    "spanID",
    "parentID",
    "timeSinceStart",
    "version",
];

const OTHER: &[&str] = &["true", "false", "nil", "by", "coalesce", "select", "with"];

pub const AGGREGATES: &[&str] = &["count", "avg", "max", "min", "sum"];

pub const METRICS: &[&str] = &[
    "rate",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "histogram_over_time",
    "compare",
    "topk",
    "bottomk",
];

const INTRINSICS: &[(&str, Intrinsic)] = &[
    ("duration", Intrinsic::Duration),
    ("name", Intrinsic::Name),
    ("status", Intrinsic::Status),
    ("statusMessage", Intrinsic::StatusMessage),
    ("kind", Intrinsic::Kind),
    ("rootName", Intrinsic::TraceRootName),
    ("rootServiceName", Intrinsic::TraceRootService),
    ("traceDuration", Intrinsic::TraceDuration),
    ("nestedSetLeft", Intrinsic::NestedSetLeft),
    ("nestedSetRight", Intrinsic::NestedSetRight),
    ("nestedSetParent", Intrinsic::NestedSetParent),
    ("parent", Intrinsic::Parent),
];

const SCOPED_INTRINSICS: &[(&str, &str, Intrinsic)] = &[
    ("trace", "duration", Intrinsic::TraceDuration),
    ("trace", "rootName", Intrinsic::TraceRootName),
    ("trace", "rootService", Intrinsic::TraceRootService),
    ("trace", "id", Intrinsic::TraceId),
    ("span", "duration", Intrinsic::Duration),
    ("span", "name", Intrinsic::Name),
    ("span", "kind", Intrinsic::Kind),
    ("span", "status", Intrinsic::Status),
    ("span", "statusMessage", Intrinsic::StatusMessage),
    ("span", "id", Intrinsic::SpanId),
    ("span", "parentID", Intrinsic::ParentId),
    ("span", "childCount", Intrinsic::ChildCount),
    ("event", "name", Intrinsic::EventName),
    ("event", "timeSinceStart", Intrinsic::EventTimeSinceStart),
    ("link", "traceID", Intrinsic::LinkTraceId),
    ("link", "spanID", Intrinsic::LinkSpanId),
    ("instrumentation", "name", Intrinsic::InstrumentationName),
    (
        "instrumentation",
        "version",
        Intrinsic::InstrumentationVersion,
    ),
];

const STATUSES: &[(&str, Status)] = &[
    ("error", Status::Error),
    ("ok", Status::Ok),
    ("unset", Status::Unset),
];

const KINDS: &[(&str, Kind)] = &[
    ("unspecified", Kind::Unspecified),
    ("internal", Kind::Internal),
    ("server", Kind::Server),
    ("client", Kind::Client),
    ("producer", Kind::Producer),
    ("consumer", Kind::Consumer),
];

const DOT_SCOPES: &[(&str, Scope)] = &[
    ("span", Scope::Span),
    ("resource", Scope::Resource),
    ("event", Scope::Event),
    ("link", Scope::Link),
    ("instrumentation", Scope::Instrumentation),
];

const COLON_SCOPES: &[&str] = &["trace", "span", "event", "link", "instrumentation"];

fn find<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, value)| *value)
}

/// An intrinsic that needs no scope.
pub fn intrinsic(word: &str) -> Option<Intrinsic> {
    find(INTRINSICS, word)
}

pub fn scoped_intrinsic(scope: &str, word: &str) -> Option<Intrinsic> {
    SCOPED_INTRINSICS
        .iter()
        .find(|(known, name, _)| *known == scope && *name == word)
        .map(|(_, _, intrinsic)| *intrinsic)
}

pub fn status(word: &str) -> Option<Status> {
    find(STATUSES, word)
}

pub fn kind(word: &str) -> Option<Kind> {
    find(KINDS, word)
}

/// A scope written with a dot, `parent.` aside.
pub fn dot_scope(word: &str) -> Option<Scope> {
    find(DOT_SCOPES, word)
}

/// A scope written with a colon.
pub fn colon_scope(word: &str) -> Option<&'static str> {
    COLON_SCOPES.iter().find(|known| **known == word).copied()
}

/// Words with a meaning of their own; any other word is only good as the name of a hint (or is `minInt` or `maxInt`).
pub fn is_keyword(word: &str) -> bool {
    intrinsic(word).is_some()
        || status(word).is_some()
        || kind(word).is_some()
        || [OTHER, AGGREGATES, METRICS, AFTER_COLON]
            .iter()
            .any(|words| words.contains(&word))
}

/// The known word most like an unknown one.
pub fn nearest(word: &str) -> Option<&'static str> {
    let known = (OTHER.iter().chain(AGGREGATES).chain(METRICS).copied())
        .chain(["minInt", "maxInt"])
        .chain(INTRINSICS.iter().map(|(word, _)| *word))
        .chain(STATUSES.iter().map(|(word, _)| *word))
        .chain(KINDS.iter().map(|(word, _)| *word));
    nearest_of(word, known)
}

/// The word that may follow `scope:` and is most like the one that was found there.
pub fn nearest_in_scope(scope: &str, word: &str) -> Option<&'static str> {
    let known = SCOPED_INTRINSICS
        .iter()
        .filter(|(known, _, _)| *known == scope)
        .map(|(_, word, _)| *word);
    nearest_of(word, known)
}

fn nearest_of(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if word.chars().count() > MAX_SUGGESTION_CHARS {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .map(|known| {
            let distance = strsim::osa_distance(&lower, &known.to_lowercase());
            (distance, known)
        })
        // A word that has to be changed by half is another word.
        .filter(|(distance, known)| {
            *distance <= MAX_SUGGESTION_DISTANCE && distance * 2 < known.chars().count()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}
