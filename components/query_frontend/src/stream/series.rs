//! What is new in series since they were sent last.

use std::collections::HashMap;

use prost::Message as _;
use vivace_protocol::tempopb::{InstantSeries, KeyValue, TimeSeries};
use vivace_shards::breathe;
use vivace_traceql::{Body, MetricsExpr, MetricsFunction, Query};

/// Whether series of some of the jobs can be sent before the end: later ones change values, but never take a series or a sample away.
pub fn only_grows(query: &Query, max_series: u32) -> bool {
    match &query.body {
        Body::Metrics(MetricsExpr::Query(query)) => {
            max_series == 0
                && query.stages.is_empty()
                && !matches!(query.function, MetricsFunction::Compare { .. })
        }
        _ => false,
    }
}

/// Series by their labels, with what was sent of them.
#[derive(Default)]
pub struct Sent(HashMap<Vec<u8>, HashMap<i64, u64>>);

fn key(labels: &[KeyValue]) -> Vec<u8> {
    let mut key = Vec::new();
    for label in labels {
        key.extend_from_slice(&label.encode_length_delimited_to_vec());
    }
    key
}

impl Sent {
    /// Leaves what was not sent yet, and remembers it as sent. Exemplars come with the whole answer only.
    pub async fn news(&mut self, series: Vec<TimeSeries>) -> Vec<TimeSeries> {
        let mut news = Vec::new();
        for mut one in series {
            let known = self.0.entry(key(&one.labels)).or_default();
            one.exemplars = Vec::new();
            one.samples.retain(|sample| {
                let bits = sample.value.to_bits();
                known.insert(sample.timestamp_ms, bits) != Some(bits)
            });
            if !one.samples.is_empty() {
                news.push(one);
            }
            breathe().await;
        }
        news
    }

    /// The same for series of one value.
    pub fn instant_news(&mut self, mut series: Vec<InstantSeries>) -> Vec<InstantSeries> {
        series.retain(|one| {
            let bits = one.value.to_bits();
            let known = self.0.entry(key(&one.labels)).or_default();
            known.insert(0, bits) != Some(bits)
        });
        series
    }
}
