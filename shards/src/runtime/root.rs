//! The one future that the driver runs: our scheduler.
//!
//! The driver's own loop serves sockets and timers only when it finds nothing to run. So this
//! future runs our tasks for one slice, and if work is left rings its own bell and returns
//! Pending: the driver then finds an empty queue, parks, and is woken at once by the bell, having
//! served everything that was due.

use std::future::{Future, poll_fn};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use monoio::io::IntoPollIo;
use tokio::io::{AsyncRead, ReadBuf};

use crate::context::Shard;
use crate::exec::{self, Place};
use crate::limits::{POLLS_PER_SLICE, SLICE};

/// Runs the shard's tasks until the run is over.
pub(crate) async fn root(shard: Rc<Shard>, bell: UnixStream) -> std::io::Result<()> {
    let bell = monoio::net::UnixStream::from_std(bell)?.into_poll_io()?;
    let mut root = Root {
        shard,
        bell,
        alarm: Alarm::default(),
    };
    poll_fn(move |cx| root.turn(cx)).await;
    Ok(())
}

struct Root {
    shard: Rc<Shard>,
    bell: <monoio::net::UnixStream as IntoPollIo>::PollIo,
    alarm: Alarm,
}

impl Root {
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.shard.begin_turn(cx.waker());
        self.shard.inbox.awake();
        self.hear_bell(cx);
        self.shard.pulse().begin_turn(self.shard.clock.now_nanos());
        let over = self.run_until_parked(cx);
        self.shard.pulse().end_turn();
        self.shard.end_turn();
        over
    }

    /// Runs one slice, or until there is nothing to do. On Pending the driver is certain to wake
    /// us: by the bell, by the alarm, or by a socket.
    fn run_until_parked(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let shard = &self.shard;
            if shard.run.is_over() {
                return Poll::Ready(());
            }
            if run_slice(shard) {
                shard.inbox.ring();
                return Poll::Pending;
            }
            let next = shard.timers.borrow().next();
            if self.alarm.set(next, shard.clock.now_nanos(), cx) && shard.inbox.try_sleep() {
                return Poll::Pending;
            }
        }
    }

    /// Empties the bell socket, so that it wakes us again when it is next rung.
    fn hear_bell(&mut self, cx: &mut Context<'_>) {
        let mut bytes = [0; 64];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.bell).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                // The write end lives in the run and errors cannot occur on a socket pair; if
                // one did, the timers would still turn the loop.
                Poll::Ready(_) | Poll::Pending => return,
            }
        }
    }
}

/// Runs tasks for at most one slice. Returns whether work is left.
fn run_slice(shard: &Rc<Shard>) -> bool {
    let started = shard.clock.now_nanos();
    // `as` is exact: a slice is far below u64::MAX nanoseconds.
    let end = started + SLICE.as_nanos() as u64;
    shard.begin_slice(end);
    let mut now = started;
    let mut polls = 0;
    let left = loop {
        while let Some(woken) = shard.inbox.pop() {
            shard.queues.borrow_mut().push(woken, Place::Woken);
        }
        fire_due(shard, now);
        shard.lulls.end(shard);
        let next = shard.queues.borrow_mut().pop();
        let Some(runnable) = next else { break false };
        now = exec::run_one(shard, runnable, now);
        polls += 1;
        if now >= end || polls >= POLLS_PER_SLICE {
            break !shard.queues.borrow().is_empty() || !shard.inbox.is_empty();
        }
    };
    if polls > 0 {
        shard.stats.sliced(shard.registry.len());
    }
    left
}

/// Wakes the tasks whose timers are due.
pub(crate) fn fire_due(shard: &Shard, now: u64) {
    loop {
        // Waking may run code that looks at the timers: no borrow is held over it.
        let due = shard.timers.borrow_mut().pop_due(now);
        match due {
            Some(waker) => waker.wake(),
            None => return,
        }
    }
}

/// The driver's timer for our earliest deadline.
#[derive(Default)]
struct Alarm {
    armed: Option<(u64, Pin<Box<monoio::time::Sleep>>)>,
}

impl Alarm {
    /// Sees to it that the root is polled at `deadline`. False if that is not in the future.
    fn set(&mut self, deadline: Option<u64>, now: u64, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = deadline else {
            self.armed = None;
            return true;
        };
        if deadline <= now {
            return false;
        }
        let at = || monoio::time::Instant::now() + Duration::from_nanos(deadline - now);
        match &mut self.armed {
            Some((armed, _)) if *armed == deadline => {}
            Some((armed, sleep)) => {
                sleep.as_mut().reset(at());
                *armed = deadline;
            }
            None => self.armed = Some((deadline, Box::pin(monoio::time::sleep_until(at())))),
        }
        let rang = match &mut self.armed {
            Some((_, sleep)) => sleep.as_mut().poll(cx).is_ready(),
            None => false,
        };
        if rang {
            // The driver's clock ran ahead of ours by less than its granularity; a fresh sleep is
            // armed in the next turn.
            self.armed = None;
            return false;
        }
        true
    }
}
