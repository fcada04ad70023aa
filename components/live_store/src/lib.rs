//! Live data of one shard's partitions; see README.md.

mod index;
mod limits;
mod tracker;
