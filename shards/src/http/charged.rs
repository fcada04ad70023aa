//! A growing buffer whose capacity is charged to the shard's memory budget for as long as its bytes are held.

use bytes::Bytes;

use crate::memory::{self, Charge, Kind};

/// The first allocation of a buffer whose final size is not known, or is only claimed by the other side.
const FIRST_CAPACITY: usize = 16 * 1024;
/// The largest first allocation on the other side's word alone.
const CLAIMED_CAPACITY: usize = 256 * 1024;

/// Why a buffer could not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It would have passed its own limit.
    TooLarge,
    /// The shard's memory budget is used up.
    OverBudget,
}

/// Bytes with their charges.
struct Owned {
    data: Vec<u8>,
    _charge: Charge,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

/// Bytes whose memory stays charged until the last reference to them is gone.
pub fn charged_bytes(data: Vec<u8>, charge: Charge) -> Bytes {
    Bytes::from_owner(Owned {
        data,
        _charge: charge,
    })
}

/// See the module's text.
pub(crate) struct ChargedBuf {
    data: Vec<u8>,
    charge: Charge,
    limit: usize,
}

impl ChargedBuf {
    /// A buffer for at most `limit` bytes; `expected` is what the other side says it will be.
    pub(crate) fn new(limit: usize, expected: Option<usize>, kind: Kind) -> Result<Self, Refused> {
        let first = expected.unwrap_or(FIRST_CAPACITY);
        let first = first.min(CLAIMED_CAPACITY).min(limit);
        let charge = memory::try_charge(first as u64, kind).map_err(|_| Refused::OverBudget)?;
        Ok(Self {
            data: Vec::with_capacity(first),
            charge,
            limit,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// Makes room for `more` bytes.
    fn ensure(&mut self, more: usize) -> Result<(), Refused> {
        let needed = self.data.len().checked_add(more).ok_or(Refused::TooLarge)?;
        if needed > self.limit {
            return Err(Refused::TooLarge);
        }
        if needed > self.data.capacity() {
            let doubled = self.data.capacity().saturating_mul(2);
            self.grow_to(doubled.clamp(needed, self.limit))?;
        }
        Ok(())
    }

    fn grow_to(&mut self, capacity: usize) -> Result<(), Refused> {
        let more = capacity.saturating_sub(self.data.capacity());
        if more == 0 {
            return Ok(());
        }
        self.charge
            .try_grow(more as u64)
            .map_err(|_| Refused::OverBudget)?;
        self.data.reserve_exact(capacity - self.data.len());
        Ok(())
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.ensure(bytes.len())?;
        self.data.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads once from `reader`, at most `chunk` bytes; 0 means the reader is at its end.
    pub(crate) fn read_from(
        &mut self,
        reader: &mut impl std::io::Read,
        chunk: usize,
    ) -> std::io::Result<Result<usize, Refused>> {
        let room = chunk.min(self.limit - self.data.len());
        if room == 0 {
            // At the limit: only the end of the input may follow.
            let mut probe = [0u8; 1];
            let read = reader.read(&mut probe)?;
            return Ok(if read == 0 {
                Ok(0)
            } else {
                Err(Refused::TooLarge)
            });
        }
        if let Err(refused) = self.ensure(room) {
            return Ok(Err(refused));
        }
        let start = self.data.len();
        self.data.resize(start + room, 0);
        let read = reader.read(&mut self.data[start..]);
        self.data.truncate(start + *read.as_ref().unwrap_or(&0));
        read.map(Ok)
    }

    /// The bytes; the charge goes with them and ends when the last clone is dropped.
    pub(crate) fn freeze(self) -> Bytes {
        if self.data.is_empty() {
            return Bytes::new();
        }
        Bytes::from_owner(Owned {
            data: self.data,
            _charge: self.charge,
        })
    }
}
