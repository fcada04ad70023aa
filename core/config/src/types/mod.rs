//! Scalar types of configurations: durations, sizes, secrets, lists written as one text.

mod any;
mod csv;
mod duration;
mod prom_duration;
mod secret;
mod size;

pub use any::{Any, Enabled};
pub use csv::Csv;
pub use duration::{Duration, hours, millis, mins, secs};
pub use prom_duration::PromDuration;
pub use secret::Secret;
pub use size::{GIB, KIB, MIB, Size};
