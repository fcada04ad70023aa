//! On the real disk: restarts, damage, retention, consumer groups, the lock, and kill -9.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{Listener, Model, config, content, identify, read_all, record, start, start_shared};
use tempfile::TempDir;
use vivace_ingest_log::{Config, CorruptionReport, Error, Handle, Shared};
use vivace_shards::{runtime, shard_count, shard_id};

/// Runs `main` on `shards` real shards.
fn on_shards<F, Fut>(shards: usize, main: F)
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let config = runtime::Config {
        shards,
        pin: false,
        ..runtime::Config::default()
    };
    let run = runtime::run(config, move || {
        let main = main();
        async move {
            main.await;
            Ok(())
        }
    });
    run.expect("no shard fails");
}

fn temp() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

async fn append_some(handle: &Handle, partition: u32, ids: std::ops::Range<u64>, len: usize) {
    for id in ids {
        handle
            .append(partition, record(id, len))
            .await
            .expect("append");
    }
}

fn segments(dir: &Path, partition: u32) -> Vec<PathBuf> {
    let dir = dir.join(format!("partition-{partition:05}"));
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("a partition")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    files.sort();
    files
}

/// Where a record's bytes are in a segment.
fn find(file: &Path, id: u64, len: usize) -> usize {
    let bytes = fs::read(file).expect("a segment");
    let wanted = content(id, len);
    let found = bytes
        .windows(wanted.len())
        .position(|window| window == wanted);
    found.expect("the record is in the segment")
}

fn damage(file: &Path, at: usize, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new()
        .write(true)
        .open(file)
        .expect("a segment");
    file.write_all_at(bytes, at as u64).expect("written");
}

#[test]
fn records_come_back_after_a_restart() {
    let dir = temp();
    let three = Config {
        partitions: 3,
        ..config(dir.path())
    };
    let shared = Shared::new();
    on_shards(2, move || {
        let (config, shared) = (three.clone(), shared.clone());
        async move {
            let handle = start_shared(&config, &shared).await.expect("start");
            assert_eq!(handle.partitions(), 3);
            for partition in handle.owned() {
                assert_eq!(partition as usize % shard_count(), shard_id());
                append_some(&handle, partition, 0..40, 3_000).await;
            }
            let other = (0..3).find(|p| !handle.owned().contains(p)).expect("one");
            let refused = handle.append(other, record(1, 10)).await.unwrap_err();
            assert!(matches!(refused, Error::NotOwned { .. }));
            handle.close().await;
            let closed = handle.append(handle.owned()[0], record(1, 10)).await;
            assert!(matches!(closed, Err(Error::Closed)));
        }
    });
    // Another number of shards, another wish for partitions.
    let config = Config {
        partitions: 8,
        ..config(dir.path())
    };
    on_shards(1, move || {
        let config = config.clone();
        async move {
            let handle = start(&config).await.expect("start");
            assert_eq!(handle.owned(), [0, 1, 2]);
            for partition in handle.owned() {
                let entries = read_all(&handle, partition).await;
                let ids: Vec<u64> = entries.iter().map(|e| identify(&e.payload)).collect();
                assert_eq!(ids, (0..40).collect::<Vec<_>>());
                for entry in entries {
                    let one = handle
                        .read_one(partition, entry.offset)
                        .await
                        .expect("there");
                    assert_eq!(one.payload, entry.payload);
                    let place = entry.position;
                    let one = handle.read_at(partition, entry.offset, place).await;
                    assert_eq!(one.expect("there").payload, entry.payload);
                }
                let none = handle.read_one(partition, 40).await.unwrap_err();
                assert!(matches!(
                    none,
                    Error::NotFound {
                        offset: 40,
                        end_offset: 40,
                        ..
                    }
                ));
            }
            handle.close().await;
        }
    });
}

#[test]
fn sizes_at_the_edges() {
    let dir = temp();
    let config = config(dir.path());
    on_shards(1, move || {
        let config = config.clone();
        async move {
            let handle = start(&config).await.expect("start");
            // Nothing at all, more than a segment, and one byte too many.
            let empty = handle.append(0, Vec::new()).await.expect("append");
            let whole = config.max_record_bytes as usize;
            let large = handle.append(0, record(7, whole)).await.expect("append");
            let refused = handle.append(0, record(8, whole + 1)).await.unwrap_err();
            assert!(matches!(refused, Error::TooLarge { .. }) && !refused.is_retryable());
            assert_eq!((empty, large), (0, 1));
            let entries = read_all(&handle, 0).await;
            assert!(entries[0].payload.is_empty());
            assert_eq!(identify(&entries[1].payload), 7);
            // More than may wait: some are refused, the others get through.
            let appends: Vec<_> = (10..30)
                .map(|id| handle.append(0, record(id, whole)))
                .collect();
            let mut tasks = Vec::new();
            for append in appends.into_iter().zip(std::iter::repeat(handle.clone())) {
                let _keep = append.1;
                tasks.push(append.0);
            }
            let results = join(tasks).await;
            let busy = results
                .iter()
                .filter(|r| matches!(r, Err(Error::Busy { .. })))
                .count();
            assert!(busy > 0 && results.iter().any(Result::is_ok));
            assert_eq!(handle.end_offset(0).unwrap() as usize, 2 + 20 - busy);
            handle.close().await;
        }
    });
}

/// All of them at once.
async fn join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        let mut waiting = false;
        for (future, result) in &mut futures {
            if result.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => *result = Some(value),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    futures
        .into_iter()
        .filter_map(|(_, result)| result)
        .collect()
}

#[test]
fn a_tail_hears_before_the_append_resolves() {
    let dir = temp();
    let config = config(dir.path());
    on_shards(1, move || {
        let config = config.clone();
        async move {
            let handle = start(&config).await.expect("start");
            append_some(&handle, 0, 0..3, 100).await;
            let model = Model::default();
            let listener = Rc::new(Listener {
                model: Rc::clone(&model),
                from: 3,
                positions: Default::default(),
            });
            assert_eq!(handle.set_tail(0, Rc::clone(&listener) as _).unwrap(), 3);
            for id in 3..50 {
                let offset = handle.append(0, record(id, 900)).await.expect("append");
                assert_eq!(model.borrow()[&0].told.last(), Some(&(offset, id)));
            }
            let positions = listener.positions.borrow().clone();
            for (offset, position) in positions {
                let entry = handle.read_at(0, offset, position).await.expect("there");
                assert_eq!((entry.offset, identify(&entry.payload)), (offset, offset));
                assert_eq!(entry.position, position);
            }
            handle.close().await;
        }
    });
}

#[test]
fn committed_offsets_are_kept() {
    let dir = temp();
    let config = config(dir.path());
    let once = config.clone();
    on_shards(1, move || {
        let config = once.clone();
        async move {
            let handle = start(&config).await.expect("start");
            append_some(&handle, 0, 0..10, 100).await;
            assert_eq!(handle.committed(0, "blocks").unwrap(), None);
            handle.commit(0, "blocks", 4).await.expect("commit");
            handle.commit(0, "live", 9).await.expect("commit");
            handle.commit(0, "blocks", 3).await.expect("ignored");
            assert_eq!(handle.committed(0, "blocks").unwrap(), Some(4));
            handle.commit(0, "blocks", 10).await.expect("commit");
            handle.force_commit(0, "live", 2).await.expect("commit");
            for (group, offset) in [("blocks", 11), ("", 1), (&*"x".repeat(65), 1)] {
                let error = handle.commit(0, group, offset).await.unwrap_err();
                assert!(matches!(error, Error::Group { .. }) && !error.is_retryable());
            }
            for n in 2..32 {
                handle
                    .commit(0, &format!("group-{n}"), 1)
                    .await
                    .expect("commit");
            }
            let error = handle.commit(0, "one too many", 1).await.unwrap_err();
            assert!(matches!(error, Error::Group { .. }));
            handle.close().await;
        }
    });
    on_shards(1, move || {
        let config = config.clone();
        async move {
            let handle = start(&config).await.expect("start");
            assert_eq!(handle.committed(0, "blocks").unwrap(), Some(10));
            assert_eq!(handle.committed(0, "live").unwrap(), Some(2));
            assert_eq!(handle.committed(0, "group-31").unwrap(), Some(1));
            handle.close().await;
        }
    });
}

#[test]
fn a_damaged_middle_costs_only_itself() {
    let dir = temp();
    let config = config(dir.path());
    let once = config.clone();
    on_shards(1, move || {
        let config = once.clone();
        async move {
            let handle = start(&config).await.expect("start");
            append_some(&handle, 0, 0..30, 2_000).await;
            handle.close().await;
        }
    });
    let files = segments(dir.path(), 0);
    assert!(files.len() > 3, "{files:?}");
    // One byte of a payload, a whole header, and in the newest segment as well.
    damage(&files[0], find(&files[0], 2, 2_000) + 100, b"!");
    damage(&files[1], find(&files[1], 9, 2_000) - 40, &[0xff; 60]);
    let newest = files.last().expect("one").clone();
    damage(&newest, find(&newest, 28, 2_000) + 5, b"?");
    let lost = [2, 9, 28];
    let config = Arc::new(config);
    for _ in 0..2 {
        let config = Arc::clone(&config);
        on_shards(1, move || {
            let config = Arc::clone(&config);
            async move {
                let handle = start(&config).await.expect("start");
                assert_eq!(handle.end_offset(0).unwrap(), 30);
                let mut reader = handle.read(0, 0).unwrap();
                let mut offsets = Vec::new();
                while let Some(entry) = reader.next().await.expect("readable") {
                    assert_eq!(identify(&entry.payload), entry.offset);
                    offsets.push(entry.offset);
                }
                let kept: Vec<u64> = (0..30).filter(|id| !lost.contains(id)).collect();
                assert_eq!(offsets, kept);
                assert_eq!(reader.lost(), 3);
                let gone = handle.read_one(0, 9).await.unwrap_err();
                assert!(matches!(gone, Error::NotFound { .. }));
                let report = handle.corruption_report();
                let mut found: Vec<_> = report.ranges.iter().map(|r| r.from_offset).collect();
                found.sort_unstable();
                assert_eq!(found, lost);
                assert_eq!(report.lost_records(), 3);
                for range in &report.ranges {
                    assert_eq!(range.to_byte - range.from_byte, 2_040);
                    assert!(range.file.exists());
                }
                handle.close().await;
            }
        });
    }
}

#[test]
fn a_missing_segment_is_reported() {
    let dir = temp();
    let config = config(dir.path());
    let once = config.clone();
    on_shards(1, move || {
        let config = once.clone();
        async move {
            let handle = start(&config).await.expect("start");
            append_some(&handle, 0, 0..30, 2_000).await;
            handle.commit(0, "group", 30).await.expect("commit");
            handle.close().await;
        }
    });
    let files = segments(dir.path(), 0);
    fs::remove_file(&files[1]).expect("removed");
    fs::remove_file(files.last().expect("one")).expect("removed");
    on_shards(1, move || {
        let config = config.clone();
        async move {
            let handle = start(&config).await.expect("start");
            // The group was promised offsets up to 30: they are not given again.
            assert_eq!(handle.end_offset(0).unwrap(), 30);
            let offset = handle.append(0, record(30, 10)).await.expect("append");
            assert_eq!(offset, 30);
            let mut reader = handle.read(0, 0).unwrap();
            let mut count = 0;
            while let Some(entry) = reader.next().await.expect("readable") {
                assert_eq!(identify(&entry.payload), entry.offset);
                count += 1;
            }
            assert_eq!(count + reader.lost(), 31);
            let report = handle.corruption_report();
            assert_eq!(report.lost_records(), reader.lost());
            assert_eq!(report.ranges.len(), 2, "{report:?}");
            handle.close().await;
        }
    });
}

#[test]
fn retention_deletes_whole_segments() {
    let by_bytes = |dir: &Path| Config {
        retention_bytes: 40 << 10,
        ..config(dir)
    };
    let by_age = |dir: &Path| Config {
        retention_age: Duration::from_nanos(1),
        ..config(dir)
    };
    let pinned = |dir: &Path| Config {
        retention_bytes: 1,
        pin_groups: vec!["blocks".into()],
        ..config(dir)
    };
    let hard = |dir: &Path| Config {
        hard_max_bytes: 60 << 10,
        ..pinned(dir)
    };
    // For each: what is left at least and at most, of 50 records of 2 KB, 8 to a segment.
    let cases = [
        (by_bytes(Path::new("")), 10..=10, false),
        (by_age(Path::new("")), 1..=8, true),
        (pinned(Path::new("")), 34..=34, false),
        (hard(Path::new("")), 18..=18, false),
        (config(""), 50..=50, false),
    ];
    for (settings, left, restart) in cases {
        let dir = temp();
        let config = Config {
            path: dir.path().to_path_buf(),
            ..settings
        };
        on_shards(1, move || {
            let (config, left) = (config.clone(), left.clone());
            async move {
                let mut handle = start(&config).await.expect("start");
                append_some(&handle, 0, 0..50, 2_000).await;
                handle.commit(0, "blocks", 20).await.expect("commit");
                if restart {
                    // Then the age of the oldest segment has to be looked up.
                    handle.close().await;
                    drop(handle);
                    handle = start(&config).await.expect("start");
                }
                let before = handle.start_offset(0).unwrap();
                let deleted = handle.retain().await.expect("retention");
                let from = handle.start_offset(0).unwrap();
                assert_eq!(deleted > 0, from > before);
                let count = 50 - from;
                assert!(left.contains(&count), "{count} are left of {left:?}");
                let entries = read_all(&handle, 0).await;
                assert_eq!(entries.len() as u64, count);
                assert!(entries.iter().all(|e| identify(&e.payload) == e.offset));
                let files = segments(&config.path, 0).len() as u64;
                assert_eq!(files, 50u64.div_ceil(8) - from / 8);
                handle.close().await;
            }
        });
    }
}

#[test]
fn two_processes_cannot_share_a_directory() {
    let dir = temp();
    let config = config(dir.path());
    on_shards(1, move || {
        let config = config.clone();
        async move {
            let first = start(&config).await.expect("start");
            let error = start(&config).await.map(|_| ()).unwrap_err();
            assert!(matches!(error, Error::Locked { .. }), "{error}");
            first.close().await;
            drop(first);
            start(&config).await.expect("free again").close().await;
        }
    });
}

#[test]
fn what_it_does_not_know_is_refused() {
    let dir = temp();
    let config = config(dir.path());
    let meta = dir.path().join("log.meta");
    let try_with = move |text: Option<&[u8]>| {
        match text {
            Some(text) => fs::write(&meta, text).expect("written"),
            None => fs::remove_file(&meta).expect("removed"),
        }
        let (send, receive) = std::sync::mpsc::channel();
        let config = config.clone();
        on_shards(1, move || {
            let (config, send) = (config.clone(), send.clone());
            async move {
                let error = start(&config).await.map(|_| ()).unwrap_err();
                assert!(!error.is_retryable());
                send.send(error.to_string()).expect("received");
            }
        });
        receive.recv().expect("sent")
    };
    let newer = try_with(Some(b"vivace ingest log\nversion 7\npartitions 2\n"));
    assert!(
        newer.contains("log.meta has format version 7; this program reads version 1"),
        "{newer}"
    );
    let garbage = try_with(Some(&[0xfe; 300]));
    assert!(garbage.contains("log.meta is damaged"), "{garbage}");
    fs::create_dir(dir.path().join("partition-00000")).expect("made");
    let missing = try_with(None);
    assert!(
        missing.contains("it is missing, but there are partitions"),
        "{missing}"
    );
}

/// Not a test by itself: the process that `kill_9_loses_nothing` kills.
#[test]
fn appending_child() {
    let Some(dir) = std::env::var_os("VIVACE_LOG_CHILD") else {
        return;
    };
    let config = Config {
        partitions: 2,
        ..config(PathBuf::from(dir))
    };
    let shared = Shared::new();
    on_shards(2, move || {
        let (config, shared) = (config.clone(), shared.clone());
        async move {
            let handle = start_shared(&config, &shared).await.expect("start");
            let partition = handle.owned()[0];
            let mut reader = handle.read(partition, 0).unwrap();
            let mut id = 0;
            while let Some(entry) = reader.next().await.expect("readable") {
                assert!(identify(&entry.payload) <= entry.offset);
                id += 1;
            }
            loop {
                let many = (0..5).map(|n| {
                    let len = 8 + ((id + n) * 977 % 5_000) as usize;
                    handle.append(partition, record(id + n, len))
                });
                for offset in join(many.collect()).await {
                    let offset = offset.expect("append");
                    println!("acknowledged {partition} {offset}");
                }
                std::io::stdout().flush().expect("the parent reads");
                id += 5;
            }
        }
    });
}

#[test]
fn kill_9_loses_nothing() {
    let dir = temp();
    let mut acknowledged = [0u64; 2];
    for round in 0..4u64 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "--exact",
                "appending_child",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("VIVACE_LOG_CHILD", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut note = |line: std::io::Result<String>| {
            let line = line.expect("text");
            let words: Vec<&str> = line.split_whitespace().collect();
            // A line may be cut by the kill, but then it has no newline before the next word.
            if let ["acknowledged", partition, offset] = words[..] {
                let partition: usize = partition.parse().expect("a number");
                let offset: u64 = offset.parse().expect("a number");
                acknowledged[partition] = acknowledged[partition].max(offset + 1);
            }
        };
        for line in lines.by_ref().take(60 + 97 * round as usize) {
            note(line);
        }
        child.kill().expect("killed");
        // Whole lines that were still in the pipe count, too.
        let rest: Vec<_> = lines.collect();
        let whole = rest.len().saturating_sub(1);
        rest.into_iter().take(whole).for_each(&mut note);
        child.wait().expect("ended");

        let shared = Shared::new();
        let path = dir.path().to_path_buf();
        let least = acknowledged;
        on_shards(2, move || {
            let config = config(path.clone());
            let shared = shared.clone();
            async move {
                let handle = start_shared(&config, &shared).await.expect("start");
                let partition = handle.owned()[0];
                let entries = read_all(&handle, partition).await;
                for (at, entry) in entries.iter().enumerate() {
                    assert_eq!(entry.offset, at as u64);
                    identify(&entry.payload);
                }
                assert!(entries.len() as u64 >= least[partition as usize]);
                assert!(handle.corruption_report().ranges.is_empty());
                let extra = handle
                    .append(partition, vec![Bytes::from(content(0, 8))])
                    .await;
                extra.expect("append");
                handle.close().await;
            }
        });
    }
    assert!(acknowledged.iter().sum::<u64>() > 100);
}

#[test]
fn a_segment_that_is_not_needed_becomes_the_next_one() {
    use std::os::unix::fs::MetadataExt;
    let dir = temp();
    let path = dir.path().to_path_buf();
    on_shards(1, move || {
        let config = Config {
            retention_bytes: 1,
            retention_interval: Duration::from_secs(3600),
            pin_groups: vec!["blocks".into()],
            ..config(&path)
        };
        async move {
            let shared = Shared::new();
            let handle = start_shared(&config, &shared).await.expect("start");
            let inode = |file: &PathBuf| fs::metadata(file).expect("a file").ino();
            // Three segments and a little more, of 16 KiB.
            append_some(&handle, 0, 0..100, 500).await;
            let before: Vec<u64> = segments(&config.path, 0).iter().map(inode).collect();
            assert!(before.len() > 3, "{before:?}");
            // Reads into the first segment, and then it goes.
            let mut reader = handle.read(0, 0).expect("a reader");
            let first = reader.next().await.expect("read").expect("a record");
            assert_eq!(identify(&first.payload), 0);
            handle.commit(0, "blocks", 100).await.expect("commit");
            assert!(handle.retain().await.expect("retention") >= 3);
            append_some(&handle, 0, 100..300, 500).await;
            let now = segments(&config.path, 0);
            let again = now.iter().filter(|file| before[..3].contains(&inode(file)));
            assert!(again.count() >= 2, "as many as may wait");
            // What lies in them from before is no record, and no damage.
            let mut next = None;
            while let Some(entry) = reader.next().await.expect("read") {
                let id = identify(&entry.payload);
                assert!(next.is_none_or(|next| id == next), "{id}");
                next = Some(id + 1);
            }
            assert_eq!(next, Some(300));
            assert_eq!(handle.corruption_report(), CorruptionReport::default());
            assert_eq!(identify(&first.payload), 0);
            // The last segment has old records behind the new ones.
            handle.close().await;
            drop((handle, reader, shared));
            let handle = start(&config).await.expect("start");
            let all = read_all(&handle, 0).await;
            let ids: Vec<u64> = all.iter().map(|entry| identify(&entry.payload)).collect();
            assert_eq!(ids.last(), Some(&299));
            assert!(ids.is_sorted());
            assert_eq!(
                handle.append(0, record(300, 500)).await.expect("append"),
                300
            );
            assert_eq!(handle.corruption_report(), CorruptionReport::default());
            handle.close().await;
            let left = fs::read_dir(config.path.join("partition-00000")).expect("it");
            let left = left.filter(|entry| {
                let name = entry.as_ref().expect("an entry").file_name();
                name.to_string_lossy().starts_with("old-")
            });
            assert_eq!(left.count(), 0);
        }
    });
}
