//! The lane on io_uring: one thread that keeps many reads and writes under way at once.
//! A write that is to be synced is a chain of two linked operations, so one trip to the kernel does both.

use std::io;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use flume::TryRecvError;
use io_uring::{IoUring, Probe, opcode, squeue, types};
use slab::Slab;

use super::bell::Bell;
use super::stats::Stats;
use super::transfer::{Read, Write, is_interruption};
use crate::limits::{DISK_READ_DEPTH, DISK_RETRIES, DISK_WRITE_DEPTH};
use crate::runtime::affinity::spawn_beside;

/// Submission entries: every read, every write with its sync, and the bell fit at once.
const ENTRIES: u32 = 256;
const _: () = assert!(DISK_READ_DEPTH + 2 * DISK_WRITE_DEPTH < ENTRIES as usize);

/// `user_data` of the read on the bell. Those of operations are slot numbers times two, plus one for a sync.
const BELL: u64 = u64::MAX;

/// Starts the thread; an error says that io_uring cannot be used here. It ends when the queues' senders are gone.
pub(super) fn start(
    reads: flume::Receiver<Read>,
    writes: flume::Receiver<Write>,
    bell: Arc<Bell>,
) -> io::Result<()> {
    // A ring belongs to the thread that made it, so the thread makes it and says how that went.
    let (made, outcome) = flume::bounded(1);
    spawn_beside("disk-uring", move || {
        let ring = match make_ring() {
            Ok(ring) => ring,
            Err(error) => {
                let _ = made.send(Err(error));
                return;
            }
        };
        let _ = made.send(Ok(()));
        let mut lane = Storage {
            ring,
            under_way: ManuallyDrop::new(Slab::new()),
            reading: 0,
            writing: 0,
            reads,
            writes,
            bell,
            bell_value: ManuallyDrop::new(Box::new(0)),
            bell_armed: false,
            stats: Stats::new(),
        };
        if let Err(error) = lane.run() {
            tracing::error!(%error, "the disk lane has failed; every disk operation fails from now on");
        }
    })?;
    outcome
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the storage thread did not start")))
}

fn make_ring() -> io::Result<IoUring> {
    let modern = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .build(ENTRIES);
    // Kernels before 6.1 do not know these flags.
    let ring = modern.or_else(|_| IoUring::new(ENTRIES))?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let needed = [
        opcode::Read::CODE,
        opcode::Writev::CODE,
        opcode::Fsync::CODE,
    ];
    if !needed.iter().all(|code| probe.is_supported(*code)) || !ring.params().is_feature_nodrop() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(ring)
}

/// An operation that the kernel works on. It stays in its slot until the kernel has answered for every part of it.
enum Operation {
    Read { read: Read, retries: u32 },
    Write(Writing),
}

struct Writing {
    write: Write,
    slices: Vec<libc::iovec>,
    /// Answers still to come, and those that came.
    awaited: u8,
    wrote: Option<i32>,
    synced: Option<i32>,
    retries: u32,
}

/// The slices point into the request beside them; nothing but this thread and the kernel uses them.
struct Storage {
    ring: IoUring,
    /// Never dropped with operations in it: the kernel may still use their buffers.
    under_way: ManuallyDrop<Slab<Operation>>,
    reading: usize,
    writing: usize,
    reads: flume::Receiver<Read>,
    writes: flume::Receiver<Write>,
    bell: Arc<Bell>,
    /// Where the kernel puts the bell's count.
    bell_value: ManuallyDrop<Box<u64>>,
    bell_armed: bool,
    stats: Stats,
}

impl Storage {
    /// Works until all senders are gone and everything is answered.
    fn run(&mut self) -> io::Result<()> {
        loop {
            let open = self.take_requests()?;
            if !open && self.under_way.is_empty() {
                return Ok(());
            }
            self.arm_bell()?;
            self.bell.will_sleep();
            let want = if self.has_request_to_take() { 0 } else { 1 };
            match self.ring.submit_and_wait(want) {
                Ok(_) => {}
                // Interrupted, or the completion queue has to be emptied first: both go on below.
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error),
            }
            self.bell.awake();
            self.reap()?;
        }
    }

    fn has_request_to_take(&self) -> bool {
        (self.writing < DISK_WRITE_DEPTH && !self.writes.is_empty())
            || (self.reading < DISK_READ_DEPTH && !self.reads.is_empty())
    }

    /// Starts what waits, as far as the depths allow. False once no more can come.
    fn take_requests(&mut self) -> io::Result<bool> {
        let mut open = true;
        while self.writing < DISK_WRITE_DEPTH {
            match self.writes.try_recv() {
                Ok(write) => {
                    self.writing += 1;
                    let slot = self.under_way.insert(Operation::Write(Writing {
                        write,
                        slices: Vec::new(),
                        awaited: 0,
                        wrote: None,
                        synced: None,
                        retries: 0,
                    }));
                    self.submit(slot)?;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    open = false;
                    break;
                }
            }
        }
        while self.reading < DISK_READ_DEPTH {
            let Ok(read) = self.reads.try_recv() else {
                break;
            };
            // Nobody waits for it any more, so it need not be read.
            if read.reply.is_closed() {
                continue;
            }
            self.reading += 1;
            let slot = self.under_way.insert(Operation::Read { read, retries: 0 });
            self.submit(slot)?;
        }
        Ok(open)
    }

    /// Hands the next part of an operation to the kernel.
    fn submit(&mut self, slot: usize) -> io::Result<()> {
        let data = (slot as u64) << 1;
        match &mut self.under_way[slot] {
            Operation::Read { read, .. } => {
                let length = u32::try_from(read.buffer.missing()).unwrap_or(u32::MAX);
                let fd = types::Fd(read.file.raw());
                let entry = opcode::Read::new(fd, read.buffer.free(), length)
                    .offset(read.position())
                    .build();
                push(&mut self.ring, &entry.user_data(data))
            }
            Operation::Write(writing) => {
                let fd = types::Fd(writing.write.file.raw());
                let sync = opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC);
                let sync = sync.build().user_data(data | 1);
                (writing.wrote, writing.synced) = (None, None);
                if writing.write.is_written() {
                    writing.awaited = 1;
                    return push(&mut self.ring, &sync);
                }
                let last = writing.write.slices(&mut writing.slices);
                // At most DISK_WRITE_BUFFERS of them.
                let count = writing.slices.len() as u32;
                let write = opcode::Writev::new(fd, writing.slices.as_ptr(), count)
                    .offset(writing.write.position())
                    .build()
                    .user_data(data);
                if last && writing.write.sync {
                    // A short or failed write cancels the sync linked to it.
                    writing.awaited = 2;
                    push(&mut self.ring, &write.flags(squeue::Flags::IO_LINK))?;
                    push(&mut self.ring, &sync)
                } else {
                    writing.awaited = 1;
                    push(&mut self.ring, &write)
                }
            }
        }
    }

    fn arm_bell(&mut self) -> io::Result<()> {
        if self.bell_armed {
            return Ok(());
        }
        let place: *mut u64 = &raw mut **self.bell_value;
        let entry = opcode::Read::new(types::Fd(self.bell.raw()), place.cast(), 8).build();
        push(&mut self.ring, &entry.user_data(BELL))?;
        self.bell_armed = true;
        Ok(())
    }

    fn reap(&mut self) -> io::Result<()> {
        while let Some(entry) = { self.ring.completion().next() } {
            let (data, result) = (entry.user_data(), entry.result());
            if data == BELL {
                self.bell_armed = false;
                continue;
            }
            // Slot numbers are what `submit` was given, so they fit.
            let slot = (data >> 1) as usize;
            match self.under_way.get_mut(slot) {
                Some(Operation::Read { .. }) => self.read_answered(slot, result)?,
                Some(Operation::Write(writing)) => {
                    if data & 1 == 1 {
                        writing.synced = Some(result);
                    } else {
                        writing.wrote = Some(result);
                    }
                    writing.awaited -= 1;
                    if writing.awaited == 0 {
                        self.write_answered(slot)?;
                    }
                }
                None => tracing::error!(
                    slot,
                    "the kernel answered for an operation that is not under way"
                ),
            }
        }
        Ok(())
    }

    #[allow(unsafe_code, reason = "counts what the kernel has filled")]
    fn read_answered(&mut self, slot: usize, result: i32) -> io::Result<()> {
        let Operation::Read { read, retries } = &mut self.under_way[slot] else {
            return Ok(());
        };
        let outcome = match usize::try_from(result) {
            Ok(got) => {
                // SAFETY: the kernel says that it has written `got` bytes from `free` on.
                unsafe { read.buffer.advance(got) };
                if got > 0 && read.buffer.missing() > 0 {
                    return self.submit(slot);
                }
                Ok(())
            }
            Err(_) => {
                let error = io::Error::from_raw_os_error(-result);
                *retries += 1;
                if is_interruption(&error) && *retries <= DISK_RETRIES {
                    return self.submit(slot);
                }
                Err(error)
            }
        };
        self.reading -= 1;
        if let Operation::Read { read, .. } = self.under_way.remove(slot) {
            self.stats.read.record_duration(read.since.elapsed());
            read.finish(outcome);
        }
        Ok(())
    }

    fn write_answered(&mut self, slot: usize) -> io::Result<()> {
        let Operation::Write(writing) = &mut self.under_way[slot] else {
            return Ok(());
        };
        let outcome = match writing.progress() {
            Progress::Done => Ok(()),
            Progress::More => return self.submit(slot),
            Progress::Failed(error) => Err(error),
        };
        self.writing -= 1;
        if let Operation::Write(Writing { write, .. }) = self.under_way.remove(slot) {
            self.stats
                .of_write(&write)
                .record_duration(write.since.elapsed());
            write.finish(outcome);
        }
        Ok(())
    }
}

enum Progress {
    Done,
    More,
    Failed(io::Error),
}

impl Writing {
    /// What the kernel's answers mean, once all are there.
    fn progress(&mut self) -> Progress {
        match self.wrote.map(usize::try_from) {
            None => {}
            Some(Ok(0)) => return Progress::Failed(io::ErrorKind::WriteZero.into()),
            Some(Ok(written)) => self.write.advance(written),
            // Negative, so it is an errno.
            Some(Err(_)) => return self.again(self.wrote),
        }
        if !self.write.is_written() {
            return Progress::More;
        }
        match self.synced {
            _ if !self.write.sync => Progress::Done,
            Some(result) if result >= 0 => Progress::Done,
            // Cancelled, as the write before it was short and has only now come to its end.
            None | Some(CANCELLED) => {
                self.retries += 1;
                if self.retries <= DISK_RETRIES {
                    return Progress::More;
                }
                Progress::Failed(io::Error::from_raw_os_error(libc::ECANCELED))
            }
            failed => self.again(failed),
        }
    }

    fn again(&mut self, failed: Option<i32>) -> Progress {
        let error = io::Error::from_raw_os_error(-failed.unwrap_or(0));
        self.retries += 1;
        if is_interruption(&error) && self.retries <= DISK_RETRIES {
            return Progress::More;
        }
        Progress::Failed(error)
    }
}

const CANCELLED: i32 = -libc::ECANCELED;

impl Drop for Storage {
    /// The thread ends, by its own will or by a failure. Whoever waits hears of it now; buffers that the kernel may still use
    /// are never freed.
    fn drop(&mut self) {
        for operation in self.under_way.drain() {
            let leaked = match operation {
                Operation::Read { read, .. } => {
                    let Read {
                        file,
                        buffer,
                        reply,
                        ..
                    } = read;
                    let _ = reply.send(Err(super::stopped()));
                    Leaked::Read(file, buffer)
                }
                Operation::Write(Writing { write, slices, .. }) => {
                    Leaked::Write(write.fail(super::stopped()), slices)
                }
            };
            std::mem::forget(leaked);
        }
    }
}

/// What an unfinished operation leaves to the kernel.
#[allow(dead_code, reason = "held only to be leaked")]
enum Leaked {
    Read(Arc<super::fd::Fd>, super::buffer::AlignedBuffer),
    Write((Arc<super::fd::Fd>, Vec<bytes::Bytes>), Vec<libc::iovec>),
}

#[allow(
    unsafe_code,
    reason = "the ring trusts its caller with the entry's pointers"
)]
fn push(ring: &mut IoUring, entry: &squeue::Entry) -> io::Result<()> {
    // SAFETY: the entry's descriptor and pointers belong to an operation in its slot (or to the bell), which is not moved off
    // the heap or freed before the kernel has answered for the entry.
    let pushed = unsafe { ring.submission().push(entry) };
    // There are entries for everything that may be under way at once.
    pushed.map_err(|_| io::Error::other("the submission queue is full"))
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)
    )
}
