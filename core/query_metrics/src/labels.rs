//! Labels of series: names, values and their orders (traceql.md §7.4, §2.9, §7.9).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use vivace_traceql::{Field, Static};

use crate::series::Labels;

/// The label that names the function of a query without `by`.
pub(crate) const NAME: &str = "__name__";
/// The label of a histogram's bucket.
pub(crate) const BUCKET: &str = "__bucket";
/// The label of a quantile.
pub(crate) const QUANTILE: &str = "p";
/// The label that tells the series of `compare` apart.
pub(crate) const META_TYPE: &str = "__meta_type";
/// The value of a group that has no value, and of lists.
pub(crate) const NIL: &str = "nil";

/// The canonical text of a field.
pub fn field_name(field: &Field) -> Arc<str> {
    field.to_string().into()
}

/// A value as labels show it: lists are all the text `nil`.
pub(crate) fn label_value(value: Static) -> Static {
    match value {
        Static::IntArray(_)
        | Static::FloatArray(_)
        | Static::StringArray(_)
        | Static::BoolArray(_) => Static::String(NIL.into()),
        other => other,
    }
}

/// Values of a group: labels without their names. Two groups are one if their labels are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupKey(Box<[Static]>);

impl GroupKey {
    /// `has_own_label`: the function adds a label to each of its series, so that a group without values needs none.
    pub(crate) fn new(values: impl Iterator<Item = Static>, has_own_label: bool) -> Self {
        let mut values: Box<[Static]> = values.map(label_value).collect();
        let no_value = values.iter().all(|value| *value == Static::Nil);
        if let (true, false, Some(first)) = (no_value, has_own_label, values.first_mut()) {
            *first = Static::String(NIL.into());
        }
        Self(values)
    }

    /// With the names of the fields; those without a value are left out.
    pub(crate) fn labels(&self, names: &[Arc<str>]) -> Labels {
        let pairs = names.iter().zip(&self.0);
        pairs
            .filter(|(_, value)| **value != Static::Nil)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

impl Hash for GroupKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for value in &self.0 {
            hash_value(value, state);
        }
    }
}

/// Agrees with the equality of values. Lists hash by their lengths: labels have none.
pub(crate) fn hash_value(value: &Static, state: &mut impl Hasher) {
    std::mem::discriminant(value).hash(state);
    match value {
        Static::Nil => {}
        Static::Int(number) | Static::Duration(number) => number.hash(state),
        Static::Float(number) => number.to_bits().hash(state),
        Static::String(text) => text.hash(state),
        Static::Bool(bit) => bit.hash(state),
        Static::Status(status) => status.hash(state),
        Static::Kind(kind) => kind.hash(state),
        Static::IntArray(list) => list.len().hash(state),
        Static::FloatArray(list) => list.len().hash(state),
        Static::StringArray(list) => list.len().hash(state),
        Static::BoolArray(list) => list.len().hash(state),
    }
}

/// A value with its hash, as a key of maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueKey(pub(crate) Static);

impl Hash for ValueKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_value(&self.0, state);
    }
}

/// The value as a text, as far as that is needed for names and orders.
pub(crate) fn value_text(value: &Static) -> Cow<'_, str> {
    match value {
        Static::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.text()),
    }
}

/// The order of series in an answer: number of labels, keys, texts of values.
pub(crate) fn answer_order(a: &Labels, b: &Labels) -> Ordering {
    fn keys(labels: &Labels) -> impl Iterator<Item = &Arc<str>> {
        labels.iter().map(|(key, _)| key)
    }
    let by_value = || {
        let mut orders = a.iter().zip(b).map(|((_, a), (_, b))| match a == b {
            true => Ordering::Equal,
            false => value_text(a).cmp(&value_text(b)),
        });
        orders.find(|order| order.is_ne())
    };
    a.len()
        .cmp(&b.len())
        .then_with(|| keys(a).cmp(keys(b)))
        .then_with(|| by_value().unwrap_or(Ordering::Equal))
}

/// Which of two series with equal values `topk` prefers: `Less` is the preferred one; `bottomk` has it the other way round.
pub(crate) fn tie_order(a: &Labels, b: &Labels) -> Ordering {
    let mut orders = a.iter().zip(b).map(|((_, a), (_, b))| tie_value(a, b));
    let order = orders.find(|order| order.is_ne());
    order.unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// The alphabetically smaller text, but the larger number.
fn tie_value(a: &Static, b: &Static) -> Ordering {
    match (a, b) {
        (Static::String(a), Static::String(b)) => a.cmp(b),
        (Static::Int(a), Static::Int(b)) | (Static::Duration(a), Static::Duration(b)) => b.cmp(a),
        (Static::Float(a), Static::Float(b)) => b.total_cmp(a),
        (Static::Bool(a), Static::Bool(b)) => b.cmp(a),
        (Static::Status(a), Static::Status(b)) => b.cmp(a),
        (Static::Kind(a), Static::Kind(b)) => b.cmp(a),
        _ => type_rank(a).cmp(&type_rank(b)),
    }
}

fn type_rank(value: &Static) -> u8 {
    match value {
        Static::Nil => 0,
        Static::Int(_) => 1,
        Static::Float(_) => 2,
        Static::String(_) => 3,
        Static::Bool(_) => 4,
        Static::Duration(_) => 5,
        Static::Status(_) => 6,
        Static::Kind(_) => 7,
        Static::IntArray(_)
        | Static::FloatArray(_)
        | Static::StringArray(_)
        | Static::BoolArray(_) => 8,
    }
}

#[cfg(test)]
mod tests {
    use vivace_traceql::{Intrinsic, Scope};

    use super::*;

    #[test]
    fn names_of_fields() {
        let attribute = |scope, key: &str| Field::attribute(scope, key);
        let cases = [
            (Field::Intrinsic(Intrinsic::Duration), "duration"),
            (Field::Intrinsic(Intrinsic::TraceRootName), "rootName"),
            (Field::Intrinsic(Intrinsic::SpanId), "span:id"),
            (attribute(Scope::Unscoped, "foo"), ".foo"),
            (attribute(Scope::Span, "a/2"), "span.a/2"),
            (attribute(Scope::Resource, "a b"), "resource.\"a b\""),
            (attribute(Scope::Event, "x\"y"), "event.\"x\\\"y\""),
            (
                attribute(Scope::Instrumentation, "a=b\\"),
                "instrumentation.\"a=b\\\\\"",
            ),
        ];
        for (field, name) in cases {
            assert_eq!(&*field_name(&field), name);
        }
    }

    #[test]
    fn groups_without_values() {
        let names: Vec<Arc<str>> = vec![".a".into(), ".b".into()];
        let nils = || [Static::Nil, Static::Nil].into_iter();
        let nil = Static::String(NIL.into());
        assert_eq!(
            GroupKey::new(nils(), false).labels(&names),
            [(".a".into(), nil.clone())]
        );
        assert_eq!(GroupKey::new(nils(), true).labels(&names), []);
        let half = GroupKey::new(
            [Static::Nil, Static::BoolArray(vec![true])].into_iter(),
            false,
        );
        assert_eq!(half.labels(&names), [(".b".into(), nil)]);
    }

    #[test]
    fn orders() {
        let labels = |pairs: &[(&str, Static)]| -> Labels {
            let pair = |(name, value): &(&str, Static)| ((*name).into(), value.clone());
            pairs.iter().map(pair).collect()
        };
        let one = labels(&[("b", Static::Int(128))]);
        let other = labels(&[("b", Static::Int(16))]);
        let longer = labels(&[("a", Static::Int(1)), ("b", Static::Int(1))]);
        let before = labels(&[("a", Static::Int(9))]);
        assert_eq!(answer_order(&one, &other), Ordering::Less);
        assert_eq!(answer_order(&one, &longer), Ordering::Less);
        assert_eq!(answer_order(&before, &one), Ordering::Less);
        assert_eq!(tie_order(&one, &other), Ordering::Less);
        let text = |text: &str| labels(&[("b", Static::String(text.into()))]);
        assert_eq!(tie_order(&text("a"), &text("b")), Ordering::Less);
    }
}
