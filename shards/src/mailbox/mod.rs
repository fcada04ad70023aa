//! Messages across shards and threads: bounded mailboxes and one-shot replies.
//!
//! What is sent is owned by the receiver. A full mailbox is back-pressure: the sender waits or
//! tells its caller to come back later.

mod meter;
mod oneshot;
#[cfg(test)]
mod tests;

pub use oneshot::{Dropped, Promise, Reply, oneshot};

use std::fmt;

use meter::Meter;

/// Why a message was not taken; it comes back.
#[derive(PartialEq, Eq, thiserror::Error)]
pub enum TrySendError<T> {
    /// There is no room now; a retry may find some.
    #[error("mailbox is full")]
    Full(T),
    /// The receiver is gone for good.
    #[error("mailbox is closed")]
    Closed(T),
}

impl<T> TrySendError<T> {
    /// The message that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(message) | TrySendError::Closed(message) => message,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, TrySendError::Full(_))
    }
}

/// The receiver is gone; the message comes back.
#[derive(PartialEq, Eq, thiserror::Error)]
#[error("mailbox is closed")]
pub struct Closed<T>(pub T);

// By hand, so that messages need not be Debug for their errors to be errors.
impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Debug for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed(..)")
    }
}

/// The sending side. Clone it freely.
pub struct Sender<T> {
    inner: flume::Sender<T>,
    meter: Option<Meter>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender {
            inner: self.inner.clone(),
            meter: self.meter.clone(),
        }
    }
}

/// The receiving side. The mailbox closes when it is dropped.
pub struct Receiver<T> {
    inner: flume::Receiver<T>,
}

/// A mailbox for at most `capacity` messages (at least one).
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (tx, rx) = flume::bounded(capacity.max(1));
    let sender = Sender {
        inner: tx,
        meter: None,
    };
    (sender, Receiver { inner: rx })
}

/// A [`bounded`] mailbox whose depth, and how often it was full, are exported under `name`.
/// Mailboxes of one name are added up.
pub fn named<T: Send + 'static>(name: &'static str, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (mut tx, rx) = bounded(capacity);
    tx.meter = Some(Meter::new(name, &tx.inner));
    (tx, rx)
}

impl<T> Sender<T> {
    /// Sends without waiting.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.inner.try_send(message).map_err(|e| match e {
            flume::TrySendError::Full(m) => {
                self.count_full();
                TrySendError::Full(m)
            }
            flume::TrySendError::Disconnected(m) => TrySendError::Closed(m),
        })
    }

    /// Sends, waiting for room. Dropping the future before it resolves sends nothing.
    pub async fn send(&self, message: T) -> Result<(), Closed<T>> {
        if self.inner.is_full() {
            self.count_full();
        }
        self.inner
            .send_async(message)
            .await
            .map_err(|e| Closed(e.0))
    }

    fn count_full(&self) {
        if let Some(meter) = &self.meter {
            meter.full();
        }
    }

    /// Messages waiting.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Messages it can hold.
    pub fn capacity(&self) -> usize {
        self.inner.capacity().unwrap_or(usize::MAX)
    }

    /// Whether the receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.inner.is_disconnected()
    }
}

impl<T> Receiver<T> {
    /// The next message; `None` once all senders are gone and the mailbox is empty.
    pub async fn recv(&self) -> Option<T> {
        self.inner.recv_async().await.ok()
    }

    /// The next message if one waits.
    pub fn try_recv(&self) -> Option<T> {
        self.inner.try_recv().ok()
    }

    /// Messages waiting.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}
