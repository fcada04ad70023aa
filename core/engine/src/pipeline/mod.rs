//! Spansets and what a query does with them (traceql.md §5.6 - §5.8).

mod aggregate;
mod plan;
mod run;
mod structural;
mod visible;

pub use plan::Plan;
pub use run::{Matches, Scope, Spanset, find};
pub use visible::{Visible, VisibleField};
