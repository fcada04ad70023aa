//! `block_builder` (configuration.md §5.4): blocks from the ingest log, in clusters.

use std::collections::BTreeMap;

use super::storage::WalFormat;
use crate::block::block;
use crate::types::{Duration, mins};

block! {
    /// The blocks that are built.
    pub struct BuilderBlock {
        /// A block is cut at this size, in bytes.
        max_block_bytes: u64 = 20_971_520;
    }
}

block! {
    /// Builds backend blocks from the ingest log.
    pub struct BlockBuilder {
        /// Name of this process; empty = the host's name. Its last number decides the partitions.
        instance_id: String;
        /// Partitions by name of the process.
        assigned_partitions: BTreeMap<String, Vec<i32>>;
        /// Partitions of each process, by its number; instead of `assigned_partitions`.
        partitions_per_instance: u32;
        /// Pause between two rounds.
        consume_cycle_duration: Duration = mins(5);
        /// Most bytes of one round.
        max_consuming_bytes: u64 = 5_000_000_000;
        block: BuilderBlock;
        wal: WalFormat = WalFormat::at("/var/tempo/block-builder/traces");
    }
}
