use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::disk::{self, File};
use crate::sim::{Ended, Sim};

const NEW: OpenOptions = OpenOptions {
    read: true,
    write: true,
    create: true,
    create_new: false,
    truncate: false,
};

async fn make(path: &str) -> io::Result<File> {
    disk::open(Path::new(path), NEW).await
}

fn text(bytes: &'static str) -> Vec<Bytes> {
    vec![Bytes::from_static(bytes.as_bytes())]
}

fn disk_of(sim: &Sim) -> Rc<SimDisk> {
    sim.durable(Sim::MAIN, SimDisk::new)
}

fn finish(sim: &Sim, main: impl AsyncFn() -> io::Result<()> + 'static) {
    let main = Rc::new(main);
    let ended = sim.run(move || {
        let main = Rc::clone(&main);
        async move { Ok(main().await?) }
    });
    assert_eq!(ended.unwrap(), Ended::Finished);
}

#[derive(Clone, Debug)]
enum Step {
    Write { at: u64, len: usize, sync: bool },
    Sync,
    SetLen(u64),
    Allocate(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3000u64, 1..3000usize, any::<bool>())
            .prop_map(|(at, len, sync)| Step::Write { at, len, sync }),
        1 => Just(Step::Sync),
        1 => (0..4000u64).prop_map(Step::SetLen),
        1 => (0..6000u64).prop_map(Step::Allocate),
    ]
}

/// The naive model of one file: each byte's present value, and every value it might have after a crash.
#[derive(Default)]
struct Model {
    now: Vec<u8>,
    possible: Vec<BTreeSet<u8>>,
    shortest: usize,
    longest: usize,
}

impl Model {
    fn extend(&mut self, len: usize) {
        if self.now.len() < len {
            self.now.resize(len, 0);
        }
        while self.possible.len() < len {
            self.possible.push(BTreeSet::from([0]));
        }
        self.longest = self.longest.max(len);
    }

    fn begin(&mut self, step: &Step, fill: u8) {
        match step {
            Step::Write { at, len, .. } => {
                let range = *at as usize..*at as usize + len;
                self.extend(range.end);
                self.now[range.clone()].fill(fill);
                for possible in &mut self.possible[range] {
                    possible.insert(fill);
                }
            }
            Step::Sync => {}
            Step::SetLen(len) => {
                let len = *len as usize;
                self.extend(len);
                self.now.truncate(len);
                self.shortest = self.shortest.min(len);
                for possible in &mut self.possible[len..] {
                    possible.insert(0);
                }
            }
            Step::Allocate(len) => self.extend(*len as usize),
        }
    }

    fn synced(&mut self) {
        (self.shortest, self.longest) = (self.now.len(), self.now.len());
        self.possible = self
            .now
            .iter()
            .map(|byte| BTreeSet::from([*byte]))
            .collect();
    }

    fn check(&self, found: &[u8]) {
        assert!((self.shortest..=self.longest).contains(&found.len()));
        for (i, byte) in found.iter().enumerate() {
            assert!(
                self.possible[i].contains(byte),
                "byte {i} is {byte}, not of {:?}",
                self.possible[i]
            );
        }
    }
}

async fn play(path: &str, steps: &[Step], model: &RefCell<Model>) -> io::Result<()> {
    let file = make(path).await?;
    for (i, step) in steps.iter().enumerate() {
        let fill = i as u8 + 1;
        model.borrow_mut().begin(step, fill);
        let synced = match step {
            Step::Write { at, len, sync } => {
                let data = vec![Bytes::from(vec![fill; *len])];
                if *sync {
                    file.write_and_sync_at(*at, data).await?;
                } else {
                    file.write_at(*at, data).await?;
                }
                *sync
            }
            Step::Sync => file.sync_data().await.map(|()| true)?,
            Step::SetLen(len) => file.set_len(*len).await.map(|()| false)?,
            Step::Allocate(len) => file.allocate(0, *len).await.map(|()| false)?,
        };
        if synced {
            model.borrow_mut().synced();
        }
        assert_eq!(file.len().await?, model.borrow().now.len() as u64);
        let found = file.read_at(0, 10_000).await?;
        assert_eq!(found, model.borrow().now);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_crash_keeps_what_is_synced_and_invents_nothing(
        seed: u64,
        crash_at in 1..60u64,
        files in prop::collection::vec(prop::collection::vec(step(), 0..12), 1..4),
    ) {
        let sim = Sim::new(seed);
        let models: Vec<Rc<RefCell<Model>>> = files.iter().map(|_| Rc::default()).collect();
        let count = files.len();
        finish(&sim, async move || {
            disk::create_dir_all(Path::new("/d")).await?;
            for i in 0..count {
                make(&format!("/d/{i}")).await?;
            }
            disk::sync_dir(Path::new("/d")).await
        });
        sim.crash_at_io(Sim::MAIN, crash_at);
        let (steps, shared) = (Rc::new(files), models.clone());
        let ended = sim.run(move || {
            let (steps, models) = (Rc::clone(&steps), shared.clone());
            async move {
                let tasks = (0..steps.len()).map(|i| {
                    let (steps, model) = (Rc::clone(&steps), Rc::clone(&models[i]));
                    crate::spawn(crate::Class::Ingest, async move {
                        play(&format!("/d/{i}"), &steps[i], &model).await
                    })
                });
                for task in tasks.collect::<Vec<_>>() {
                    task.await?;
                }
                Ok(())
            }
        });
        // It may have ended before the crash was due: then it comes now.
        if ended.unwrap() == Ended::Finished {
            sim.start(Sim::MAIN, async || Ok(()));
            sim.crash(Sim::MAIN);
        }
        let disk = disk_of(&sim);
        for (i, model) in models.iter().enumerate() {
            let found = disk.contents(&PathBuf::from(format!("/d/{i}"))).unwrap();
            model.borrow().check(&found);
        }
    }

    #[test]
    fn a_crash_keeps_synced_names_and_some_first_part_of_the_others(
        seed: u64,
        crash_at in 1..40u64,
        steps in prop::collection::vec((0..4u8, 0..5u8, 0..5u8), 0..20),
    ) {
        type Tree = BTreeMap<String, u8>;
        let sim = Sim::new(seed);
        finish(&sim, async || disk::create_dir_all(Path::new("/d")).await);
        sim.crash_at_io(Sim::MAIN, crash_at);
        // What there might be after a crash: the tree when it was synced last, and after each step since.
        let trees = Rc::new(RefCell::new(vec![Tree::new()]));
        let shared = Rc::clone(&trees);
        let ended = sim.run(move || {
            let (steps, trees) = (steps.clone(), Rc::clone(&shared));
            async move {
                let path = |n: u8| PathBuf::from(format!("/d/{n}"));
                for (i, (what, a, b)) in steps.into_iter().enumerate() {
                    let mut tree = trees.borrow().last().unwrap().clone();
                    let known = tree.contains_key(&a.to_string());
                    match what {
                        0 if !known => {
                            tree.insert(a.to_string(), i as u8);
                            trees.borrow_mut().push(tree);
                            let file = disk::open(&path(a), OpenOptions { create_new: true, ..NEW }).await?;
                            file.write_and_sync_at(0, vec![vec![i as u8].into()]).await?;
                        }
                        1 if known => {
                            tree.remove(&a.to_string());
                            trees.borrow_mut().push(tree);
                            disk::remove_file(&path(a)).await?;
                        }
                        2 if known && a != b => {
                            let file = tree.remove(&a.to_string()).unwrap();
                            tree.insert(b.to_string(), file);
                            trees.borrow_mut().push(tree);
                            disk::rename(&path(a), &path(b)).await?;
                        }
                        3 => {
                            disk::sync_dir(Path::new("/d")).await?;
                            *trees.borrow_mut() = vec![tree];
                        }
                        _ => {}
                    }
                }
                Ok(())
            }
        });
        if ended.unwrap() == Ended::Finished {
            sim.start(Sim::MAIN, async || Ok(()));
            sim.crash(Sim::MAIN);
        }
        let disk = disk_of(&sim);
        let found: BTreeMap<String, Vec<u8>> = disk
            .names(Path::new("/d"))
            .into_iter()
            .map(|name| (name.clone(), disk.contents(&Path::new("/d").join(&name)).unwrap()))
            .collect();
        // A file that was just made may be there without its byte.
        let same = |tree: &Tree| {
            tree.len() == found.len()
                && tree.iter().all(|(name, byte)| {
                    found.get(name).is_some_and(|b| b.as_slice() == [*byte] || b.as_slice() == [0] || b.is_empty())
                })
        };
        prop_assert!(trees.borrow().iter().any(same), "{:?} is none of {:?}", found, trees.borrow());
    }
}

#[test]
fn every_fate_of_an_unsynced_write_happens_and_a_seed_repeats_it() {
    let outcome = |seed: u64| {
        let sim = Sim::new(seed);
        finish(&sim, async || {
            let file = make("/f").await?;
            disk::sync_dir(Path::new("/")).await?;
            file.write_and_sync_at(0, vec![vec![1; 2048].into()])
                .await?;
            file.write_at(100, vec![vec![2; 1500].into()]).await?;
            file.write_at(2048, vec![vec![3; 600].into()]).await
        });
        sim.start(Sim::MAIN, async || Ok(()));
        sim.crash(Sim::MAIN);
        disk_of(&sim).contents(Path::new("/f")).unwrap()
    };
    let (mut whole, mut none, mut torn, mut reordered, mut zeros) = (0, 0, 0, 0, 0);
    for seed in 0..60 {
        let found = outcome(seed);
        assert_eq!(found, outcome(seed));
        assert!(found[..100].iter().all(|b| *b == 1) && found[1600..2048].iter().all(|b| *b == 1));
        let twos = found.iter().filter(|b| **b == 2).count();
        whole += usize::from(twos == 1500);
        none += usize::from(twos == 0);
        torn += usize::from(0 < twos && twos < 1500);
        reordered += usize::from(twos == 0 && found.ends_with(&[3]));
        zeros += usize::from(found.ends_with(&[0]));
        // A sector is written whole or not at all.
        assert!(found[512..1024].iter().all(|b| *b == found[512]));
    }
    for (fate, count) in [whole, none, torn, reordered, zeros]
        .into_iter()
        .enumerate()
    {
        assert!(count > 0, "fate {fate} never happened");
    }
}

#[test]
fn a_full_disk_says_so_and_has_room_again_when_files_go() {
    let sim = Sim::new(1);
    disk_of(&sim).set_capacity(Some(16 * 4096));
    finish(&sim, async || {
        let full =
            |result: io::Result<()>| result.unwrap_err().kind() == io::ErrorKind::StorageFull;
        let root = Path::new("/");
        let a = make("/a").await?;
        a.allocate(0, 10 * 4096).await?;
        assert_eq!(disk::free_space(root).await?, 6 * 4096);
        // What is reserved can be written.
        let b = make("/b").await?;
        b.write_at(0, vec![vec![1; 6 * 4096].into()]).await?;
        a.write_and_sync_at(0, vec![vec![2; 10 * 4096].into()])
            .await?;
        assert!(full(a.write_at(10 * 4096, text("x")).await));
        assert!(full(b.allocate(0, 7 * 4096).await));
        // A write that does not fit is written as far as it does.
        b.set_len(4096).await?;
        assert!(full(b.write_at(4096, vec![vec![3; 9 * 4096].into()]).await));
        assert_eq!(b.len().await?, 6 * 4096);
        // An open file keeps its space.
        disk::remove_file(Path::new("/b")).await?;
        assert_eq!(disk::free_space(root).await?, 0);
        drop(b);
        assert_eq!(disk::free_space(root).await?, 6 * 4096);
        a.allocate(0, 16 * 4096).await
    });
}

#[test]
fn faults_strike_where_and_as_often_as_asked() {
    let sim = Sim::new(7);
    let disk = disk_of(&sim);
    disk.inject(Fault {
        path: "/log".into(),
        times: 2,
        ..Fault::once(Operation::Read, libc::EIO)
    });
    disk.inject(Fault::once(Operation::Write, libc::ENOSPC));
    let slow = Effect::Delay(Duration::from_secs(3));
    disk.inject(Fault {
        effect: slow,
        ..Fault::once(Operation::SyncDir, 0)
    });
    finish(&sim, async || {
        let errno = |result: io::Result<Bytes>| result.unwrap_err().raw_os_error();
        let (log, other) = (make("/log").await?, make("/other").await?);
        let failed = other.write_and_sync_at(0, text("0123")).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        assert!(other.len().await? <= 4);
        log.write_at(0, text("abc")).await?;
        other.read_at(0, 3).await?;
        assert_eq!(errno(log.read_at(0, 3).await), Some(libc::EIO));
        assert_eq!(errno(log.read_at(0, 3).await), Some(libc::EIO));
        assert_eq!(&log.read_at(0, 9).await?[..], b"abc");
        let before = time::Instant::now();
        disk::sync_dir(Path::new("/")).await?;
        assert!(before.elapsed() >= Duration::from_secs(3));
        let before = time::Instant::now();
        disk::sync_dir(Path::new("/")).await?;
        assert!(before.elapsed() < Duration::from_secs(1));
        Ok(())
    });
}

#[test]
fn after_a_failed_sync_a_good_one_promises_nothing_about_earlier_bytes() {
    let mut lost = 0;
    for seed in 0..40 {
        let sim = Sim::new(seed);
        disk_of(&sim).inject(Fault::once(Operation::Sync, libc::EIO));
        finish(&sim, async || {
            let file = make("/f").await?;
            disk::sync_dir(Path::new("/")).await?;
            assert!(file.write_and_sync_at(0, text("early")).await.is_err());
            file.write_and_sync_at(5, text("late")).await?;
            assert_eq!(&file.read_at(0, 9).await?[..], b"earlylate");
            Ok(())
        });
        sim.start(Sim::MAIN, async || Ok(()));
        sim.crash(Sim::MAIN);
        let found = disk_of(&sim).contents(Path::new("/f")).unwrap();
        assert_eq!(&found[5..], b"late");
        lost += usize::from(&found[..5] == b"\0\0\0\0\0");
    }
    assert!(lost > 0);
}

#[test]
fn names_move_between_directories_and_sync_with_what_they_build_on() {
    for seed in 0..40 {
        let sim = Sim::new(seed);
        finish(&sim, async || {
            let dirs = [Path::new("/a"), Path::new("/b")];
            for dir in dirs {
                disk::create_dir_all(dir).await?;
            }
            make("/a/1")
                .await?
                .write_and_sync_at(0, text("one"))
                .await?;
            make("/b/2")
                .await?
                .write_and_sync_at(0, text("two"))
                .await?;
            disk::rename(Path::new("/a/1"), Path::new("/b/1")).await?;
            make("/a/late").await?;
            disk::sync_dir(dirs[1]).await
        });
        sim.start(Sim::MAIN, async || Ok(()));
        sim.crash(Sim::MAIN);
        let disk = disk_of(&sim);
        assert_eq!(disk.names(Path::new("/b")), ["1", "2"]);
        assert_eq!(disk.contents(Path::new("/b/1")).unwrap(), b"one");
        assert!(!disk.names(Path::new("/a")).contains(&"1".to_owned()));
    }
}

#[test]
fn given_up_writes_still_happen_and_files_of_an_earlier_life_do_not_work() {
    let sim = Sim::new(3);
    let kept: Rc<RefCell<Option<File>>> = Rc::default();
    let keep = Rc::clone(&kept);
    finish(&sim, async move || {
        let file = make("/f").await?;
        disk::sync_dir(Path::new("/")).await?;
        let write = file.write_at(0, text("given up"));
        assert!(time::timeout(Duration::ZERO, write).await.is_err());
        assert_eq!(&file.read_at(0, 20).await?[..], b"given up");
        let read_only = disk::open(Path::new("/f"), OpenOptions::READ).await?;
        let refused = read_only.write_at(0, text("x")).await.unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EBADF));
        assert_eq!(disk::lane_name(), "sim");
        *keep.borrow_mut() = Some(file);
        Ok(())
    });
    sim.start(Sim::MAIN, async || Ok(()));
    sim.crash(Sim::MAIN);
    let kept = kept.take().unwrap();
    finish(&sim, async move || {
        assert!(kept.write_at(0, text("x")).await.is_err());
        assert!(kept.read_at(0, 1).await.is_err());
        let kind = |result: io::Result<File>| result.map(drop).unwrap_err().kind();
        assert_eq!(kind(make("/missing/f").await), io::ErrorKind::NotFound);
        assert_eq!(kind(make("/f/f").await), io::ErrorKind::NotADirectory);
        let new = OpenOptions {
            create_new: true,
            ..NEW
        };
        assert_eq!(
            kind(disk::open(Path::new("/f"), new).await),
            io::ErrorKind::AlreadyExists
        );
        let cut = OpenOptions {
            truncate: true,
            ..NEW
        };
        assert_eq!(disk::open(Path::new("f"), cut).await?.len().await?, 0);
        Ok(())
    });
}
