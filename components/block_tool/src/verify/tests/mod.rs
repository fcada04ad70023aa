//! Blocks that keep all rules, and blocks that break one each.

mod base;
mod data_rules;
mod file_rules;
mod forge;
mod object_rules;
mod row_rules;
mod whole;
