//! What `with(...)` asks for (traceql.md §2.7).
//!
//! A hint whose literal has the wrong type counts as absent; of several the first with the right type wins. Ratios out of range
//! are ignored (accident 16 of traceql.md).

use crate::ast::{Hint, Query, Static};

/// The hints of a query.
#[derive(Clone, Copy, Debug)]
pub struct Hints<'a> {
    hints: &'a [Hint],
    allow_unsafe: bool,
}

/// How many exemplars are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exemplars {
    /// `exemplars=false`, or 0
    None,
    /// At most so many, instead of what the request asks for; still capped by the server.
    AtMost(u64),
}

/// How spans are sampled to answer faster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// `sample=true`
    Adaptive,
    /// Between 0 and 1, both excluded.
    Ratio(f64),
}

impl Query {
    /// `allow_unsafe` is the tenant's `unsafe_query_hints`.
    pub fn typed_hints(&self, allow_unsafe: bool) -> Hints<'_> {
        Hints {
            hints: &self.hints,
            allow_unsafe,
        }
    }
}

impl<'a> Hints<'a> {
    fn first<T>(&self, name: &str, read: impl Fn(&'a Static) -> Option<T>) -> Option<T> {
        self.hints
            .iter()
            .filter(|hint| &*hint.name == name)
            .find_map(|hint| read(&hint.value))
    }

    fn first_unsafe<T>(&self, name: &str, read: impl Fn(&'a Static) -> Option<T>) -> Option<T> {
        if !self.allow_unsafe {
            return None;
        }
        self.first(name, read)
    }

    /// Newest traces instead of any.
    pub fn most_recent(&self) -> bool {
        self.first("most_recent", boolean).unwrap_or(false)
    }

    /// `None`: as the request says.
    pub fn exemplars(&self) -> Option<Exemplars> {
        self.first("exemplars", |value| match value {
            Static::Bool(true) => Some(None),
            Static::Bool(false) => Some(Some(Exemplars::None)),
            Static::Int(count) => Some(Some(match u64::try_from(*count) {
                Ok(count) if count > 0 => Exemplars::AtMost(count),
                _ => Exemplars::None,
            })),
            _ => None,
        })?
    }

    pub fn sample(&self) -> Option<Sample> {
        self.first("sample", |value| match value {
            Static::Bool(true) => Some(Some(Sample::Adaptive)),
            Static::Bool(false) => Some(None),
            value => number(value).map(|value| ratio(value).map(Sample::Ratio)),
        })?
    }

    /// Share of spans to look at, between 0 and 1, both excluded.
    pub fn span_sample(&self) -> Option<f64> {
        self.first("span_sample", number).and_then(ratio)
    }

    /// Share of traces to look at, between 0 and 1, both excluded.
    pub fn trace_sample(&self) -> Option<f64> {
        self.first("trace_sample", number).and_then(ratio)
    }

    /// Spans are weighted by the sampling probability in their tracestate.
    pub fn extrapolate(&self) -> bool {
        self.first("extrapolate", boolean).unwrap_or(false)
    }

    /// Bytes of a block that one job reads. Unsafe.
    pub fn job_size(&self) -> Option<i64> {
        self.first_unsafe("job_size", integer)
    }

    /// Unsafe.
    pub fn concurrent_blocks(&self) -> Option<i64> {
        self.first_unsafe("concurrent_blocks", integer)
    }

    /// Share of a block's time range, 0 to 1. Unsafe.
    pub fn time_overlap_cutoff(&self) -> Option<f64> {
        self.first_unsafe("time_overlap_cutoff", number)
            .filter(|value| (0.0..=1.0).contains(value))
    }

    /// Unsafe.
    pub fn spanonly_fetch(&self) -> Option<bool> {
        self.first_unsafe("spanonly_fetch", boolean)
    }

    /// Names of rewrites, or `all`. Unsafe.
    pub fn skip_ast_transformations(&self) -> impl Iterator<Item = &'a str> {
        let names = self.first_unsafe("skip_ast_transformations", |value| match value {
            Static::String(names) => Some(&**names),
            _ => None,
        });
        names
            .into_iter()
            .flat_map(|names| names.split(','))
            .map(str::trim)
            .filter(|name| !name.is_empty())
    }

    /// Unsafe.
    pub fn debug(&self) -> bool {
        self.first_unsafe("debug", boolean).unwrap_or(false)
    }

    /// Unsafe.
    pub fn info(&self) -> bool {
        self.first_unsafe("info", boolean).unwrap_or(false)
    }
}

fn boolean(value: &Static) -> Option<bool> {
    match value {
        Static::Bool(value) => Some(*value),
        _ => None,
    }
}

fn integer(value: &Static) -> Option<i64> {
    match value {
        Static::Int(value) => Some(*value),
        _ => None,
    }
}

/// Floats may be written as integers.
fn number(value: &Static) -> Option<f64> {
    match value {
        Static::Int(value) => Some(*value as f64),
        Static::Float(value) => Some(*value),
        _ => None,
    }
}

fn ratio(value: f64) -> Option<f64> {
    (value > 0.0 && value < 1.0).then_some(value)
}
