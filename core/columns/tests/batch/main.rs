//! Chunks of live data: against a naive model row by row, and against what the block writer writes of the same batch.

mod block;
mod common;
mod naive;
mod pauses;
mod properties;
#[path = "../../../model/tests/support/mod.rs"]
mod support;
#[path = "../../../block_writer/tests/block/tree.rs"]
mod tree;
