//! Random numbers: from the operating system's entropy on real shards, from the seed in the
//! simulator. Good for ids, jitter and sampling; not for secrets.

use std::cell::RefCell;
use std::rc::Rc;

use crate::context;

/// A generator that several owners may share (all simulated shards draw from one).
#[derive(Clone)]
pub(crate) struct Rng(Rc<RefCell<fastrand::Rng>>);

impl Rng {
    pub(crate) fn from_entropy() -> Self {
        Rng(Rc::new(RefCell::new(fastrand::Rng::new())))
    }

    pub(crate) fn from_seed(seed: u64) -> Self {
        Rng(Rc::new(RefCell::new(fastrand::Rng::with_seed(seed))))
    }

    pub(crate) fn u64(&self) -> u64 {
        self.0.borrow_mut().u64(..)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub(crate) fn below(&self, n: u64) -> u64 {
        if n == 0 {
            0
        } else {
            self.0.borrow_mut().u64(..n)
        }
    }

    /// True `per_million` times in a million.
    pub(crate) fn chance(&self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        self.0.borrow_mut().fill(bytes);
    }
}

/// A random number. Outside of a shard it comes from a generator of the thread.
pub fn u64() -> u64 {
    match context::try_current() {
        Some(shard) => shard.rng.u64(),
        None => fastrand::u64(..),
    }
}

/// A random number below `n`; 0 if `n` is 0.
pub fn below(n: u64) -> u64 {
    match (context::try_current(), n) {
        (_, 0) => 0,
        (Some(shard), _) => shard.rng.below(n),
        (None, _) => fastrand::u64(..n),
    }
}

/// Fills `bytes` with random bytes.
pub fn fill(bytes: &mut [u8]) {
    match context::try_current() {
        Some(shard) => shard.rng.fill(bytes),
        None => fastrand::Rng::new().fill(bytes),
    }
}
