//! Families computed when somebody asks, for a collector of one's own: where a metric has a series per
//! tenant (tens of thousands of them), a few atomics a tenant are a tenth of the memory of registered series.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

/// One family under construction. Families of one name from several collectors are merged by the registry,
/// as long as their series differ.
pub struct Computed {
    family: MetricFamily,
    metrics: Vec<Metric>,
}

impl Computed {
    fn new(name: &str, help: &str, kind: MetricType) -> Self {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Self {
            family,
            metrics: Vec::new(),
        }
    }

    pub fn counter(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::COUNTER)
    }

    pub fn gauge(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::GAUGE)
    }

    pub fn histogram(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::HISTOGRAM)
    }

    fn metric(labels: &[(&str, &str)]) -> Metric {
        let pairs = labels.iter().map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        Metric::from_label(pairs.collect())
    }

    /// Adds a series of a counter or a gauge.
    pub fn push(&mut self, labels: &[(&str, &str)], value: f64) {
        let mut metric = Self::metric(labels);
        if self.family.get_field_type() == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.metrics.push(metric);
    }

    /// Adds a series of a histogram: counts per bucket (not cumulative), one more than there are bounds.
    pub fn push_histogram(
        &mut self,
        labels: &[(&str, &str)],
        bounds: &[f64],
        counts: &[u64],
        sum: f64,
    ) {
        let mut histogram = Histogram::default();
        let mut cumulative = 0;
        let buckets = std::iter::zip(bounds, counts).map(|(bound, count)| {
            cumulative += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(cumulative);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(counts.iter().sum());
        histogram.set_sample_sum(sum);
        let mut metric = Self::metric(labels);
        metric.set_histogram(histogram);
        self.metrics.push(metric);
    }

    /// The family, or nothing when it has no series (the text format cannot say that).
    pub fn finish(mut self) -> Option<MetricFamily> {
        if self.metrics.is_empty() {
            return None;
        }
        self.family.set_metric(self.metrics);
        Some(self.family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{TextEncoder, proto};

    #[test]
    fn as_text() {
        let mut counter = Computed::counter("c_total", "C.");
        counter.push(&[("tenant", "a")], 3.0);
        let mut histogram = Computed::histogram("h", "H.");
        histogram.push_histogram(&[("tenant", "a")], &[1.0, 2.0], &[1, 2, 4], 9.5);
        assert!(Computed::gauge("g", "G.").finish().is_none());
        let families: Vec<proto::MetricFamily> = [counter.finish(), histogram.finish()]
            .into_iter()
            .flatten()
            .collect();
        let text = TextEncoder::new().encode_to_string(&families).unwrap();
        let expected = "# HELP c_total C.\n# TYPE c_total counter\nc_total{tenant=\"a\"} 3\n# HELP h H.\n# TYPE h histogram\n\
            h_bucket{tenant=\"a\",le=\"1\"} 1\nh_bucket{tenant=\"a\",le=\"2\"} 3\nh_bucket{tenant=\"a\",le=\"+Inf\"} 7\n\
            h_sum{tenant=\"a\"} 9.5\nh_count{tenant=\"a\"} 7\n";
        assert_eq!(text, expected);
    }
}
