//! The disk lane: where shards hand in reads and writes, and the threads behind it.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::bell::{Bell, LastRing};
use super::buffer::AlignedBuffer;
use super::fd::Fd;
use super::meta::{self, Meta};
use super::transfer::{Read, Write};
use super::{OpenOptions, pwrite, uring};
use crate::context::{self, Shard};
use crate::limits::{DISK_CACHED_READ_BYTES, DISK_QUEUE};
use crate::metrics::gauge_vec;
use crate::runtime::DiskChoice;

/// One lane. A process has at most one of each kind, shared by its shards.
pub(super) struct Lane {
    name: &'static str,
    reads: flume::Sender<Read>,
    writes: flume::Sender<Write>,
    /// Dropped after the senders.
    bell: Option<LastRing>,
    meta: Meta,
}

impl Lane {
    fn start_uring() -> io::Result<Arc<Self>> {
        let (reads, read_queue) = flume::bounded(DISK_QUEUE);
        let (writes, write_queue) = flume::bounded(DISK_QUEUE);
        let bell = Bell::new()?;
        uring::start(read_queue, write_queue, Arc::clone(&bell))?;
        Ok(Arc::new(Self {
            name: "io_uring",
            reads,
            writes,
            bell: Some(LastRing(bell)),
            meta: Meta::start()?,
        }))
    }

    fn start_pwrite() -> io::Result<Arc<Self>> {
        let (reads, read_queue) = flume::bounded(DISK_QUEUE);
        let (writes, write_queue) = flume::bounded(DISK_QUEUE);
        pwrite::start(&read_queue, &write_queue)?;
        Ok(Arc::new(Self {
            name: "pwrite",
            reads,
            writes,
            bell: None,
            meta: Meta::start()?,
        }))
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    pub(super) async fn open(
        self: &Arc<Self>,
        path: &Path,
        options: OpenOptions,
    ) -> io::Result<RealFile> {
        let (path, meta) = (path.to_owned(), self.meta.clone());
        let open = move || {
            let file = meta::open(&path, &options)?;
            // In here, so that the file is closed as it should be if nobody waits for it any more.
            Ok(Fd::new(file, meta))
        };
        let fd = self.meta.run(open).await?;
        Ok(RealFile {
            lane: Arc::clone(self),
            fd: Arc::new(fd),
        })
    }

    fn ring(&self) {
        if let Some(LastRing(bell)) = &self.bell {
            bell.ring();
        }
    }
}

/// An open file and the lane its bytes take.
#[derive(Clone)]
pub(super) struct RealFile {
    lane: Arc<Lane>,
    fd: Arc<Fd>,
}

impl RealFile {
    /// Reads what is in the page cache at once, which is cheaper than two changes of thread, and the rest on the lane.
    pub(super) async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut buffer = AlignedBuffer::new(length)?;
        if length <= DISK_CACHED_READ_BYTES && self.read_cached(offset, &mut buffer) {
            // This waited for nothing; a loop of such reads has to let others run all the same.
            if context::try_current().is_some() {
                crate::breathe().await;
            }
            return buffer.into_bytes();
        }
        self.read_on_lane(offset, buffer).await
    }

    /// Fills the buffer as far as that needs no disk. True if nothing is left to read.
    #[allow(unsafe_code, reason = "reads into memory that is not initialised")]
    fn read_cached(&self, offset: u64, buffer: &mut AlignedBuffer) -> bool {
        let slice = libc::iovec {
            iov_base: buffer.free().cast(),
            iov_len: buffer.missing(),
        };
        // The range was checked: it fits.
        let at = offset as libc::off_t;
        // SAFETY: `slice` is `missing` writable bytes of the buffer, alive beyond the call; `fd` keeps the descriptor open.
        let got =
            unsafe { libc::preadv2(self.fd.raw(), &raw const slice, 1, at, libc::RWF_NOWAIT) };
        match usize::try_from(got) {
            // The file ends here.
            Ok(0) => true,
            Ok(got) => {
                // SAFETY: the kernel says that it has written `got` bytes from `free` on.
                unsafe { buffer.advance(got) };
                buffer.missing() == 0
            }
            // Not cached, or not possible on this file system; an error of the file is for the lane to find.
            Err(_) => false,
        }
    }

    /// Reads the rest of the buffer, which begins at `offset`, on the lane.
    pub(super) async fn read_on_lane(
        &self,
        offset: u64,
        buffer: AlignedBuffer,
    ) -> io::Result<Bytes> {
        let (read, promise) = Read::new(Arc::clone(&self.fd), offset, buffer);
        if self.lane.reads.send_async(read).await.is_err() {
            return Err(super::stopped());
        }
        self.lane.ring();
        promise.await.unwrap_or_else(|_| Err(super::stopped()))
    }

    pub(super) async fn write(
        &self,
        offset: u64,
        buffers: Vec<Bytes>,
        sync: bool,
    ) -> io::Result<()> {
        let (write, promise) = Write::new(Arc::clone(&self.fd), offset, buffers, sync);
        if write.is_written() && !sync {
            return Ok(());
        }
        if self.lane.writes.send_async(write).await.is_err() {
            return Err(super::stopped());
        }
        self.lane.ring();
        promise.await.unwrap_or_else(|_| Err(super::stopped()))
    }

    pub(super) async fn on_meta<T: Send + 'static>(
        &self,
        call: impl FnOnce(&std::fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let fd = Arc::clone(&self.fd);
        self.lane.meta.run(move || call(fd.file())).await
    }
}

/// Why a lane could not be started, kept for everybody who asks later.
#[derive(Clone)]
pub(super) struct Refused {
    kind: io::ErrorKind,
    text: String,
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        io::Error::new(refused.kind, refused.text)
    }
}

type Started = Result<Arc<Lane>, Refused>;

/// One lane of each kind, started at its first use.
pub(super) struct Lanes {
    uring: OnceLock<Started>,
    pwrite: OnceLock<Started>,
}

/// The lanes of this process.
static SHARED: Lanes = Lanes::new();

impl Lanes {
    pub(super) const fn new() -> Self {
        Self {
            uring: OnceLock::new(),
            pwrite: OnceLock::new(),
        }
    }

    pub(super) fn get(&self, choice: DiskChoice) -> Started {
        match choice {
            DiskChoice::Uring => self
                .uring
                .get_or_init(|| started(Lane::start_uring()))
                .clone(),
            DiskChoice::Pwrite => self
                .pwrite
                .get_or_init(|| started(Lane::start_pwrite()))
                .clone(),
            DiskChoice::Auto => self
                .get(DiskChoice::Uring)
                .or_else(|_| self.get(DiskChoice::Pwrite)),
        }
    }
}

fn started(outcome: io::Result<Arc<Lane>>) -> Started {
    match outcome {
        Ok(lane) => {
            tracing::info!(lane = lane.name(), "disk lane started");
            gauge_vec("vivace_disk_lane_info", "The disk lanes in use.", &["lane"])
                .with_label_values(&[lane.name()])
                .set(1);
            Ok(lane)
        }
        Err(error) => {
            tracing::warn!(%error, "a disk lane cannot be used here");
            Err(Refused {
                kind: error.kind(),
                text: error.to_string(),
            })
        }
    }
}

/// How a shard keeps its lane among its local state.
struct OfShard(Started);

/// Gives a new shard its lane, started if it is not. Done once, before the shard's first disk operation.
///
/// # Errors
/// What the system said, if the lane chosen cannot be used.
pub(crate) fn install(shard: &Shard, choice: DiskChoice) -> io::Result<()> {
    let lane = SHARED.get(choice)?;
    shard.local(|| OfShard(Ok(lane)));
    Ok(())
}

/// The lane of the current shard; outside of shards the one that suits the system.
pub(super) fn current() -> io::Result<Arc<Lane>> {
    let suitable = || SHARED.get(DiskChoice::Auto);
    let lane = match context::try_current() {
        Some(shard) => shard.local(|| OfShard(suitable())).0.clone(),
        None => suitable(),
    };
    Ok(lane?)
}
