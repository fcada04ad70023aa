//! Metrics queries.

use super::Checker;
use super::error::ValidationError;
use crate::ast::{MetricsExpr, MetricsFunction, MetricsQuery, SecondStage};
use crate::limits::{MAX_COMPARE_TOP, MAX_GROUP_BY};

impl Checker {
    pub(super) fn metrics(&mut self, metrics: &MetricsExpr) -> Result<(), ValidationError> {
        match metrics {
            MetricsExpr::Query(query) => self.metrics_query(query),
            MetricsExpr::Constant(_) => Ok(()),
            MetricsExpr::Math { left, right, .. } => {
                for side in [left, right] {
                    self.metrics(side)?;
                    if compares(side) {
                        return Err(ValidationError::CompareAlone("arithmetic"));
                    }
                }
                Ok(())
            }
            MetricsExpr::Stages { inner, stages } => {
                self.metrics(inner)?;
                if compares(inner) && !stages.is_empty() {
                    return Err(ValidationError::CompareAlone("second stages"));
                }
                second_stages(stages)
            }
        }
    }

    /// Fields of the function and its `by` are not checked: what a span lacks is left out.
    fn metrics_query(&mut self, query: &MetricsQuery) -> Result<(), ValidationError> {
        self.pipeline(&query.pipeline)?;
        let labels = match &query.function {
            MetricsFunction::Rate
            | MetricsFunction::CountOverTime
            | MetricsFunction::MinOverTime(_)
            | MetricsFunction::MaxOverTime(_)
            | MetricsFunction::SumOverTime(_) => MAX_GROUP_BY,
            // One label is their own.
            MetricsFunction::AvgOverTime(_) | MetricsFunction::HistogramOverTime(_) => {
                MAX_GROUP_BY - 1
            }
            MetricsFunction::QuantileOverTime(_, quantiles) => {
                if let Some(wrong) = quantiles.iter().find(|q| !(0.0..=1.0).contains(*q)) {
                    return Err(ValidationError::Quantile(wrong.to_string()));
                }
                MAX_GROUP_BY - 1
            }
            MetricsFunction::Compare {
                filter,
                top,
                start,
                end,
            } => {
                self.filter(filter)?;
                if !(1..=MAX_COMPARE_TOP).contains(top) {
                    return Err(ValidationError::CompareTop(*top));
                }
                let none = *start == 0 && *end == 0;
                if !none && (*start <= 0 || *end <= *start) {
                    let (start, end) = (*start, *end);
                    return Err(ValidationError::CompareWindow { start, end });
                }
                if !query.stages.is_empty() {
                    return Err(ValidationError::CompareAlone("second stages"));
                }
                return Ok(());
            }
        };
        if query.by.len() > labels {
            return Err(ValidationError::NotYetSupported(format!(
                "metrics group by {} values",
                query.by.len()
            )));
        }
        second_stages(&query.stages)
    }
}

fn compares(metrics: &MetricsExpr) -> bool {
    matches!(metrics, MetricsExpr::Query(query) if matches!(query.function, MetricsFunction::Compare { .. }))
}

fn second_stages(stages: &[SecondStage]) -> Result<(), ValidationError> {
    stages.iter().try_for_each(|stage| match stage {
        SecondStage::TopK(count) | SecondStage::BottomK(count) if *count <= 0 => {
            Err(ValidationError::Limit(*count))
        }
        _ => Ok(()),
    })
}
