//! An open file of the real disk.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};

use super::meta::Meta;

/// A file descriptor. Its last owner may be a shard, so it is closed elsewhere: closing the last descriptor of a removed
/// file frees its blocks, which takes as long as it takes.
pub(super) struct Fd {
    file: ManuallyDrop<File>,
    meta: Meta,
}

impl Fd {
    pub(super) fn new(file: File, meta: Meta) -> Self {
        Self {
            file: ManuallyDrop::new(file),
            meta,
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn raw(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        let file = File::open("/dev/null").unwrap();
        Self::new(file, Meta::start().unwrap())
    }
}

impl Drop for Fd {
    #[allow(
        unsafe_code,
        reason = "moves the file out of a value that is being dropped"
    )]
    fn drop(&mut self) {
        // SAFETY: `file` is taken nowhere else, and not used again: this is the end of `self`.
        let file = unsafe { ManuallyDrop::take(&mut self.file) };
        self.meta.close(file);
    }
}
