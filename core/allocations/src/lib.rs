//! What the current thread allocates, for tests; see README.md.

mod batch;
mod counting;
mod measure;

pub use batch::batch;
pub use counting::Counting;
pub use measure::{Measured, allocations, measure};
