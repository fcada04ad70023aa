//! Waiting within a shard: a flag that a task waits for, and a lock held across awaits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// A flag with one waiting task. A wait that ends takes the flag down.
#[derive(Default)]
pub(crate) struct Event {
    set: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Event {
    pub(crate) fn set(&self) {
        self.set.set(true);
        if let Some(waiter) = self.waiter.borrow_mut().take() {
            waiter.wake();
        }
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            if self.set.replace(false) {
                return Poll::Ready(());
            }
            *self.waiter.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// One holder at a time. Waiters are woken together and try again: there are few.
#[derive(Default)]
pub(crate) struct Lock {
    held: Cell<bool>,
    waiters: RefCell<VecDeque<Waker>>,
}

pub(crate) struct Held<'a>(&'a Lock);

impl Lock {
    pub(crate) async fn hold(&self) -> Held<'_> {
        poll_fn(|cx| {
            if !self.held.replace(true) {
                return Poll::Ready(Held(self));
            }
            self.waiters.borrow_mut().push_back(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.set(false);
        for waiter in self.0.waiters.borrow_mut().drain(..) {
            waiter.wake();
        }
    }
}
