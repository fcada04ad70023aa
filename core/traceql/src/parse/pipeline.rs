//! Everything outside braces (traceql.md §2.2, §2.3): by operator precedence, with a frame for each open parenthesis.

use super::Parser;
use super::combine::{Item, Operand, Operator, Part, combine, negate, pipeline_item};
use crate::ast::{
    Aggregate, Body, Element, Expr, MetricsExpr, MetricsQuery, Pipeline, ScalarExpr, SecondStage,
    SpansetExpr, Static,
};
use crate::chain::Growing;
use crate::error::ParseError;
use crate::lexer::{Token, words};
use crate::limits::{MAX_DEPTH, MAX_OPEN_PARENTHESES};

const FIRST: &str = "`{`, `(`, `by`, `select`, an aggregate or a number";
const STAGE: &str =
    "a stage: `{`, `(`, `by`, `select`, `coalesce`, an aggregate or a metrics function";

#[derive(Clone, Copy)]
enum Pending {
    Negate,
    Binary(Operator),
}

/// What is read between two parentheses.
struct Frame {
    /// The byte of the parenthesis.
    open: usize,
    /// Finished stages.
    stages: Vec<Operand>,
    operands: Vec<Operand>,
    pending: Vec<(Pending, usize)>,
}

impl Frame {
    fn new(open: usize) -> Self {
        Self {
            open,
            stages: Vec::new(),
            operands: Vec::new(),
            pending: Vec::new(),
        }
    }
}

impl Parser<'_> {
    /// A query without its hints.
    pub(super) fn body(&mut self) -> Result<Body, ParseError> {
        let mut outer: Vec<Frame> = Vec::new();
        let mut frame = Frame::new(self.start);
        loop {
            // An operand is due.
            match self.token {
                Token::ParenOpen => {
                    if outer.len() >= MAX_OPEN_PARENTHESES {
                        return Err(self.error(
                            self.start,
                            format!("more than {MAX_OPEN_PARENTHESES} open parentheses"),
                        ));
                    }
                    outer.push(std::mem::replace(&mut frame, Frame::new(self.start)));
                    self.advance()?;
                    continue;
                }
                Token::Operator("-") => {
                    frame.pending.push((Pending::Negate, self.start));
                    self.advance()?;
                    continue;
                }
                _ => {
                    let at = self.start;
                    let item = self.item(frame.stages.is_empty())?;
                    frame.operands.push(Operand {
                        item,
                        apart: false,
                        at,
                    });
                }
            }
            // An operator, a pipe or an end is due.
            loop {
                match self.token {
                    Token::Operator(text) => {
                        let Some(operator) = Operator::read(text) else {
                            return Err(
                                self.unexpected("an operator between spansets, `|` or the end")
                            );
                        };
                        let right = operator.precedence() == 7;
                        self.reduce_stage(&mut frame, operator.precedence(), right)?;
                        frame.pending.push((Pending::Binary(operator), self.start));
                        self.advance()?;
                    }
                    Token::Pipe => {
                        self.end_stage(&mut frame)?;
                        self.advance()?;
                    }
                    Token::ParenClose => {
                        let Some(parent) = outer.pop() else {
                            return Err(self.unexpected("an operator, `|` or the end"));
                        };
                        self.end_stage(&mut frame)?;
                        let closed = std::mem::replace(&mut frame, parent);
                        let operand = self.close(closed)?;
                        frame.operands.push(operand);
                        self.advance()?;
                        continue;
                    }
                    _ if !outer.is_empty() => {
                        return Err(self.unexpected("an operator, `|` or `)`"));
                    }
                    _ => {
                        self.end_stage(&mut frame)?;
                        return self.finish(frame);
                    }
                }
                break;
            }
        }
    }

    /// One operand that is no parenthesis.
    fn item(&mut self, first: bool) -> Result<Item, ParseError> {
        let at = self.start;
        match self.token {
            Token::BraceOpen => {
                let (expr, depth) = self.filter()?;
                let expr = SpansetExpr::Filter(expr);
                let expr = Growing::new(expr, depth + 1).map_err(self.too_deep(at))?;
                Ok(Item::Spanset { expr, apart: false })
            }
            Token::Int(value) => {
                self.advance()?;
                Ok(Item::Constant(Static::Int(value)))
            }
            Token::Float(value) => {
                self.advance()?;
                Ok(Item::Constant(Static::Float(value)))
            }
            Token::Duration(value) => {
                self.advance()?;
                Ok(Item::Constant(Static::Duration(value)))
            }
            Token::Word("by") => {
                self.advance()?;
                let (expr, depth) = self.in_parentheses("by")?;
                Ok(Item::By(expr, depth + 1))
            }
            Token::Word("coalesce") => {
                self.advance()?;
                self.expect(&Token::ParenOpen, "`(` after `coalesce`")?;
                self.expect(&Token::ParenClose, "`)`, as `coalesce` takes nothing")?;
                Ok(Item::Coalesce)
            }
            Token::Word("select") => {
                self.advance()?;
                Ok(Item::Select(self.fields("select")?))
            }
            Token::Word(word) if words::AGGREGATES.contains(&word) => {
                let (aggregate, depth) = self.aggregate()?;
                let expr = ScalarExpr::Aggregate(aggregate);
                Ok(Item::Scalar(Part::new(expr, depth + 1)))
            }
            Token::Word(word) if words::METRICS.contains(&word) => self.metrics_stage(),
            _ => Err(self.unexpected(if first { FIRST } else { STAGE })),
        }
    }

    /// `{ … }`, and its levels.
    pub(super) fn filter(&mut self) -> Result<(Expr, usize), ParseError> {
        self.expect(&Token::BraceOpen, "a filter in braces")?;
        if self.token == Token::BraceClose {
            self.advance()?;
            return Ok((Expr::Static(Static::Bool(true)), 1));
        }
        let expr = self.expression()?;
        self.expect(&Token::BraceClose, "an operator or `}`")?;
        let depth = expr.depth();
        Ok((expr.finish(), depth))
    }

    fn in_parentheses(&mut self, of: &str) -> Result<(Expr, usize), ParseError> {
        self.expect(&Token::ParenOpen, &format!("`(` after `{of}`"))?;
        let expr = self.expression()?;
        self.expect(
            &Token::ParenClose,
            &format!("an operator or `)` after the argument of `{of}`"),
        )?;
        let depth = expr.depth();
        Ok((expr.finish(), depth))
    }

    fn aggregate(&mut self) -> Result<(Aggregate, usize), ParseError> {
        let Token::Word(word) = self.advance()? else {
            return Err(self.unexpected("an aggregate"));
        };
        if word == "count" {
            self.expect(&Token::ParenOpen, "`(` after `count`")?;
            self.expect(&Token::ParenClose, "`)`, as `count` takes nothing")?;
            return Ok((Aggregate::Count, 1));
        }
        let (expr, depth) = self.in_parentheses(word)?;
        let aggregate = match word {
            "max" => Aggregate::Max(expr),
            "min" => Aggregate::Min(expr),
            "avg" => Aggregate::Avg(expr),
            _ => Aggregate::Sum(expr),
        };
        Ok((aggregate, depth + 1))
    }

    fn reduce_stage(
        &self,
        frame: &mut Frame,
        precedence: u8,
        right: bool,
    ) -> Result<(), ParseError> {
        while let Some((pending, at)) = frame.pending.last().copied() {
            let binds = match pending {
                // The sign of a number binds tighter than anything.
                Pending::Negate => 8,
                Pending::Binary(operator) => operator.precedence(),
            };
            if binds < precedence || (binds == precedence && right) {
                break;
            }
            frame.pending.pop();
            let Some(last) = frame.operands.pop() else {
                return Err(self.error(at, "operand missing"));
            };
            let (first, item) = match pending {
                Pending::Negate => (at, negate(last.item)),
                Pending::Binary(operator) => {
                    let Some(left) = frame.operands.pop() else {
                        return Err(self.error(at, "operand missing"));
                    };
                    (left.at, combine(operator, left.item, last.item))
                }
            };
            let item = item.map_err(|why| self.error(at, why))?;
            self.check_depth(item.depth(), at)?;
            frame.operands.push(Operand {
                item,
                apart: false,
                at: first,
            });
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize, at: usize) -> Result<(), ParseError> {
        if depth > MAX_DEPTH {
            return Err(self.error(at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn end_stage(&self, frame: &mut Frame) -> Result<(), ParseError> {
        self.reduce_stage(frame, 1, false)?;
        match frame.operands.pop() {
            Some(stage) => {
                frame.stages.push(stage);
                Ok(())
            }
            None => Err(self.unexpected("an expression")),
        }
    }

    /// What a pair of parentheses is worth.
    fn close(&self, frame: Frame) -> Result<Operand, ParseError> {
        let at = frame.open;
        let whole = self.assemble(frame.stages, true)?;
        let depth = whole.depth();
        let item = match whole {
            Item::Spanset { expr, .. } => Item::Spanset { expr, apart: true },
            item @ (Item::Constant(_)
            | Item::Scalar(_)
            | Item::Pipelines(_)
            | Item::ScalarPipelines(_)
            | Item::Metrics(_)) => item,
            item @ (Item::ScalarFilter(_) | Item::By(..) | Item::Select(_)) => {
                match item.into_element() {
                    Ok(element) => {
                        let elements = vec![element];
                        pipeline_item(Pipeline { elements }, depth)
                            .map_err(|why| self.error(at, why))?
                    }
                    Err(item) => *item,
                }
            }
            other => {
                return Err(self.error(at, format!("{} cannot stand in parentheses", other.name())));
            }
        };
        self.check_depth(item.depth(), at)?;
        Ok(Operand {
            item,
            apart: true,
            at,
        })
    }

    /// Stages → one item: a pipeline, a metrics query, or the only stage.
    fn assemble(&self, stages: Vec<Operand>, in_parentheses: bool) -> Result<Item, ParseError> {
        let count = stages.len();
        let mut depth = 1;
        let mut elements: Vec<Element> = Vec::new();
        let mut stages = stages.into_iter().enumerate();
        while let Some((index, Operand { item, apart, at })) = stages.next() {
            depth = depth.max(item.depth() + 1);
            let first = index == 0;
            match item {
                Item::Coalesce if first => {
                    return Err(self.error(at, "`coalesce` cannot come first"));
                }
                Item::Function { .. } | Item::Second(_) if first => {
                    return Err(self.error(
                        at,
                        format!("{} needs a query and `|` before it", item.name()),
                    ));
                }
                item if count == 1 => return Ok(item),
                Item::Metrics(metrics) if first => {
                    let more = self.second_stages(Vec::new(), stages.map(|(_, stage)| stage))?;
                    return Ok(Item::Staged(metrics, more));
                }
                Item::Staged(metrics, given) if first => {
                    let more = self.second_stages(given, stages.map(|(_, stage)| stage))?;
                    return Ok(Item::Staged(metrics, more));
                }
                Item::Function {
                    function,
                    by,
                    stages: given,
                    ..
                } => {
                    let more = self.second_stages(given, stages.map(|(_, stage)| stage))?;
                    let query = MetricsExpr::Query(MetricsQuery {
                        pipeline: Pipeline { elements },
                        function,
                        by,
                        stages: more,
                    });
                    return Ok(Item::Metrics(Part::new(query, depth + 1)));
                }
                Item::Scalar(Part {
                    tree: ScalarExpr::Aggregate(aggregate),
                    ..
                }) if in_parentheses && !apart && index + 1 == count => {
                    let pipeline = Box::new(Pipeline { elements });
                    let expr = ScalarExpr::Pipeline(pipeline, aggregate);
                    return Ok(Item::ScalarPipelines(Part::new(expr, depth + 1)));
                }
                item => match item.into_element() {
                    Ok(element) => elements.push(element),
                    Err(item) => return Err(self.error(at, no_stage(&item, first))),
                },
            }
        }
        let pipeline = Pipeline { elements };
        let at = self.start;
        pipeline_item(pipeline, depth).map_err(|why| self.error(at, why))
    }

    fn second_stages(
        &self,
        mut all: Vec<SecondStage>,
        stages: impl Iterator<Item = Operand>,
    ) -> Result<Vec<SecondStage>, ParseError> {
        for Operand { item, at, .. } in stages {
            match item {
                Item::Second(mut more) => all.append(&mut more),
                item => {
                    return Err(self.error(
                        at,
                        format!(
                            "unexpected {} behind a metrics query; expected `topk` or `bottomk`",
                            item.name()
                        ),
                    ));
                }
            }
        }
        Ok(all)
    }

    fn finish(&self, frame: Frame) -> Result<Body, ParseError> {
        let at = frame.open;
        let item = self.assemble(frame.stages, false)?;
        let depth = item.depth();
        self.check_depth(depth, at)?;
        let elements = match item {
            Item::Pipelines(expr) => match expr.finish() {
                SpansetExpr::Pipeline(pipeline) => return Ok(Body::Spans(*pipeline)),
                expr => vec![Element::Spanset(expr)],
            },
            Item::ScalarPipelineFilter(filter) => return Ok(Body::ScalarFilter(filter.tree)),
            Item::Metrics(metrics) => return Ok(Body::Metrics(metrics.tree)),
            Item::Staged(metrics, mut stages) => {
                return Ok(Body::Metrics(match metrics.tree {
                    MetricsExpr::Query(mut query) => {
                        query.stages.append(&mut stages);
                        MetricsExpr::Query(query)
                    }
                    inner => MetricsExpr::Stages {
                        inner: Box::new(inner),
                        stages,
                    },
                }));
            }
            item => match item.into_element() {
                Ok(element) => vec![element],
                Err(item) => return Err(self.error(at, no_query(&item))),
            },
        };
        Ok(Body::Spans(Pipeline { elements }))
    }
}

fn no_query(item: &Item) -> String {
    match item {
        Item::Scalar(_) | Item::ScalarPipelines(_) => {
            "an aggregate must be compared with a number".to_owned()
        }
        other => format!("{} alone is no query", other.name()),
    }
}

fn no_stage(item: &Item, first: bool) -> String {
    match item {
        Item::Scalar(_) => "an aggregate must be compared with a number".to_owned(),
        Item::Pipelines(_) if first => "a pipeline in parentheses cannot be piped on".to_owned(),
        Item::Pipelines(_) => "a pipeline in parentheses cannot be a stage".to_owned(),
        other => format!("{} cannot be a stage of a pipeline", other.name()),
    }
}
