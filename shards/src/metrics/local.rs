//! Histograms for hot paths: each recorder has its own HDR histogram, and the recorders of a name are merged when the metrics are rendered.
//!
//! Recording takes a lock that nobody else holds but for the few instructions in which a render swaps the histogram out.
//! A render counts what it took into fixed Prometheus buckets, and keeps the merged HDR histogram for [`quantiles`].

use std::collections::BTreeMap;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::computed::Computed;

/// Two significant digits: values are kept to within 1 %, in some tens of KiB a histogram.
const SIGNIFICANT_DIGITS: u8 = 2;

/// What a recorded whole number means, and how it is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds recorded, seconds exported.
    Seconds,
    /// Exported as recorded (bytes, counts).
    Plain,
}

impl Unit {
    fn scale(self) -> f64 {
        match self {
            Self::Seconds => 1e-9,
            Self::Plain => 1.0,
        }
    }
}

/// One recorder: keep one per shard (or thread) and series. Cheap to record on; `Send`.
#[derive(Debug)]
pub struct LocalHistogram {
    cell: Arc<Mutex<Histogram<u64>>>,
}

impl LocalHistogram {
    /// Records one value, in the unit's whole numbers.
    pub fn record(&self, value: u64) {
        let mut histogram = lock(&self.cell);
        // An auto-resizing histogram takes every u64, unless it has hit the end of what an address can count.
        if histogram.record(value).is_err() {
            histogram.saturating_record(value);
        }
    }

    /// Records a duration in nanoseconds; for [`Unit::Seconds`].
    pub fn record_duration(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// The recorders of one label set, and what was taken from them so far.
struct Series {
    labels: Vec<(String, String)>,
    cells: Vec<Arc<Mutex<Histogram<u64>>>>,
    merged: Histogram<u64>,
    spare: Histogram<u64>,
    counts: Vec<u64>,
    sum: f64,
}

/// All series of one name.
struct Family {
    help: String,
    unit: Unit,
    bounds: Vec<f64>,
    series: Vec<Series>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every value behind these locks is valid between any two statements, so a panic of a holder spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn families() -> MutexGuard<'static, BTreeMap<String, Family>> {
    static FAMILIES: OnceLock<Mutex<BTreeMap<String, Family>>> = OnceLock::new();
    lock(FAMILIES.get_or_init(Mutex::default))
}

fn empty() -> Histogram<u64> {
    // Invariant: 0..=5 digits are allowed.
    Histogram::new(SIGNIFICANT_DIGITS).expect("a valid number of digits")
}

/// A new recorder for the series `name{labels}`; `bounds` are the exported bucket bounds in the exported unit, ascending.
///
/// The first caller of a name decides help, unit and bounds. A recorder that is dropped leaves its counts behind.
pub fn local_histogram(
    name: &str,
    help: &str,
    labels: &[(&str, &str)],
    unit: Unit,
    bounds: &[f64],
) -> LocalHistogram {
    super::registry();
    let cell = Arc::new(Mutex::new(empty()));
    let mut families = families();
    let family = families.entry(name.to_owned()).or_insert_with(|| Family {
        help: help.to_owned(),
        unit,
        bounds: super::ascending(name, bounds),
        series: Vec::new(),
    });
    let same = |series: &Series| {
        series.labels.len() == labels.len()
            && std::iter::zip(&series.labels, labels).all(|(a, b)| a.0 == b.0 && a.1 == b.1)
    };
    match family.series.iter_mut().find(|series| same(series)) {
        Some(series) => series.cells.push(Arc::clone(&cell)),
        None => family.series.push(Series {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            cells: vec![Arc::clone(&cell)],
            merged: empty(),
            spare: empty(),
            counts: vec![0; family.bounds.len() + 1],
            sum: 0.0,
        }),
    }
    LocalHistogram { cell }
}

/// The values at the given quantiles (0 to 1) since the start of the process, over all series of a name, in the exported unit.
/// None when nothing was recorded under that name.
pub fn quantiles(name: &str, at: &[f64]) -> Option<Vec<f64>> {
    let mut families = families();
    let family = families.get_mut(name)?;
    let scale = family.unit.scale();
    let mut all = empty();
    for series in &mut family.series {
        series.drain(&family.bounds, scale);
        merge(&mut all, &series.merged);
    }
    if all.is_empty() {
        return None;
    }
    let value = |q: &f64| all.value_at_quantile(*q) as f64 * scale;
    Some(at.iter().map(value).collect())
}

fn merge(into: &mut Histogram<u64>, from: &Histogram<u64>) {
    // Both auto-resize, so this fails only when a resize cannot have its memory; then the count is lost, not the process.
    if let Err(error) = into.add(from) {
        tracing::error!(%error, "a histogram could not be merged");
    }
}

impl Series {
    /// Takes what the recorders have counted since the last time.
    fn drain(&mut self, bounds: &[f64], scale: f64) {
        let (spare, counts) = (&mut self.spare, &mut self.counts);
        self.cells.retain(|cell| {
            // Asked before the cell is emptied: a recorder may record once more and be dropped after that. The fence makes what
            // a recorder did before it was dropped visible.
            let is_last = Arc::strong_count(cell) == 1;
            fence(Ordering::Acquire);
            // Only pointers move while the recorder's lock is held.
            std::mem::swap(&mut *lock(cell), spare);
            for step in spare.iter_recorded() {
                let value = spare.median_equivalent(step.value_iterated_to()) as f64 * scale;
                let bucket = bounds.partition_point(|bound| *bound < value);
                let count = step.count_since_last_iteration();
                counts[bucket] += count;
                self.sum += value * count as f64;
            }
            merge(&mut self.merged, spare);
            spare.reset();
            !is_last
        });
    }
}

/// Exports every local histogram of the process.
pub(super) struct LocalCollector;

impl Collector for LocalCollector {
    /// None: the names are not known beforehand. The registry takes such a collector and asks it each time.
    fn desc(&self) -> Vec<&Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = families();
        let export = |(name, family): (&String, &mut Family)| {
            let mut out = Computed::histogram(name, &family.help);
            for series in &mut family.series {
                series.drain(&family.bounds, family.unit.scale());
                let labels = series.labels.iter();
                let labels: Vec<_> = labels.map(|(k, v)| (k.as_str(), v.as_str())).collect();
                out.push_histogram(&labels, &family.bounds, &series.counts, series.sum);
            }
            out.finish()
        };
        families.iter_mut().filter_map(export).collect()
    }
}
