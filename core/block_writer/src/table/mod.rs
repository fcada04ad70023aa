//! The leaves of a block by what they describe, filled row by row.

mod attributes;
mod estimate;
mod events;
mod links;
mod resources;
mod rows;
mod scopes;
mod slots;
mod spans;
mod tables;

pub(crate) use tables::{Keys, Row, Tables};
