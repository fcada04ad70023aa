//! A lock on a file, so that two processes do not use one directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// Holds a lock until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    /// None in the simulator, where every process has a disk of its own.
    _file: Option<File>,
}

impl Lock {
    pub(super) fn simulated() -> Self {
        Self { _file: None }
    }

    /// Locks the file, made if it is missing. `ErrorKind::WouldBlock` if somebody else has it.
    pub(super) fn take(path: &Path) -> io::Result<Self> {
        let options = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let file = options?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
