//! Filters of tag requests (traceql.md §8.4): half-typed queries are repaired, and what stays doubtful filters nothing.

mod expand;
mod repair;

use thiserror::Error;

use crate::ast::{Compare, Element, Field, Query, SpansetExpr, Static};
use crate::{parse, validate};

/// What the spans must have whose tags or values are asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum TagFilter {
    /// Nothing.
    All,
    /// All conditions of one group. Neither the groups nor any of them are empty, and no field is unscoped.
    Groups(Vec<Vec<Condition>>),
}

/// A condition on one span.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The field stands on the left: `5 < span.a` became `span.a > 5`.
    Compare {
        field: Field,
        op: Compare,
        value: Static,
    },
    Exists(Field),
    NotExists(Field),
}

impl Condition {
    pub fn field(&self) -> &Field {
        match self {
            Self::Compare { field, .. } | Self::Exists(field) | Self::NotExists(field) => field,
        }
    }
}

/// The filter has too many alternatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("maximum condition groups reached (limit: {limit}): the filter has too many alternatives")]
pub struct TooManyGroups {
    /// `max_condition_groups_per_tag_query`
    pub limit: usize,
}

/// Reads the filter of a tag request. `limit` is the most groups that it may have; an unscoped tag asks for each group twice
/// (span and resource), so for one the caller gives half.
pub fn tag_filter(text: &str, limit: usize) -> Result<TagFilter, TooManyGroups> {
    let query = match parse(text) {
        Ok(query) => query,
        Err(_) => match repair::repair(text).map(|text| parse(&text)) {
            Some(Ok(query)) => query,
            _ => return Ok(TagFilter::All),
        },
    };
    if validate(&query).is_err() {
        return Ok(TagFilter::All);
    }
    of_query(&query, limit)
}

/// Only the first stage counts, and only if it is a plain filter.
fn of_query(query: &Query, limit: usize) -> Result<TagFilter, TooManyGroups> {
    let first = query
        .search_pipeline()
        .and_then(|pipeline| pipeline.elements.first());
    match first {
        Some(Element::Spanset(SpansetExpr::Filter(expr))) => expand::expand(expr, limit),
        _ => Ok(TagFilter::All),
    }
}
