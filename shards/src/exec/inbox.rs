//! Where other threads put a shard's woken tasks, and how they wake the shard.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use async_task::Runnable;
use concurrent_queue::ConcurrentQueue;

use super::Meta;

/// The part of a shard that other threads may touch.
///
/// The queue is unbounded, but each task is in it at most once, so it holds no more entries than
/// the shard has tasks.
pub(crate) struct Inbox {
    woken: ConcurrentQueue<Runnable<Meta>>,
    /// Set by the shard right before it parks; whoever clears it must ring.
    sleeping: AtomicBool,
    /// Write end of the bell socket, non-blocking. None in the simulator, which never parks.
    bell: Option<UnixStream>,
}

impl Inbox {
    pub(crate) fn new(bell: Option<UnixStream>) -> Self {
        Inbox {
            woken: ConcurrentQueue::unbounded(),
            sleeping: AtomicBool::new(false),
            bell,
        }
    }

    /// Hands a woken task to its shard from outside the shard.
    pub(crate) fn push(&self, runnable: Runnable<Meta>) {
        if let Err(refused) = self.woken.push(runnable) {
            // The shard is gone. Its tasks may only be dropped on its own thread, which no
            // longer exists, so the remains are leaked; a process does this once, at its end.
            std::mem::forget(refused.into_inner());
            return;
        }
        if self.sleeping.swap(false, Ordering::SeqCst) {
            self.ring();
        }
    }

    pub(crate) fn pop(&self) -> Option<Runnable<Meta>> {
        self.woken.pop().ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.woken.is_empty()
    }

    /// No more wakes are taken.
    pub(crate) fn close(&self) {
        self.woken.close();
    }

    /// Says that the shard is about to park. Returns false when work has come in meanwhile; the
    /// caller then must not park.
    ///
    /// Either the pusher sees `sleeping` and rings, or we see what it pushed: both sides write
    /// first and read after, in one total order.
    pub(crate) fn try_sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        if self.woken.is_empty() {
            return true;
        }
        self.sleeping.store(false, Ordering::SeqCst);
        false
    }

    /// Says that the shard runs and needs no ringing.
    pub(crate) fn awake(&self) {
        if self.sleeping.load(Ordering::Relaxed) {
            self.sleeping.store(false, Ordering::SeqCst);
        }
    }

    /// Makes the bell socket readable. A full socket is already readable, so errors do not matter.
    pub(crate) fn ring(&self) {
        if let Some(bell) = &self.bell {
            let _ = (&mut &*bell).write(&[1]);
        }
    }
}
