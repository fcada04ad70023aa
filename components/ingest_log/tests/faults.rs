//! Single faults on the simulated disk, each with what must follow from it.

mod common;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use common::{config, identify, read_all, record, start};
use vivace_ingest_log::{Config, Error};
use vivace_shards::disk::sim::{Fault, Operation, SimDisk};
use vivace_shards::disk::{self, OpenOptions};
use vivace_shards::sim::{Ended, Sim};
use vivace_shards::{rand, time};

/// Runs `main` on one simulated shard, to its end.
fn simulate<F, Fut>(sim: &Sim, main: F)
where
    F: Fn(Rc<SimDisk>) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let disk = sim.durable(Sim::MAIN, SimDisk::new);
    let run = sim.run(move || {
        let main = main(Rc::clone(&disk));
        async move {
            main.await;
            Ok(())
        }
    });
    match run {
        Ok(ended) => assert_eq!(ended, Ended::Finished),
        Err(failure) => panic!("{failure}"),
    }
}

/// What one shard leaves behind when the power goes.
fn simulate_until_power_loss<F, Fut>(sim: &Sim, main: F)
where
    F: Fn(Rc<SimDisk>) -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let disk = sim.durable(Sim::MAIN, SimDisk::new);
    let run = sim.run(move || {
        let main = main(Rc::clone(&disk));
        async move {
            main.await;
            vivace_shards::sim::crash_now().await;
            Ok(())
        }
    });
    match run {
        Ok(ended) => assert_eq!(ended, Ended::Crashed),
        Err(failure) => panic!("{failure}"),
    }
}

fn fault(operation: Operation, path: &str, errno: i32) -> Fault {
    Fault {
        path: path.to_owned(),
        ..Fault::once(operation, errno)
    }
}

async fn ids(handle: &vivace_ingest_log::Handle) -> Vec<u64> {
    let entries = read_all(handle, 0).await;
    entries
        .iter()
        .map(|entry| identify(&entry.payload))
        .collect()
}

#[test]
fn after_a_failed_write_or_sync_nothing_of_the_group_counts() {
    for seed in 0..20 {
        for operation in [Operation::Write, Operation::Sync] {
            let sim = Sim::new(seed);
            simulate_until_power_loss(&sim, move |disk| async move {
                let handle = start(&config("/log")).await.expect("start");
                for id in 0..3 {
                    handle.append(0, record(id, 500)).await.expect("append");
                }
                // Let the next segment be ready. (Files fail under the name they were made with.)
                time::sleep(Duration::from_millis(50)).await;
                disk.inject(fault(operation, "next-segment", libc::EIO));
                let error = handle.append(0, record(3, 700)).await.unwrap_err();
                assert!(matches!(error, Error::Io { .. }) && error.is_retryable());
                assert_eq!(handle.end_offset(0).unwrap(), 3);
                // The same offset again, in a segment of its own.
                let offset = handle.append(0, record(4, 100)).await.expect("append");
                assert_eq!(offset, 3);
                assert_eq!(ids(&handle).await, [0, 1, 2, 4]);
                let files = disk.names(Path::new("/log/partition-00000"));
                assert!(files.contains(&"segment-00000000000000000003.log".to_owned()));
            });
            simulate(&sim, |_| async {
                let handle = start(&config("/log")).await.expect("start");
                assert_eq!(ids(&handle).await, [0, 1, 2, 4]);
                assert_eq!(handle.corruption_report().ranges, []);
                handle.close().await;
            });
        }
    }
}

#[test]
fn a_segment_is_sealed_before_the_next_ones_name_can_be_on_the_disk() {
    for seed in 0..40 {
        let sim = Sim::new(seed);
        simulate_until_power_loss(&sim, |disk| async move {
            let handle = start(&config("/log")).await.expect("start");
            handle.append(0, record(0, 9_000)).await.expect("append");
            // Let the next segment be ready, then fail to make its name durable, or to take it back.
            time::sleep(Duration::from_millis(50)).await;
            disk.inject(fault(Operation::SyncDir, "partition-00000", libc::EIO));
            disk.inject(fault(Operation::Remove, "segment-", libc::EIO));
            let error = handle.append(0, record(1, 9_000)).await.unwrap_err();
            assert!(error.is_retryable());
            // Small enough for the old segment, which must not take it.
            let offset = handle.append(0, record(2, 100)).await.expect("append");
            assert_eq!(offset, 1);
            assert_eq!(ids(&handle).await, [0, 2]);
        });
        simulate(&sim, |_| async {
            let handle = start(&config("/log")).await.expect("start");
            assert_eq!(ids(&handle).await, [0, 2]);
            handle.close().await;
        });
    }
}

#[test]
fn a_full_disk_refuses_and_recovers_by_itself() {
    for seed in 0..10 {
        let sim = Sim::new(seed);
        let small = || Config {
            min_free_bytes: 4 << 10,
            ..config("/log")
        };
        simulate_until_power_loss(&sim, move |disk| async move {
            disk.set_capacity(Some(100 << 10));
            let handle = start(&small()).await.expect("start");
            let mut count = 0;
            let error = loop {
                match handle.append(0, record(count, 3_000)).await {
                    Ok(_) => count += 1,
                    Err(error) => break error,
                }
            };
            assert!(count > 10 && error.is_retryable());
            let Error::DiskFull {
                path,
                free_bytes,
                needed_bytes,
            } = &error
            else {
                panic!("{error}");
            };
            assert_eq!(path, Path::new("/log/partition-00000"));
            assert!(free_bytes < needed_bytes, "{error}");
            assert!(
                error
                    .to_string()
                    .contains("disk full at /log/partition-00000")
            );
            // Everything else goes on.
            assert_eq!(ids(&handle).await, (0..count).collect::<Vec<_>>());
            handle.commit(0, "group", count).await.expect("commit");
            for _ in 0..50 {
                let error = handle.append(0, record(999, 3_000)).await.unwrap_err();
                assert!(matches!(error, Error::DiskFull { .. }));
                time::sleep(Duration::from_millis(100)).await;
            }
        });
        simulate(&sim, move |disk| async move {
            // A start needs no space, and space that comes back is found.
            let handle = start(&small()).await.expect("start");
            let count = handle.committed(0, "group").unwrap().expect("committed");
            assert_eq!(ids(&handle).await, (0..count).collect::<Vec<_>>());
            while handle.append(0, record(1_000, 3_000)).await.is_ok() {}
            disk.set_capacity(Some(200 << 10));
            time::sleep(Duration::from_secs(2)).await;
            handle
                .append(0, record(1_001, 3_000))
                .await
                .expect("space is back");
            handle.close().await;
        });
    }
}

#[test]
fn retention_makes_room_on_a_full_disk() {
    let sim = Sim::new(1);
    simulate(&sim, |disk| async move {
        disk.set_capacity(Some(100 << 10));
        let config = Config {
            retention_bytes: 1,
            retention_interval: Duration::from_millis(200),
            pin_groups: vec!["blocks".into()],
            ..config("/log")
        };
        let handle = start(&config).await.expect("start");
        let mut count = 0;
        while handle.append(0, record(count, 3_000)).await.is_ok() {
            count += 1;
        }
        time::sleep(Duration::from_secs(3)).await;
        let still = handle.append(0, record(count, 3_000)).await;
        assert!(matches!(still, Err(Error::DiskFull { .. })), "pinned");
        handle.commit(0, "blocks", count).await.expect("commit");
        time::sleep(Duration::from_secs(3)).await;
        handle
            .append(0, record(count, 3_000))
            .await
            .expect("room again");
        handle.close().await;
    });
}

#[test]
fn a_full_log_refuses_until_its_groups_have_committed() {
    let sim = Sim::new(1);
    simulate(&sim, |_| async move {
        let config = Config {
            max_bytes: 100 << 10,
            retention_bytes: 1,
            retention_interval: Duration::from_millis(200),
            pin_groups: vec!["blocks".into()],
            ..config("/log")
        };
        let handle = start(&config).await.expect("start");
        let mut count = 0;
        let refused = loop {
            match handle.append(0, record(count, 3_000)).await {
                Ok(_) => count += 1,
                Err(error) => break error,
            }
        };
        assert!(refused.is_retryable());
        assert!(
            matches!(refused, Error::Full { used_bytes, limit_bytes: 102_400, .. } if used_bytes > 80 << 10),
            "{refused}"
        );
        time::sleep(Duration::from_secs(3)).await;
        let still = handle.append(0, record(count, 3_000)).await;
        assert!(matches!(still, Err(Error::Full { .. })), "pinned");
        handle.commit(0, "blocks", count).await.expect("commit");
        time::sleep(Duration::from_secs(3)).await;
        for id in count..count + 10 {
            handle
                .append(0, record(id, 3_000))
                .await
                .expect("room again");
        }
        handle.close().await;
    });
}

#[test]
fn a_start_that_fails_can_be_repeated() {
    let operations = [
        Operation::Open,
        Operation::CreateDir,
        Operation::ReadDir,
        Operation::Rename,
        Operation::SyncDir,
        Operation::Read,
        Operation::Write,
        Operation::Sync,
    ];
    for (seed, operation) in operations.into_iter().enumerate() {
        let sim = Sim::new(seed as u64);
        simulate(&sim, move |disk| async move {
            for round in 0..6u64 {
                disk.inject(fault(operation, "", libc::EIO));
                if let Err(error) = start(&config("/log")).await {
                    assert!(matches!(error, Error::Io { .. }), "{error}");
                }
                disk.clear_faults();
                let handle = start(&config("/log")).await.expect("start");
                assert_eq!(ids(&handle).await, (0..round).collect::<Vec<_>>());
                handle
                    .append(0, record(round, 4_000))
                    .await
                    .expect("append");
                handle.close().await;
            }
        });
    }
}

const SOURCE: &str = "/source";

/// One segment with one record for each sync; returns where each frame starts, and the end.
async fn source(lens: &[usize]) -> Vec<u64> {
    let handle = start(&config(SOURCE)).await.expect("start");
    for (id, len) in lens.iter().enumerate() {
        handle
            .append(0, record(id as u64, *len))
            .await
            .expect("append");
    }
    let entries = read_all(&handle, 0).await;
    let mut starts: Vec<u64> = entries.iter().map(|entry| entry.position.byte).collect();
    starts.extend(
        entries
            .last()
            .map(|e| e.position.byte + e.position.frame_bytes),
    );
    handle.close().await;
    starts
}

/// A log with the source's files, but this as its segment.
async fn copy_with(disk: &SimDisk, to: &Path, segment: Vec<u8>) {
    let partition = Path::new("partition-00000");
    disk::create_dir_all(&to.join(partition))
        .await
        .expect("made");
    let name = partition.join("segment-00000000000000000000.log");
    let same = [PathBuf::from("log.meta"), partition.join("groups.state")];
    let mut files: Vec<_> = same
        .into_iter()
        .map(|name| {
            let content = disk
                .contents(&Path::new(SOURCE).join(&name))
                .expect("there");
            (name, content)
        })
        .collect();
    files.push((name, segment));
    for (name, content) in files {
        let options = OpenOptions {
            read: true,
            write: true,
            create: true,
            ..OpenOptions::default()
        };
        let file = disk::open(&to.join(name), options).await.expect("opened");
        file.write_at(0, vec![Bytes::from(content)])
            .await
            .expect("written");
    }
}

fn segment_of(disk: &SimDisk) -> Vec<u8> {
    let path = Path::new(SOURCE).join("partition-00000/segment-00000000000000000000.log");
    disk.contents(&path).expect("there")
}

const CUT_LENS: [usize; 6] = [8, 100, 33, 400, 8, 250];

async fn check_cut(disk: &SimDisk, whole: &[u8], starts: &[u64], cut: usize) {
    let mut segment = whole[..cut].to_vec();
    let zeros = cut.is_multiple_of(2);
    if zeros {
        segment.resize(whole.len(), 0);
    }
    let to = PathBuf::from(format!("/cut-{cut}"));
    copy_with(disk, &to, segment).await;
    // With zeros behind the cut, padding is as good as there, and so are zeros of a payload.
    let least = starts[1..].iter().filter(|end| **end <= cut as u64).count() as u64;
    let handle = start(&config(&to)).await.expect("start");
    let found = ids(&handle).await;
    let count = found.len() as u64;
    assert_eq!(found, (0..count).collect::<Vec<_>>(), "cut at {cut}");
    let most = least + u64::from(zeros);
    assert!((least..=most).contains(&count), "cut at {cut}: {count}");
    assert_eq!(handle.corruption_report().ranges, [], "cut at {cut}");
    let offset = handle.append(0, record(count, 60)).await.expect("append");
    assert_eq!(offset, count);
    handle.close().await;
    drop(handle);
    if cut.is_multiple_of(16) {
        let handle = start(&config(&to)).await.expect("start");
        assert_eq!(ids(&handle).await, (0..=count).collect::<Vec<_>>());
        handle.close().await;
    }
}

#[test]
fn a_file_cut_anywhere_keeps_what_is_whole() {
    // The frames' bytes, and some behind them; a few cuts for each simulated disk.
    for from in (0..1_150).step_by(50) {
        let sim = Sim::new(1);
        simulate(&sim, move |disk| async move {
            let starts = source(&CUT_LENS).await;
            assert!(starts[CUT_LENS.len()] < 1_150);
            let whole = segment_of(&disk);
            for cut in from..from + 50 {
                check_cut(&disk, &whole, &starts, cut).await;
            }
        });
    }
}

#[test]
fn garbage_anywhere_costs_only_what_it_hits() {
    for seed in 0..8 {
        let sim = Sim::new(seed);
        simulate(&sim, |disk| async move {
            let lens: Vec<usize> = (0..25).map(|_| 8 + rand::below(500) as usize).collect();
            let starts = source(&lens).await;
            let whole = segment_of(&disk);
            for round in 0..40 {
                let mut segment = whole.clone();
                let from = rand::below(whole.len() as u64 + 200) as usize;
                let len = 1 + rand::below([8, 100, 3_000][round % 3]) as usize;
                let mut garbage = vec![0; len];
                match rand::below(3) {
                    0 => rand::fill(&mut garbage),
                    1 => {}
                    // Frames of the same segment, in the wrong place.
                    _ => garbage.copy_from_slice(&whole[..len]),
                }
                segment.resize(segment.len().max(from + len), 0);
                segment[from..from + len].copy_from_slice(&garbage);
                let to = PathBuf::from(format!("/garbage-{round}"));
                copy_with(&disk, &to, segment).await;
                let handle = start(&config(&to)).await.expect("start");
                let mut reader = handle.read(0, 0).unwrap();
                let mut found = Vec::new();
                while let Some(entry) = reader.next().await.expect("readable") {
                    assert_eq!(identify(&entry.payload), entry.offset);
                    assert!(found.last().is_none_or(|last| *last < entry.offset));
                    found.push(entry.offset);
                }
                for (id, frame) in starts.windows(2).enumerate() {
                    let hit = (from as u64) < frame[1] && (from + len) as u64 > frame[0];
                    assert!(
                        hit || found.contains(&(id as u64)),
                        "{id} lost: {from}+{len}"
                    );
                }
                let report = handle.corruption_report();
                assert_eq!(report.lost_records(), reader.lost());
                let next = handle.end_offset(0).unwrap();
                let offset = handle.append(0, record(next, 60)).await.expect("append");
                assert!(offset == next && found.last().is_none_or(|last| *last < offset));
                handle.close().await;
            }
        });
    }
}
