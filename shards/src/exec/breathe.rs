//! Giving way to others in the middle of long work.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::Class;
use crate::context::{self, Shard};
use crate::limits::{BREATH, LULL_TURNS};

/// Gives way if this poll has used up its turn, else returns at once. Loops that compute call it
/// at least every 200 us; it costs one look at the clock.
pub async fn breathe() {
    if context::with(|shard| shard.out_of_breath(BREATH)) {
        yield_now().await;
    }
}

/// Lets every other runnable task of the same class have a turn.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits until no other task of `class` can run on this shard, at most for `most`. For what is done once for all that others are
/// about to ask for, such as a sync: a shard that has nothing else to do waits for nothing.
pub async fn lull(class: Class, most: Duration) {
    let shard = context::current();
    // `as` is exact: nobody waits for centuries.
    let end = shard.clock.now_nanos() + most.as_nanos() as u64;
    let waiting = Waiting::new(&shard);
    for _ in 0..LULL_TURNS {
        // Those that wait like this one are queued all the time.
        let others = waiting.others();
        let busy = shard.queues.borrow().len_of(class) > others || !shard.inbox.is_empty();
        if !busy || shard.clock.now_nanos() >= end {
            return;
        }
        yield_now().await;
    }
}

/// One task in [`lull`].
struct Waiting<'a> {
    shard: &'a Rc<Shard>,
}

impl<'a> Waiting<'a> {
    fn new(shard: &'a Rc<Shard>) -> Self {
        shard.in_lull.set(shard.in_lull.get() + 1);
        Self { shard }
    }

    fn others(&self) -> usize {
        self.shard.in_lull.get() - 1
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shard.in_lull.set(self.others());
    }
}
