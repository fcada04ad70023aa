//! Running one task, and cancelling all of them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use async_task::Runnable;

use super::Meta;
use crate::context::Shard;
use crate::limits;

/// Polls one task once, and returns the time at its end; `started` is the time now. A panic in it
/// is caught and poisons the run.
pub(crate) fn run_one(shard: &Rc<Shard>, runnable: Runnable<Meta>, started: u64) -> u64 {
    let meta = *runnable.metadata();
    shard.begin_poll(started);
    shard.pulse().polls(meta.site);
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| runnable.run())) {
        poison(shard, meta, panic.as_ref());
    }
    let ended = shard.clock.now_nanos();
    let nanos = ended.saturating_sub(started);
    shard.queues.borrow_mut().charge(meta.class, nanos);
    shard.stats.polled(meta, nanos);
    ended
}

fn poison(shard: &Shard, meta: Meta, panic: &(dyn Any + Send)) {
    let said = panic_text(panic);
    shard
        .run
        .poison(shard.id, &format!("task spawned at {}: {said}", meta.site));
}

/// What a panic said, if it said a text.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Cancels every task of the shard. Must run on the shard's thread with the shard as context, so
/// that destructors find what they expect.
pub(crate) fn cancel_all(shard: &Rc<Shard>) {
    for _ in 0..limits::CANCEL_ROUNDS {
        for waker in shard.registry.take_wakers() {
            waker.wake();
        }
        loop {
            // One at a time, with no borrow held: a destructor may wake or spawn others.
            let next = shard.queues.borrow_mut().pop();
            let Some(runnable) = next.or_else(|| shard.inbox.pop()) else {
                break;
            };
            let meta = *runnable.metadata();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(runnable))) {
                poison(shard, meta, panic.as_ref());
            }
        }
        if shard.registry.len() == 0 {
            break;
        }
    }
    shard.inbox.close();
    while let Some(late) = shard.inbox.pop() {
        drop(late);
    }
}
