//! The wish to stop, spread to everyone who waits for it.
//!
//! A signal only says that the end is wanted and why; components stop in their own order. Each
//! run of the runtime (and each simulated process) has its own signal, a child of the process's.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::context;

/// A flag that is set once and can be waited for, on any thread.
#[derive(Clone)]
pub struct Signal {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    set: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reason: Option<String>,
    waiters: Slab<Waker>,
    children: Vec<Weak<Inner>>,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is valid after every statement, so a panic elsewhere cannot have broken it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Signal {
    fn default() -> Self {
        Self::new()
    }
}

impl Signal {
    /// A signal of its own, for parts that stop separately.
    pub fn new() -> Signal {
        Signal {
            inner: Arc::default(),
        }
    }

    /// A signal that is set with this one, but can also be set alone.
    pub fn child(&self) -> Signal {
        let child = Signal::new();
        let mut state = self.inner.lock();
        state.children.retain(|old| old.strong_count() > 0);
        if let Some(reason) = state.reason.clone() {
            drop(state);
            child.trigger(reason);
        } else {
            state.children.push(Arc::downgrade(&child.inner));
        }
        child
    }

    /// Whether the signal is set.
    pub fn is_set(&self) -> bool {
        self.inner.set.load(Ordering::Acquire)
    }

    /// Why it was set.
    pub fn reason(&self) -> Option<String> {
        self.inner.lock().reason.clone()
    }

    /// Sets the signal and its children. The first reason stays. Returns whether this call set it.
    pub fn trigger(&self, reason: impl Into<String>) -> bool {
        let reason = reason.into();
        let (waiters, children) = {
            let mut state = self.inner.lock();
            if state.reason.is_some() {
                return false;
            }
            state.reason = Some(reason.clone());
            self.inner.set.store(true, Ordering::Release);
            let waiters: Vec<Waker> = state.waiters.drain().collect();
            (waiters, std::mem::take(&mut state.children))
        };
        // Wakers run foreign code: never under the lock.
        for waker in waiters {
            waker.wake();
        }
        for child in children.iter().filter_map(Weak::upgrade) {
            Signal { inner: child }.trigger(reason.clone());
        }
        true
    }

    /// Resolves once the signal is set.
    pub fn wait(&self) -> Wait {
        Wait {
            signal: self.clone(),
            key: None,
        }
    }
}

/// The future of [`Signal::wait`].
#[must_use = "a Wait does nothing until awaited"]
pub struct Wait {
    signal: Signal,
    key: Option<usize>,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let inner = Arc::clone(&self.signal.inner);
        let mut state = inner.lock();
        if state.reason.is_some() {
            self.key = None; // trigger() has emptied the slab
            return Poll::Ready(());
        }
        let replaced = match self.key {
            Some(key) => Some(std::mem::replace(
                &mut state.waiters[key],
                cx.waker().clone(),
            )),
            None => {
                self.key = Some(state.waiters.insert(cx.waker().clone()));
                None
            }
        };
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let removed = {
                let mut state = self.signal.inner.lock();
                // After trigger() the slab is empty and stays so.
                state.waiters.try_remove(key)
            };
            drop(removed);
        }
    }
}

fn process() -> &'static Signal {
    static PROCESS: OnceLock<Signal> = OnceLock::new();
    PROCESS.get_or_init(Signal::new)
}

/// The signal of the current run; outside of a shard, that of the whole process.
pub fn signal() -> Signal {
    match context::try_current() {
        Some(shard) => shard.run.shutdown().clone(),
        None => process().clone(),
    }
}

/// Asks the current run to stop; outside of a shard, the whole process.
pub fn trigger(reason: impl Into<String>) {
    let reason = reason.into();
    if signal().trigger(reason.clone()) {
        tracing::info!(reason, "shutting down");
    }
}

/// The signal of a new run.
pub(crate) fn for_new_run() -> Signal {
    process().child()
}

/// From now on SIGTERM and SIGINT ask the process to stop, and a second one ends it at once with
/// the status 128 + signal number.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn on_termination_signals() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let handle = crate::side::handle().map_err(std::io::Error::other)?;
    let _guard = handle.enter();
    for (kind, number) in [
        (SignalKind::terminate(), libc::SIGTERM),
        (SignalKind::interrupt(), libc::SIGINT),
    ] {
        let mut received = signal(kind)?;
        handle.spawn(async move {
            while received.recv().await.is_some() {
                if !process().trigger(format!("signal {number}")) {
                    std::process::exit(128 + number);
                }
                tracing::info!(number, "shutting down; a second signal ends at once");
            }
        });
    }
    Ok(())
}
