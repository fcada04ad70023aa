//! Waiting until a class has nothing to do.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::Class;
use crate::context::{self, Shard};
use crate::time::sleep;

/// Waits until no other task of `class` can run on this shard, at most for `most`. For what is done once for all that others are
/// about to ask for, such as a sync: a shard that has nothing else to do waits for nothing.
pub async fn lull(class: Class, most: Duration) {
    let shard = context::current();
    if shard.is_quiet(class) {
        return;
    }
    let mut too_long = pin!(sleep(most));
    let mut waits = false;
    poll_fn(|cx| {
        // Taken off the list: there was a lull, though others that waited for it may be running again.
        let came = waits && !shard.lulls.has(class, cx.waker());
        if came || too_long.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if !waits {
            waits = true;
            shard.lulls.add(class, cx.waker());
        }
        Poll::Pending
    })
    .await;
}

/// The tasks of a shard that wait for a lull. One that has stopped waiting may stay until the next one: there are at most as many as tasks.
#[derive(Default)]
pub(crate) struct Lulls {
    waiting: RefCell<Vec<(Class, Waker)>>,
}

impl Lulls {
    fn has(&self, class: Class, waker: &Waker) -> bool {
        let waiting = self.waiting.borrow();
        let mut of_class = waiting.iter().filter(|(of, _)| *of == class);
        of_class.any(|(_, waiting)| waiting.will_wake(waker))
    }

    fn add(&self, class: Class, waker: &Waker) {
        if !self.has(class, waker) {
            self.waiting.borrow_mut().push((class, waker.clone()));
        }
    }

    /// Wakes those whose class has nothing to do. To be called where no task runs.
    pub(crate) fn end(&self, shard: &Shard) {
        if self.waiting.borrow().is_empty() {
            return;
        }
        let quiet = Class::ALL.map(|class| shard.is_quiet(class));
        let mut waiting = self.waiting.borrow_mut();
        let ended: Vec<_> = waiting
            .extract_if(.., |(class, _)| quiet[class.index()])
            .collect();
        // Waking may run code that looks at the list.
        drop(waiting);
        ended.into_iter().for_each(|(_, waker)| waker.wake());
    }
}
