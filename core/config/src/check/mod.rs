//! What no single key can tell: contradictions (fatal) and doubtful settings (warnings), configuration.md §1.

mod fatal;
mod receivers;
mod unavailable;
mod warnings;

pub use fatal::fatal;
pub use warnings::{Warning, warnings};
