//! Pipelines over one trace (traceql.md §5.6 - §5.8).

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use vivace_columns::Level;
use vivace_traceql::{
    Aggregate, BinaryOp, Compare, Element, Expr, Field, Form, Pipeline, Relation, ScalarExpr,
    SpansetExpr, SpansetOp, Static,
};

use crate::expression::{Reading, evaluate, looks_at, mirrored};
use crate::fields::{Context, Members, Row};
use crate::value::{Fails, V, compare, order, same};

/// Spans by number in their trace, in the order of the chunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    pub spans: Vec<usize>,
    pub attributes: Vec<(Arc<str>, Static)>,
}

/// A condition that is handed to storage (traceql.md §5.2).
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    Compare(Compare, Static),
    Exists,
    NotExists,
}

/// Everything about a query that is the same for all traces.
pub struct Query<'q> {
    pub pipeline: &'q Pipeline,
    pub reading: Reading,
    /// By field, what the query asks of it; `select` apart.
    pub conditions: Vec<(Field, Vec<Condition>)>,
    pub selected: Vec<Field>,
    filters: Vec<&'q Expr>,
    /// Filters that get all spans of a trace.
    first: Vec<&'q Expr>,
    /// Something other than a filter gets them.
    looks_at_all: bool,
    is_structural: bool,
}

/// What is found of a query by walking over it.
#[derive(Default)]
struct Found<'q> {
    conditions: Vec<(Field, Vec<Condition>)>,
    selected: Vec<Field>,
    filters: Vec<&'q Expr>,
    first: Vec<&'q Expr>,
    looks_at_all: bool,
    is_structural: bool,
}

impl<'q> Found<'q> {
    fn add(&mut self, field: &Field, condition: Condition) {
        match self.conditions.iter_mut().find(|(known, _)| known == field) {
            Some((_, conditions)) => conditions.push(condition),
            None => self.conditions.push((field.clone(), vec![condition])),
        }
    }

    fn pipeline(&mut self, pipeline: &'q Pipeline, is_first: bool) {
        let mut gets_all = is_first;
        for element in &pipeline.elements {
            match element {
                Element::Spanset(expr) => self.set(expr, gets_all),
                Element::By(expr) => {
                    self.read(expr);
                    self.looks_at_all |= gets_all;
                }
                Element::Scalar(filter) => {
                    if let ScalarExpr::Aggregate(
                        Aggregate::Avg(expr)
                        | Aggregate::Sum(expr)
                        | Aggregate::Max(expr)
                        | Aggregate::Min(expr),
                    ) = &filter.left
                    {
                        self.read(expr);
                    }
                    self.looks_at_all |= gets_all;
                }
                Element::Coalesce => {}
                Element::Select(fields) => {
                    self.selected.extend(fields.iter().cloned());
                    continue;
                }
            }
            gets_all = false;
        }
        self.looks_at_all |= gets_all;
    }

    fn set(&mut self, expr: &'q SpansetExpr, gets_all: bool) {
        match expr {
            SpansetExpr::Filter(expr) => {
                self.condition(expr);
                self.filters.push(expr);
                if gets_all {
                    self.first.push(expr);
                }
            }
            SpansetExpr::Binary { op, left, right } => {
                self.is_structural |= matches!(op, SpansetOp::Structural { .. });
                self.set(left, gets_all);
                self.set(right, gets_all);
            }
            SpansetExpr::Pipeline(pipeline) => self.pipeline(pipeline, gets_all),
        }
    }

    fn read(&mut self, expr: &Expr) {
        expr.fields(&mut |field| self.add(field, Condition::Exists));
    }

    fn condition(&mut self, expr: &Expr) {
        match expr {
            Expr::Static(_) => {}
            Expr::Field(field) => self.add(field, Condition::Exists),
            Expr::Unary { inner, .. } => self.condition(inner),
            Expr::Exists(inner) | Expr::NotExists(inner) => match (&**inner, expr) {
                (Expr::Field(field), Expr::NotExists(_)) => self.add(field, Condition::NotExists),
                (inner, _) => self.condition(inner),
            },
            Expr::Binary { op, left, right } => match (op, &**left, &**right) {
                (BinaryOp::Compare(op), Expr::Field(field), Expr::Static(value)) => {
                    self.add(field, Condition::Compare(*op, value.clone()));
                }
                (BinaryOp::Compare(op), Expr::Static(value), Expr::Field(field)) => {
                    self.add(field, Condition::Compare(mirrored(*op), value.clone()));
                }
                (_, left, right) => {
                    self.condition(left);
                    self.condition(right);
                }
            },
        }
    }
}

/// `{}` and its like.
fn is_always(expr: &Expr) -> bool {
    match expr {
        Expr::Static(value) => *value == Static::Bool(true),
        Expr::Binary {
            op: BinaryOp::And,
            left,
            right,
        } => is_always(left) && is_always(right),
        _ => false,
    }
}

impl<'q> Query<'q> {
    pub fn new(pipeline: &'q Pipeline, dedicated: &HashSet<(Level, String)>) -> Self {
        let mut found = Found::default();
        found.pipeline(pipeline, true);
        let is_whole =
            |(_, conditions): &&(Field, Vec<Condition>)| conditions.contains(&Condition::Exists);
        let whole = found.conditions.iter().filter(is_whole);
        let whole = whole.map(|(field, _)| field);
        Self {
            pipeline,
            reading: Reading {
                whole: whole.cloned().collect(),
                dedicated: dedicated.clone(),
            },
            conditions: found.conditions,
            selected: found.selected,
            filters: found.filters,
            first: found.first,
            looks_at_all: found.looks_at_all,
            is_structural: found.is_structural,
        }
    }
}

/// An event and a link of a span.
type Pair = (Option<usize>, Option<usize>);

/// Events and links for which conditions held: the first, and the last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chosen {
    pub first: Pair,
    pub last: Pair,
}

/// A query on one trace.
pub struct Run<'a> {
    pub query: &'a Query<'a>,
    pub context: &'a Context<'a>,
    /// By span.
    pub chosen: Vec<Chosen>,
}

impl<'a> Run<'a> {
    pub fn new(query: &'a Query<'a>, context: &'a Context<'a>) -> Result<Self, Fails> {
        let count = context.trace.spans.len();
        let mut run = Self {
            query,
            context,
            chosen: vec![Chosen::default(); count],
        };
        for span in 0..count {
            let (mut event, mut link) = (false, false);
            for filter in &query.filters {
                let rows = run.rows_of(filter, span)?;
                let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
                    continue;
                };
                let looks = looks_at(filter);
                let chosen = &mut run.chosen[span];
                if looks.0 && !event && first.0.is_some() {
                    (chosen.first.0, chosen.last.0, event) = (first.0, last.0, true);
                }
                if looks.1 && !link && first.1.is_some() {
                    (chosen.first.1, chosen.last.1, link) = (first.1, last.1, true);
                }
            }
        }
        Ok(run)
    }

    /// Events and links of a span on which a filter holds.
    fn rows_of(&self, filter: &Expr, span: usize) -> Result<Vec<Pair>, Fails> {
        let looks = looks_at(filter);
        let of = &self.context.trace.spans[span];
        let numbers = |looks: bool, count: usize| match looks && count > 0 {
            true => (0..count).map(Some).collect(),
            false => vec![None],
        };
        let mut passing = Vec::new();
        for event in numbers(looks.0, of.events.len()) {
            for link in numbers(looks.1, of.links.len()) {
                let row = Row {
                    context: self.context,
                    span,
                    members: Members::One(event, link),
                };
                let value = evaluate(&self.query.reading, &row, filter)?;
                if value.truth() == Some(true) {
                    passing.push((event, link));
                }
            }
        }
        Ok(passing)
    }

    fn passes(&self, filter: &Expr, span: usize) -> Result<bool, Fails> {
        Ok(!self.rows_of(filter, span)?.is_empty())
    }

    /// Some condition of the query hits the span.
    fn is_hit(&self, span: usize) -> Result<bool, Fails> {
        for (field, conditions) in &self.query.conditions {
            // What is read whole is asked for once: that absorbs the others of its field, the wish for none among them (§5.2).
            let is_whole = conditions.contains(&Condition::Exists);
            let asked = conditions.iter();
            for condition in asked.filter(|one| !is_whole || **one == Condition::Exists) {
                let of = Box::new(Expr::Field(field.clone()));
                let one = match condition {
                    Condition::Exists => Expr::Exists(of),
                    Condition::NotExists => Expr::NotExists(of),
                    Condition::Compare(op, value) => Expr::Binary {
                        op: BinaryOp::Compare(*op),
                        left: of,
                        right: Box::new(Expr::Static(value.clone())),
                    },
                };
                if self.passes(&one, span)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// R6: what `{}` lets pass beside a structural operator.
    fn everything(&self, filter: &Expr, span: usize) -> Result<bool, Fails> {
        let is_first = self
            .query
            .first
            .iter()
            .any(|first| std::ptr::eq(*first, filter));
        if !self.query.is_structural || self.query.looks_at_all || !is_first {
            return Ok(true);
        }
        if self.context.tree.is_numbered(span) || self.is_hit(span)? {
            return Ok(true);
        }
        for first in &self.query.first {
            if !is_always(first) && self.passes(first, span)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The spansets of the trace, whose spans are given in the order of the chunk.
    pub fn sets(&self, order: &[usize]) -> Result<Vec<Set>, Fails> {
        let all = Set {
            spans: order.to_vec(),
            attributes: Vec::new(),
        };
        self.pipeline(self.query.pipeline, vec![all])
    }

    fn pipeline(&self, pipeline: &Pipeline, mut sets: Vec<Set>) -> Result<Vec<Set>, Fails> {
        for element in &pipeline.elements {
            let mut out = Vec::new();
            match element {
                Element::Select(_) => out = sets,
                Element::Coalesce => {
                    let mut all = Set::default();
                    for set in sets {
                        all.spans.extend(set.spans);
                    }
                    out.push(all);
                }
                Element::Spanset(expr) => {
                    for set in sets {
                        for found in self.set(expr, &set)? {
                            let mut attributes = set.attributes.clone();
                            attributes.extend(found.attributes);
                            out.push(Set {
                                spans: found.spans,
                                attributes,
                            });
                        }
                    }
                }
                Element::By(expr) => {
                    for set in sets {
                        self.group(expr, &set, &mut out)?;
                    }
                }
                Element::Scalar(filter) => {
                    let (ScalarExpr::Aggregate(aggregate), ScalarExpr::Static(than)) =
                        (&filter.left, &filter.right)
                    else {
                        panic!("{filter:?}");
                    };
                    for mut set in sets {
                        let Some(value) = self.aggregate(aggregate, &set.spans)? else {
                            continue;
                        };
                        let than = V::literal(than);
                        let is_number = value.number().is_some();
                        if is_number && compare(filter.op, &value, &than)? == Some(true) {
                            let name = aggregate.to_string().into();
                            set.attributes.push((name, value.to_static()));
                            out.push(set);
                        }
                    }
                }
            }
            sets = out;
            self.in_order(&mut sets);
            sets.retain(|set| !set.spans.is_empty());
            if sets.is_empty() {
                break;
            }
        }
        Ok(sets)
    }

    /// Spans have the numbers of the chunk's order.
    fn in_order(&self, sets: &mut [Set]) {
        for set in sets {
            set.spans.sort_unstable();
        }
    }

    fn read(&self, expr: &Expr, span: usize) -> Result<V, Fails> {
        let (event, link) = self.chosen[span].first;
        let row = Row {
            context: self.context,
            span,
            members: Members::Read(event, link),
        };
        evaluate(&self.query.reading, &row, expr)
    }

    fn group(&self, expr: &Expr, set: &Set, out: &mut Vec<Set>) -> Result<(), Fails> {
        let mut groups: Vec<(V, Set)> = Vec::new();
        for &span in &set.spans {
            let value = self.read(expr, span)?;
            match groups.iter_mut().find(|(known, _)| same(known, &value)) {
                Some((_, group)) => group.spans.push(span),
                None => {
                    let mut attributes = set.attributes.clone();
                    attributes.push((format!("by({expr})").into(), value.to_static()));
                    let spans = vec![span];
                    groups.push((value, Set { spans, attributes }));
                }
            }
        }
        out.extend(groups.into_iter().map(|(_, group)| group));
        Ok(())
    }

    fn aggregate(&self, aggregate: &Aggregate, spans: &[usize]) -> Result<Option<V>, Fails> {
        let expr = match aggregate {
            Aggregate::Count => return Ok(Some(V::Int(spans.len() as i64))),
            Aggregate::Max(expr)
            | Aggregate::Min(expr)
            | Aggregate::Avg(expr)
            | Aggregate::Sum(expr) => expr,
        };
        let mut values = Vec::new();
        for &span in spans {
            let value = self.read(expr, span)?;
            if !matches!(value, V::Nil) {
                values.push(value);
            }
        }
        let Some(first) = values.first().cloned() else {
            return Ok(None);
        };
        // Of equal ones the first.
        let best = |wanted: Ordering| {
            let better = |best: V, one: &V| match order(one, &best) == wanted {
                true => one.clone(),
                false => best,
            };
            values.iter().fold(first.clone(), better)
        };
        let sum = || {
            let mut sum = first.clone();
            for value in &values[1..] {
                match (&mut sum, value) {
                    (V::Int(sum), V::Int(value)) | (V::Duration(sum), V::Duration(value)) => {
                        *sum = sum.wrapping_add(*value);
                    }
                    (V::Float(sum), V::Float(value)) => *sum += value,
                    _ => {}
                }
            }
            sum
        };
        let count = values.len();
        Ok(Some(match aggregate {
            Aggregate::Max(_) => best(Ordering::Greater),
            Aggregate::Min(_) => best(Ordering::Less),
            Aggregate::Avg(_) => match sum() {
                V::Int(sum) => V::Float(sum as f64 / count as f64),
                V::Float(sum) => V::Float(sum / count as f64),
                V::Duration(sum) => V::Duration(sum / count as i64),
                other => other,
            },
            _ => sum(),
        }))
    }

    fn set(&self, expr: &SpansetExpr, input: &Set) -> Result<Vec<Set>, Fails> {
        let one = |spans: Vec<usize>| {
            let attributes = Vec::new();
            let found = Set { spans, attributes };
            match found.spans.is_empty() {
                true => Vec::new(),
                false => vec![found],
            }
        };
        Ok(match expr {
            SpansetExpr::Filter(filter) => {
                let mut spans = Vec::new();
                for &span in &input.spans {
                    let passes = match is_always(filter) {
                        true => self.everything(filter, span)?,
                        false => self.passes(filter, span)?,
                    };
                    if passes {
                        spans.push(span);
                    }
                }
                one(spans)
            }
            SpansetExpr::Pipeline(pipeline) => {
                let input = Set {
                    spans: input.spans.clone(),
                    attributes: Vec::new(),
                };
                self.pipeline(pipeline, vec![input])?
            }
            SpansetExpr::Binary { op, left, right } => {
                let (lefts, rights) = (self.set(left, input)?, self.set(right, input)?);
                let spans_of = |sets: &[Set]| -> Vec<usize> {
                    let all = sets.iter().flat_map(|set| set.spans.iter().copied());
                    all.collect()
                };
                let (left, right) = (spans_of(&lefts), spans_of(&rights));
                let is_in = |spans: &dyn Fn(usize) -> bool| -> Vec<usize> {
                    let all = input.spans.iter().copied();
                    all.filter(|&span| spans(span)).collect()
                };
                match op {
                    SpansetOp::And if left.is_empty() || right.is_empty() => Vec::new(),
                    SpansetOp::And | SpansetOp::Or => {
                        one(is_in(&|span| left.contains(&span) || right.contains(&span)))
                    }
                    SpansetOp::Structural { relation, form } => {
                        if lefts.len() > 1 || rights.len() > 1 {
                            return Err(Fails);
                        }
                        let holds = |l: usize, r: usize| self.relates(*relation, l, r);
                        let of_left = |r: usize| left.iter().any(|&l| holds(l, r));
                        let of_right = |l: usize| right.iter().any(|&r| holds(l, r));
                        one(match form {
                            Form::Plain => is_in(&|span| right.contains(&span) && of_left(span)),
                            Form::Negated => is_in(&|span| right.contains(&span) && !of_left(span)),
                            Form::Union => is_in(&|span| {
                                (right.contains(&span) && of_left(span))
                                    || (left.contains(&span) && of_right(span))
                            }),
                        })
                    }
                }
            }
        })
    }

    /// Whether the right span stands in the relation to the left one.
    fn relates(&self, relation: Relation, left: usize, right: usize) -> bool {
        let tree = &self.context.tree;
        match relation {
            Relation::Child => tree.is_child(right, left),
            Relation::Descendant => tree.is_descendant(right, left),
            Relation::Parent => tree.is_child(left, right),
            Relation::Ancestor => tree.is_descendant(left, right),
            Relation::Sibling => tree.are_siblings(left, right),
        }
    }
}
