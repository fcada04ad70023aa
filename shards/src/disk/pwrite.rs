//! The lane without io_uring: a few threads that read, and a few that write and sync, with one blocking call at a time each.

use std::io;

use super::stats::Stats;
use super::transfer::{Read, Write, is_interruption};
use crate::limits::{DISK_READ_THREADS, DISK_RETRIES, DISK_WRITE_THREADS};
use crate::runtime::affinity::spawn_beside;

/// Starts the threads. They end when the queues' senders are gone.
pub(super) fn start(
    reads: &flume::Receiver<Read>,
    writes: &flume::Receiver<Write>,
) -> io::Result<()> {
    for n in 0..DISK_READ_THREADS {
        let queue = reads.clone();
        let work = move || {
            let stats = Stats::new();
            for mut read in queue.iter() {
                // Nobody waits for it any more, so it need not be read.
                if read.reply.is_closed() {
                    continue;
                }
                let outcome = fill(&mut read);
                stats.read.record_duration(read.since.elapsed());
                read.finish(outcome);
            }
        };
        spawn_beside(&format!("disk-read-{n}"), work)?;
    }
    for n in 0..DISK_WRITE_THREADS {
        let queue = writes.clone();
        let work = move || {
            let stats = Stats::new();
            for mut write in queue.iter() {
                let outcome = put(&mut write);
                stats
                    .of_write(&write)
                    .record_duration(write.since.elapsed());
                write.finish(outcome);
            }
        };
        spawn_beside(&format!("disk-write-{n}"), work)?;
    }
    Ok(())
}

#[allow(unsafe_code, reason = "reads into memory that is not initialised")]
fn fill(read: &mut Read) -> io::Result<()> {
    let mut retries = 0;
    while read.buffer.missing() > 0 {
        let (fd, at, room) = (read.file.raw(), read.position(), read.buffer.missing());
        // SAFETY: `free` points to `missing` writable bytes that the request owns; `file` keeps the descriptor open.
        // The offset fits: it was checked when the request was made.
        let got = unsafe { libc::pread(fd, read.buffer.free().cast(), room, at as libc::off_t) };
        match usize::try_from(got) {
            Ok(0) => break,
            // SAFETY: the kernel says that it has written `got` bytes there.
            Ok(got) => unsafe { read.buffer.advance(got) },
            Err(_) => again(&mut retries, io::Error::last_os_error())?,
        }
    }
    Ok(())
}

#[allow(unsafe_code, reason = "pwritev has no wrapper in std")]
fn put(write: &mut Write) -> io::Result<()> {
    let mut slices = Vec::new();
    let mut retries = 0;
    while !write.is_written() {
        write.slices(&mut slices);
        let (fd, at, count) = (write.file.raw(), write.position(), slices.len());
        // SAFETY: every slice points into a buffer that the request owns; there are `count` of them, at most
        // DISK_WRITE_BUFFERS; `file` keeps the descriptor open. The offset was checked when the request was made.
        let put =
            unsafe { libc::pwritev(fd, slices.as_ptr(), count as libc::c_int, at as libc::off_t) };
        match usize::try_from(put) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(put) => write.advance(put),
            Err(_) => again(&mut retries, io::Error::last_os_error())?,
        }
    }
    if write.sync {
        write.file.file().sync_data()?;
    }
    Ok(())
}

/// Passes the error on unless the call may simply be made again.
fn again(retries: &mut u32, error: io::Error) -> io::Result<()> {
    *retries += 1;
    if is_interruption(&error) && *retries <= DISK_RETRIES {
        return Ok(());
    }
    Err(error)
}
