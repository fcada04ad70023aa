//! Field expressions over whole columns.

mod compile;
mod condition;
mod domain;
mod evaluate;
mod general;
mod truth;

pub use compile::{Compiler, Filter, Needs};
pub use condition::{Literal, Test};

pub use evaluate::{Passing, passing, select};
pub use general::{General, Rows, without_member};
