//! Parents, and the numbers of nested sets (traceql.md §5.5), by walking from child to parent.

use crate::data::Trace;

/// OTLP's kinds.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

#[derive(Clone, Debug)]
pub struct Tree {
    /// By span: its parent.
    parent: Vec<Option<usize>>,
    is_root: Vec<bool>,
    /// It is a root, or a descendant of one.
    is_numbered: Vec<bool>,
    pub child_count: Vec<i64>,
    /// Left, right and parent.
    pub numbers: Vec<(i64, i64, i64)>,
}

impl Tree {
    pub fn new(trace: &Trace) -> Self {
        let spans = &trace.spans;
        let count = spans.len();
        // Spans are numbered in the order of their starts.
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|&span| (spans[span].start, spans[span].id, spans[span].kind));
        let with_id = |id| (0..count).filter(move |&other| spans[other].id == id);
        let is_root: Vec<bool> = spans.iter().map(|span| span.parent.is_none()).collect();
        let is_broken = spans.iter().any(|span| with_id(span.id).count() > 2);
        if is_broken || !is_root.contains(&true) {
            return Self {
                parent: vec![None; count],
                is_root: vec![false; count],
                is_numbered: vec![false; count],
                child_count: vec![0; count],
                numbers: vec![(0, 0, 0); count],
            };
        }
        let parent_of = |span: usize| {
            let of_id: Vec<usize> = with_id(spans[span].parent?).collect();
            match of_id[..] {
                [] => None,
                [one] => Some(one),
                _ => {
                    let wanted = match spans[span].kind {
                        SERVER => CLIENT,
                        _ => SERVER,
                    };
                    of_id.into_iter().find(|&one| spans[one].kind == wanted)
                }
            }
        };
        let parent: Vec<Option<usize>> = (0..count).map(parent_of).collect();
        let reaches_root = |span: usize| {
            let mut at = Some(span);
            for _ in 0..=count {
                match at {
                    Some(one) if is_root[one] => return true,
                    Some(one) => at = parent[one],
                    None => return false,
                }
            }
            false
        };
        let mut tree = Self {
            is_numbered: (0..count).map(reaches_root).collect(),
            child_count: (0..count)
                .map(|of| parent.iter().filter(|one| **one == Some(of)).count() as i64)
                .collect(),
            numbers: vec![(0, 0, 0); count],
            is_root,
            parent,
        };
        let mut counter = 0;
        for &root in &order {
            if tree.is_root[root] {
                tree.number(root, -1, &order, &mut counter);
            }
        }
        tree
    }

    fn number(&mut self, span: usize, parent: i64, order: &[usize], counter: &mut i64) {
        *counter += 1;
        let left = *counter;
        for &child in order {
            if self.parent[child] == Some(span) {
                self.number(child, left, order, counter);
            }
        }
        *counter += 1;
        self.numbers[span] = (left, *counter, parent);
    }

    pub fn is_numbered(&self, span: usize) -> bool {
        self.is_numbered[span]
    }

    pub fn is_child(&self, child: usize, parent: usize) -> bool {
        self.is_numbered[child] && self.parent[child] == Some(parent)
    }

    pub fn is_descendant(&self, span: usize, ancestor: usize) -> bool {
        let mut at = self.parent[span];
        let mut steps = 0;
        while let Some(one) = at {
            if one == ancestor {
                return self.is_numbered[span];
            }
            at = self.parent[one];
            steps += 1;
            if steps > self.parent.len() {
                break;
            }
        }
        false
    }

    pub fn are_siblings(&self, one: usize, other: usize) -> bool {
        let both = self.is_numbered[one] && self.is_numbered[other] && one != other;
        both && match (self.parent[one], self.parent[other]) {
            (Some(a), Some(b)) => a == b,
            (None, None) => true,
            _ => false,
        }
    }
}
