//! The nested set of a trace (block-format.md §3.6), computed once more.

use std::collections::HashMap;

/// What of a span decides its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    pub id: &'a [u8],
    pub parent: &'a [u8],
    pub kind: i64,
}

/// Where a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Placed {
    pub left: i64,
    pub right: i64,
    /// Left of the parent; -1 for roots.
    pub parent: i64,
    pub children: i64,
}

const SERVER: i64 = 2;
const CLIENT: i64 = 3;

fn key(id: &[u8]) -> [u8; 8] {
    let mut key = [0; 8];
    for (to, from) in key.iter_mut().zip(id) {
        *to = *from;
    }
    key
}

/// Where spans are when children are entered in the order of `lefts`: numbers that were given in some order are found again if they
/// describe the tree, whatever the order was.
pub(super) fn place(spans: &[Span<'_>], lefts: &[i64]) -> Vec<Placed> {
    let mut placed = vec![Placed::default(); spans.len()];
    let mut by_key: HashMap<[u8; 8], Vec<usize>> = HashMap::with_capacity(spans.len());
    for (at, span) in spans.iter().enumerate() {
        by_key.entry(key(span.id)).or_default().push(at);
    }
    let has_root = spans.iter().any(|span| span.parent.is_empty());
    if !has_root || by_key.values().any(|same| same.len() > 2) {
        return placed;
    }
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    for (at, span) in spans.iter().enumerate() {
        if span.parent.is_empty() {
            continue;
        }
        let wanted = if span.kind == SERVER { CLIENT } else { SERVER };
        let parent = match by_key.get(&key(span.parent)).map(Vec::as_slice) {
            Some([one]) => Some(*one),
            Some(two) => two.iter().copied().find(|at| spans[*at].kind == wanted),
            None => None,
        };
        if let Some(parent) = parent {
            children[parent].push(at);
        }
    }
    let left_of = |at: &usize| lefts.get(*at).copied().unwrap_or_default();
    for (placed, children) in placed.iter_mut().zip(&mut children) {
        placed.children = children.len() as i64;
        children.sort_by_key(left_of);
    }
    let mut roots: Vec<usize> = (0..spans.len())
        .filter(|at| spans[*at].parent.is_empty())
        .collect();
    roots.sort_by_key(left_of);
    let mut counter = 0;
    let mut next = || {
        counter += 1;
        counter
    };
    // A span, and how many of its children have been entered.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for root in roots {
        placed[root].left = next();
        placed[root].parent = -1;
        path.push((root, 0));
        while let Some((at, entered)) = path.last_mut() {
            let at = *at;
            match children[at].get(*entered) {
                Some(&child) => {
                    *entered += 1;
                    placed[child].left = next();
                    placed[child].parent = placed[at].left;
                    path.push((child, 0));
                }
                None => {
                    placed[at].right = next();
                    path.pop();
                }
            }
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(spans: &[(&str, &str, i64)]) -> Vec<(i64, i64, i64, i64)> {
        let spans: Vec<Span<'_>> = spans
            .iter()
            .map(|(id, parent, kind)| Span {
                id: id.as_bytes(),
                parent: parent.as_bytes(),
                kind: *kind,
            })
            .collect();
        let placed = place(&spans, &[]).into_iter();
        placed
            .map(|p| (p.parent, p.left, p.right, p.children))
            .collect()
    }

    #[test]
    fn the_example_of_the_specification() {
        let spans = [
            ("root", "", 0),
            ("c1", "root", 0),
            ("g1", "c1", 0),
            ("c2", "root", 0),
            ("orphan", "gone", 0),
        ];
        assert_eq!(
            all(&spans),
            [
                (-1, 1, 8, 2),
                (1, 2, 5, 1),
                (2, 3, 4, 0),
                (1, 6, 7, 0),
                (0, 0, 0, 0)
            ]
        );
    }

    #[test]
    fn the_order_of_children_is_free() {
        let spans = ["", "r", "r", ""].map(|parent| Span {
            id: b"r",
            parent: parent.as_bytes(),
            kind: 0,
        });
        let spans: Vec<Span<'_>> = (spans.into_iter().zip([b"r", b"a", b"b", b"s"]))
            .map(|(span, id)| Span { id, ..span })
            .collect();
        let lefts =
            |said: &[i64]| -> Vec<i64> { place(&spans, said).iter().map(|one| one.left).collect() };
        assert_eq!(lefts(&[3, 6, 4, 1]), [3, 6, 4, 1]);
        // What is no such set does not come back.
        assert_eq!(lefts(&[3, 5, 4, 1]), [3, 6, 4, 1]);
    }

    #[test]
    fn shared_ids_cycles_and_missing_roots() {
        // The server span that shares the id of its client hangs below it, and others below the server.
        let shared = [("a", "", CLIENT), ("a", "a", SERVER), ("b", "a", CLIENT)];
        assert_eq!(all(&shared), [(-1, 1, 6, 1), (1, 2, 5, 1), (2, 3, 4, 0)]);
        let cycle = [("r", "", 0), ("a", "b", 0), ("b", "a", 0)];
        assert_eq!(all(&cycle), [(-1, 1, 2, 0), (0, 0, 0, 1), (0, 0, 0, 1)]);
        let none = [("a", "b", 0), ("b", "a", 0)];
        assert_eq!(all(&none), [(0, 0, 0, 0); 2]);
        let three = [("r", "", 0), ("a", "r", 0), ("a", "r", 0), ("a", "r", 0)];
        assert_eq!(all(&three), [(0, 0, 0, 0); 4]);
    }
}
