//! Aggregates over the spans of a spanset (traceql.md §5.8).

use std::cmp::Ordering;

use crate::error::QueryError;
use crate::filter::{General, Rows};
use crate::pipeline::plan::Folding;
use crate::value::{Val, total_order};

/// None: no span has a value.
pub(super) fn fold<'c>(
    folding: Folding,
    exprs: &'c [General],
    rows: &[Rows<'c>],
    spans: &[u32],
) -> Result<Option<Val<'c>>, QueryError> {
    let values = |number: usize| {
        let (expr, rows) = (&exprs[number], &rows[number]);
        let values = spans.iter().map(move |&span| expr.value(rows, span));
        values.filter(|value| !matches!(value, Ok(value) if value.is_nil()))
    };
    Ok(match folding {
        Folding::Count => Some(Val::Int(spans.len() as i64)),
        Folding::Max(expr) => extreme(values(expr), Ordering::Greater)?,
        Folding::Min(expr) => extreme(values(expr), Ordering::Less)?,
        Folding::Sum(expr) => sum(values(expr))?.0,
        Folding::Avg(expr) => {
            let (sum, count) = sum(values(expr))?;
            sum.map(|sum| match sum {
                Val::Int(sum) => Val::Float(sum as f64 / count as f64),
                Val::Float(sum) => Val::Float(sum / count as f64),
                Val::Duration(sum) => Val::Duration(sum / count.max(1)),
                other => other,
            })
        }
    })
}

fn extreme<'c>(
    values: impl Iterator<Item = Result<Val<'c>, QueryError>>,
    wanted: Ordering,
) -> Result<Option<Val<'c>>, QueryError> {
    let mut best: Option<Val<'c>> = None;
    for value in values {
        let value = value?;
        if best.is_none_or(|best| total_order(value, best) == wanted) {
            best = Some(value);
        }
    }
    Ok(best)
}

/// The sum in the type of the first value, and the number of all values.
fn sum<'c>(
    values: impl Iterator<Item = Result<Val<'c>, QueryError>>,
) -> Result<(Option<Val<'c>>, i64), QueryError> {
    let mut sum: Option<Val<'c>> = None;
    let mut count = 0;
    for value in values {
        let value = value?;
        count += 1;
        sum = Some(match (sum, value) {
            (None, value) => value,
            (Some(Val::Int(a)), Val::Int(b)) => Val::Int(a.wrapping_add(b)),
            (Some(Val::Float(a)), Val::Float(b)) => Val::Float(a + b),
            (Some(Val::Duration(a)), Val::Duration(b)) => Val::Duration(a.wrapping_add(b)),
            (Some(sum), _) => sum,
        });
    }
    Ok((sum, count))
}
