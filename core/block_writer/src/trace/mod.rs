//! One trace at a time: its spans from all batches, put in the order of a row.

mod ahead;
mod attribute;
mod context;
mod gather;
mod group;
mod json;
mod merge;
mod source;

pub(crate) use ahead::Ahead;
pub(crate) use attribute::Scalar;
pub(crate) use context::{Contexts, Resource, Scope};
pub(crate) use gather::{Gathered, Placed};
pub(crate) use group::Groups;
pub(crate) use json::push_value;
pub(crate) use source::Source;
