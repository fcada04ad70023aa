//! `topk`, `bottomk` and comparisons behind a function (traceql.md §7.9).

use std::cmp::Ordering;

use vivace_traceql::Compare;

use crate::labels::tie_order;
use crate::series::Labels;

/// A second stage that can run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stage {
    /// Keeps so many, at least 1, at each timestamp.
    Top(usize),
    Bottom(usize),
    /// Not `Regex`, not `NotRegex`.
    Filter(Compare, f64),
}

/// A series under work.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    /// By interval; NaN: absent.
    pub(crate) values: Vec<f64>,
    pub(crate) exemplars: Vec<RowExemplar>,
}

#[derive(Clone, Debug)]
pub(crate) struct RowExemplar {
    pub(crate) interval: u32,
    pub(crate) unix_milli: i64,
    pub(crate) value: f64,
    pub(crate) labels: Labels,
}

impl Row {
    pub(crate) fn is_present(&self) -> bool {
        self.values.iter().any(|value| !value.is_nan())
    }

    /// Drops exemplars whose sample is absent.
    pub(crate) fn drop_lone_exemplars(&mut self) {
        let values = &self.values;
        self.exemplars.retain(|exemplar| {
            let value = values.get(exemplar.interval as usize);
            value.is_some_and(|value| !value.is_nan())
        });
    }
}

/// Runs a stage. Series without points vanish.
pub(crate) fn run(stage: Stage, rows: &mut Vec<Row>) {
    match stage {
        Stage::Filter(compare, limit) => {
            for value in rows.iter_mut().flat_map(|row| &mut row.values) {
                if !passes(compare, *value, limit) {
                    *value = f64::NAN;
                }
            }
        }
        Stage::Top(count) if rows.len() > count => keep(rows, count, true),
        Stage::Bottom(count) if rows.len() > count => keep(rows, count, false),
        Stage::Top(_) | Stage::Bottom(_) => return,
    }
    rows.retain_mut(|row| {
        row.drop_lone_exemplars();
        row.is_present()
    });
}

fn passes(compare: Compare, value: f64, limit: f64) -> bool {
    match compare {
        Compare::Equal => value == limit,
        // NaN is not equal to anything, and never passes.
        Compare::NotEqual => !value.is_nan() && value != limit,
        Compare::Less => value < limit,
        Compare::LessEqual => value <= limit,
        Compare::Greater => value > limit,
        Compare::GreaterEqual => value >= limit,
        Compare::Regex | Compare::NotRegex => false,
    }
}

/// At each timestamp the best of the present values stay.
fn keep(rows: &mut [Row], count: usize, largest: bool) {
    // Ranks of labels decide between equal values.
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| tie_order(&rows[a].labels, &rows[b].labels));
    let mut ranks = vec![0; rows.len()];
    for (rank, &row) in order.iter().enumerate() {
        ranks[row] = rank;
    }
    let intervals = rows.iter().map(|row| row.values.len()).max().unwrap_or(0);
    let mut present: Vec<(f64, usize)> = Vec::with_capacity(rows.len());
    for interval in 0..intervals {
        present.clear();
        let values = rows.iter().zip(&ranks);
        present.extend(values.filter_map(|(row, &rank)| {
            let value = *row.values.get(interval)?;
            (!value.is_nan()).then_some((value, rank))
        }));
        if present.len() <= count {
            continue;
        }
        let best_first = |a: &(f64, usize), b: &(f64, usize)| {
            let order = b.0.partial_cmp(&a.0).unwrap_or(Ordering::Equal);
            let order = order.then(a.1.cmp(&b.1));
            if largest { order } else { order.reverse() }
        };
        present.select_nth_unstable_by(count, best_first);
        for &(_, rank) in &present[count..] {
            if let Some(value) = rows[order[rank]].values.get_mut(interval) {
                *value = f64::NAN;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vivace_traceql::Static;

    use super::*;

    fn row(label: Static, values: &[f64]) -> Row {
        Row {
            labels: vec![("a".into(), label)],
            values: values.to_vec(),
            exemplars: vec![RowExemplar {
                interval: 0,
                unix_milli: 0,
                value: 0.0,
                labels: Vec::new(),
            }],
        }
    }

    fn text(text: &str) -> Static {
        Static::String(text.into())
    }

    fn kept(stage: Stage, mut rows: Vec<Row>) -> Vec<(Static, Vec<Option<f64>>)> {
        run(stage, &mut rows);
        let values = |row: &Row| {
            let values = row.values.iter();
            values
                .map(|value| (!value.is_nan()).then_some(*value))
                .collect()
        };
        rows.iter()
            .map(|row| (row.labels[0].1.clone(), values(row)))
            .collect()
    }

    const NAN: f64 = f64::NAN;

    #[test]
    fn top_and_bottom_by_timestamp() {
        let rows = || {
            vec![
                row(text("x"), &[1.0, 5.0, NAN]),
                row(text("y"), &[2.0, 4.0, 1.0]),
                row(text("z"), &[0.0, NAN, 2.0]),
            ]
        };
        assert_eq!(
            kept(Stage::Top(1), rows()),
            [
                (text("x"), vec![None, Some(5.0), None]),
                (text("y"), vec![Some(2.0), None, None]),
                (text("z"), vec![None, None, Some(2.0)]),
            ]
        );
        assert_eq!(
            kept(Stage::Bottom(1), rows()),
            [
                (text("y"), vec![None, Some(4.0), Some(1.0)]),
                (text("z"), vec![Some(0.0), None, None]),
            ]
        );
        assert_eq!(kept(Stage::Top(3), rows()).len(), 3);
    }

    #[test]
    fn ties() {
        let names = |found: Vec<(Static, Vec<Option<f64>>)>| {
            found
                .into_iter()
                .map(|(label, _)| label)
                .collect::<Vec<_>>()
        };
        let texts = || ["b", "c", "a"].map(|name| row(text(name), &[0.0])).to_vec();
        assert_eq!(names(kept(Stage::Top(2), texts())), [text("b"), text("a")]);
        assert_eq!(
            names(kept(Stage::Bottom(2), texts())),
            [text("b"), text("c")]
        );
        let ints = || {
            [2, 3, 1]
                .map(|number| row(Static::Int(number), &[0.0]))
                .to_vec()
        };
        assert_eq!(
            names(kept(Stage::Top(2), ints())),
            [Static::Int(2), Static::Int(3)]
        );
        assert_eq!(
            names(kept(Stage::Bottom(2), ints())),
            [Static::Int(2), Static::Int(1)]
        );
    }

    #[test]
    fn comparisons_remove_points_and_their_exemplars() {
        let rows = || {
            vec![
                row(text("x"), &[1.0, 5.0, NAN]),
                row(text("y"), &[0.0, 0.5, NAN]),
            ]
        };
        let mut found = rows();
        run(Stage::Filter(Compare::Greater, 1.0), &mut found);
        assert_eq!(found.len(), 1);
        assert!(found[0].values[0].is_nan() && found[0].exemplars.is_empty());
        let counts = [
            (Compare::Equal, 1.0, 1),
            (Compare::NotEqual, 1.0, 3),
            (Compare::Less, 1.0, 2),
            (Compare::LessEqual, 1.0, 3),
            (Compare::GreaterEqual, 1.0, 2),
        ];
        for (compare, limit, want) in counts {
            let found = kept(Stage::Filter(compare, limit), rows());
            let points = found.iter().flat_map(|(_, values)| values).flatten();
            assert_eq!(points.count(), want, "{compare:?}");
        }
    }
}
