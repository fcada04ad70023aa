//! The tree of a trace as nested sets (block-format.md §3.6).

/// OTLP's kinds that tell two spans of one id apart.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

const NONE: u32 = u32::MAX;

/// Place of a span in the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nested {
    pub left: i32,
    pub right: i32,
    /// Left of the parent; -1 for roots, 0 for what no root reaches.
    pub parent: i32,
    /// Direct children, also of what no root reaches.
    pub children: i32,
}

/// What the tree depends on besides ids.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    /// Big-endian; 0: none.
    pub parent_id: u64,
    /// OTLP's number.
    pub kind: i32,
}

/// The tree of one trace at a time. Keeps its memory, so that it is used again for the next trace.
#[derive(Debug, Default)]
pub struct NestedSets {
    nodes: Vec<Nested>,
    links: Vec<Links>,
}

/// Places.
#[derive(Clone, Copy, Debug)]
struct Links {
    parent: u32,
    first_child: u32,
    next_sibling: u32,
}

impl NestedSets {
    /// By place, as computed last.
    pub fn nodes(&self) -> &[Nested] {
        &self.nodes
    }

    /// The tree of a trace whose spans lie at places from 0 on; children are numbered in the order of places. `by_id` has the
    /// big-endian id and place of each, sorted; `child` tells about the span at a place. By place.
    pub fn compute(&mut self, by_id: &[(u64, u32)], child: impl Fn(u32) -> Child) -> &[Nested] {
        let count = by_id.len();
        self.nodes.clear();
        self.nodes.resize(count, Nested::default());
        let is_crowded = |same: &[(u64, u32)]| same[0].0 == same[2].0;
        if by_id.windows(3).any(is_crowded) {
            return &self.nodes;
        }
        self.links.clear();
        let mut roots = false;
        for place in 0..count as u32 {
            let Child { parent_id, kind } = child(place);
            let is_root = parent_id == 0;
            roots |= is_root;
            let parent = if is_root {
                NONE
            } else {
                find(by_id, parent_id, kind, &child)
            };
            self.links.push(Links {
                parent,
                first_child: NONE,
                next_sibling: NONE,
            });
            self.nodes[self.links.len() - 1].parent = if is_root { -1 } else { 0 };
        }
        if roots {
            self.number();
        }
        &self.nodes
    }

    /// Numbers the trees of all roots.
    fn number(&mut self) {
        let count = self.nodes.len();
        // From the last to the first, so that children stand in the order of places.
        for place in (0..count).rev() {
            let parent = self.links[place].parent;
            if parent != NONE {
                let parent = parent as usize;
                self.links[place].next_sibling = self.links[parent].first_child;
                self.links[parent].first_child = place as u32;
                self.nodes[parent].children += 1;
            }
        }
        let mut counter = 1;
        for place in 0..count {
            if self.nodes[place].parent == -1 {
                self.walk(place, &mut counter);
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

/// The place of the span that has the id; of two, the one that fits the child.
fn find(by_id: &[(u64, u32)], id: u64, child_kind: i32, child: &impl Fn(u32) -> Child) -> u32 {
    let first = by_id.partition_point(|entry| entry.0 < id);
    let same = by_id[first..].iter().take_while(|entry| entry.0 == id);
    let mut same = same.map(|entry| entry.1);
    match (same.next(), same.next()) {
        (None, _) => NONE,
        (Some(only), None) => only,
        (Some(one), Some(other)) => {
            let wanted = if child_kind == SERVER { CLIENT } else { SERVER };
            let fits = |place: &u32| child(*place).kind == wanted;
            [one, other].into_iter().find(fits).unwrap_or(NONE)
        }
    }
}

fn next(counter: &mut i32) -> i32 {
    let number = *counter;
    *counter = counter.wrapping_add(1);
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans by place: id, parent's id, kind.
    fn nested(spans: &[(u64, u64, i32)]) -> Vec<[i32; 4]> {
        let ids = spans.iter().map(|span| span.0);
        let mut by_id: Vec<_> = ids.zip(0..).collect();
        by_id.sort_unstable();
        let mut sets = NestedSets::default();
        // What an earlier trace left must not matter.
        sets.compute(&[(1, 0), (2, 1)], |place| Child {
            parent_id: place.into(),
            kind: 0,
        });
        let child = |place: u32| {
            let (_, parent_id, kind) = spans[place as usize];
            Child { parent_id, kind }
        };
        let nodes = sets.compute(&by_id, child);
        let numbers = |node: &Nested| [node.parent, node.left, node.right, node.children];
        nodes.iter().map(numbers).collect()
    }

    #[test]
    fn the_example_of_the_specification() {
        let spans = [(1, 0, 0), (2, 1, 0), (3, 2, 0), (4, 1, 0), (5, 9, 0)];
        let expected = [
            [-1, 1, 8, 2],
            [1, 2, 5, 1],
            [2, 3, 4, 0],
            [1, 6, 7, 0],
            [0, 0, 0, 0],
        ];
        assert_eq!(nested(&spans), expected);
    }

    #[test]
    fn several_roots_share_one_counter() {
        let spans = [(1, 0, 0), (2, 0, 0), (3, 1, 0)];
        let expected = [[-1, 1, 4, 1], [-1, 5, 6, 0], [1, 2, 3, 0]];
        assert_eq!(nested(&spans), expected);
    }

    #[test]
    fn what_no_root_reaches_has_children_only() {
        // A cycle, and a span below an orphan.
        let spans = [(1, 2, 0), (2, 1, 0), (3, 9, 0), (4, 3, 0), (5, 0, 0)];
        let expected = [
            [0, 0, 0, 1],
            [0, 0, 0, 1],
            [0, 0, 0, 1],
            [0, 0, 0, 0],
            [-1, 1, 2, 0],
        ];
        assert_eq!(nested(&spans), expected);
        assert_eq!(nested(&spans[..4]), [[0; 4]; 4]);
    }

    #[test]
    fn of_two_spans_with_one_id_the_kind_decides() {
        let client = (7, 0, CLIENT);
        // The server span is a child of the client span, which has the same id.
        let server = (7, 7, SERVER);
        let (below, orphan) = ((8, 7, CLIENT), (9, 7, SERVER));
        let expected = [[-1, 1, 8, 2], [1, 2, 5, 1], [2, 3, 4, 0], [1, 6, 7, 0]];
        assert_eq!(nested(&[client, server, below, orphan]), expected);
        // Neither of the two fits.
        let spans = [(7, 0, 1), (7, 0, 4), (8, 7, 1)];
        assert_eq!(nested(&spans)[2], [0; 4]);
        // Three of one id: no numbers at all.
        let spans = [client, server, (7, 7, 1), below];
        assert_eq!(nested(&spans), [[0; 4]; 4]);
    }
}
