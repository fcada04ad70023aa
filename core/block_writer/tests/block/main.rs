//! Blocks as they are written: against a naive model, against the blocks of Tempo, and against what its readers trip
//! over.

mod common;
mod conformance;
mod file;
mod grouped;
mod naive;
mod pages;
mod properties;
mod python;
mod shred;
#[path = "../../../model/tests/support/mod.rs"]
mod support;
mod tree;
