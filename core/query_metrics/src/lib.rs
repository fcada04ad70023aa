//! Time series out of spans; see README.md.

mod series;

pub use series::{Exemplar, Labels, MetricsRequest, Sample, Series};
