//! Metrics row by row, written from the specification alone.

use std::collections::{BTreeMap, HashMap};

use vivace_query_metrics::{MetricsRequest, Series};
use vivace_traceql::{Field, Intrinsic, Kind, MetricsFunction, Scope, Static, Status};

use super::Row;

/// Values by label text and timestamp in milliseconds.
pub type Found = BTreeMap<String, BTreeMap<i64, f64>>;

/// The same of an answer.
pub fn found(series: &[Series]) -> Found {
    let mut found = Found::new();
    for one in series {
        let labels = one
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={}", label_text(value)));
        let labels = labels.collect::<Vec<_>>().join(",");
        let samples = one.samples.iter();
        let samples = samples
            .map(|sample| (sample.unix_milli, sample.value))
            .collect();
        assert!(
            found.insert(labels.clone(), samples).is_none(),
            "{labels} is there twice"
        );
    }
    found
}

pub fn label_text(value: &Static) -> String {
    match value {
        Static::String(text) => format!("{text:?}"),
        Static::Status(Status::Error) => "error".into(),
        Static::Kind(Kind::Server) => "server".into(),
        other => format!("{other:?}"),
    }
}

pub fn close(one: &Found, other: &Found) -> Result<(), String> {
    let labels = |found: &Found| found.keys().cloned().collect::<Vec<_>>();
    if labels(one) != labels(other) {
        return Err(format!(
            "series {:#?}\nnot {:#?}",
            labels(one),
            labels(other)
        ));
    }
    for (labels, samples) in one {
        let others = &other[labels];
        let times = |samples: &BTreeMap<i64, f64>| samples.keys().copied().collect::<Vec<_>>();
        if times(samples) != times(others) {
            return Err(format!("{labels}: {samples:?}\nnot {others:?}"));
        }
        for (time, value) in samples {
            let want = others[time];
            let tolerance = 1e-9 * want.abs().max(1e-9);
            if (value - want).abs() > tolerance {
                return Err(format!("{labels} at {time}: {value}, not {want}"));
            }
        }
    }
    Ok(())
}

fn attribute(attributes: &[(String, Static)], key: &str) -> Static {
    let found = attributes.iter().find(|(known, _)| known == key);
    found.map_or(Static::Nil, |(_, value)| value.clone())
}

/// `longest`: of the span's trace.
fn value(row: &Row, field: &Field, longest: i64) -> Static {
    match field {
        Field::Intrinsic(Intrinsic::Duration) => Static::Duration(row.duration),
        Field::Intrinsic(Intrinsic::TraceDuration) => Static::Duration(longest),
        Field::Intrinsic(Intrinsic::Name) => super::text(&row.name),
        Field::Intrinsic(Intrinsic::Status) => Static::Status(row.status),
        Field::Intrinsic(Intrinsic::Kind) => Static::Kind(row.kind),
        Field::Intrinsic(Intrinsic::EventTimeSinceStart) => {
            Static::Duration(row.events.first().copied().unwrap_or(0))
        }
        Field::Intrinsic(other) => panic!("no {other:?} here"),
        Field::Attribute(asked) => {
            let of_span = attribute(&row.attributes, &asked.key);
            let of_resource = match attribute(&row.resource, &asked.key) {
                Static::Nil if &*asked.key == "service.name" => super::text(""),
                value => value,
            };
            match asked.scope {
                Scope::Span => of_span,
                Scope::Resource => of_resource,
                Scope::Unscoped if of_span == Static::Nil => of_resource,
                Scope::Unscoped => of_span,
                other => panic!("no {other:?} here"),
            }
        }
    }
}

fn field_text(field: &Field) -> String {
    match field {
        Field::Intrinsic(Intrinsic::Name) => "name".into(),
        Field::Intrinsic(Intrinsic::Status) => "status".into(),
        Field::Intrinsic(Intrinsic::Kind) => "kind".into(),
        Field::Intrinsic(other) => panic!("no {other:?} here"),
        Field::Attribute(asked) => match asked.scope {
            Scope::Span => format!("span.{}", asked.key),
            Scope::Resource => format!("resource.{}", asked.key),
            Scope::Unscoped => format!(".{}", asked.key),
            other => panic!("no {other:?} here"),
        },
    }
}

/// One row's part in an interval.
struct Part {
    value: Static,
    weight: f64,
}

/// Weights of the trace states that tests use.
pub const STATES: [(&str, f64); 5] = [
    ("", 1.0),
    ("ot=th:8", 2.0),
    ("x=y,ot=th:c;a:b", 4.0),
    ("ot=rv:abc", 1.0),
    ("ot=th:55555555555555", 1.5),
];

fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

pub fn run(
    rows: &[Row],
    function: &MetricsFunction,
    by: &[Field],
    request: &MetricsRequest,
    extrapolates: bool,
) -> Found {
    let asked = match function {
        MetricsFunction::MinOverTime(field)
        | MetricsFunction::MaxOverTime(field)
        | MetricsFunction::SumOverTime(field)
        | MetricsFunction::AvgOverTime(field)
        | MetricsFunction::HistogramOverTime(field)
        | MetricsFunction::QuantileOverTime(field, _) => Some(field),
        _ => None,
    };
    let longest = |trace: u8| {
        let of_trace = rows.iter().filter(|row| row.trace == trace);
        of_trace.map(|row| row.duration).max().unwrap_or(0)
    };
    let has_own_label = matches!(
        function,
        MetricsFunction::HistogramOverTime(_) | MetricsFunction::QuantileOverTime(..)
    );
    let step = if request.is_instant {
        request.end - request.start
    } else {
        request.step
    };
    let stamps: Vec<i64> = (1..)
        .map(|number| request.start + number * step)
        .take_while(|&stamp| stamp <= request.end)
        .map(|stamp| (stamp / 1_000_000) as i64)
        .collect();
    let mut groups: HashMap<Vec<String>, BTreeMap<i64, Vec<Part>>> = HashMap::new();
    for row in rows {
        if !row.selected || row.start <= request.start || row.start > request.end {
            continue;
        }
        let number = (row.start - request.start).div_ceil(step);
        let stamp = ((request.start + number * step) / 1_000_000) as i64;
        let mut labels: Vec<String> = Vec::new();
        for field in by {
            let value = value(row, field, longest(row.trace));
            let value = match value {
                Static::Nil => continue,
                Static::IntArray(_) | Static::StringArray(_) => super::text("nil"),
                value => value,
            };
            labels.push(format!("{}={}", field_text(field), label_text(&value)));
        }
        if labels.is_empty() && !has_own_label {
            labels.push(match by.first() {
                Some(field) => format!("{}=\"nil\"", field_text(field)),
                None => format!("__name__=\"{}\"", name(function)),
            });
        }
        let state = STATES.iter().find(|(state, _)| *state == row.trace_state);
        let part = Part {
            value: asked.map_or(Static::Nil, |field| value(row, field, longest(row.trace))),
            weight: if extrapolates { state.unwrap().1 } else { 1.0 },
        };
        let group = groups.entry(labels).or_default();
        group.entry(stamp).or_default().push(part);
    }
    let mut found = Found::new();
    if groups.is_empty() && by.is_empty() && asked.is_none() {
        let name = format!("__name__=\"{}\"", name(function));
        groups.insert(vec![name], BTreeMap::new());
    }
    for (labels, parts) in groups {
        for (own, samples) in series(function, asked, &parts, &stamps, step) {
            let labels = labels.iter().cloned().chain(own);
            let labels = labels.collect::<Vec<_>>().join(",");
            if !samples.is_empty() {
                found.insert(labels, samples);
            }
        }
    }
    found
}

fn name(function: &MetricsFunction) -> &'static str {
    match function {
        MetricsFunction::Rate => "rate",
        MetricsFunction::CountOverTime => "count_over_time",
        MetricsFunction::MinOverTime(_) => "min_over_time",
        MetricsFunction::MaxOverTime(_) => "max_over_time",
        MetricsFunction::SumOverTime(_) => "sum_over_time",
        MetricsFunction::AvgOverTime(_) => "avg_over_time",
        other => panic!("no name of {other:?}"),
    }
}

/// Of values with their weights.
type Fold = fn(&[(f64, f64)]) -> f64;

type OwnSeries = Vec<(Option<String>, BTreeMap<i64, f64>)>;

fn series(
    function: &MetricsFunction,
    asked: Option<&Field>,
    parts: &BTreeMap<i64, Vec<Part>>,
    stamps: &[i64],
    step: u64,
) -> OwnSeries {
    let numbers = |stamp: i64| -> Vec<(f64, f64)> {
        let parts = parts.get(&stamp).into_iter().flatten();
        let number = |part: &Part| match part.value {
            Static::Int(number) => Some((number as f64, part.weight)),
            // NaN stands for absent everywhere.
            Static::Float(number) => (!number.is_nan()).then_some((number, part.weight)),
            Static::Duration(nanos) if asked == Some(&super::query::duration()) => {
                Some((seconds(nanos), part.weight))
            }
            Static::Duration(nanos) => Some((nanos as f64, part.weight)),
            _ => None,
        };
        parts.filter_map(number).collect()
    };
    let by_stamp = |of: Fold| -> OwnSeries {
        let samples = stamps.iter().filter_map(|&stamp| {
            let numbers = numbers(stamp);
            (!numbers.is_empty()).then(|| (stamp, of(&numbers)))
        });
        vec![(None, samples.collect())]
    };
    let count = |stamp: &i64| {
        let parts = parts.get(stamp).into_iter().flatten();
        parts.map(|part| part.weight).sum::<f64>()
    };
    match function {
        MetricsFunction::CountOverTime => {
            let samples = stamps.iter().map(|stamp| (*stamp, count(stamp)));
            vec![(None, samples.collect())]
        }
        MetricsFunction::Rate => {
            let per_second = step as f64 / 1e9;
            let samples = stamps.iter();
            let samples = samples.map(|stamp| (*stamp, count(stamp) / per_second));
            vec![(None, samples.collect())]
        }
        MetricsFunction::MinOverTime(_) => by_stamp(|all| {
            all.iter()
                .fold(f64::MAX, |least, (value, _)| least.min(*value))
        }),
        MetricsFunction::MaxOverTime(_) => by_stamp(|all| {
            all.iter()
                .fold(f64::MIN, |most, (value, _)| most.max(*value))
        }),
        MetricsFunction::SumOverTime(_) => {
            by_stamp(|all| all.iter().map(|(value, weight)| value * weight).sum())
        }
        MetricsFunction::AvgOverTime(_) => by_stamp(|all| {
            let sum: f64 = all.iter().map(|(value, weight)| value * weight).sum();
            sum / all.iter().map(|(_, weight)| weight).sum::<f64>()
        }),
        MetricsFunction::HistogramOverTime(_) | MetricsFunction::QuantileOverTime(..) => {
            buckets(function, parts, stamps)
        }
        MetricsFunction::Compare { .. } => panic!("no compare here"),
    }
}

fn buckets(
    function: &MetricsFunction,
    parts: &BTreeMap<i64, Vec<Part>>,
    stamps: &[i64],
) -> OwnSeries {
    // Counts by bound (in billionths) and timestamp.
    let mut counts: BTreeMap<u128, BTreeMap<i64, f64>> = BTreeMap::new();
    for (stamp, parts) in parts {
        for part in parts {
            let (value, unit) = match part.value {
                Static::Int(number) => (number, 1_000_000_000),
                Static::Duration(nanos) => (nanos, 1),
                _ => continue,
            };
            if value < 2 {
                continue;
            }
            let mut power = 1u128;
            while power < value as u128 {
                power *= 2;
            }
            let bucket = counts.entry(power * unit).or_default();
            *bucket.entry(*stamp).or_default() += part.weight;
        }
    }
    if counts.is_empty() {
        return Vec::new();
    }
    let at = |bucket: &BTreeMap<i64, f64>, stamp: &i64| bucket.get(stamp).copied().unwrap_or(0.0);
    let MetricsFunction::QuantileOverTime(_, quantiles) = function else {
        let series = counts.iter().map(|(bound, bucket)| {
            let label = format!("__bucket={:?}", Static::Float(*bound as f64 / 1e9));
            let samples = stamps.iter().map(|stamp| (*stamp, at(bucket, stamp)));
            (Some(label), samples.collect())
        });
        return series.collect();
    };
    let series = quantiles.iter().map(|p| {
        let samples = stamps.iter().map(|stamp| {
            let filled: Vec<(f64, f64)> = counts
                .iter()
                .map(|(bound, bucket)| (*bound as f64 / 1e9, at(bucket, stamp)))
                .filter(|(_, count)| *count > 0.0)
                .collect();
            (*stamp, quantile(*p, &filled))
        });
        (
            Some(format!("p={:?}", Static::Float(*p))),
            samples.collect(),
        )
    });
    series.collect()
}

fn quantile(p: f64, buckets: &[(f64, f64)]) -> f64 {
    let total: f64 = buckets.iter().map(|bucket| bucket.1).sum();
    if total == 0.0 {
        return 0.0;
    }
    let need = f64::max(1.0, (p * total).ceil());
    let mut running = 0.0;
    for (place, (bound, count)) in buckets.iter().enumerate() {
        running += count;
        if running == need {
            return *bound;
        }
        if running > need {
            let share = (need - (running - count)) / count;
            let low = if place == 0 {
                bound / 2.0
            } else {
                buckets[place - 1].0
            };
            return 2f64.powf(low.log2() + share * (bound.log2() - low.log2()));
        }
    }
    buckets.last().unwrap().0
}
