//! Attributes with a column of their own in blocks.

use std::collections::HashSet;
use std::sync::Arc;

use vivace_columns::{Column, Level};
use vivace_traceql::Field;

/// What a dedicated column that has no value reads as where it is compared with another field or listed (traceql.md §5.3 R7).
pub const MISSING: &str = "nil";

/// The attributes that blocks of a tenant have columns for. Live data follows them too, so that an answer does not depend on where
/// spans are.
#[derive(Clone, Debug, Default)]
pub struct Dedicated(HashSet<(Level, Arc<str>)>);

impl FromIterator<(Level, Arc<str>)> for Dedicated {
    fn from_iter<I: IntoIterator<Item = (Level, Arc<str>)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl Dedicated {
    /// Whether any column of a field is one of them.
    pub fn has(&self, field: &Field) -> bool {
        Column::of_field(field)
            .iter()
            .any(|column| self.has_column(column))
    }

    pub fn has_column(&self, column: &Column) -> bool {
        match column {
            Column::Attribute(level, key) => self.0.contains(&(*level, key.clone())),
            _ => false,
        }
    }
}
