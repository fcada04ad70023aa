//! Faults that a test asks the simulated disk for.

use std::time::Duration;

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Opening or making a file.
    Open,
    /// Making directories.
    CreateDir,
    /// Listing a directory.
    ReadDir,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
    /// Syncing a directory.
    SyncDir,
    /// Reading bytes.
    Read,
    /// Writing bytes; some of them may be written before it fails.
    Write,
    /// Syncing a file; what was written before is not synced by a later one either.
    Sync,
    /// Reserving space.
    Allocate,
    /// Cutting or extending a file.
    SetLen,
}

/// What happens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It fails with this `errno` (`libc::EIO`, `libc::ENOSPC`).
    Error(i32),
    /// It takes this much longer.
    Delay(Duration),
}

/// A fault to happen.
#[derive(Clone, Debug)]
pub struct Fault {
    /// To which operation.
    pub operation: Operation,
    /// On which files or directories: those whose path contains this.
    pub path: String,
    /// What happens.
    pub effect: Effect,
    /// How likely, in a million.
    pub per_million: u32,
    /// How often at most.
    pub times: u64,
}

impl Fault {
    /// The next such operation, on any path, fails with `errno`.
    pub fn once(operation: Operation, errno: i32) -> Self {
        Self {
            operation,
            path: String::new(),
            effect: Effect::Error(errno),
            per_million: 1_000_000,
            times: 1,
        }
    }
}

#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to this operation, if anything: the first fault that applies.
    pub(super) fn strike(
        &mut self,
        operation: Operation,
        path: &str,
        below: impl Fn(u64) -> u64,
    ) -> Option<Effect> {
        let struck = self.0.iter_mut().find(|fault| {
            fault.operation == operation
                && fault.times > 0
                && path.contains(&fault.path)
                && below(1_000_000) < u64::from(fault.per_million)
        })?;
        struck.times -= 1;
        let effect = struck.effect;
        self.0.retain(|fault| fault.times > 0);
        Some(effect)
    }
}
