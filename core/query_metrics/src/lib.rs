//! Time series out of spans; see README.md.

mod accumulate;
mod compare;
mod cursor;
mod exemplars;
mod finish;
mod group;
mod labels;
mod leaf;
pub mod limits;
mod math;
mod observe;
mod observe_compare;
mod partials;
mod plan;
mod quantile;
mod sampling;
mod second_stage;
mod series;
mod time;
mod weights;

pub use finish::Outcome;
pub use labels::field_name;
pub use leaf::MetricsLeaf;
pub use observe::ObserveError;
pub use observe_compare::CompareError;
pub use partials::Partials;
pub use plan::{MetricsPlan, PlanError};
pub use sampling::{Sampler, Sampling};
pub use series::{Exemplar, Labels, MetricsRequest, Sample, Series};
pub use time::{align_range, count_intervals, cut_instant_end, cut_range_end, default_step};
