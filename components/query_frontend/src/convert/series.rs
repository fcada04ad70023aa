//! Series of metrics queries.

use vivace_protocol::tempopb::{
    Exemplar, InstantSeries, PartialStatus, QueryInstantResponse, QueryRangeResponse, Sample,
    TimeSeries,
};
use vivace_query_metrics::{Outcome, Series};
use vivace_shards::breathe;

use super::search::search_metrics;
use super::values::key_value;
use crate::run::Progress;

/// Series over time.
pub async fn range(outcome: &Outcome, progress: &Progress) -> QueryRangeResponse {
    let (status, message) = completeness(outcome);
    let mut series = Vec::with_capacity(outcome.series.len());
    for one in &outcome.series {
        series.push(time_series(one));
        breathe().await;
    }
    QueryRangeResponse {
        series,
        metrics: Some(search_metrics(progress)),
        status,
        message,
    }
}

/// One value of each series; series without one are left out.
pub fn instant(outcome: &Outcome, progress: &Progress) -> QueryInstantResponse {
    let (status, message) = completeness(outcome);
    let series = outcome.series.iter().filter_map(|series| {
        let sample = series.samples.last()?;
        Some(InstantSeries {
            labels: series.labels.iter().map(key_value).collect(),
            value: sample.value,
        })
    });
    QueryInstantResponse {
        series: series.collect(),
        metrics: Some(search_metrics(progress)),
        status,
        message,
    }
}

fn time_series(series: &Series) -> TimeSeries {
    let samples = series.samples.iter().map(|sample| Sample {
        value: sample.value,
        timestamp_ms: sample.unix_milli,
    });
    let exemplars = series.exemplars.iter().map(|exemplar| Exemplar {
        labels: exemplar.labels.iter().map(key_value).collect(),
        value: exemplar.value,
        timestamp_ms: exemplar.unix_milli,
    });
    TimeSeries {
        labels: series.labels.iter().map(key_value).collect(),
        samples: samples.collect(),
        exemplars: exemplars.collect(),
    }
}

fn completeness(outcome: &Outcome) -> (i32, String) {
    match &outcome.partial {
        None => (PartialStatus::Complete as i32, String::new()),
        Some(why) => (PartialStatus::Partial as i32, why.clone()),
    }
}
