//! Field expressions (traceql.md §2.1, §2.4), by operator precedence.

use super::Parser;
use crate::ast::{Arithmetic, BinaryOp, Compare, Expr, Field, Intrinsic, Static, UnaryOp};
use crate::chain::{Growing, Logic};
use crate::error::ParseError;
use crate::fold;
use crate::lexer::Token;
use crate::limits::{MAX_OPEN_PARENTHESES, MAX_REGEX_STATES};
use crate::regex::Pattern;

/// What waits for its right operand.
#[derive(Clone, Copy)]
enum Pending {
    Open,
    Unary(UnaryOp),
    Binary(BinaryOp),
    /// `nil =` or, negated, `nil !=`
    Nil {
        negated: bool,
    },
}

impl Pending {
    /// Levels of traceql.md §2.1.
    fn precedence(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Binary(BinaryOp::And | BinaryOp::Or) => 2,
            Self::Binary(BinaryOp::Compare(_)) | Self::Nil { .. } => 3,
            Self::Binary(BinaryOp::Arithmetic(Arithmetic::Add | Arithmetic::Sub))
            | Self::Unary(UnaryOp::Negate) => 4,
            Self::Unary(UnaryOp::Not) => 5,
            Self::Binary(BinaryOp::Arithmetic(Arithmetic::Power)) => 7,
            Self::Binary(BinaryOp::Arithmetic(_)) => 6,
        }
    }
}

fn operator(text: &str) -> Option<BinaryOp> {
    Some(match text {
        "&&" => BinaryOp::And,
        "||" => BinaryOp::Or,
        "=" => BinaryOp::Compare(Compare::Equal),
        "!=" => BinaryOp::Compare(Compare::NotEqual),
        "<" => BinaryOp::Compare(Compare::Less),
        "<=" => BinaryOp::Compare(Compare::LessEqual),
        ">" => BinaryOp::Compare(Compare::Greater),
        ">=" => BinaryOp::Compare(Compare::GreaterEqual),
        "=~" => BinaryOp::Compare(Compare::Regex),
        "!~" => BinaryOp::Compare(Compare::NotRegex),
        "+" => BinaryOp::Arithmetic(Arithmetic::Add),
        "-" => BinaryOp::Arithmetic(Arithmetic::Sub),
        "*" => BinaryOp::Arithmetic(Arithmetic::Mul),
        "/" => BinaryOp::Arithmetic(Arithmetic::Div),
        "%" => BinaryOp::Arithmetic(Arithmetic::Mod),
        "^" => BinaryOp::Arithmetic(Arithmetic::Power),
        _ => return None,
    })
}

/// A `Pending` and its place in the text.
type At = (Pending, usize);

#[derive(Default)]
struct Stacks {
    operands: Vec<Growing<Expr>>,
    pending: Vec<At>,
    open: usize,
}

impl Parser<'_> {
    /// Reads as far as the expression goes; what follows is the caller's.
    pub(super) fn expression(&mut self) -> Result<Growing<Expr>, ParseError> {
        let mut stacks = Stacks::default();
        loop {
            self.operand(&mut stacks)?;
            if let Some(expression) = self.after_operand(&mut stacks)? {
                return Ok(expression);
            }
        }
    }

    /// Reads signs and parentheses up to and including one operand.
    fn operand(&mut self, stacks: &mut Stacks) -> Result<(), ParseError> {
        loop {
            let at = self.start;
            match self.token {
                Token::ParenOpen => {
                    stacks.open += 1;
                    if stacks.open > MAX_OPEN_PARENTHESES {
                        return Err(self.error(
                            at,
                            format!("more than {MAX_OPEN_PARENTHESES} open parentheses"),
                        ));
                    }
                    stacks.pending.push((Pending::Open, at));
                    self.advance()?;
                }
                Token::Operator("-") => {
                    stacks.pending.push((Pending::Unary(UnaryOp::Negate), at));
                    self.advance()?;
                }
                Token::Operator("!") => {
                    stacks.pending.push((Pending::Unary(UnaryOp::Not), at));
                    self.advance()?;
                }
                Token::Word("nil") => {
                    self.advance()?;
                    if self.nil(stacks, at)? {
                        return Ok(());
                    }
                }
                _ => {
                    let expr = match self.optional_static()? {
                        Some(value) => Expr::Static(value),
                        None => match self.optional_field()? {
                            Some(field) => Expr::Field(field),
                            None => return Err(self.unexpected(
                                "an attribute (`.x`, `span.x`, …), an intrinsic, a literal or `(`",
                            )),
                        },
                    };
                    stacks.operands.push(self.leaf(expr, at)?);
                    return Ok(());
                }
            }
        }
    }

    fn leaf(&self, expr: Expr, at: usize) -> Result<Growing<Expr>, ParseError> {
        Growing::new(expr, 1).map_err(self.too_deep(at))
    }

    /// Behind a `nil`: it ends `x = nil`, and an operand with it, or starts `nil = x`.
    fn nil(&mut self, stacks: &mut Stacks, at: usize) -> Result<bool, ParseError> {
        match stacks.pending.last().map(|(pending, _)| *pending) {
            Some(Pending::Binary(BinaryOp::Compare(
                compare @ (Compare::Equal | Compare::NotEqual),
            ))) => {
                stacks.pending.pop();
                let negated = compare == Compare::NotEqual;
                self.apply(stacks, Pending::Nil { negated }, at)?;
                return Ok(true);
            }
            Some(Pending::Nil { .. }) => {
                // Neither `nil = nil` nor `nil != nil` holds.
                stacks.pending.pop();
                let never = Expr::Static(Static::Bool(false));
                stacks.operands.push(self.leaf(never, at)?);
                return Ok(true);
            }
            _ => {}
        }
        let negated = match self.token {
            Token::Operator("=") => false,
            Token::Operator("!=") => true,
            _ => return Err(self.unexpected("`=` or `!=` beside `nil`")),
        };
        stacks.pending.push((Pending::Nil { negated }, at));
        self.advance()?;
        Ok(false)
    }

    /// Reads closing parentheses and one operator. `Some` if the expression ends here.
    fn after_operand(&mut self, stacks: &mut Stacks) -> Result<Option<Growing<Expr>>, ParseError> {
        loop {
            match self.token {
                Token::ParenClose if stacks.open > 0 => {
                    self.reduce(stacks, 1, false)?;
                    stacks.pending.pop();
                    stacks.open -= 1;
                    self.advance()?;
                }
                Token::Operator(text) => {
                    let Some(op) = operator(text) else {
                        return Err(self.unexpected("an operator between fields"));
                    };
                    let pending = Pending::Binary(op);
                    let right = op == BinaryOp::Arithmetic(Arithmetic::Power);
                    self.reduce(stacks, pending.precedence(), right)?;
                    stacks.pending.push((pending, self.start));
                    self.advance()?;
                    return Ok(None);
                }
                _ if stacks.open > 0 => return Err(self.unexpected("an operator or `)`")),
                _ => {
                    self.reduce(stacks, 1, false)?;
                    return match stacks.operands.pop() {
                        Some(expression) => Ok(Some(expression)),
                        None => Err(self.unexpected("an expression")),
                    };
                }
            }
        }
    }

    /// Gives operators their right operand, of which the last stands before an operator of this precedence.
    fn reduce(
        &mut self,
        stacks: &mut Stacks,
        precedence: u8,
        right: bool,
    ) -> Result<(), ParseError> {
        while let Some((pending, at)) = stacks.pending.last().copied() {
            let binds = pending.precedence();
            if binds < precedence || (binds == precedence && right) {
                break;
            }
            stacks.pending.pop();
            self.apply(stacks, pending, at)?;
        }
        Ok(())
    }

    fn apply(
        &mut self,
        stacks: &mut Stacks,
        pending: Pending,
        at: usize,
    ) -> Result<(), ParseError> {
        let Some(right) = stacks.operands.pop() else {
            return Err(self.error(at, "operand missing"));
        };
        let result = match pending {
            Pending::Open => right,
            Pending::Unary(op) => {
                let folded = match right.peek() {
                    Some(Expr::Static(value)) => fold::unary(op, value),
                    _ => None,
                };
                self.grow(folded, right, at, |inner| Expr::Unary { op, inner })?
            }
            Pending::Nil { negated } => {
                let folded = match right.peek() {
                    Some(Expr::Static(_)) => Some(Static::Bool(negated)),
                    _ => None,
                };
                self.grow(folded, right, at, |inner| match negated {
                    true => Expr::Exists(inner),
                    false => Expr::NotExists(inner),
                })?
            }
            Pending::Binary(op) => {
                let Some(left) = stacks.operands.pop() else {
                    return Err(self.error(at, "operand missing"));
                };
                self.binary(op, left, right, at)?
            }
        };
        stacks.operands.push(result);
        Ok(())
    }

    fn grow(
        &self,
        folded: Option<Static>,
        inner: Growing<Expr>,
        at: usize,
        make: impl FnOnce(Box<Expr>) -> Expr,
    ) -> Result<Growing<Expr>, ParseError> {
        match folded {
            Some(value) => self.leaf(Expr::Static(value), at),
            None => {
                let depth = inner.depth() + 1;
                Growing::new(make(Box::new(inner.finish())), depth).map_err(self.too_deep(at))
            }
        }
    }

    /// A regular expression is worth a fold only while all of them are as cheap as one may be.
    fn may_run(&mut self, op: BinaryOp, pattern: &Static) -> bool {
        let (BinaryOp::Compare(Compare::Regex | Compare::NotRegex), Static::String(pattern)) =
            (op, pattern)
        else {
            return true;
        };
        let Ok(pattern) = Pattern::read(pattern) else {
            return false;
        };
        self.regex_states = self.regex_states.saturating_add(pattern.states());
        self.regex_states <= MAX_REGEX_STATES
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: Growing<Expr>,
        right: Growing<Expr>,
        at: usize,
    ) -> Result<Growing<Expr>, ParseError> {
        if let (Some(Expr::Static(left)), Some(Expr::Static(right))) = (left.peek(), right.peek())
            && self.may_run(op, right)
            && let Some(value) = fold::binary(op, left, right)
        {
            return self.leaf(Expr::Static(value), at);
        }
        let logic = match op {
            BinaryOp::And => Logic::And,
            BinaryOp::Or => Logic::Or,
            _ => {
                let depth = 1 + left.depth().max(right.depth());
                let (mut left, mut right) = (left.finish(), right.finish());
                if let BinaryOp::Compare(compare) = op {
                    strip_trace_id(compare, &mut left, &mut right);
                }
                let expr = Expr::Binary {
                    op,
                    left: Box::new(left),
                    right: Box::new(right),
                };
                return Growing::new(expr, depth).map_err(self.too_deep(at));
            }
        };
        Growing::join(logic, left, right).map_err(self.too_deep(at))
    }
}

/// Trace ids have no leading zeros (traceql.md §3.2), so those of a literal beside one are dropped.
fn strip_trace_id(compare: Compare, left: &mut Expr, right: &mut Expr) {
    if matches!(compare, Compare::Regex | Compare::NotRegex) {
        return;
    }
    let id = |expr: &Expr| *expr == Expr::Field(Field::Intrinsic(Intrinsic::TraceId));
    let literal = match (id(left), id(right)) {
        (true, false) => right,
        (false, true) => left,
        _ => return,
    };
    if let Expr::Static(Static::String(text)) = literal
        && text.starts_with('0')
    {
        *text = text.trim_start_matches('0').into();
    }
}
