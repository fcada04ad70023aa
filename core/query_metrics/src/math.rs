//! Arithmetic on series (traceql.md §7.9).

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use vivace_traceql::{MathOp, Static};

use crate::labels::{GroupKey, NAME, value_text};
use crate::second_stage::Row;
use crate::series::Labels;

/// One value; NaN: absent.
pub(crate) fn apply(op: MathOp, left: f64, right: f64) -> f64 {
    match op {
        MathOp::Add => left + right,
        MathOp::Sub => left - right,
        MathOp::Mul => left * right,
        MathOp::Div if right == 0.0 => f64::NAN,
        MathOp::Div => left / right,
    }
}

/// With a number on the right or on the left; labels stay.
pub(crate) fn with_constant(
    op: MathOp,
    rows: &mut Vec<Row>,
    constant: f64,
    is_constant_left: bool,
) {
    for value in rows.iter_mut().flat_map(|row| &mut row.values) {
        *value = match is_constant_left {
            true => apply(op, constant, *value),
            false => apply(op, *value, constant),
        };
    }
    rows.retain_mut(|row| {
        row.drop_lone_exemplars();
        row.is_present()
    });
}

/// Of two queries: series with the same labels, or with the one series of the other side that has no labels.
pub(crate) fn combine(op: MathOp, left: &[Row], right: &[Row]) -> Vec<Row> {
    let (left_alone, right_alone) = (unlabelled(left), unlabelled(right));
    let mut by_labels: HashMap<JoinKey, &Row, RandomState> = HashMap::default();
    for row in right.iter().filter(|row| has_labels(&row.labels)) {
        by_labels.entry(JoinKey::of(&row.labels)).or_insert(row);
    }
    let mut found = Vec::new();
    for row in left {
        let partner = match has_labels(&row.labels) {
            // Taken out: what is left over has no partner of its own.
            true => by_labels.remove(&JoinKey::of(&row.labels)),
            false => None,
        };
        if let Some(partner) = partner.or(right_alone) {
            found.extend(pair(op, row, partner));
        }
    }
    if let Some(alone) = left_alone {
        let others = right.iter().filter(|row| has_labels(&row.labels));
        let others = others.filter(|row| by_labels.contains_key(&JoinKey::of(&row.labels)));
        found.extend(others.filter_map(|row| pair(op, alone, row)));
    }
    found
}

/// Labels without `__name__`, in their order.
#[derive(PartialEq, Eq, Hash)]
struct JoinKey(Vec<std::sync::Arc<str>>, GroupKey);

impl JoinKey {
    fn of(labels: &Labels) -> Self {
        let pairs = || labels.iter().filter(|(name, _)| &**name != NAME);
        let names = pairs().map(|(name, _)| name.clone()).collect();
        let values = pairs().map(|(_, value)| value.clone());
        Self(names, GroupKey::new(values, true))
    }
}

fn has_labels(labels: &Labels) -> bool {
    labels.iter().any(|(name, _)| &**name != NAME)
}

fn unlabelled(rows: &[Row]) -> Option<&Row> {
    rows.iter().find(|row| !has_labels(&row.labels))
}

/// None: they have no timestamp in common.
fn pair(op: MathOp, left: &Row, right: &Row) -> Option<Row> {
    let values = left.values.iter().zip(&right.values);
    let values = values.map(|(&left, &right)| apply(op, left, right));
    let exemplars = match (has_labels(&left.labels), has_labels(&right.labels)) {
        (true, false) => left.exemplars.clone(),
        (false, true) => right.exemplars.clone(),
        _ => [&*left.exemplars, &*right.exemplars].concat(),
    };
    let mut row = Row {
        labels: labels(op, &left.labels, &right.labels),
        values: values.collect(),
        exemplars,
    };
    row.drop_lone_exemplars();
    row.is_present().then_some(row)
}

/// Those of the left, then those of the right that are not there yet. Of two names one is made.
fn labels(op: MathOp, left: &Labels, right: &Labels) -> Labels {
    let name = |labels: &Labels| {
        let mut names = labels.iter().filter(|(name, _)| &**name == NAME);
        names
            .next()
            .map(|(_, value)| value_text(value).into_owned())
    };
    let op = match op {
        MathOp::Add => '+',
        MathOp::Sub => '-',
        MathOp::Mul => '*',
        MathOp::Div => '/',
    };
    let joined = match (name(left), name(right)) {
        (Some(left), Some(right)) => Some(format!("({left} {op} {right})")),
        _ => None,
    };
    let joined = joined.map(|name| (NAME.into(), Static::String(name.into())));
    let mut labels: Labels = joined.into_iter().collect();
    for (name, value) in left.iter().chain(right) {
        if &**name != NAME && !labels.iter().any(|(known, _)| known == name) {
            labels.push((name.clone(), value.clone()));
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::second_stage::RowExemplar;

    const NAN: f64 = f64::NAN;

    fn row(labels: &[(&str, &str)], values: &[f64]) -> Row {
        let label = |(name, value): &(&str, &str)| {
            let value: std::sync::Arc<str> = (*value).into();
            ((*name).into(), Static::String(value))
        };
        Row {
            labels: labels.iter().map(label).collect(),
            values: values.to_vec(),
            exemplars: vec![RowExemplar {
                interval: 0,
                unix_milli: labels.len() as i64,
                value: 1.0,
                labels: Vec::new(),
            }],
        }
    }

    fn text(row: &Row) -> String {
        let labels: Vec<_> = row
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={}", value_text(value)))
            .collect();
        format!("{} {:?}", labels.join(","), row.values)
    }

    fn texts(rows: &[Row]) -> Vec<String> {
        rows.iter().map(text).collect()
    }

    #[test]
    fn equal_labels_join_and_others_are_dropped() {
        let left = [
            row(&[("a", "1")], &[6.0, 1.0]),
            row(&[("a", "2")], &[5.0, 5.0]),
        ];
        let right = [
            row(&[("a", "1")], &[2.0, 0.0]),
            row(&[("b", "2")], &[1.0, 1.0]),
        ];
        let found = combine(MathOp::Div, &left, &right);
        assert_eq!(texts(&found), ["a=1 [3.0, NaN]"]);
        assert_eq!(found[0].exemplars.len(), 2);
    }

    #[test]
    fn a_series_without_labels_goes_with_all_of_the_other_side() {
        let alone = [row(&[("__name__", "rate")], &[1.0])];
        let many = [row(&[("a", "1")], &[2.0]), row(&[("a", "2")], &[NAN])];
        let forth = combine(MathOp::Sub, &alone, &many);
        assert_eq!(texts(&forth), ["a=1 [-1.0]"]);
        let back = combine(MathOp::Sub, &many, &alone);
        assert_eq!(texts(&back), ["a=1 [1.0]"]);
        assert_eq!(back[0].exemplars.len(), 1);
        assert_eq!(back[0].exemplars[0].unix_milli, 1);
    }

    #[test]
    fn names_are_joined() {
        let left = [row(&[("__name__", "rate")], &[1.0])];
        let right = [row(&[("__name__", "count_over_time")], &[4.0])];
        let found = combine(MathOp::Div, &left, &right);
        assert_eq!(texts(&found), ["__name__=(rate / count_over_time) [0.25]"]);
    }

    #[test]
    fn constants() {
        let run = |op, constant, left, values: &[f64]| {
            let mut rows = vec![row(&[("__name__", "rate")], values)];
            with_constant(op, &mut rows, constant, left);
            texts(&rows)
        };
        assert_eq!(
            run(MathOp::Div, 10.0, true, &[2.0, 0.0, NAN]),
            ["__name__=rate [5.0, NaN, NaN]"]
        );
        assert_eq!(
            run(MathOp::Sub, 10.0, false, &[2.0]),
            ["__name__=rate [-8.0]"]
        );
        assert!(run(MathOp::Div, 0.0, false, &[2.0]).is_empty());
        assert_eq!(
            run(MathOp::Mul, f64::INFINITY, false, &[2.0]),
            ["__name__=rate [inf]"]
        );
    }
}
