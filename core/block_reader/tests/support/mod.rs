//! Blocks in memory, and what tests compare.
#![allow(dead_code, reason = "each test uses some of it")]

pub mod canonical;
pub mod conformance;
pub mod load;
pub mod random;
pub mod rewrite;
pub mod written;

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use vivace_block_reader::Ranges;

/// A file in memory, which counts what is asked of it.
pub struct Memory {
    pub bytes: Bytes,
    pub requests: Cell<u32>,
    /// Times that something was asked for, however many requests at once.
    pub steps: Cell<u32>,
    pub bytes_read: Cell<u64>,
}

impl Memory {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            requests: Cell::new(0),
            steps: Cell::new(0),
            bytes_read: Cell::new(0),
        }
    }
}

impl Memory {
    fn slice(&self, range: Range<u64>) -> Bytes {
        self.requests.set(self.requests.get() + 1);
        let len = self.bytes.len() as u64;
        let (start, end) = (range.start.min(len), range.end.min(len));
        self.bytes_read.set(self.bytes_read.get() + end - start);
        self.bytes.slice(start as usize..end as usize)
    }
}

impl Ranges for Memory {
    type Error = Infallible;

    async fn read(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
        self.steps.set(self.steps.get() + 1);
        Ok(self.slice(range))
    }

    async fn read_many(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Infallible> {
        self.steps.set(self.steps.get() + 1);
        Ok(ranges
            .iter()
            .map(|range| self.slice(range.clone()))
            .collect())
    }
}

/// Runs a future that never waits.
pub fn now<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
    }
}
