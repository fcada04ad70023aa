//! What stands between pipes, and what operators make of two of them (traceql.md §2.3, §2.5, §2.6).

use crate::ast::{
    Arithmetic, Compare, Element, Expr, Field, Form, MathOp, MetricsExpr, MetricsFunction,
    Pipeline, Relation, ScalarExpr, ScalarFilter, SecondStage, SpansetExpr, SpansetOp, Static,
};
use crate::chain::{Growing, Logic};

/// A part of a query. Which operators it may stand beside depends on what it is, not on where it is.
pub enum Item {
    /// Int, Float or Duration.
    Constant(Static),
    /// With an aggregate in it.
    Scalar(Part<ScalarExpr>),
    ScalarFilter(Part<ScalarFilter>),
    Spanset {
        expr: Growing<SpansetExpr>,
        /// Every operand stands in parentheses, so it may stand beside a pipeline.
        apart: bool,
    },
    /// Pipelines in parentheses, combined or alone.
    Pipelines(Growing<SpansetExpr>),
    /// `({} | count())`, combined or alone.
    ScalarPipelines(Part<ScalarExpr>),
    ScalarPipelineFilter(Part<ScalarFilter>),
    By(Expr, usize),
    Coalesce,
    Select(Vec<Field>),
    /// A metrics function, which needs a pipeline before it.
    Function {
        function: MetricsFunction,
        depth: usize,
        by: Vec<Field>,
        stages: Vec<SecondStage>,
    },
    /// `topk(1) > 2`
    Second(Vec<SecondStage>),
    /// A query in parentheses, or several under arithmetic.
    Metrics(Part<MetricsExpr>),
    /// Metrics with second stages behind them, which end a query.
    Staged(Part<MetricsExpr>, Vec<SecondStage>),
}

/// A tree and its levels.
pub struct Part<T> {
    pub tree: T,
    pub depth: usize,
}

impl<T> Part<T> {
    pub fn new(tree: T, depth: usize) -> Self {
        Self { tree, depth }
    }
}

impl Item {
    pub fn depth(&self) -> usize {
        match self {
            Self::Scalar(part) | Self::ScalarPipelines(part) => part.depth,
            Self::ScalarFilter(part) | Self::ScalarPipelineFilter(part) => part.depth,
            Self::Metrics(part) | Self::Staged(part, _) => part.depth,
            Self::Spanset { expr, .. } | Self::Pipelines(expr) => expr.depth(),
            Self::Function { depth, .. } | Self::By(_, depth) => *depth,
            Self::Constant(_) | Self::Coalesce | Self::Select(_) | Self::Second(_) => 1,
        }
    }

    /// For errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant(_) => "a number",
            Self::Scalar(_) => "an aggregate",
            Self::ScalarFilter(_) => "a scalar filter",
            Self::Spanset { .. } => "a spanset filter",
            Self::Pipelines(_) => "a pipeline in parentheses",
            Self::ScalarPipelines(_) => "a scalar pipeline in parentheses",
            Self::ScalarPipelineFilter(_) => "a filter of scalar pipelines",
            Self::By(..) => "`by`",
            Self::Coalesce => "`coalesce`",
            Self::Select(_) => "`select`",
            Self::Function { .. } => "a metrics function",
            Self::Second(_) => "`topk` or `bottomk`",
            Self::Metrics(_) => "a metrics query",
            Self::Staged(..) => "a filtered metrics query",
        }
    }

    /// As a stage of a pipeline.
    pub fn into_element(self) -> Result<Element, Box<Self>> {
        Ok(match self {
            Self::Spanset { expr, .. } => Element::Spanset(expr.finish()),
            Self::ScalarFilter(filter) => Element::Scalar(filter.tree),
            Self::By(expr, _) => Element::By(expr),
            Self::Coalesce => Element::Coalesce,
            Self::Select(fields) => Element::Select(fields),
            other => return Err(Box::new(other)),
        })
    }
}

/// Operators outside braces.
#[derive(Clone, Copy)]
pub enum Operator {
    Logic(Logic),
    /// With the comparison that has the same sign, if there is one.
    Structural(Relation, Form, Option<Compare>),
    Compare(Compare),
    Arithmetic(Arithmetic),
}

impl Operator {
    pub fn read(text: &str) -> Option<Self> {
        use Form::{Negated, Plain, Union};
        use Relation::{Ancestor, Child, Descendant, Parent, Sibling};
        let structural = |relation, form| Self::Structural(relation, form, None);
        Some(match text {
            "&&" => Self::Logic(Logic::And),
            "||" => Self::Logic(Logic::Or),
            ">" => Self::Structural(Child, Plain, Some(Compare::Greater)),
            "<" => Self::Structural(Parent, Plain, Some(Compare::Less)),
            ">>" => structural(Descendant, Plain),
            "<<" => structural(Ancestor, Plain),
            "~" => structural(Sibling, Plain),
            "!>" => structural(Child, Negated),
            "!>>" => structural(Descendant, Negated),
            "!<" => structural(Parent, Negated),
            "!<<" => structural(Ancestor, Negated),
            "!~" => structural(Sibling, Negated),
            "&>" => structural(Child, Union),
            "&>>" => structural(Descendant, Union),
            "&<" => structural(Parent, Union),
            "&<<" => structural(Ancestor, Union),
            "&~" => structural(Sibling, Union),
            "=" => Self::Compare(Compare::Equal),
            "!=" => Self::Compare(Compare::NotEqual),
            ">=" => Self::Compare(Compare::GreaterEqual),
            "<=" => Self::Compare(Compare::LessEqual),
            "+" => Self::Arithmetic(Arithmetic::Add),
            "-" => Self::Arithmetic(Arithmetic::Sub),
            "*" => Self::Arithmetic(Arithmetic::Mul),
            "/" => Self::Arithmetic(Arithmetic::Div),
            "%" => Self::Arithmetic(Arithmetic::Mod),
            "^" => Self::Arithmetic(Arithmetic::Power),
            _ => return None,
        })
    }

    /// Levels of traceql.md §2.1.
    pub fn precedence(self) -> u8 {
        match self {
            Self::Logic(_) => 2,
            Self::Structural(..) | Self::Compare(_) => 3,
            Self::Arithmetic(Arithmetic::Add | Arithmetic::Sub) => 4,
            Self::Arithmetic(Arithmetic::Power) => 7,
            Self::Arithmetic(_) => 6,
        }
    }
}

/// An item, and whether it stands in parentheses.
pub struct Operand {
    pub item: Item,
    pub apart: bool,
    /// Its byte in the text.
    pub at: usize,
}

/// Joins two operands; `Err` says why that is not possible.
pub fn combine(operator: Operator, left: Item, right: Item) -> Result<Item, String> {
    match operator {
        Operator::Logic(logic) => spansets(left, right, Ok(logic)),
        Operator::Structural(relation, form, compare) => match compare {
            Some(compare) if !is_spanset(&left) => comparison(compare, left, right),
            _ => spansets(left, right, Err(SpansetOp::Structural { relation, form })),
        },
        Operator::Compare(compare) => comparison(compare, left, right),
        Operator::Arithmetic(op) => arithmetic(op, left, right),
    }
}

fn is_spanset(item: &Item) -> bool {
    matches!(item, Item::Spanset { .. } | Item::Pipelines(_))
}

fn cannot(what: &str, left: &Item, right: &Item) -> String {
    format!(
        "{what} cannot stand between {} and {}",
        left.name(),
        right.name()
    )
}

fn spansets(left: Item, right: Item, op: Result<Logic, SpansetOp>) -> Result<Item, String> {
    let (left, right, pipelines, apart) = match (left, right) {
        (
            Item::Spanset {
                expr: left,
                apart: left_apart,
            },
            Item::Spanset {
                expr: right,
                apart: right_apart,
            },
        ) => (left, right, false, left_apart && right_apart),
        (Item::Pipelines(left), Item::Pipelines(right))
        | (
            Item::Pipelines(left),
            Item::Spanset {
                expr: right,
                apart: true,
            },
        )
        | (
            Item::Spanset {
                expr: left,
                apart: true,
            },
            Item::Pipelines(right),
        ) => (left, right, true, true),
        (left @ Item::Pipelines(_), right @ Item::Spanset { .. })
        | (left @ Item::Spanset { .. }, right @ Item::Pipelines(_)) => {
            let what = cannot("this operator", &left, &right);
            return Err(format!(
                "{what}: beside a pipeline every operand must be in parentheses"
            ));
        }
        (left, right) => return Err(cannot("an operator of spansets", &left, &right)),
    };
    let joined = match op {
        Ok(logic) => Growing::join(logic, left, right),
        Err(op) => {
            let depth = 1 + left.depth().max(right.depth());
            let expr = SpansetExpr::Binary {
                op,
                left: Box::new(left.finish()),
                right: Box::new(right.finish()),
            };
            Growing::new(expr, depth)
        }
    };
    let expr = joined.map_err(|_| too_deep())?;
    Ok(match pipelines {
        true => Item::Pipelines(expr),
        false => Item::Spanset { expr, apart },
    })
}

fn too_deep() -> String {
    format!("nested deeper than {} levels", crate::limits::MAX_DEPTH)
}

fn comparison(op: Compare, left: Item, right: Item) -> Result<Item, String> {
    let filter = |left: Part<ScalarExpr>, right: Part<ScalarExpr>| {
        let depth = 1 + left.depth.max(right.depth);
        let (left, right) = (left.tree, right.tree);
        Part::new(ScalarFilter { op, left, right }, depth)
    };
    Ok(match (left, right) {
        (Item::Scalar(left), Item::Scalar(right)) => Item::ScalarFilter(filter(left, right)),
        (Item::Scalar(left), Item::Constant(right)) => {
            Item::ScalarFilter(filter(left, constant(right)))
        }
        (Item::Constant(left), Item::Scalar(right)) => {
            Item::ScalarFilter(filter(constant(left), right))
        }
        (Item::ScalarPipelines(left), Item::ScalarPipelines(right)) => {
            Item::ScalarPipelineFilter(filter(left, right))
        }
        (Item::ScalarPipelines(left), Item::Constant(right)) => {
            Item::ScalarPipelineFilter(filter(left, constant(right)))
        }
        (
            Item::Function {
                function,
                depth,
                by,
                mut stages,
            },
            Item::Constant(value),
        ) => {
            stages.push(SecondStage::Filter(op, value));
            Item::Function {
                function,
                depth,
                by,
                stages,
            }
        }
        (Item::Second(mut stages), Item::Constant(value)) => {
            stages.push(SecondStage::Filter(op, value));
            Item::Second(stages)
        }
        (Item::Metrics(metrics), Item::Constant(value)) => {
            Item::Staged(metrics, vec![SecondStage::Filter(op, value)])
        }
        (Item::Staged(metrics, mut stages), Item::Constant(value)) => {
            stages.push(SecondStage::Filter(op, value));
            Item::Staged(metrics, stages)
        }
        (left, right) => return Err(cannot("a comparison", &left, &right)),
    })
}

fn constant(value: Static) -> Part<ScalarExpr> {
    Part::new(ScalarExpr::Static(value), 1)
}

fn arithmetic(op: Arithmetic, left: Item, right: Item) -> Result<Item, String> {
    Ok(match (left, right) {
        (Item::Constant(left), Item::Constant(right)) => {
            Item::Constant(fold_constants(op, &left, &right)?)
        }
        (Item::Scalar(left), Item::Scalar(right)) => Item::Scalar(scalar(op, left, right)?),
        (Item::Scalar(left), Item::Constant(right)) => {
            Item::Scalar(scalar(op, left, constant(right))?)
        }
        (Item::Constant(left), Item::Scalar(right)) => {
            Item::Scalar(scalar(op, constant(left), right)?)
        }
        (Item::ScalarPipelines(left), Item::ScalarPipelines(right)) => {
            Item::ScalarPipelines(scalar(op, left, right)?)
        }
        (Item::Metrics(left), Item::Metrics(right)) => Item::Metrics(math(op, left, right)?),
        (Item::Metrics(left), Item::Constant(right)) => {
            Item::Metrics(math(op, left, factor(right)?)?)
        }
        (Item::Constant(left), Item::Metrics(right)) => {
            Item::Metrics(math(op, factor(left)?, right)?)
        }
        (left, right) => return Err(cannot("arithmetic", &left, &right)),
    })
}

fn scalar(
    op: Arithmetic,
    left: Part<ScalarExpr>,
    right: Part<ScalarExpr>,
) -> Result<Part<ScalarExpr>, String> {
    let depth = deeper(left.depth, right.depth)?;
    let expr = ScalarExpr::Binary {
        op,
        left: Box::new(left.tree),
        right: Box::new(right.tree),
    };
    Ok(Part::new(expr, depth))
}

fn deeper(left: usize, right: usize) -> Result<usize, String> {
    let depth = 1 + left.max(right);
    if depth > crate::limits::MAX_DEPTH {
        return Err(too_deep());
    }
    Ok(depth)
}

fn factor(value: Static) -> Result<Part<MetricsExpr>, String> {
    match value {
        Static::Duration(_) => Err("no durations in arithmetic with metrics".to_owned()),
        value => Ok(Part::new(MetricsExpr::Constant(value), 1)),
    }
}

fn math(
    op: Arithmetic,
    left: Part<MetricsExpr>,
    right: Part<MetricsExpr>,
) -> Result<Part<MetricsExpr>, String> {
    let op = match op {
        Arithmetic::Add => MathOp::Add,
        Arithmetic::Sub => MathOp::Sub,
        Arithmetic::Mul => MathOp::Mul,
        Arithmetic::Div => MathOp::Div,
        Arithmetic::Mod | Arithmetic::Power => {
            return Err("metrics have `+`, `-`, `*` and `/` only".to_owned());
        }
    };
    let depth = deeper(left.depth, right.depth)?;
    let expr = MetricsExpr::Math {
        op,
        left: Box::new(left.tree),
        right: Box::new(right.tree),
    };
    Ok(Part::new(expr, depth))
}

/// Constants outside braces (traceql.md §2.5).
fn fold_constants(op: Arithmetic, left: &Static, right: &Static) -> Result<Static, String> {
    if matches!(op, Arithmetic::Mod | Arithmetic::Power) {
        return Err("numbers outside braces have `+`, `-`, `*` and `/` only".to_owned());
    }
    if matches!(left, Static::Duration(_)) || matches!(right, Static::Duration(_)) {
        return Err("no arithmetic with durations outside braces".to_owned());
    }
    crate::fold::arithmetic(op, left, right).ok_or_else(|| "division by zero".to_owned())
}

/// `-5`; of nothing but a constant.
pub fn negate(item: Item) -> Result<Item, String> {
    match item {
        Item::Constant(value) => crate::fold::unary(crate::ast::UnaryOp::Negate, &value)
            .map(Item::Constant)
            .ok_or_else(|| "`-` needs a number".to_owned()),
        other => Err(format!(
            "`-` stands before numbers only, not before {}",
            other.name()
        )),
    }
}

/// A pipeline in parentheses.
pub fn pipeline_item(pipeline: Pipeline, depth: usize) -> Result<Item, String> {
    let expr = SpansetExpr::Pipeline(Box::new(pipeline));
    match Growing::new(expr, depth + 1) {
        Ok(expr) => Ok(Item::Pipelines(expr)),
        Err(_) => Err(too_deep()),
    }
}
