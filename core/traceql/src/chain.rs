//! Long chains of `&&` or `||`.
//!
//! Both are associative, so a chain of more than `MAX_LEFT_CHAIN` terms under one of them is kept as a balanced tree:
//! ten thousand terms are then 14 levels, and whoever walks the tree may recurse. Up to that many terms a chain keeps the
//! shape that was written. The canonical text of a long chain is that of the left-deep one.

use std::collections::VecDeque;

use crate::ast::{BinaryOp, Expr, SpansetExpr, SpansetOp};
use crate::limits::{MAX_DEPTH, MAX_LEFT_CHAIN};

/// The operators that chains are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    And,
    Or,
}

/// A tree that `&&` and `||` join.
pub trait Joined: Sized {
    fn join(logic: Logic, left: Self, right: Self) -> Self;
    /// The operands, if this is what `join` made.
    fn split(self, logic: Logic) -> Result<(Self, Self), Self>;
    fn operands(&self, logic: Logic) -> Option<(&Self, &Self)>;
}

impl Joined for Expr {
    fn join(logic: Logic, left: Self, right: Self) -> Self {
        Self::Binary {
            op: logic.into(),
            left: Box::new(left),
            right: Box::new(right),
        }
    }

    fn split(self, logic: Logic) -> Result<(Self, Self), Self> {
        match self {
            Self::Binary { op, left, right } if op == logic.into() => Ok((*left, *right)),
            other => Err(other),
        }
    }

    fn operands(&self, logic: Logic) -> Option<(&Self, &Self)> {
        match self {
            Self::Binary { op, left, right } if *op == logic.into() => Some((left, right)),
            _ => None,
        }
    }
}

impl Joined for SpansetExpr {
    fn join(logic: Logic, left: Self, right: Self) -> Self {
        Self::Binary {
            op: logic.into(),
            left: Box::new(left),
            right: Box::new(right),
        }
    }

    fn split(self, logic: Logic) -> Result<(Self, Self), Self> {
        match self {
            Self::Binary { op, left, right } if op == logic.into() => Ok((*left, *right)),
            other => Err(other),
        }
    }

    fn operands(&self, logic: Logic) -> Option<(&Self, &Self)> {
        match self {
            Self::Binary { op, left, right } if *op == logic.into() => Some((left, right)),
            _ => None,
        }
    }
}

impl From<Logic> for BinaryOp {
    fn from(logic: Logic) -> Self {
        match logic {
            Logic::And => Self::And,
            Logic::Or => Self::Or,
        }
    }
}

impl From<Logic> for SpansetOp {
    fn from(logic: Logic) -> Self {
        match logic {
            Logic::And => Self::And,
            Logic::Or => Self::Or,
        }
    }
}

/// The terms of a chain that is too long to have kept its shape; `None` for every other tree.
pub fn long_chain<T: Joined>(tree: &T, logic: Logic) -> Option<Vec<&T>> {
    let mut terms = Vec::new();
    let mut open = vec![tree];
    while let Some(tree) = open.pop() {
        match tree.operands(logic) {
            Some((left, right)) => {
                open.push(right);
                open.push(left);
            }
            None => terms.push(tree),
        }
    }
    (terms.len() > MAX_LEFT_CHAIN).then_some(terms)
}

/// The tree would have more than `MAX_DEPTH` levels.
#[derive(Debug)]
pub struct TooDeep;

/// A tree while it is parsed.
pub struct Growing<T> {
    shape: Shape<T>,
    depth: usize,
}

enum Shape<T> {
    /// With the chain at its root, if there is one.
    Kept(T, Option<Chain>),
    /// More terms than a chain may have to keep its shape.
    Long {
        chain: Chain,
        first: T,
        rest: VecDeque<T>,
    },
}

#[derive(Clone, Copy)]
struct Chain {
    logic: Logic,
    terms: usize,
    /// Levels of the deepest term.
    deepest: usize,
}

impl<T: Joined> Growing<T> {
    /// A tree of `depth` levels.
    pub fn new(tree: T, depth: usize) -> Result<Self, TooDeep> {
        if depth > MAX_DEPTH {
            return Err(TooDeep);
        }
        Ok(Self {
            shape: Shape::Kept(tree, None),
            depth,
        })
    }

    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The tree, unless it is a chain that was not built yet (which no caller that only looks for leaves cares about).
    pub fn peek(&self) -> Option<&T> {
        match &self.shape {
            Shape::Kept(tree, _) => Some(tree),
            Shape::Long { .. } => None,
        }
    }

    pub fn finish(self) -> T {
        match self.shape {
            Shape::Kept(tree, _) => tree,
            Shape::Long { chain, first, rest } => balanced(chain.logic, first, rest.into()),
        }
    }

    fn chain(&self, logic: Logic) -> Chain {
        let of_shape = match &self.shape {
            Shape::Kept(_, chain) => *chain,
            Shape::Long { chain, .. } => Some(*chain),
        };
        of_shape
            .filter(|chain| chain.logic == logic)
            .unwrap_or(Chain {
                logic,
                terms: 1,
                deepest: self.depth,
            })
    }

    pub fn join(logic: Logic, left: Self, right: Self) -> Result<Self, TooDeep> {
        let (of_left, of_right) = (left.chain(logic), right.chain(logic));
        let chain = Chain {
            logic,
            terms: of_left.terms + of_right.terms,
            deepest: of_left.deepest.max(of_right.deepest),
        };
        let depth = if chain.terms <= MAX_LEFT_CHAIN {
            1 + left.depth.max(right.depth)
        } else {
            chain.deepest + chain.terms.next_power_of_two().ilog2() as usize
        };
        if depth > MAX_DEPTH {
            return Err(TooDeep);
        }
        let shape = if chain.terms <= MAX_LEFT_CHAIN {
            Shape::Kept(T::join(logic, left.finish(), right.finish()), Some(chain))
        } else {
            let (first, mut rest) = left.terms(logic);
            let (middle, mut more) = right.terms(logic);
            // The shorter side moves, so that chains which grow on either end take linear time.
            if rest.len() >= more.len() {
                rest.push_back(middle);
                rest.append(&mut more);
            } else {
                more.push_front(middle);
                while let Some(term) = rest.pop_back() {
                    more.push_front(term);
                }
                rest = more;
            }
            Shape::Long { chain, first, rest }
        };
        Ok(Self { shape, depth })
    }

    /// The terms of the chain under `logic`, of which every other tree is the only one.
    fn terms(self, logic: Logic) -> (T, VecDeque<T>) {
        let tree = match self.shape {
            Shape::Long { chain, first, rest } if chain.logic == logic => return (first, rest),
            shape => Self { shape, ..self }.finish(),
        };
        // The right operands, of which the last is met first.
        let mut open = Vec::new();
        let mut first = tree;
        loop {
            match first.split(logic) {
                Ok((left, right)) => {
                    open.push(right);
                    first = left;
                }
                Err(term) => {
                    first = term;
                    break;
                }
            }
        }
        let mut rest = VecDeque::new();
        while let Some(tree) = open.pop() {
            match tree.split(logic) {
                Ok((left, right)) => {
                    open.push(right);
                    open.push(left);
                }
                Err(term) => rest.push_back(term),
            }
        }
        (first, rest)
    }
}

/// Neighbours are joined, level by level.
fn balanced<T: Joined>(logic: Logic, mut first: T, mut rest: Vec<T>) -> T {
    while !rest.is_empty() {
        let mut level = Vec::with_capacity(rest.len() / 2);
        let mut terms = rest.into_iter();
        if let Some(second) = terms.next() {
            first = T::join(logic, first, second);
        }
        while let Some(left) = terms.next() {
            level.push(match terms.next() {
                Some(right) => T::join(logic, left, right),
                None => left,
            });
        }
        rest = level;
    }
    first
}
