//! Waiting within a shard: a flag that a task waits for, and a lock held across awaits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// A flag with one waiting task. A wait that ends takes the flag down.
#[derive(Default)]
pub struct Event {
    set: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Event {
    /// Puts the flag up and wakes the task that waits.
    pub fn set(&self) {
        self.set.set(true);
        if let Some(waiter) = self.waiter.borrow_mut().take() {
            waiter.wake();
        }
    }

    /// Waits until the flag is up, and takes it down. One task may wait.
    pub async fn wait(&self) {
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
pub struct Lock {
    held: Cell<bool>,
    waiters: RefCell<VecDeque<Waker>>,
}

/// The lock is held until this is dropped.
#[must_use = "the lock is given back as soon as this is dropped"]
pub struct Held<'a>(&'a Lock);

impl Lock {
    /// Waits for the lock.
    pub async fn hold(&self) -> Held<'_> {
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
