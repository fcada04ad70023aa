//! Counting spans into time series.

use std::hint::black_box;

use vivace_columns::Chunk as _;
use vivace_engine::{Plan, Scope, find};
use vivace_query_metrics::{MetricsPlan, MetricsRequest};
use vivace_traceql::parse;

use super::query::{dedicated, open_chunk};
use super::{Failure, Ready, check};
use crate::data::{WINDOW, block, now};

/// One number a group and interval.
pub fn rate() -> Result<Ready, Failure> {
    counted("{ } | rate() by (resource.service.name)")
}

/// Buckets of values.
pub fn quantiles() -> Result<Ready, Failure> {
    counted("{ } | quantile_over_time(duration, .5, .99) by (name)")
}

/// Counts all spans of a block into fresh partial results; columns are loaded before.
fn counted(text: &str) -> Result<Ready, Failure> {
    let minute = 60_000_000_000;
    let request = MetricsRequest {
        start: WINDOW.from - minute,
        end: WINDOW.to + minute,
        step: minute,
        is_instant: false,
        exemplars: 0,
        max_series: 0,
    };
    let metrics = MetricsPlan::new(&parse(text)?, request, false)?;
    let leaf = metrics.leaves().first().ok_or("no leaf")?;
    let plan = Plan::new(leaf.pipeline(), leaf.fields(), &dedicated())?;
    let block = Box::leak(Box::new(block()?));
    let mut chunk = open_chunk(block)?;
    let selection = now(find(&plan, &mut chunk, &Scope::default(), &async || {}))?.selection;
    now(chunk.load(&leaf.columns(), None))?;
    let units = u64::from(chunk.shape().spans());
    let round = move || {
        let mut partials = metrics.new_partials();
        let counting = metrics.observe(0, &mut partials, &chunk, &selection, 1.0, &async || {});
        now(counting)?;
        let (series, is_partial) = black_box(&partials).series();
        check("series", series as u64, if is_partial { 0 } else { units })
    };
    Ok(Ready {
        units,
        round: Box::new(round),
    })
}
