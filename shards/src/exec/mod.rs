//! The executor: tasks, their classes, and the order in which they run.

mod breathe;
mod inbox;
mod line;
mod lull;
mod queues;
mod registry;
mod slice;
mod task;
#[cfg(test)]
mod tests;

pub use breathe::{breathe, breathe_short, yield_now};
pub(crate) use inbox::Inbox;
pub(crate) use line::Place;
pub(crate) use lull::Lulls;
pub use lull::lull;
pub use queues::Class;
pub(crate) use queues::{Queues, Shares};
pub(crate) use registry::Registry;
pub(crate) use slice::{cancel_all, panic_text, run_one};
pub(crate) use task::{Meta, spawn_on};
pub use task::{Task, spawn};

/// A task that is ready to be polled.
pub(crate) type Runnable = async_task::Runnable<Meta>;
