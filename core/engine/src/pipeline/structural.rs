//! Relations between spans of one trace by their nested set numbers (traceql.md §5.5, §5.6).

use vivace_traceql::{Form, Relation};

/// Numbers of all spans of a chunk, by span. Spans without numbers have zeros and stand in no relation.
pub(super) struct Numbers<'c> {
    pub left: &'c [u64],
    pub right: &'c [u64],
    pub parent: &'c [u64],
}

impl Numbers<'_> {
    fn left(&self, span: u32) -> i64 {
        number(self.left, span)
    }

    fn right(&self, span: u32) -> i64 {
        number(self.right, span)
    }

    /// The parent's left; -1 for roots.
    fn parent(&self, span: u32) -> i64 {
        number(self.parent, span)
    }
}

fn number(column: &[u64], span: u32) -> i64 {
    column
        .get(span as usize)
        .copied()
        .unwrap_or(0)
        .cast_signed()
}

/// The other side's view.
fn inverse(relation: Relation) -> Relation {
    match relation {
        Relation::Child => Relation::Parent,
        Relation::Parent => Relation::Child,
        Relation::Descendant => Relation::Ancestor,
        Relation::Ancestor => Relation::Descendant,
        Relation::Sibling => Relation::Sibling,
    }
}

/// The result of an operator; `lefts` and `rights` ascending, the result too.
pub(super) fn relate(
    numbers: &Numbers<'_>,
    relation: Relation,
    form: Form,
    lefts: &[u32],
    rights: &[u32],
) -> Vec<u32> {
    let related = |of: &[u32], to: &[u32], relation: Relation, wanted: bool| -> Vec<u32> {
        let index = Index::new(numbers, relation, to);
        let spans = of.iter().copied();
        spans
            .filter(|&span| index.has_partner(numbers, span) == wanted)
            .collect()
    };
    match form {
        Form::Plain => related(rights, lefts, relation, true),
        Form::Negated => related(rights, lefts, relation, false),
        Form::Union => {
            let mut all = related(rights, lefts, relation, true);
            all.extend(related(lefts, rights, inverse(relation), true));
            all.sort_unstable();
            all.dedup();
            all
        }
    }
}

/// What of one side the other side's spans are held against.
enum Index {
    /// Lefts of the spans, ascending.
    Parents(Vec<i64>),
    /// Parent numbers of the spans, ascending.
    Children(Vec<i64>),
    /// Lefts of the spans, ascending, and the greatest right up to each.
    Ancestors(Vec<(i64, i64)>),
    /// Lefts of the spans, ascending, and their rights.
    Descendants(Vec<(i64, i64)>),
    /// Parent numbers with their spans, ascending.
    Siblings(Vec<(i64, u32)>),
}

impl Index {
    fn new(numbers: &Numbers<'_>, relation: Relation, of: &[u32]) -> Self {
        let lefts = || {
            let all = of.iter().map(|&span| numbers.left(span));
            sorted(of.len(), all.filter(|&left| left != 0))
        };
        let pairs = || {
            let all = of
                .iter()
                .map(|&span| (numbers.left(span), numbers.right(span)));
            let known = all.filter(|&(left, right)| left != 0 && right != 0);
            sorted(of.len(), known)
        };
        match relation {
            Relation::Child => Self::Parents(lefts()),
            Relation::Parent => {
                let all = of.iter().map(|&span| numbers.parent(span));
                Self::Children(sorted(of.len(), all.filter(|&parent| parent != 0)))
            }
            Relation::Descendant => {
                let mut pairs = pairs();
                let mut greatest = 0;
                for (_, right) in &mut pairs {
                    greatest = greatest.max(*right);
                    *right = greatest;
                }
                Self::Ancestors(pairs)
            }
            Relation::Ancestor => Self::Descendants(pairs()),
            Relation::Sibling => {
                let all = of.iter().map(|&span| (numbers.parent(span), span));
                Self::Siblings(sorted(of.len(), all.filter(|&(parent, _)| parent != 0)))
            }
        }
    }

    fn has_partner(&self, numbers: &Numbers<'_>, span: u32) -> bool {
        let (left, right) = (numbers.left(span), numbers.right(span));
        match self {
            Self::Parents(lefts) => {
                let parent = numbers.parent(span);
                parent != 0 && lefts.binary_search(&parent).is_ok()
            }
            Self::Children(parents) => left != 0 && parents.binary_search(&left).is_ok(),
            Self::Ancestors(pairs) => {
                let before = pairs.partition_point(|&(other, _)| other < left);
                left != 0
                    && right != 0
                    && before
                        .checked_sub(1)
                        .and_then(|last| pairs.get(last))
                        .is_some_and(|&(_, greatest)| greatest > right)
            }
            Self::Descendants(pairs) => {
                let after = pairs.partition_point(|&(other, _)| other <= left);
                left != 0
                    && pairs
                        .get(after)
                        .is_some_and(|&(_, other_right)| other_right < right)
            }
            Self::Siblings(parents) => {
                let parent = numbers.parent(span);
                let first = parents.partition_point(|&(other, _)| other < parent);
                let same = parents.get(first..).unwrap_or_default();
                let mut same = same.iter().take_while(|&&(other, _)| other == parent);
                parent != 0 && same.any(|&(_, other)| other != span)
            }
        }
    }
}

/// At most `most` values, sorted.
fn sorted<T: Ord>(most: usize, values: impl Iterator<Item = T>) -> Vec<T> {
    let mut sorted = Vec::with_capacity(most);
    sorted.extend(values);
    sorted.sort_unstable();
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 root; 1, 2 its children; 3 child of 1; 4 child of 3; 5 has no known parent.
    const LEFT: [u64; 6] = [1, 2, 8, 3, 4, 0];
    const RIGHT: [u64; 6] = [10, 7, 9, 6, 5, 0];

    fn run(relation: Relation, form: Form, lefts: &[u32], rights: &[u32]) -> Vec<u32> {
        let root = (-1_i64).cast_unsigned();
        let numbers = Numbers {
            left: &LEFT,
            right: &RIGHT,
            parent: &[root, 1, 1, 2, 3, 0],
        };
        relate(&numbers, relation, form, lefts, rights)
    }

    const ALL: [u32; 6] = [0, 1, 2, 3, 4, 5];

    #[test]
    fn the_tree_of_the_specification() {
        use Relation::{Ancestor, Child, Descendant, Parent, Sibling};
        assert_eq!(run(Child, Form::Plain, &[0], &ALL), [1, 2]);
        assert_eq!(run(Descendant, Form::Plain, &[0], &ALL), [1, 2, 3, 4]);
        assert_eq!(run(Parent, Form::Plain, &ALL, &ALL), [0, 1, 3]);
        assert_eq!(run(Ancestor, Form::Plain, &ALL, &ALL), [0, 1, 3]);
        assert_eq!(run(Sibling, Form::Plain, &ALL, &ALL), [1, 2]);
        assert_eq!(run(Child, Form::Negated, &[5], &ALL), ALL);
        assert_eq!(run(Parent, Form::Negated, &ALL, &ALL), [2, 4, 5]);
        assert_eq!(run(Sibling, Form::Negated, &ALL, &ALL), [0, 3, 4, 5]);
        assert_eq!(run(Child, Form::Union, &[0], &ALL), [0, 1, 2]);
        assert_eq!(run(Descendant, Form::Union, &ALL, &ALL), [0, 1, 2, 3, 4]);
    }
}
