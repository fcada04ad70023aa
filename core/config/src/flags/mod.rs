//! The command line (configuration.md §2).

mod command;
mod help;
mod table;

pub use command::{Command, Invocation, Setting};
pub use table::{Flag, flags};
