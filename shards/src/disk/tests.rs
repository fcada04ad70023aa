//! The same tests on both lanes. Those on io_uring say so and pass where the system refuses it.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use tempfile::TempDir;

use super::buffer::AlignedBuffer;
use super::lane::{Lane, Lanes, RealFile};
use super::*;
use crate::runtime::DiskChoice;

const NEW: OpenOptions = OpenOptions {
    read: true,
    write: true,
    create: true,
    create_new: false,
    truncate: false,
};

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Polls a future once and drops it.
fn begin_and_give_up(future: impl Future) {
    let mut future = Box::pin(future);
    let _ = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
}

struct Bench {
    lane: Arc<Lane>,
    dir: TempDir,
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn open(&self, name: &str, options: OpenOptions) -> io::Result<RealFile> {
        self.lane.open(&self.path(name), options).await
    }
}

/// Runs a test on each lane.
fn on_both(test: impl AsyncFn(&Bench)) {
    for choice in [DiskChoice::Uring, DiskChoice::Pwrite] {
        let lane = match Lanes::new().get(choice) {
            Ok(lane) => lane,
            Err(refused) if choice == DiskChoice::Uring => {
                eprintln!(
                    "io_uring is refused here ({}): not tested",
                    io::Error::from(refused)
                );
                continue;
            }
            Err(refused) => panic!("{}", io::Error::from(refused)),
        };
        let bench = Bench {
            lane,
            dir: tempfile::tempdir().unwrap(),
        };
        block_on(test(&bench));
    }
}

/// Reads without the page cache's shortcut.
async fn on_lane(file: &RealFile, offset: u64, len: usize) -> io::Result<Bytes> {
    file.read_on_lane(offset, AlignedBuffer::new(len)?).await
}

#[allow(unsafe_code, reason = "posix_fadvise has no wrapper in std")]
fn drop_cache(file: &std::fs::File, from: usize) -> io::Result<()> {
    let fd = std::os::fd::AsRawFd::as_raw_fd(file);
    // SAFETY: takes a descriptor that `file` keeps open, and numbers.
    unsafe { libc::posix_fadvise(fd, from as libc::off_t, 0, libc::POSIX_FADV_DONTNEED) };
    Ok(())
}

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8 ^ seed).collect()
}

#[test]
fn what_is_written_is_read_aligned_and_short_only_at_the_end() {
    on_both(async |bench| {
        let file = bench.open("f", NEW).await.unwrap();
        // More buffers than one call takes, some of them empty, of odd lengths.
        let parts: Vec<Bytes> = (0..2500).map(|i| pattern(i % 57, i as u8).into()).collect();
        let whole = parts.concat();
        file.write(3, parts, true).await.unwrap();
        let read = on_lane(&file, 3, whole.len() + 1000).await.unwrap();
        assert_eq!(read, whole);
        assert_eq!(read.as_ptr() as usize % 8, 0);
        let middle = on_lane(&file, 1001, 4097).await.unwrap();
        assert_eq!(middle, whole[998..998 + 4097]);
        assert_eq!(middle.as_ptr() as usize % 8, 0);
        // Far less than asked for: a small buffer, still aligned.
        let tail = on_lane(&file, whole.len() as u64 - 7, 1 << 20)
            .await
            .unwrap();
        assert_eq!((tail.len(), tail.as_ptr() as usize % 8), (10, 0));
        assert!(on_lane(&file, 1 << 40, 10).await.unwrap().is_empty());
        // The shortcut gives the same, cached whole, in part or not at all.
        for from in [whole.len(), 40_000, 0] {
            let drop_from = move |f: &std::fs::File| drop_cache(f, from);
            file.on_meta(drop_from).await.unwrap();
            for (offset, len) in [(3, whole.len() + 9), (50_000, 100), (1 << 40, 10)] {
                let read = file.read_at(offset, len).await.unwrap();
                assert_eq!(read, on_lane(&file, offset, len).await.unwrap());
            }
        }
        file.write(0, Vec::new(), true).await.unwrap();
        file.write(0, vec![Bytes::new()], false).await.unwrap();
        assert_eq!(
            file.on_meta(|f| Ok(f.metadata()?.len())).await.unwrap(),
            whole.len() as u64 + 3
        );
    });
}

#[test]
fn many_files_and_many_requests_at_once() {
    on_both(async |bench| {
        let files = (0..40).map(async |i: usize| {
            let file = bench.open(&format!("f{i}"), NEW).await?;
            let blocks = (0..20).map(|b| {
                let data: Bytes = pattern(5000, (i * b) as u8).into();
                file.write(b as u64 * 5000, vec![data], b % 3 == 0)
            });
            for done in futures_util::future::join_all(blocks).await {
                done?;
            }
            let reads = (0..20).map(|b| on_lane(&file, b as u64 * 5000, 5000));
            for (b, read) in futures_util::future::join_all(reads)
                .await
                .into_iter()
                .enumerate()
            {
                assert_eq!(read?, pattern(5000, (i * b) as u8));
            }
            io::Result::Ok(())
        });
        for done in futures_util::future::join_all(files).await {
            done.unwrap();
        }
    });
}

#[test]
fn given_up_requests_harm_nobody() {
    on_both(async |bench| {
        let file = bench.open("f", NEW).await.unwrap();
        file.write(0, vec![pattern(1 << 20, 0).into()], true)
            .await
            .unwrap();
        // More than the queue holds: some are given up while they wait for room in it.
        for i in 0..3000u64 {
            begin_and_give_up(file.write(
                i % 200 * 4096,
                vec![pattern(4096, 9).into()],
                i % 50 == 0,
            ));
            begin_and_give_up(on_lane(&file, i * 37, 40_000));
        }
        begin_and_give_up(bench.open("other", NEW));
        let after: Bytes = pattern(3000, 7).into();
        file.write(1 << 20, vec![after.clone()], true)
            .await
            .unwrap();
        assert_eq!(on_lane(&file, 1 << 20, 3000).await.unwrap(), after);
        // Every byte is one of those that were written there.
        let read = on_lane(&file, 0, 1 << 20).await.unwrap();
        let old = pattern(1 << 20, 0);
        let new = pattern(4096, 9);
        for (i, byte) in read.iter().enumerate() {
            assert!(*byte == old[i] || *byte == new[i % 4096], "at {i}");
        }
    });
}

#[test]
fn errors_are_the_systems_own() {
    on_both(async |bench| {
        let kind = |result: io::Result<()>| result.unwrap_err().kind();
        let missing = bench.open("missing", OpenOptions::READ).await;
        assert_eq!(kind(missing.map(drop)), io::ErrorKind::NotFound);
        bench.open("f", NEW).await.unwrap();
        let again = OpenOptions {
            create_new: true,
            ..NEW
        };
        let again = bench.open("f", again).await;
        assert_eq!(kind(again.map(drop)), io::ErrorKind::AlreadyExists);
        // Writing to what is open for reading only, with and without a sync behind it.
        let file = bench.open("f", OpenOptions::READ).await.unwrap();
        for sync in [false, true] {
            let error = file
                .write(0, vec![Bytes::from_static(b"x")], sync)
                .await
                .unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        }
        // /dev/full takes nothing.
        let full = Path::new("/dev/full");
        let writing = OpenOptions {
            write: true,
            ..OpenOptions::default()
        };
        let file = bench.lane.open(full, writing).await.unwrap();
        for sync in [false, true] {
            let error = file
                .write(0, vec![Bytes::from_static(b"x")], sync)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        // Syncing what cannot be synced.
        let null = bench.lane.open(Path::new("/dev/null"), NEW).await.unwrap();
        let error = null.write(0, Vec::new(), true).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        // The lane is as good as before.
        let file = bench.open("f", NEW).await.unwrap();
        file.write(0, vec![Bytes::from_static(b"x")], true)
            .await
            .unwrap();
    });
}

#[test]
fn space_is_reserved_and_lengths_are_set() {
    on_both(async |bench| {
        let file = bench.open("f", NEW).await.unwrap();
        let len = async || file.on_meta(|f| Ok(f.metadata()?.len())).await.unwrap();
        file.on_meta(|f| meta::allocate(f, 0, 1 << 20))
            .await
            .unwrap();
        assert_eq!(len().await, 1 << 20);
        file.write(100, vec![Bytes::from_static(b"abc")], true)
            .await
            .unwrap();
        assert_eq!(len().await, 1 << 20);
        let read = on_lane(&file, 98, 7).await.unwrap();
        assert_eq!(&read[..], b"\0\0abc\0\0");
        file.on_meta(|f| f.set_len(101)).await.unwrap();
        assert_eq!(&on_lane(&file, 99, 100).await.unwrap()[..], b"\0a");
        let path = bench.dir.path().to_owned();
        let space = bench.lane.meta().run(move || meta::free_space(&path)).await;
        assert!(space.unwrap() > 0);
        // Beyond what any file can be; refused before a block is taken.
        let huge = file.on_meta(|f| meta::allocate(f, 1 << 60, 1 << 60)).await;
        assert_eq!(huge.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    });
}

#[test]
#[allow(unsafe_code, reason = "mounts a file system for this thread alone")]
fn a_full_disk_says_so_and_recovers() {
    // A file system of 1 MiB in a mount namespace of our own; the lane's threads inherit it.
    let test = || {
        let dir = tempfile::tempdir().unwrap();
        let target = std::ffi::CString::new(dir.path().to_str().unwrap()).unwrap();
        // SAFETY: numbers and NUL-terminated strings only; a mount namespace belongs to this thread and those it starts.
        let mounted = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(
                    c"none".as_ptr(),
                    c"/".as_ptr(),
                    std::ptr::null(),
                    libc::MS_REC | libc::MS_PRIVATE,
                    std::ptr::null(),
                ) == 0
                && libc::mount(
                    c"tmpfs".as_ptr(),
                    target.as_ptr(),
                    c"tmpfs".as_ptr(),
                    0,
                    c"size=1m".as_ptr().cast(),
                ) == 0
        };
        if !mounted {
            eprintln!("mounts are refused here: not tested");
            return;
        }
        for choice in [DiskChoice::Uring, DiskChoice::Pwrite] {
            let Ok(lane) = Lanes::new().get(choice) else {
                continue;
            };
            block_on(async {
                let file = lane.open(&dir.path().join("f"), NEW).await.unwrap();
                let block = Bytes::from(pattern(300_000, 1));
                let two =
                    |at: u64| file.write(at * 600_000, vec![block.clone(), block.clone()], true);
                two(0).await.unwrap();
                // The second one is written in part; the sync linked to it must not hide that.
                assert_eq!(two(1).await.unwrap_err().kind(), io::ErrorKind::StorageFull);
                let error = file
                    .on_meta(|f| meta::allocate(f, 0, 4 << 20))
                    .await
                    .unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                file.on_meta(|f| f.set_len(0)).await.unwrap();
                two(0).await.unwrap();
                file.on_meta(|f| f.set_len(0)).await.unwrap();
            });
        }
        // SAFETY: a NUL-terminated string. The namespace goes with its last thread anyway.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    };
    std::thread::spawn(test).join().unwrap();
}

#[test]
#[allow(
    unsafe_code,
    reason = "installs a filter on this thread's system calls"
)]
fn where_io_uring_is_refused_the_other_lane_is_used() {
    let test = || {
        let filter = |code: u32, jf: u8, k: u32| libc::sock_filter {
            code: code as u16,
            jt: 0,
            jf,
            k,
        };
        let mut program = [
            filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
            filter(
                libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
                1,
                libc::SYS_io_uring_setup as u32,
            ),
            filter(
                libc::BPF_RET | libc::BPF_K,
                0,
                libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
            ),
            filter(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog {
            len: 4,
            filter: program.as_mut_ptr(),
        };
        // SAFETY: `program` points to four instructions; the filter binds this thread and those it starts.
        let installed = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(
                    libc::PR_SET_SECCOMP,
                    libc::SECCOMP_MODE_FILTER,
                    &raw const program,
                ) == 0
        };
        if !installed {
            eprintln!("seccomp filters are refused here: not tested");
            return;
        }
        let lanes = Lanes::new();
        let refused = io::Error::from(lanes.get(DiskChoice::Uring).err().unwrap());
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        let lane = lanes
            .get(DiskChoice::Auto)
            .unwrap_or_else(|e| panic!("{}", io::Error::from(e)));
        assert_eq!(lane.name(), "pwrite");
        let dir = tempfile::tempdir().unwrap();
        block_on(async {
            let file = lane.open(&dir.path().join("f"), NEW).await.unwrap();
            file.write(0, vec![Bytes::from_static(b"abc")], true)
                .await
                .unwrap();
            assert_eq!(&on_lane(&file, 0, 9).await.unwrap()[..], b"abc");
        });
    };
    std::thread::spawn(test).join().unwrap();
}

#[test]
fn the_ambient_functions_work_on_shards() {
    for disk in [DiskChoice::Auto, DiskChoice::Pwrite] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let config = crate::runtime::Config {
            shards: 2,
            pin: false,
            disk,
            ..Default::default()
        };
        let main = move || {
            let root = path.join(format!("a/b{}", crate::shard_id()));
            async move {
                if disk == DiskChoice::Pwrite {
                    assert_eq!(lane_name(), "pwrite");
                }
                create_dir_all(&root).await?;
                create_dir_all(&root).await?;
                let file = open(&root.join("new"), NEW).await?;
                file.allocate(0, 10_000).await?;
                file.write_and_sync_at(5, vec![Bytes::from_static(b"hello")])
                    .await?;
                file.write_at(10, vec![Bytes::from_static(b", world")])
                    .await?;
                file.sync_data().await?;
                rename(&root.join("new"), &root.join("f")).await?;
                sync_dir(&root).await?;
                let entry = DirEntry {
                    name: "f".into(),
                    is_dir: false,
                    len: 10_000,
                };
                assert_eq!(read_dir(&root).await?, [entry]);
                file.set_len(17).await?;
                assert_eq!(file.len().await?, 17);
                assert_eq!(&file.read_at(5, 100).await?[..], b"hello, world");
                assert!(file.read_at(u64::MAX, 1).await.is_err());
                assert!(file.allocate(1 << 62, 1 << 62).await.is_err());
                assert!(free_space(&root).await? > 0);
                remove_file(&root.join("f")).await?;
                assert!(read_dir(&root).await?.is_empty());
                // Open files outlive their names.
                assert_eq!(file.read_at(0, 100).await?.len(), 17);
                Ok(())
            }
        };
        crate::runtime::run(config, main).unwrap();
    }
}
