//! Names and values of tags (http-api.md §7, traceql.md §8).

use std::sync::Arc;

use vivace_block::WellKnown;
use vivace_traceql::{Condition, Field, Intrinsic, Scope, TagFilter, TooManyGroups, tag_filter};

use super::numbers::uint_param;
use super::time::{Asked, Bounds, Window, asked, complete};
use super::{BadParameter, Pairs, value};
use crate::jobs::{TagScope, TagValue};

/// What is asked about tags, by URL or by stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawTags {
    /// Of names only.
    pub scope: String,
    /// The name whose values are asked for.
    pub name: String,
    pub query: String,
    pub time: Asked,
    /// 0: none.
    pub limit: u32,
    /// 0: off.
    pub stale: u32,
}

/// Which names an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// None: of every scope.
    pub scope: Option<TagScope>,
    /// Whether names are looked for in spans.
    pub of_data: bool,
    /// Whether the fixed list of intrinsics is wanted.
    pub intrinsics: bool,
}

/// A question about tags that can run.
#[derive(Clone, Debug)]
pub struct TagsPlan {
    /// OR of ANDs.
    pub filter: Option<Arc<Vec<Vec<Condition>>>>,
    pub window: Window,
    pub limit: u32,
    pub stale: u32,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Names(Names),
    /// Found in spans.
    Values(Field),
    /// Known without looking.
    Fixed(Vec<TagValue>),
}

impl RawTags {
    /// Reads the parameters of the tag endpoints; `name` is the variable of the path.
    pub fn from_pairs(query: &Pairs, name: &str) -> Result<Self, BadParameter> {
        Ok(Self {
            scope: value(query, "scope").unwrap_or_default().to_owned(),
            name: name.to_owned(),
            query: value(query, "q").unwrap_or_default().to_owned(),
            time: asked(query)?,
            limit: uint_param(query, "limit")?.unwrap_or(0),
            stale: uint_param(query, "maxStaleValues")?.unwrap_or(0),
        })
    }
}

/// Names. `v1` has no filter, and intrinsics only when they are asked for.
pub fn plan_names(
    raw: &RawTags,
    v1: bool,
    max_groups: u32,
    bounds: Bounds,
) -> Result<TagsPlan, BadParameter> {
    let everything = Names {
        scope: None,
        of_data: true,
        intrinsics: !v1,
    };
    let only = |scope| Names {
        scope: Some(scope),
        of_data: true,
        intrinsics: false,
    };
    let names = match raw.scope.as_str() {
        "" | "none" => everything,
        "resource" => only(TagScope::Resource),
        "span" => only(TagScope::Span),
        "event" => only(TagScope::Event),
        "link" => only(TagScope::Link),
        "instrumentation" => only(TagScope::Instrumentation),
        "intrinsic" => Names {
            of_data: false,
            intrinsics: true,
            ..everything
        },
        "trace" => Names {
            of_data: false,
            intrinsics: false,
            ..everything
        },
        other => return Err(BadParameter(format!("invalid scope: {other}"))),
    };
    let filter = if v1 {
        None
    } else {
        filter(raw, max_groups, false)?
    };
    plan(raw, filter, What::Names(names), bounds)
}

/// Values. In `v1` names are plain keys, besides some old ones of intrinsics, and there is no filter.
pub fn plan_values(
    raw: &RawTags,
    v1: bool,
    max_groups: u32,
    bounds: Bounds,
) -> Result<TagsPlan, BadParameter> {
    if v1 {
        return plan(raw, None, of_plain_name(&raw.name), bounds);
    }
    let field = Field::parse(&raw.name).map_err(|error| {
        BadParameter(format!(
            "please provide a valid tagName: failed to parse identifier {}: {error}",
            raw.name
        ))
    })?;
    let unscoped = matches!(&field, Field::Attribute(tag) if tag.scope == Scope::Unscoped);
    let filter = filter(raw, max_groups, unscoped)?;
    let what = match fixed(&field, filter.is_some()) {
        Some(values) => What::Fixed(values),
        None => What::Values(field),
    };
    plan(raw, filter, what, bounds)
}

fn plan(
    raw: &RawTags,
    filter: Option<Arc<Vec<Vec<Condition>>>>,
    what: What,
    bounds: Bounds,
) -> Result<TagsPlan, BadParameter> {
    Ok(TagsPlan {
        filter,
        window: complete(raw.time, bounds)?,
        limit: raw.limit,
        stale: raw.stale,
        what,
    })
}

/// Groups count twice (`doubled`) for a tag that is looked for in two scopes.
fn filter(
    raw: &RawTags,
    max_groups: u32,
    doubled: bool,
) -> Result<Option<Arc<Vec<Vec<Condition>>>>, BadParameter> {
    if raw.query.trim().is_empty() {
        return Ok(None);
    }
    let limit = max_groups as usize;
    let allowed = if doubled { limit / 2 } else { limit };
    match tag_filter(&raw.query, allowed) {
        Ok(TagFilter::Groups(groups)) => Ok(Some(Arc::new(groups))),
        Ok(TagFilter::All) => Ok(None),
        Err(_) => Err(BadParameter(TooManyGroups { limit }.to_string())),
    }
}

fn keywords(words: &[&str]) -> Vec<TagValue> {
    words
        .iter()
        .map(|word| ("keyword", (*word).into()))
        .collect()
}

const STATUSES: [&str; 3] = ["error", "ok", "unset"];
const KINDS: [&str; 6] = [
    "client",
    "consumer",
    "internal",
    "producer",
    "server",
    "unspecified",
];

/// Values that need no look at spans (traceql.md §8.3): the same whatever the data, or useless to list.
fn fixed(field: &Field, filtered: bool) -> Option<Vec<TagValue>> {
    let Field::Intrinsic(intrinsic) = field else {
        return None;
    };
    match intrinsic {
        Intrinsic::Status if !filtered => Some(keywords(&STATUSES)),
        Intrinsic::Kind if !filtered => Some(keywords(&KINDS)),
        Intrinsic::Duration | Intrinsic::TraceDuration | Intrinsic::EventTimeSinceStart => {
            (!filtered).then(Vec::new)
        }
        Intrinsic::SpanId
        | Intrinsic::ParentId
        | Intrinsic::TraceId
        | Intrinsic::LinkSpanId
        | Intrinsic::LinkTraceId
        | Intrinsic::ChildCount
        | Intrinsic::Parent
        | Intrinsic::NestedSetLeft
        | Intrinsic::NestedSetRight
        | Intrinsic::NestedSetParent => Some(Vec::new()),
        _ => None,
    }
}

fn of_plain_name(name: &str) -> What {
    match name {
        "name" => What::Values(Field::Intrinsic(Intrinsic::Name)),
        "root.name" => What::Values(Field::Intrinsic(Intrinsic::TraceRootName)),
        "root.service.name" => What::Values(Field::Intrinsic(Intrinsic::TraceRootService)),
        "status.code" => What::Fixed(keywords(&STATUSES)),
        "error" => What::Fixed(keywords(&["true"])),
        // Attributes that blocks have always had columns for are looked up there only.
        key => {
            let is_known = |known: &WellKnown| known.attribute() == key;
            let scope = match key {
                _ if WellKnown::OF_RESOURCE.iter().any(is_known) => Scope::Resource,
                _ if WellKnown::OF_SPAN.iter().any(is_known) => Scope::Span,
                _ => Scope::Unscoped,
            };
            What::Values(Field::attribute(scope, key))
        }
    }
}
