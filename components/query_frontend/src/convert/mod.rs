//! What the engine gives, as messages of the API.

mod search;
mod series;
mod tags;
#[cfg(test)]
mod tests;
mod values;

pub use search::{Ids, search_metrics, trace};
pub use series::{instant, range};
pub use tags::{metadata_metrics, names, scopes, typed_values, values};
