//! What all shards of one run share: its shutdown signal, its first failure, its end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};

use super::watchdog::Pulse;
use crate::BoxError;
use crate::context;
use crate::exec::Inbox;
use crate::shutdown::{self, Signal};

/// Why a run did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings make no sense.
    #[error("invalid runtime settings: {0}")]
    Config(String),
    /// A shard could not be started.
    #[error("shard {shard} cannot be started: {source}")]
    Start {
        /// Which shard.
        shard: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// A shard's `main` returned an error.
    #[error("shard {shard} failed: {source}")]
    Main {
        /// Which shard.
        shard: usize,
        /// The error it returned.
        source: BoxError,
    },
    /// A task panicked.
    #[error("shard {shard}: panic in {reason}")]
    Panicked {
        /// Which shard.
        shard: usize,
        /// Where the task was spawned and what the panic said.
        reason: String,
    },
}

impl Error {
    /// Whether starting the same again may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Start { .. })
    }
}

/// Shared by all shards of a run.
pub(crate) struct Run {
    shutdown: Signal,
    /// Set at the first failure; starts the grace period of the others.
    failed: Signal,
    /// Set when every `main` has returned: shards drop what is left and end.
    over: Signal,
    remaining: AtomicUsize,
    failure: Mutex<Option<Error>>,
    poison: OnceLock<String>,
    inboxes: Vec<Arc<Inbox>>,
    pulses: Vec<Pulse>,
    /// The thread that waits for the run to end.
    starter: Thread,
}

impl Run {
    pub(crate) fn new(inboxes: Vec<Arc<Inbox>>) -> Arc<Run> {
        Arc::new(Run {
            shutdown: shutdown::for_new_run(),
            failed: Signal::new(),
            over: Signal::new(),
            remaining: AtomicUsize::new(inboxes.len()),
            failure: Mutex::new(None),
            poison: OnceLock::new(),
            pulses: inboxes.iter().map(|_| Pulse::default()).collect(),
            inboxes,
            starter: thread::current(),
        })
    }

    pub(crate) fn shutdown(&self) -> &Signal {
        &self.shutdown
    }

    pub(crate) fn failed(&self) -> &Signal {
        &self.failed
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.is_set()
    }

    pub(crate) fn inboxes(&self) -> &[Arc<Inbox>] {
        &self.inboxes
    }

    pub(crate) fn pulses(&self) -> &[Pulse] {
        &self.pulses
    }

    /// Records a failure (the first one stays) and asks everyone to stop.
    pub(crate) fn fail(&self, error: Error) {
        tracing::error!(%error, "a shard has failed");
        let reason = error.to_string();
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        self.failed.trigger(reason.clone());
        self.shutdown.trigger(reason);
    }

    /// A task has panicked: its state is unknown, so the process has to end.
    pub(crate) fn poison(&self, shard: usize, reason: &str) {
        let _ = self.poison.set(reason.to_owned());
        self.fail(Error::Panicked {
            shard,
            reason: reason.to_owned(),
        });
    }

    pub(crate) fn poisoned(&self) -> Option<&str> {
        self.poison.get().map(String::as_str)
    }

    /// One shard's `main` has returned. With the last one the run is over.
    pub(crate) fn main_returned(&self) {
        if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.end();
        }
    }

    /// Ends the run whatever still goes on.
    pub(crate) fn end(&self) {
        self.over.trigger("all shards have returned");
        for inbox in &self.inboxes {
            inbox.ring();
        }
        self.starter.unpark();
    }

    pub(crate) fn take_result(&self) -> Result<(), Error> {
        match self
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Why the current run is poisoned, if a task of it has panicked. A poisoned process is not ready.
pub fn poisoned() -> Option<String> {
    context::try_current().and_then(|shard| shard.run.poisoned().map(str::to_owned))
}
