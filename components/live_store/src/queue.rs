//! A queue in chunks of one size, so that neither growing nor shrinking moves anything. Its items are numbered from 0 upwards, for ever.

use crate::limits::QUEUE_CHUNK;
use std::collections::VecDeque;

pub struct Queue<T> {
    chunks: VecDeque<Vec<T>>,
    first: u64,
    next: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
            first: 0,
            next: 0,
        }
    }
}

impl<T: Copy> Queue<T> {
    /// The number of the oldest item that is still there (of the next one, if none is).
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next item gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn len(&self) -> u64 {
        self.next - self.first
    }

    pub fn bytes(&self) -> usize {
        self.chunks.len() * QUEUE_CHUNK * size_of::<T>()
    }

    pub fn get(&self, number: u64) -> Option<&T> {
        if number < self.first {
            return None;
        }
        // The first chunk may have given up some items, but keeps their places.
        let base = self.first - self.first % QUEUE_CHUNK as u64;
        let at = (number - base) as usize;
        self.chunks.get(at / QUEUE_CHUNK)?.get(at % QUEUE_CHUNK)
    }

    pub fn push(&mut self, item: T) -> u64 {
        if self.next.is_multiple_of(QUEUE_CHUNK as u64) {
            self.chunks.push_back(Vec::with_capacity(QUEUE_CHUNK));
        }
        // The last chunk has room: one was just added whenever the last was full.
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push(item);
        }
        self.next += 1;
        self.next - 1
    }

    pub fn pop(&mut self) -> Option<T> {
        let item = *self.get(self.first)?;
        self.first += 1;
        if self.first.is_multiple_of(QUEUE_CHUNK as u64) {
            self.chunks.pop_front();
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_and_chunks_go() {
        let mut queue = Queue::default();
        let many = QUEUE_CHUNK as u64 * 3 + 7;
        for n in 0..many {
            assert_eq!(queue.push(n), n);
        }
        for n in 0..many - 2 {
            assert_eq!(queue.pop(), Some(n));
            assert_eq!(queue.get(n), None);
            assert_eq!(queue.get(n + 1), Some(&(n + 1)));
        }
        assert_eq!(queue.bytes(), QUEUE_CHUNK * 8);
        assert_eq!(
            (queue.first(), queue.next(), queue.len()),
            (many - 2, many, 2)
        );
        assert_eq!(
            (queue.pop(), queue.pop(), queue.pop()),
            (Some(many - 2), Some(many - 1), None)
        );
        assert_eq!(queue.push(1), many);
        assert_eq!(queue.get(many), Some(&1));
    }

    #[test]
    fn emptied_at_a_border_of_chunks() {
        let mut queue = Queue::default();
        for round in 0..3 {
            for n in 0..QUEUE_CHUNK {
                queue.push(n);
            }
            for n in 0..QUEUE_CHUNK {
                assert_eq!(queue.pop(), Some(n), "round {round}");
            }
            assert_eq!((queue.pop(), queue.bytes()), (None, 0));
        }
    }
}
