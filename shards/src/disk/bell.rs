//! How shards wake the storage thread while it waits in the kernel.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An eventfd that is only rung when the thread sleeps.
pub(super) struct Bell {
    file: File,
    sleeping: AtomicBool,
}

impl Bell {
    #[allow(unsafe_code, reason = "eventfd has no wrapper in std")]
    pub(super) fn new() -> io::Result<Arc<Self>> {
        // SAFETY: takes numbers only.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Arc::new(Self {
            // SAFETY: the descriptor was just made and is nobody else's.
            file: unsafe { File::from_raw_fd(fd) },
            sleeping: AtomicBool::new(false),
        }))
    }

    pub(super) fn raw(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Wakes the thread if it sleeps. Call after the request is in the queue.
    pub(super) fn ring(&self) {
        if self.sleeping.swap(false, Ordering::SeqCst) {
            // Fails only when 2^64 - 2 rings are unread, and then the bell is ringing already.
            let _ = (&self.file).write(&1u64.to_ne_bytes());
        }
    }

    /// Says that the thread is about to sleep. It must look into the queues after this, and call [`Self::awake`] if there is
    /// something. Whoever queues something either sees `sleeping` and rings, or is seen by that look.
    pub(super) fn will_sleep(&self) {
        self.sleeping.store(true, Ordering::SeqCst);
    }

    pub(super) fn awake(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }
}

/// Rings when the lane is dropped, so that its thread sees that the queues' senders are gone. Stands after them in the lane.
pub(super) struct LastRing(pub(super) Arc<Bell>);

impl Drop for LastRing {
    fn drop(&mut self) {
        self.0.ring();
    }
}
