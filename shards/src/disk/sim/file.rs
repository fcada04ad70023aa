//! An open file of a simulated disk.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::fault::Operation;
use super::state::{Open, State};
use super::{SimDisk, crash, current};
use crate::disk::OpenOptions;
use crate::disk::buffer::AlignedBuffer;
use crate::{rand, sim};

/// Names the open file; the disk itself is the current process's, so that files can move between its shards.
#[derive(Clone)]
pub(in crate::disk) struct SimFile {
    open: Open,
    path: Arc<str>,
    read: bool,
    write: bool,
}

impl SimFile {
    pub(super) fn new(open: Open, path: &str, options: OpenOptions) -> Self {
        Self {
            open,
            path: path.into(),
            read: options.read,
            write: options.write,
        }
    }

    fn disk(&self) -> io::Result<Rc<SimDisk>> {
        current().ok_or_else(crate::disk::stopped)
    }

    fn check(&self, allowed: bool) -> io::Result<Rc<SimDisk>> {
        if !allowed {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        self.disk()
    }

    pub(in crate::disk) async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let disk = self.check(self.read)?;
        let read = |state: &mut State| state.read(&self.open, offset, len);
        let bytes = disk.perform(Operation::Read, &self.path, read).await?;
        AlignedBuffer::copy_of(&bytes)?.into_bytes()
    }

    pub(in crate::disk) async fn write(
        &self,
        offset: u64,
        buffers: Vec<Bytes>,
        sync: bool,
    ) -> io::Result<()> {
        let disk = self.disk()?;
        let bytes = Bytes::from(buffers.concat());
        if !bytes.is_empty() {
            self.check(self.write)?;
            let failure = disk.strike(Operation::Write, &self.path).await;
            let mut write = Begun {
                disk: &disk,
                open: &self.open,
                what: Some((offset, bytes)),
            };
            if failure.is_some() {
                write.cut(rand::below);
            }
            // Others may see the bytes as soon as it begins, or only when it ends.
            let early = rand::below(2) == 0;
            let mut outcome = Ok(());
            if early {
                outcome = write.happen();
            }
            let crashes = sim::io_step().await;
            if !early {
                outcome = write.happen();
            }
            if crashes {
                return crash().await;
            }
            if let Some(error) = failure {
                return Err(error);
            }
            outcome?;
        }
        if sync {
            self.sync(&disk).await?;
        }
        Ok(())
    }

    async fn sync(&self, disk: &SimDisk) -> io::Result<()> {
        // What is written while the sync is under way may or may not be synced; the crash decides about it.
        let before = disk.state.borrow_mut().next_sequence();
        let failure = disk.strike(Operation::Sync, &self.path).await;
        let crashes = sim::io_step().await;
        if let Some(error) = failure {
            disk.state.borrow_mut().sync_failed(&self.open, before);
            return Err(error);
        }
        // If the process crashes in the middle, nobody will ever hear of how it went.
        if !crashes || rand::below(2) == 0 {
            disk.state.borrow_mut().sync(&self.open, before)?;
        }
        if crashes {
            return crash().await;
        }
        Ok(())
    }

    pub(in crate::disk) async fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let disk = self.check(self.write)?;
        if len == 0 {
            return Ok(());
        }
        let action = |state: &mut State| state.allocate(&self.open, offset + len);
        disk.perform(Operation::Allocate, &self.path, action).await
    }

    pub(in crate::disk) async fn set_len(&self, len: u64) -> io::Result<()> {
        let disk = self.check(self.write)?;
        let action = |state: &mut State| state.set_len(&self.open, len);
        disk.perform(Operation::SetLen, &self.path, action).await
    }

    pub(in crate::disk) async fn len(&self) -> io::Result<u64> {
        let disk = self.disk()?;
        disk.state.borrow_mut().len(&self.open)
    }
}

/// A write that has begun: it happens even if nobody waits for it any more, as it would on a real disk.
struct Begun<'a> {
    disk: &'a SimDisk,
    open: &'a Open,
    what: Option<(u64, Bytes)>,
}

impl Begun<'_> {
    /// Leaves some first part of the bytes.
    fn cut(&mut self, below: impl Fn(u64) -> u64) {
        if let Some((_, bytes)) = &mut self.what {
            // Not more than the length, which is a usize.
            bytes.truncate(below(bytes.len() as u64 + 1) as usize);
        }
    }

    fn happen(&mut self) -> io::Result<()> {
        match self.what.take() {
            Some((offset, bytes)) => self.disk.state.borrow_mut().write(self.open, offset, bytes),
            None => Ok(()),
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        // Nobody hears of how it went. After a crash the open file is of no use, so this changes nothing then.
        let _ = self.happen();
    }
}
