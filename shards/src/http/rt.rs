//! hyper's runtime hooks on a shard: spawning, timers, and a watch over streams whose client has stopped reading.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::thread::ThreadId;
use std::time::Duration;

use crate::time::{self, Instant};
use crate::{Class, spawn};

/// Spawns hyper's futures (one per HTTP/2 stream) on the current shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShardExecutor {
    pub(crate) class: Class,
    /// How long an answer may wait for the client to take more of it.
    pub(crate) write_timeout: Duration,
}

impl<F> hyper::rt::Executor<F> for ShardExecutor
where
    F: Future + 'static,
{
    fn execute(&self, fut: F) {
        // Detached: the stream ends by itself when its connection does.
        spawn(
            self.class,
            StreamTask {
                fut: Box::pin(fut),
                control: Rc::default(),
                write_timeout: self.write_timeout,
                sleep: None,
            },
        )
        .detach();
    }
}

/// What an answer's body tells the task that sends it.
#[derive(Debug, Default)]
pub(crate) struct StreamControl {
    /// Since when a piece of the answer is with hyper while no further one was asked for.
    waiting_for_client: Cell<Option<Instant>>,
}

impl StreamControl {
    /// The body handed out a piece and has more.
    pub(crate) fn handed_out(&self) {
        self.waiting_for_client.set(Some(Instant::now()));
    }

    /// hyper asked for more, or the body is at its end.
    pub(crate) fn asked(&self) {
        self.waiting_for_client.set(None);
    }
}

thread_local! {
    static CONTROL: RefCell<Option<Rc<StreamControl>>> = const { RefCell::new(None) };
    static SLEEPS: RefCell<HashMap<u64, time::Sleep>> = RefCell::default();
    static NEXT_SLEEP: Cell<u64> = const { Cell::new(0) };
}

/// The control of the HTTP/2 stream that is being polled; none on HTTP/1, where the connection itself is watched.
pub(crate) fn current_stream() -> Option<Rc<StreamControl>> {
    CONTROL.with(|control| control.borrow().clone())
}

/// A stream's future. Dropping it resets the stream, which happens here when the client takes nothing for too long.
struct StreamTask<F> {
    fut: Pin<Box<F>>,
    control: Rc<StreamControl>,
    write_timeout: Duration,
    sleep: Option<time::Sleep>,
}

impl<F: Future> Future for StreamTask<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let outer = CONTROL.with(|control| control.replace(Some(Rc::clone(&this.control))));
        let polled = this.fut.as_mut().poll(cx);
        CONTROL.with(|control| control.replace(outer));
        if polled.is_ready() {
            return Poll::Ready(());
        }
        loop {
            let Some(since) = this.control.waiting_for_client.get() else {
                // A sleep that is still armed wakes this task once for nothing; cheaper than re-arming for each piece.
                return Poll::Pending;
            };
            let deadline = since + this.write_timeout;
            if Instant::now() >= deadline {
                tracing::debug!("resetting a stream: its client has stopped reading");
                return Poll::Ready(());
            }
            let sleep = this
                .sleep
                .get_or_insert_with(|| time::sleep_until(deadline));
            if Pin::new(&mut *sleep).poll(cx).is_pending() {
                return Poll::Pending;
            }
            sleep.reset(deadline);
        }
    }
}

/// hyper's timer (used for HTTP/2 keep-alive pings) on the shard's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShardTimer;

/// hyper wants sleeps that are `Send + Sync`, though a connection never leaves its shard. So the future holds only a key, and
/// the real sleep lies in a table of the thread: polled anywhere else it resolves at once, dropped anywhere else it
/// leaves its entry behind until the thread ends. Neither can happen to a connection of a shard.
struct ShardSleep {
    key: u64,
    thread: ThreadId,
}

impl ShardSleep {
    fn boxed(deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let key = NEXT_SLEEP.with(|next| next.replace(next.get().wrapping_add(1)));
        SLEEPS.with(|sleeps| sleeps.borrow_mut().insert(key, time::sleep_until(deadline)));
        Box::pin(Self {
            key,
            thread: std::thread::current().id(),
        })
    }
}

impl Future for ShardSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::thread::current().id() != self.thread {
            return Poll::Ready(());
        }
        // Taken out while it is polled: waking may come back to this table.
        let Some(mut sleep) = SLEEPS.with(|sleeps| sleeps.borrow_mut().remove(&self.key)) else {
            return Poll::Ready(());
        };
        if Pin::new(&mut sleep).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        SLEEPS.with(|sleeps| sleeps.borrow_mut().insert(self.key, sleep));
        Poll::Pending
    }
}

impl Drop for ShardSleep {
    fn drop(&mut self) {
        if std::thread::current().id() == self.thread {
            // `try_with`: the thread may be ending.
            let sleep = SLEEPS.try_with(|sleeps| sleeps.borrow_mut().remove(&self.key));
            drop(sleep);
        }
    }
}

impl hyper::rt::Sleep for ShardSleep {}

/// The point of the standard clock that stands for the shard clock's zero.
fn origin() -> std::time::Instant {
    static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();
    *ORIGIN.get_or_init(std::time::Instant::now)
}

impl hyper::rt::Timer for ShardTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        ShardSleep::boxed(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let left = deadline.saturating_duration_since(self.now());
        ShardSleep::boxed(Instant::now() + left)
    }

    fn now(&self) -> std::time::Instant {
        origin() + Duration::from_nanos(Instant::now().as_nanos())
    }
}
