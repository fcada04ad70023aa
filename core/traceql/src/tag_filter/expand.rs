//! Expression → alternatives of conditions.

use super::{Condition, TagFilter, TooManyGroups};
use crate::ast::{BinaryOp, Compare, Expr, Field, Scope};
use crate::limits::MAX_TAG_CONDITIONS;

type Groups = Vec<Vec<Condition>>;

/// Why there are no groups.
enum Stop {
    TooMany,
    /// More conditions than are worth looking at.
    Unfiltered,
}

pub fn expand(expr: &Expr, limit: usize) -> Result<TagFilter, TooManyGroups> {
    let groups = match groups(expr, limit) {
        Ok(groups) => groups,
        Err(Stop::TooMany) => return Err(TooManyGroups { limit }),
        Err(Stop::Unfiltered) => return Ok(TagFilter::All),
    };
    if groups.len() > limit {
        return Err(TooManyGroups { limit });
    }
    let unscoped = |condition: &Condition| {
        matches!(
            condition.field(),
            Field::Attribute(attribute) if attribute.scope == Scope::Unscoped
        )
    };
    // A group that asks for nothing, or for something in two places, lets everything through.
    if groups
        .iter()
        .any(|group| group.is_empty() || group.iter().any(unscoped))
    {
        return Ok(TagFilter::All);
    }
    Ok(TagFilter::Groups(groups))
}

/// At least one group; an empty one asks for nothing.
fn groups(expr: &Expr, limit: usize) -> Result<Groups, Stop> {
    match expr {
        Expr::Binary { op, left, right } => match op {
            BinaryOp::Or => {
                let mut all = groups(left, limit)?;
                all.append(&mut groups(right, limit)?);
                bounded(all, limit)
            }
            BinaryOp::And => both(groups(left, limit)?, groups(right, limit)?, limit),
            BinaryOp::Compare(op) => Ok(vec![comparison(*op, left, right)]),
            BinaryOp::Arithmetic(_) => Ok(vec![Vec::new()]),
        },
        Expr::Exists(inner) => Ok(vec![of_field(inner, Condition::Exists)]),
        Expr::NotExists(inner) => Ok(vec![of_field(inner, Condition::NotExists)]),
        // Negations pass their conditions on: completion offers too much rather than too little.
        Expr::Unary { inner, .. } => groups(inner, limit),
        Expr::Static(_) | Expr::Field(_) => Ok(vec![Vec::new()]),
    }
}

fn bounded(groups: Groups, limit: usize) -> Result<Groups, Stop> {
    if groups.len() > limit {
        return Err(Stop::TooMany);
    }
    Ok(groups)
}

fn both(mut left: Groups, mut right: Groups, limit: usize) -> Result<Groups, Stop> {
    let conditions = |groups: &Groups| groups.iter().map(Vec::len).sum::<usize>();
    if left.len().saturating_mul(right.len()) > limit {
        return Err(Stop::TooMany);
    }
    let total = conditions(&left) * right.len() + conditions(&right) * left.len();
    if total > MAX_TAG_CONDITIONS {
        return Err(Stop::Unfiltered);
    }
    if let ([_], [only]) = (&left[..], &mut right[..]) {
        left[0].append(only);
        return Ok(left);
    }
    let mut all = Vec::with_capacity(left.len() * right.len());
    for left in &left {
        for right in &right {
            all.push(left.iter().chain(right).cloned().collect());
        }
    }
    Ok(all)
}

fn of_field(expr: &Expr, make: impl FnOnce(Field) -> Condition) -> Vec<Condition> {
    match expr {
        Expr::Field(field) => vec![make(field.clone())],
        _ => Vec::new(),
    }
}

/// A field beside a literal; other comparisons ask for nothing that could be looked up.
fn comparison(op: Compare, left: &Expr, right: &Expr) -> Vec<Condition> {
    let (field, op, value) = match (left, right) {
        (Expr::Field(field), Expr::Static(value)) => (field, op, value),
        (Expr::Static(value), Expr::Field(field)) => (field, op.mirrored(), value),
        _ => return Vec::new(),
    };
    vec![Condition::Compare {
        field: field.clone(),
        op,
        value: value.clone(),
    }]
}
