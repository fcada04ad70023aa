//! Series out of partial results.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use vivace_traceql::{MetricsFunction, Static};

use crate::accumulate::{Buckets, Count, Points, Slot, Window};
use crate::compare::META;
use crate::exemplars::Chosen;
use crate::labels::{BUCKET, META_TYPE, NAME, NIL, QUANTILE, answer_order};
use crate::leaf::MetricsLeaf;
use crate::limits::{MAX_SAMPLES, MAX_SERIES};
use crate::math;
use crate::partials::{LeafPartial, Partials};
use crate::plan::{MetricsPlan, Node};
use crate::quantile::{bound, quantile};
use crate::second_stage::{self, Row, RowExemplar};
use crate::series::{Exemplar, Labels, Sample, Series};

const NANOS: f64 = 1e9;
const NANOS_A_MILLI: u64 = 1_000_000;

/// An answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// In the order of `traceql.md` §7.4. None without a present sample.
    pub series: Vec<Series>,
    /// Why some of it is missing: the `message` of `PARTIAL` (traceql.md §7.10).
    pub partial: Option<String>,
}

/// What was left out while an answer was made.
#[derive(Default)]
struct Cut(bool);

impl MetricsPlan {
    /// The answer as far as these partial results go.
    pub fn finish(&self, partials: &Partials) -> Outcome {
        let mut cut = Cut(partials.leaves.iter().any(LeafPartial::is_partial));
        // As a whole query, a constant-false one has no series; as an operand it is one that finds nothing.
        let nothing = self.is_trivially_false() || !partials.has_run;
        let mut rows = match nothing {
            true => Vec::new(),
            false => self.rows(&self.root, partials, &mut cut),
        };
        rows.retain(Row::is_present);
        rows.sort_by(|a, b| answer_order(&a.labels, &b.labels));
        let max = self.request.max_series;
        if max > 0 && rows.len() > max as usize {
            cut.0 = true;
            rows.truncate(max as usize);
        }
        let limit = if max == 0 { MAX_SERIES } else { max };
        let series = rows.into_iter().map(|row| self.series(row));
        Outcome {
            series: series.collect(),
            partial: cut.0.then(|| too_many_series(limit)),
        }
    }

    /// Samples that `finish` may make of these, about.
    pub fn answer_samples(&self, partials: &Partials) -> u64 {
        let of_leaf = |(leaf, part): (&MetricsLeaf, &LeafPartial)| -> usize {
            let groups = part.groups.all.iter();
            let series: usize = match leaf.function() {
                MetricsFunction::Compare { top, .. } => {
                    let top = usize::try_from(*top).unwrap_or(usize::MAX);
                    let attributes = part.comparison.attributes.iter();
                    attributes.map(|counts| counts.series(top)).sum()
                }
                MetricsFunction::QuantileOverTime(_, quantiles) => {
                    groups.len().saturating_mul(quantiles.len())
                }
                MetricsFunction::HistogramOverTime(_) => groups
                    .map(|(_, points)| match points {
                        Points::Buckets(buckets) => buckets.iter().count(),
                        _ => 1,
                    })
                    .sum(),
                _ => groups.len(),
            };
            series
                .saturating_mul(self.intervals as usize)
                .min(MAX_SAMPLES)
        };
        let leaves = self.leaves().iter().zip(&partials.leaves);
        leaves.map(|pair| of_leaf(pair) as u64).sum()
    }

    fn rows(&self, node: &Node, partials: &Partials, cut: &mut Cut) -> Vec<Row> {
        match node {
            Node::Leaf(number) => {
                let leaf = self.leaves().get(*number);
                let found = leaf.zip(partials.leaves.get(*number));
                found.map_or_else(Vec::new, |(leaf, part)| {
                    let mut table = Table::new(self, leaf, part);
                    table.fill();
                    cut.0 |= table.is_full;
                    table.rows
                })
            }
            // Only beside an operator, which takes it from here itself.
            Node::Constant(_) => Vec::new(),
            Node::Math { op, left, right } => match (&**left, &**right) {
                (Node::Constant(constant), rows) => {
                    let mut rows = self.rows(rows, partials, cut);
                    math::with_constant(*op, &mut rows, *constant, true);
                    rows
                }
                (rows, Node::Constant(constant)) => {
                    let mut rows = self.rows(rows, partials, cut);
                    math::with_constant(*op, &mut rows, *constant, false);
                    rows
                }
                (left, right) => {
                    let left = self.rows(left, partials, cut);
                    let right = self.rows(right, partials, cut);
                    math::combine(*op, &left, &right)
                }
            },
            Node::Stages { inner, stages } => {
                let mut rows = self.rows(inner, partials, cut);
                for stage in stages {
                    second_stage::run(*stage, &mut rows);
                }
                rows
            }
        }
    }

    fn series(&self, row: Row) -> Series {
        let values = (0u32..).zip(row.values);
        let present = values.filter(|(_, value)| !value.is_nan());
        let exemplar = |exemplar: RowExemplar| Exemplar {
            labels: exemplar.labels,
            unix_milli: exemplar.unix_milli,
            value: exemplar.value,
        };
        Series {
            labels: row.labels,
            samples: present
                .map(|(interval, value)| Sample {
                    unix_milli: self.stamp(interval),
                    value,
                })
                .collect(),
            exemplars: row.exemplars.into_iter().map(exemplar).collect(),
        }
    }

    /// Seconds of a step, for rates.
    fn step_seconds(&self) -> f64 {
        let request = &self.request;
        let nanos = match request.is_instant {
            true => request.end - request.start,
            false => request.step,
        };
        nanos as f64 / NANOS
    }
}

fn too_many_series(limit: u32) -> String {
    format!(
        "Response exceeds maximum series limit of {limit}, a partial response is returned. Warning: the accuracy of each individual value is not guaranteed."
    )
}

/// Series of one leaf in the making.
struct Table<'a> {
    plan: &'a MetricsPlan,
    leaf: &'a MetricsLeaf,
    part: &'a LeafPartial,
    /// By series and bucket.
    chosen: HashMap<(u32, u8), Vec<&'a Chosen>, RandomState>,
    rows: Vec<Row>,
    /// Series that there may be.
    max: usize,
    is_full: bool,
}

impl<'a> Table<'a> {
    fn new(plan: &'a MetricsPlan, leaf: &'a MetricsLeaf, part: &'a LeafPartial) -> Self {
        let by_bucket = matches!(leaf.function(), MetricsFunction::HistogramOverTime(_));
        let max = MAX_SAMPLES / (plan.intervals as usize).max(1);
        let mut chosen: HashMap<_, Vec<_>, _> = HashMap::default();
        for one in part.exemplars.chosen() {
            let bucket = if by_bucket { one.bucket } else { 0 };
            chosen.entry((one.series, bucket)).or_default().push(one);
        }
        Self {
            plan,
            leaf,
            part,
            chosen,
            rows: Vec::new(),
            max: max.clamp(1, MAX_SERIES as usize),
            is_full: false,
        }
    }

    fn fill(&mut self) {
        match self.leaf.function() {
            MetricsFunction::Compare { top, .. } => {
                self.comparison(usize::try_from(*top).unwrap_or(0));
            }
            MetricsFunction::QuantileOverTime(_, quantiles) => {
                let mut distinct: Vec<f64> = Vec::with_capacity(quantiles.len());
                for quantile in quantiles {
                    if !distinct.contains(quantile) {
                        distinct.push(*quantile);
                    }
                }
                self.quantiles(&distinct);
            }
            MetricsFunction::HistogramOverTime(_) => self.histograms(),
            _ => self.plain(),
        }
    }

    fn push(&mut self, labels: Labels, values: Vec<f64>, exemplars: Vec<RowExemplar>) {
        if self.rows.len() >= self.max {
            self.is_full = true;
            return;
        }
        let mut row = Row {
            labels,
            values,
            exemplars,
        };
        row.drop_lone_exemplars();
        self.rows.push(row);
    }

    fn values<T: Slot>(&self, window: &Window<T>, of: impl Fn(T) -> f64) -> Vec<f64> {
        let mut values = vec![of(T::EMPTY); self.plan.intervals as usize];
        for (interval, slot) in window.iter() {
            if let Some(value) = values.get_mut(interval as usize) {
                *value = of(slot);
            }
        }
        values
    }

    fn chosen(&self, series: u32, bucket: u8) -> &[&'a Chosen] {
        let chosen = self.chosen.get(&(series, bucket));
        chosen.map_or(&[], Vec::as_slice)
    }

    /// `bucket`: of histograms, else 0.
    fn exemplars(&self, series: u32, bucket: u8, values: &[f64]) -> Vec<RowExemplar> {
        let chosen = self.chosen(series, bucket).iter();
        chosen.map(|chosen| row_exemplar(chosen, values)).collect()
    }

    /// One series a group.
    fn plain(&mut self) {
        let part = self.part;
        let is_counting = matches!(
            self.leaf.function(),
            MetricsFunction::Rate | MetricsFunction::CountOverTime
        );
        let is_grouped = !self.leaf.query.by.is_empty();
        let (seconds, is_mean) = (
            self.plan.step_seconds(),
            matches!(self.leaf.function(), MetricsFunction::AvgOverTime(_)),
        );
        let is_rate = matches!(self.leaf.function(), MetricsFunction::Rate);
        let count = |Count(count)| if is_rate { count / seconds } else { count };
        let name = || {
            (
                NAME.into(),
                Static::String(self.leaf.function_name().into()),
            )
        };
        if part.groups.all.is_empty() && is_counting && !is_grouped {
            let labels = vec![name()];
            let values = vec![0.0; self.plan.intervals as usize];
            self.push(labels, values, Vec::new());
            return;
        }
        for (number, (key, points)) in (0u32..).zip(&part.groups.all) {
            let labels = match is_grouped {
                true => key.labels(&self.leaf.names),
                false => vec![(
                    NAME.into(),
                    Static::String(self.leaf.function_name().into()),
                )],
            };
            let values = match points {
                Points::Count(window) => self.values(window, count),
                Points::Least(window) => self.values(window, |least| least.0),
                Points::Greatest(window) => self.values(window, |greatest| greatest.0),
                Points::Total(window) if is_mean => self.values(window, |total| total.mean()),
                Points::Total(window) => self.values(window, |total| total.sum()),
                Points::Buckets(_) => continue,
            };
            let exemplars = self.exemplars(number, 0, &values);
            self.push(labels, values, exemplars);
        }
    }

    /// Groups with their buckets.
    fn buckets(&self) -> impl Iterator<Item = (u32, Labels, &'a Buckets)> + use<'a> {
        let (part, leaf) = (self.part, self.leaf);
        let groups = (0u32..).zip(&part.groups.all);
        groups.filter_map(|(number, (key, points))| match points {
            Points::Buckets(buckets) => Some((number, key.labels(&leaf.names), buckets)),
            _ => None,
        })
    }

    /// One series a group and bucket.
    fn histograms(&mut self) {
        let in_seconds = self.leaf.is_in_seconds();
        for (number, group, buckets) in self.buckets() {
            for (exponent, window) in buckets.iter() {
                let mut labels = group.clone();
                let bound = bound(exponent, in_seconds);
                labels.push((BUCKET.into(), Static::Float(bound)));
                let values = self.values(window, |Count(count)| count);
                let exemplars = self.exemplars(number, exponent, &values);
                self.push(labels, values, exemplars);
            }
        }
    }

    /// One series a group and quantile.
    fn quantiles(&mut self, quantiles: &[f64]) {
        let in_seconds = self.leaf.is_in_seconds();
        let intervals = self.plan.intervals;
        for (number, group, buckets) in self.buckets() {
            if self.rows.len() + quantiles.len() > self.max {
                self.is_full = true;
                return;
            }
            let mut values = vec![vec![0.0; intervals as usize]; quantiles.len()];
            let mut counts: Vec<(f64, f64)> = Vec::new();
            for interval in 0..intervals {
                counts.clear();
                counts.extend(buckets.iter().map(|(exponent, window)| {
                    let Count(count) = window.get(interval);
                    (bound(exponent, in_seconds), count)
                }));
                for (p, values) in quantiles.iter().zip(&mut values) {
                    if let Some(value) = values.get_mut(interval as usize) {
                        *value = quantile(*p, &counts);
                    }
                }
            }
            let mut exemplars = vec![Vec::new(); quantiles.len()];
            for chosen in self.chosen(number, 0) {
                let nearest = nearest(chosen, &values);
                if let Some(exemplars) = exemplars.get_mut(nearest) {
                    exemplars.push(row_exemplar(chosen, &[]));
                }
            }
            for ((p, values), exemplars) in quantiles.iter().zip(values).zip(exemplars) {
                let mut labels = group.clone();
                labels.push((QUANTILE.into(), Static::Float(*p)));
                self.push(labels, values, exemplars);
            }
        }
    }

    /// Series of attributes with the values that are most frequent, and of all their spans.
    fn comparison(&mut self, top: usize) {
        let part = self.part;
        let nil = || Static::String(NIL.into());
        let meta =
            |name: &str| -> (Arc<str>, Static) { (META_TYPE.into(), Static::String(name.into())) };
        for counts in &part.comparison.attributes {
            for (side, (of_values, of_totals)) in META.into_iter().enumerate() {
                let total = self.values(&counts.totals[side], |Count(count)| count);
                if total.iter().all(|count| *count == 0.0) {
                    continue;
                }
                for (value, window) in counts.top(side, top) {
                    let labels = vec![meta(of_values), (counts.name.clone(), value.clone())];
                    let values = self.values(window, |Count(count)| count);
                    self.push(labels, values, Vec::new());
                }
                // Every span has a name: of all totals those show the exemplars.
                let exemplars = match &*counts.name {
                    "name" => self.exemplars(side as u32, 0, &total),
                    _ => Vec::new(),
                };
                let labels = vec![meta(of_totals), (counts.name.clone(), nil())];
                self.push(labels, total, exemplars);
            }
        }
    }
}

fn row_exemplar(chosen: &Chosen, values: &[f64]) -> RowExemplar {
    let sample = values.get(chosen.interval as usize).copied();
    RowExemplar {
        interval: chosen.interval,
        unix_milli: (chosen.unix_nano / NANOS_A_MILLI) as i64,
        value: if chosen.value.is_nan() {
            sample.unwrap_or(f64::NAN)
        } else {
            chosen.value
        },
        labels: chosen.labels.clone(),
    }
}

/// The series whose sample is nearest to the exemplar's value.
fn nearest(chosen: &Chosen, series: &[Vec<f64>]) -> usize {
    let distance = |values: &Vec<f64>| {
        let sample = values.get(chosen.interval as usize).copied();
        (sample.unwrap_or(f64::INFINITY) - chosen.value).abs()
    };
    let best = series
        .iter()
        .enumerate()
        .min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)));
    best.map_or(0, |(number, _)| number)
}
