//! An open file, real or simulated.

use std::io;

use bytes::Bytes;

use super::lane::RealFile;
use super::meta;
use super::sim::SimFile;
use crate::limits::DISK_READ_BYTES;

/// An open file. Clones are the same open file; it is closed when the last one is gone. May be used on any shard.
#[derive(Clone)]
pub struct File(Inner);

#[derive(Clone)]
enum Inner {
    Real(RealFile),
    Simulated(SimFile),
}

impl File {
    pub(super) fn real(file: RealFile) -> Self {
        Self(Inner::Real(file))
    }

    pub(super) fn simulated(file: SimFile) -> Self {
        Self(Inner::Simulated(file))
    }

    /// Reads `len` bytes from `offset` on; fewer only where the file ends. The result is 8-byte aligned.
    pub async fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        check_range(offset, len as u64)?;
        if len > DISK_READ_BYTES {
            return Err(invalid("a read of more than DISK_READ_BYTES"));
        }
        if len == 0 {
            return Ok(Bytes::new());
        }
        match &self.0 {
            Inner::Real(file) => file.read_at(offset, len).await,
            Inner::Simulated(file) => file.read_at(offset, len).await,
        }
    }

    /// Writes all buffers one after the other from `offset` on. On an error some of it may be written.
    pub async fn write_at(&self, offset: u64, buffers: Vec<Bytes>) -> io::Result<()> {
        self.write(offset, buffers, false).await
    }

    /// Writes as [`Self::write_at`] does, then syncs: on `Ok` these bytes survive a power loss.
    pub async fn write_and_sync_at(&self, offset: u64, buffers: Vec<Bytes>) -> io::Result<()> {
        self.write(offset, buffers, true).await
    }

    /// Makes everything written before survive a power loss, with the file's length.
    pub async fn sync_data(&self) -> io::Result<()> {
        self.write(0, Vec::new(), true).await
    }

    /// Reserves disk space for `len` bytes from `offset` on, so that writing there cannot fail for lack of it. The file grows to
    /// hold them and reads as zeros there.
    pub async fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        check_range(offset, len)?;
        match &self.0 {
            Inner::Real(file) => {
                file.on_meta(move |file| meta::allocate(file, offset, len))
                    .await
            }
            Inner::Simulated(file) => file.allocate(offset, len).await,
        }
    }

    /// Cuts the file, or extends it with zeros.
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        check_range(0, len)?;
        match &self.0 {
            Inner::Real(file) => file.on_meta(move |file| file.set_len(len)).await,
            Inner::Simulated(file) => file.set_len(len).await,
        }
    }

    /// The file's length in bytes.
    pub async fn len(&self) -> io::Result<u64> {
        match &self.0 {
            Inner::Real(file) => file.on_meta(|file| Ok(file.metadata()?.len())).await,
            Inner::Simulated(file) => file.len().await,
        }
    }

    async fn write(&self, offset: u64, buffers: Vec<Bytes>, sync: bool) -> io::Result<()> {
        let total = buffers.iter().map(|buffer| buffer.len() as u64);
        check_range(offset, total.fold(0, u64::saturating_add))?;
        match &self.0 {
            Inner::Real(file) => file.write(offset, buffers, sync).await,
            Inner::Simulated(file) => file.write(offset, buffers, sync).await,
        }
    }
}

/// The kernel counts file offsets in signed 64 bits.
fn check_range(offset: u64, len: u64) -> io::Result<()> {
    match offset.checked_add(len) {
        Some(end) if i64::try_from(end).is_ok() => Ok(()),
        _ => Err(invalid("a range beyond the end of what a file can hold")),
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
