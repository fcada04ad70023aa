//! Self-metrics: a thin layer over `prometheus`, in Prometheus text form.
//!
//! Names go out exactly as given (Tempo's dashboards match on names such as `tempo_receiver_accepted_spans`, without a `_total`).
//! Every helper is *get or register*: asking twice for a name gives the same metric, so components, shards and tests of one process never clash.
//! Asking for a known name with another type or other labels is a mistake of the caller; it is logged and answered with a metric that works but is not exported.
//!
//! `counter`, `gauge`, `histogram` and their `_vec` forms are shared between threads (one atomic each).
//! [`local_histogram`] is for latencies on hot paths: HDR precision, nothing shared while recording, merged when somebody asks.

mod busy;
pub mod computed;
mod local;
mod process;

pub use busy::Busy;
pub use local::{LocalHistogram, Unit, local_histogram, quantiles};

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use prometheus::core::Collector;
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter,
    IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// The content type of what [`render`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bucket bounds in seconds that fit both a memory lookup and a slow query.
pub const DURATION_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// A metric that some caller has asked for by name.
enum Known {
    Counter(IntCounter),
    CounterVec(IntCounterVec),
    FloatCounter(Counter),
    FloatCounterVec(CounterVec),
    Gauge(IntGauge),
    GaugeVec(IntGaugeVec),
    FloatGauge(Gauge),
    FloatGaugeVec(GaugeVec),
    Histogram(Histogram),
    HistogramVec(HistogramVec),
}

/// What is registered under a name, with the names of its labels.
type NameTable = HashMap<String, (Vec<String>, Known)>;

/// The name table. A panic while it is held leaves it as it was before or after an insert, so a poisoned lock is still usable.
fn known() -> MutexGuard<'static, NameTable> {
    static KNOWN: OnceLock<Mutex<NameTable>> = OnceLock::new();
    KNOWN
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// The registry of this process, with the `process_*` metrics already in it.
pub fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let registry = Registry::new();
        for collector in [
            Box::new(process::ProcessCollector::new()) as Box<dyn Collector>,
            Box::new(local::LocalCollector),
            Box::new(busy::BusyCollector::new()),
            Box::new(crate::memory::BudgetCollector::new()),
        ] {
            if let Err(error) = registry.register(collector) {
                tracing::error!(%error, "a built-in metrics collector was refused");
            }
        }
        registry
    })
}

/// Adds a collector of the caller's own making, for values that are computed when asked for.
pub fn register(collector: Box<dyn Collector>) -> Result<(), prometheus::Error> {
    registry().register(collector)
}

/// All metrics of the process as Prometheus text, sorted by name.
pub fn render() -> String {
    let families = registry().gather();
    let mut text = String::with_capacity(64 * 1024);
    if let Err(error) = TextEncoder::new().encode_utf8(&families, &mut text) {
        // Only a collector that hands out an empty family gets here; what was written so far is valid.
        tracing::error!(%error, "some metrics could not be rendered");
    }
    text
}

/// Logs why a metric is not exported. The caller still gets one that counts, so a mistake in a name never stops data.
fn detached(name: &str, why: &dyn std::fmt::Display) {
    tracing::error!(metric = name, why = %why, "metric is not exported");
}

macro_rules! plain {
    ($(#[$doc:meta])* $function:ident, $variant:ident, $metric:ty) => {
        $(#[$doc])*
        pub fn $function(name: &str, help: &str) -> $metric {
            let mut known = known();
            match known.get(name) {
                Some((_, Known::$variant(metric))) => return metric.clone(),
                Some(_) => detached(name, &"the name is taken by another type"),
                None => {
                    let metric = match <$metric>::with_opts(Opts::new(name, help).into()) {
                        Ok(metric) => metric,
                        Err(error) => {
                            detached(name, &error);
                            return fallback_plain::<$metric>();
                        }
                    };
                    match registry().register(Box::new(metric.clone())) {
                        Ok(()) => {
                            known.insert(name.to_owned(), (Vec::new(), Known::$variant(metric.clone())));
                        }
                        Err(error) => detached(name, &error),
                    }
                    return metric;
                }
            }
            fallback_plain::<$metric>()
        }
    };
}

macro_rules! labelled {
    ($(#[$doc:meta])* $function:ident, $variant:ident, $metric:ty) => {
        $(#[$doc])*
        pub fn $function(name: &str, help: &str, labels: &[&str]) -> $metric {
            let mut known = known();
            match known.get(name) {
                Some((names, Known::$variant(metric))) if names == labels => return metric.clone(),
                Some(_) => detached(name, &"the name is taken by another type or other labels"),
                None => match <$metric>::new(Opts::new(name, help).into(), labels) {
                    Ok(metric) => {
                        match registry().register(Box::new(metric.clone())) {
                            Ok(()) => {
                                let names = labels.iter().map(|label| (*label).to_owned()).collect();
                                known.insert(name.to_owned(), (names, Known::$variant(metric.clone())));
                            }
                            Err(error) => detached(name, &error),
                        }
                        return metric;
                    }
                    Err(error) => detached(name, &error),
                },
            }
            fallback_labelled::<$metric>(labels)
        }
    };
}

/// Something that can be built from a name alone. The names used below are valid, which is all that construction checks.
trait Plain: Sized {
    fn build(name: &str) -> Result<Self, prometheus::Error>;
}
/// The same with labels. Label names come from the program text; an invalid one falls back to none.
trait Labelled: Sized {
    fn build(name: &str, labels: &[&str]) -> Result<Self, prometheus::Error>;
}
macro_rules! buildable {
    (plain $($metric:ty),*) => { $(impl Plain for $metric {
        fn build(name: &str) -> Result<Self, prometheus::Error> {
            <$metric>::with_opts(Opts::new(name, "not exported").into())
        }
    })* };
    (labelled $($metric:ty),*) => { $(impl Labelled for $metric {
        fn build(name: &str, labels: &[&str]) -> Result<Self, prometheus::Error> {
            <$metric>::new(Opts::new(name, "not exported").into(), labels)
        }
    })* };
}
buildable!(plain IntCounter, Counter, IntGauge, Gauge);
buildable!(labelled IntCounterVec, CounterVec, IntGaugeVec, GaugeVec);

fn fallback_plain<T: Plain>() -> T {
    // Invariant: construction fails on an invalid name only, and this one is valid.
    T::build("vivace_detached").expect("a valid constant name builds")
}

fn fallback_labelled<T: Labelled>(labels: &[&str]) -> T {
    let positional: Vec<String> = (0..labels.len()).map(|i| format!("label_{i}")).collect();
    let positional: Vec<&str> = positional.iter().map(String::as_str).collect();
    // Invariant: construction fails on invalid or repeated names only; these are valid and distinct,
    // and there are as many as the caller will give values for.
    T::build("vivace_detached", &positional).expect("valid constant names build")
}

plain!(
    /// A counter of whole things.
    counter, Counter, IntCounter
);
plain!(
    /// A counter of fractions (seconds).
    float_counter, FloatCounter, Counter
);
plain!(
    /// A gauge of whole things.
    gauge, Gauge, IntGauge
);
plain!(
    /// A gauge of fractions.
    float_gauge, FloatGauge, Gauge
);
labelled!(
    /// Counters of whole things, by label values.
    counter_vec, CounterVec, IntCounterVec
);
labelled!(
    /// Counters of fractions, by label values.
    float_counter_vec, FloatCounterVec, CounterVec
);
labelled!(
    /// Gauges of whole things, by label values.
    gauge_vec, GaugeVec, IntGaugeVec
);
labelled!(
    /// Gauges of fractions, by label values.
    float_gauge_vec, FloatGaugeVec, GaugeVec
);

/// A histogram with fixed bucket bounds (without `+Inf`, which is implied).
pub fn histogram(name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let options = |name: &str| HistogramOpts::new(name, help).buckets(ascending(name, buckets));
    let mut known = known();
    match known.get(name) {
        Some((_, Known::Histogram(metric))) => return metric.clone(),
        Some(_) => detached(name, &"the name is taken by another type"),
        None => match Histogram::with_opts(options(name)) {
            Ok(metric) => {
                match registry().register(Box::new(metric.clone())) {
                    Ok(()) => {
                        let entry = (Vec::new(), Known::Histogram(metric.clone()));
                        known.insert(name.to_owned(), entry);
                    }
                    Err(error) => detached(name, &error),
                }
                return metric;
            }
            Err(error) => detached(name, &error),
        },
    }
    // Invariant: valid constant name, ascending bounds.
    Histogram::with_opts(options("vivace_detached")).expect("a valid constant name builds")
}

/// Histograms with fixed bucket bounds (without `+Inf`), by label values.
pub fn histogram_vec(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    let options = |name: &str| HistogramOpts::new(name, help).buckets(ascending(name, buckets));
    let mut known = known();
    match known.get(name) {
        Some((names, Known::HistogramVec(metric))) if names == labels => return metric.clone(),
        Some(_) => detached(name, &"the name is taken by another type or other labels"),
        None => match HistogramVec::new(options(name), labels) {
            Ok(metric) => {
                match registry().register(Box::new(metric.clone())) {
                    Ok(()) => {
                        let names = labels.iter().map(|label| (*label).to_owned()).collect();
                        known.insert(
                            name.to_owned(),
                            (names, Known::HistogramVec(metric.clone())),
                        );
                    }
                    Err(error) => detached(name, &error),
                }
                return metric;
            }
            Err(error) => detached(name, &error),
        },
    }
    let positional: Vec<String> = (0..labels.len()).map(|i| format!("label_{i}")).collect();
    let positional: Vec<&str> = positional.iter().map(String::as_str).collect();
    // Invariant: valid, distinct constant names, ascending bounds.
    HistogramVec::new(options("vivace_detached"), &positional).expect("valid constant names build")
}

/// Bounds in ascending order without repeats, as `prometheus` demands.
fn ascending(name: &str, buckets: &[f64]) -> Vec<f64> {
    let mut bounds: Vec<f64> = buckets.iter().copied().filter(|b| !b.is_nan()).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    if bounds.len() != buckets.len() {
        tracing::error!(metric = name, "bucket bounds repeat or are not numbers");
    }
    bounds
}

#[cfg(test)]
mod tests;
