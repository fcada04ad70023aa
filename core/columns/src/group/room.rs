//! Where the memory of a chunk comes from.

/// The memory that a chunk may take. Whoever opens the chunk decides how much there is, and gets back what is left when the chunk is dropped.
pub trait Room {
    /// Takes bytes before they are allocated. False: there are none now, and the chunk can't go on.
    fn take(&self, bytes: usize) -> bool;
    /// Gives back bytes that were taken for a moment.
    fn give_back(&self, bytes: usize);
}

/// As much as the chunk's own limit allows.
pub struct OwnLimit;

impl Room for OwnLimit {
    fn take(&self, _: usize) -> bool {
        true
    }
    fn give_back(&self, _: usize) {}
}
