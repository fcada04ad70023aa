//! The tree of a trace as nested sets (block-format.md §3.6).

use super::gather::{Gathered, Placed};

/// OTLP's kinds that tell two spans of one id apart.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

const NONE: u32 = u32::MAX;

/// Place of a span in the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nested {
    pub(crate) left: i32,
    pub(crate) right: i32,
    /// Left of the parent; -1 for roots, 0 for what no root reaches.
    pub(crate) parent: i32,
    pub(crate) children: i32,
}

/// The tree of the current trace; used again for every trace.
#[derive(Default)]
pub(crate) struct NestedSet {
    /// In the order of the row.
    pub(crate) nodes: Vec<Nested>,
    links: Vec<Links>,
    /// Place in the row of each span.
    row_of: Vec<u32>,
}

/// Places in the row.
#[derive(Clone, Copy)]
struct Links {
    parent: u32,
    first_child: u32,
    next_sibling: u32,
}

impl NestedSet {
    /// `order` has the places of spans in the order of the row, `parent_id` the id of a span's parent, 0 for none.
    pub(crate) fn compute(
        &mut self,
        gathered: &Gathered,
        order: &[u32],
        parent_id: impl Fn(&Placed) -> u64,
    ) {
        let count = order.len();
        self.nodes.clear();
        self.nodes.resize(count, Nested::default());
        if gathered.crowded {
            return;
        }
        self.row_of.clear();
        self.row_of.resize(count, 0);
        for (row, place) in order.iter().enumerate() {
            self.row_of[*place as usize] = row as u32;
        }
        self.links.clear();
        let mut roots = false;
        for place in order {
            let span = &gathered.spans[*place as usize];
            let id = parent_id(span);
            let parent = if id == 0 {
                roots = true;
                NONE
            } else {
                self.find(gathered, id, span.kind)
            };
            self.links.push(Links {
                parent,
                first_child: NONE,
                next_sibling: NONE,
            });
            self.nodes[self.links.len() - 1].parent = if id == 0 { -1 } else { 0 };
        }
        if !roots {
            return;
        }
        // From the last to the first, so that children stand in the order of the row.
        for row in (0..count).rev() {
            let parent = self.links[row].parent;
            if parent != NONE {
                let parent = parent as usize;
                self.links[row].next_sibling = self.links[parent].first_child;
                self.links[parent].first_child = row as u32;
                self.nodes[parent].children += 1;
            }
        }
        let mut counter = 1;
        for row in 0..count {
            if self.nodes[row].parent == -1 {
                self.walk(row, &mut counter);
            }
        }
    }

    /// The row of the span that has the id; of two, the one that fits the child.
    fn find(&self, gathered: &Gathered, id: u64, child_kind: i32) -> u32 {
        let by_id = &gathered.by_id;
        let first = by_id.partition_point(|entry| entry.0 < id);
        let same = by_id[first..].iter().take_while(|entry| entry.0 == id);
        let mut same = same.map(|entry| entry.1);
        let row = |place: u32| self.row_of[place as usize];
        match (same.next(), same.next()) {
            (None, _) => NONE,
            (Some(only), None) => row(only),
            (Some(one), Some(other)) => {
                let wanted = if child_kind == SERVER { CLIENT } else { SERVER };
                let fits = |place: &u32| gathered.spans[*place as usize].kind == wanted;
                [one, other].into_iter().find(fits).map_or(NONE, row)
            }
        }
    }

    /// Numbers a root and what it reaches, depth first.
    fn walk(&mut self, root: usize, counter: &mut i32) {
        let mut at = root;
        self.nodes[at].left = next(counter);
        loop {
            let child = self.links[at].first_child;
            if child != NONE {
                let left = self.nodes[at].left;
                at = child as usize;
                self.nodes[at].parent = left;
                self.nodes[at].left = next(counter);
                continue;
            }
            // Leave this node and all above that have no more children.
            loop {
                self.nodes[at].right = next(counter);
                if at == root {
                    return;
                }
                let Links {
                    parent,
                    next_sibling,
                    ..
                } = self.links[at];
                if next_sibling != NONE {
                    let left = self.nodes[parent as usize].left;
                    at = next_sibling as usize;
                    self.nodes[at].parent = left;
                    self.nodes[at].left = next(counter);
                    break;
                }
                at = parent as usize;
            }
        }
    }
}

fn next(counter: &mut i32) -> i32 {
    let number = *counter;
    *counter = counter.wrapping_add(1);
    number
}
