//! The buffer that reads land in.

use std::io;

use bytes::Bytes;

/// Room for one read: 8-byte aligned, so that records can be read in place, and not zeroed first.
pub(super) struct AlignedBuffer {
    /// Holds capacity only; its length stays 0.
    words: Vec<u64>,
    length: usize,
    /// The first `filled` bytes are initialised.
    filled: usize,
}

impl AlignedBuffer {
    /// Room for `length` bytes; an error, not an abort, if there is no memory.
    pub(super) fn new(length: usize) -> io::Result<Self> {
        let mut words = Vec::new();
        words
            .try_reserve_exact(length.div_ceil(8))
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Self {
            words,
            length,
            filled: 0,
        })
    }

    /// Bytes that are not filled yet.
    pub(super) fn missing(&self) -> usize {
        self.length - self.filled
    }

    /// Bytes that are filled.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Where the next [`Self::missing`] bytes go. Moving the buffer does not move the place.
    #[allow(
        unsafe_code,
        reason = "the kernel fills memory that is not initialised"
    )]
    pub(super) fn free(&mut self) -> *mut u8 {
        // SAFETY: `filled <= length <= capacity of words in bytes`, so the result is in, or one past, the allocation.
        unsafe { self.words.as_mut_ptr().cast::<u8>().add(self.filled) }
    }

    /// Counts `more` bytes as filled.
    ///
    /// # Safety
    /// The kernel must have written the first `more` bytes from [`Self::free`] on.
    #[allow(
        unsafe_code,
        reason = "the kernel fills memory that is not initialised"
    )]
    pub(super) unsafe fn advance(&mut self, more: usize) {
        debug_assert!(more <= self.missing());
        self.filled += more.min(self.missing());
    }

    /// What was read. A buffer less than half full is swapped for one that fits.
    pub(super) fn into_bytes(self) -> io::Result<Bytes> {
        if self.filled == 0 {
            return Ok(Bytes::new());
        }
        if self.filled >= self.length / 2 {
            return Ok(Bytes::from_owner(self));
        }
        Ok(Bytes::from_owner(Self::copy_of(self.as_ref())?))
    }

    /// An aligned copy of `bytes`.
    #[allow(unsafe_code, reason = "fills memory that is not initialised")]
    pub(super) fn copy_of(bytes: &[u8]) -> io::Result<Self> {
        let mut copy = Self::new(bytes.len())?;
        // SAFETY: the room behind `free` is `bytes.len()` long and newly allocated, so it does not overlap `bytes`;
        // the copy initialises exactly what `advance` counts.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy.free(), bytes.len());
            copy.advance(bytes.len());
        }
        Ok(copy)
    }
}

impl AsRef<[u8]> for AlignedBuffer {
    #[allow(unsafe_code, reason = "gives out the initialised part of the buffer")]
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the first `filled` bytes are within the allocation and initialised; any bit pattern is a valid u8;
        // the borrow of `self` keeps them from being written or freed.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast::<u8>(), self.filled) }
    }
}
