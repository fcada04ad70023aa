//! Memory of what a query has found so far.

use vivace_shards::memory::{Charge, Kind, charge};

use crate::error::Error;

/// Charges what was found on this shard. Dropping it gives the memory back.
#[derive(Debug)]
pub struct FoundMemory(Charge);

impl Default for FoundMemory {
    fn default() -> Self {
        Self(charge(0, Kind::Query))
    }
}

impl FoundMemory {
    /// So many bytes are there now.
    pub(crate) fn is_now(&mut self, bytes: usize) -> Result<(), Error> {
        let resized = self.0.try_resize(bytes as u64);
        resized.map_err(|why| Error::Found {
            why: why.to_string(),
        })
    }

    /// So many more than before.
    pub fn grows(&mut self, bytes: usize) -> Result<(), Error> {
        let grown = self.0.try_grow(bytes as u64);
        grown.map_err(|why| Error::Found {
            why: why.to_string(),
        })
    }
}
