//! Memory of the chunks that are looked at on a shard: taken before a chunk is opened, waited for when others have it.
//!
//! What a chunk needs is known when it has been looked at. What is taken beforehand is what the last ones needed by span; what a chunk
//! needs beyond that it takes on the way, and fails, to be tried again, if there is none.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use vivace_columns::Room;
use vivace_shards::memory::{Charge, Kind, charge, try_charge};

use crate::limits::{
    BYTES_PER_SPAN_AT_FIRST, CHUNK_SPANS, CHUNK_SPANS_LEAST, SHARE_BYTES_PER_SPAN,
};

/// Lets chunks in; one for each shard.
pub(crate) struct Gate {
    /// Chunks that are open.
    open: Cell<usize>,
    /// Who waits, in the order of coming.
    waiting: RefCell<VecDeque<(u64, Waker)>>,
    next: Cell<u64>,
    /// What recent chunks took by span.
    bytes_per_span: Cell<u64>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            open: Cell::new(0),
            waiting: RefCell::default(),
            next: Cell::new(0),
            bytes_per_span: Cell::new(BYTES_PER_SPAN_AT_FIRST),
        }
    }
}

/// A chunk's memory. Given back when this is dropped, which lets the next one in.
pub(crate) struct ChunkRoom {
    gate: Rc<Gate>,
    spans: u64,
    charge: RefCell<Charge>,
    used: Cell<u64>,
    most: Cell<u64>,
}

impl Gate {
    /// Waits for memory for a chunk of so many spans. A chunk that is alone gets in whatever there is: nobody else would make room.
    pub(crate) async fn enter(self: &Rc<Self>, spans: u64) -> Rc<ChunkRoom> {
        let mut turn = Turn {
            gate: self,
            number: None,
        };
        let charge = poll_fn(|context| turn.poll(spans, context)).await;
        self.open.set(self.open.get() + 1);
        Rc::new(ChunkRoom {
            gate: Rc::clone(self),
            spans,
            charge: RefCell::new(charge),
            used: Cell::new(0),
            most: Cell::new(0),
        })
    }

    fn wake_next(&self) {
        if let Some((_, waker)) = self.waiting.borrow().front() {
            waker.wake_by_ref();
        }
    }

    /// Remembers what a chunk took: more counts at once, less slowly.
    fn learn(&self, spans: u64, bytes: u64) {
        let now = bytes / spans.max(1);
        let before = self.bytes_per_span.get();
        self.bytes_per_span.set(now.max(before - before / 8).max(1));
    }
}

/// A place among those who wait.
struct Turn<'g> {
    gate: &'g Gate,
    number: Option<u64>,
}

impl Turn<'_> {
    fn poll(&mut self, spans: u64, context: &mut Context<'_>) -> Poll<Charge> {
        let mut waiting = self.gate.waiting.borrow_mut();
        let first = waiting.front().map(|(number, _)| *number);
        if first.is_none() || first == self.number {
            let wanted = spans.saturating_mul(self.gate.bytes_per_span.get());
            let taken = match try_charge(wanted, Kind::Query) {
                Err(_) if self.gate.open.get() == 0 => Ok(charge(0, Kind::Query)),
                other => other,
            };
            if let Ok(taken) = taken {
                if self.number.take().is_some() {
                    waiting.pop_front();
                }
                drop(waiting);
                // There may be room for more than one.
                self.gate.wake_next();
                return Poll::Ready(taken);
            }
        }
        let number = self.number;
        let known = waiting.iter_mut().find(|(known, _)| Some(*known) == number);
        match known {
            Some((_, waker)) => waker.clone_from(context.waker()),
            None => {
                let number = self.gate.next.get();
                self.gate.next.set(number + 1);
                self.number = Some(number);
                waiting.push_back((number, context.waker().clone()));
            }
        }
        Poll::Pending
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.gate
                .waiting
                .borrow_mut()
                .retain(|(known, _)| *known != number);
            self.gate.wake_next();
        }
    }
}

impl ChunkRoom {
    /// Remembers that the chunk took as much as that.
    pub(crate) fn note(&self, bytes: u64) {
        self.most.set(self.most.get().max(bytes));
    }

    /// Takes bytes until the chunk is closed. False: there are none.
    pub(crate) fn grow(&self, bytes: u64) -> bool {
        let used = self.used.get().saturating_add(bytes);
        self.most.set(self.most.get().max(used));
        let mut charge = self.charge.borrow_mut();
        let more = used.saturating_sub(charge.bytes());
        if charge.try_grow(more).is_err() {
            return false;
        }
        self.used.set(used);
        true
    }
}

impl Room for ChunkRoom {
    fn take(&self, bytes: usize) -> bool {
        self.grow(bytes as u64)
    }

    fn give_back(&self, bytes: usize) {
        self.used.set(self.used.get().saturating_sub(bytes as u64));
    }
}

impl Drop for ChunkRoom {
    fn drop(&mut self) {
        self.gate.learn(self.spans, self.most.get());
        let open = self.gate.open.get();
        self.gate.open.set(open.saturating_sub(1));
        let given_back = self.charge.get_mut().bytes();
        self.charge.get_mut().shrink_to(0);
        if given_back > 0 || open == 1 {
            self.gate.wake_next();
        }
    }
}

/// Spans of a block that are looked at together: fewer where a shard has little memory.
pub(crate) fn chunk_spans() -> u32 {
    let share = vivace_shards::memory::limit() / SHARE_BYTES_PER_SPAN;
    let spans = u32::try_from(share).unwrap_or(u32::MAX);
    spans.clamp(CHUNK_SPANS_LEAST, CHUNK_SPANS)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use vivace_shards::memory::{Kind, try_charge, used};
    use vivace_shards::runtime::{Config, run};
    use vivace_shards::{Class, spawn};

    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn on_a_shard<W: Future<Output = ()> + 'static>(test: fn() -> W) {
        let config = Config {
            shards: 1,
            pin: false,
            memory_limit_bytes: LIMIT,
            ..Config::default()
        };
        run(config, move || {
            let work = test();
            async move {
                work.await;
                Ok(())
            }
        })
        .unwrap();
    }

    #[test]
    fn chunks_wait_in_turn_and_one_alone_always_gets_in() {
        on_a_shard(|| async {
            let gate = Rc::new(Gate::default());
            // Two fit, three don't.
            let half = LIMIT / 3 / BYTES_PER_SPAN_AT_FIRST;
            let first = gate.enter(half).await;
            let second = gate.enter(half).await;
            assert_eq!(used(), half * 2 * BYTES_PER_SPAN_AT_FIRST);
            let order = Rc::new(RefCell::new(Vec::new()));
            let mut tasks = Vec::new();
            for number in 0..4 {
                let (gate, order) = (Rc::clone(&gate), Rc::clone(&order));
                tasks.push(spawn(Class::Query, async move {
                    let room = gate.enter(half).await;
                    order.borrow_mut().push(number);
                    vivace_shards::breathe().await;
                    drop(room);
                }));
            }
            vivace_shards::time::sleep(std::time::Duration::from_millis(5)).await;
            assert!(order.borrow().is_empty());
            // One that gives up is not waited for.
            drop(tasks.remove(0));
            drop(first);
            vivace_shards::time::sleep(std::time::Duration::from_millis(5)).await;
            assert_eq!(*order.borrow(), [1, 2, 3]);
            drop(second);
            assert_eq!(used(), 0);
            // All is taken by others than chunks: one may begin nevertheless, and gets what there is.
            let others = try_charge(LIMIT - 10, Kind::Ingest).unwrap();
            let alone = gate.enter(half).await;
            assert!(!alone.grow(1));
            drop(others);
            assert!(alone.grow(1));
        });
    }

    #[test]
    fn what_chunks_need_is_learnt() {
        on_a_shard(|| async {
            let gate = Rc::new(Gate::default());
            let room = gate.enter(10).await;
            assert!(room.take(50_000));
            room.give_back(50_000);
            assert!(room.take(20_000));
            drop(room);
            assert_eq!(gate.bytes_per_span.get(), 5_000);
            for _ in 0..100 {
                drop(gate.enter(10).await);
            }
            assert!(gate.bytes_per_span.get() < 10);
            assert_eq!(used(), 0);
        });
    }
}
