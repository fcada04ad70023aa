//! The suite on the simulated store, and crashes and faults of it.

mod support;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use support::{Result, block_id, meta, suite};
use vivace_block::keys::{self, BlockObject};
use vivace_config::blocks::storage::TraceStorage;
use vivace_shards::sim::{Ended, Sim};
use vivace_storage::sim::{Effect, Fault, Faults, Operation, SimStore};
use vivace_storage::{Blocklist, Poller, Storage};

fn store(sim: &Sim) -> Rc<SimStore> {
    sim.durable(Sim::MAIN, SimStore::new)
}

fn open() -> Storage {
    // Whatever is configured, here it is a simulated one.
    Storage::open(&TraceStorage::default()).unwrap()
}

fn poller(list: &Arc<Blocklist>, change: impl Fn(&mut TraceStorage)) -> Poller {
    let mut config = TraceStorage::default();
    change(&mut config);
    Poller::new(open(), Arc::clone(list), &config, true)
}

fn put(store: &SimStore, tenant: &str, n: usize) {
    let key = keys::block_object(tenant, block_id(n, 10), BlockObject::Meta);
    store.insert(&key, meta(tenant, n, 10).to_json());
}

fn once(operation: Operation, key: &str, effect: Effect) -> Fault {
    let key = key.to_owned();
    Fault {
        operation,
        key,
        effect,
        times: 1,
    }
}

#[test]
fn objects() -> Result {
    let sim = Sim::new(1);
    sim.run(|| async { suite::objects(&open()).await })?;
    assert!(store(&sim).objects().is_empty());
    Ok(())
}

#[test]
fn ten_thousand_blocks() -> Result {
    Sim::new(2).poll_budget(100_000_000).run(|| async {
        let storage = open();
        suite::put_metas(&storage, "many", 10_000).await?;
        suite::polls(&storage, &TraceStorage::default(), "many", 10_000, 10_000).await
    })?;
    Ok(())
}

#[test]
fn a_crash_tears_nothing() -> Result {
    for seed in 0..300 {
        let sim = Sim::new(seed);
        sim.crash_at_io(Sim::MAIN, 1 + seed % 12);
        let ended = sim.run(|| async {
            let storage = open();
            storage.put("a", Bytes::from_static(b"1")).await?;
            let mut upload = storage.upload("b")?;
            for piece in ["2", "3", "4", "5"] {
                upload.write(Bytes::from_static(piece.as_bytes())).await?;
            }
            upload.finish().await?;
            storage.copy("b", "c").await?;
            Ok(storage.delete("a").await?)
        })?;
        let objects = store(&sim).objects();
        let text = |key: &str| objects.get(key).cloned();
        if let Some(b) = text("b") {
            assert_eq!(b, "2345", "seed {seed}");
        }
        assert!(text("c").is_none() || text("c") == text("b"));
        if ended == Ended::Finished {
            assert_eq!((text("a"), text("c")), (None, text("b")));
        }
    }
    Ok(())
}

#[test]
fn faults_are_what_was_asked_for() -> Result {
    let sim = Sim::new(4);
    let store = store(&sim);
    for fault in [
        once(Operation::Put, "refused", Effect::Refused),
        once(Operation::Put, "lost", Effect::LostAnswer),
        once(Operation::Put, "twice", Effect::Repeated),
        once(Operation::Write, "upload", Effect::Refused),
        once(
            Operation::Get,
            "twice",
            Effect::Late(Duration::from_secs(3)),
        ),
    ] {
        store.inject(fault);
    }
    sim.run(|| async {
        let storage = open();
        let one = || Bytes::from_static(b"1");
        for key in ["refused", "lost"] {
            assert!(storage.put(key, one()).await.unwrap_err().is_retryable());
        }
        storage.put("twice", one()).await?;
        let mut upload = storage.upload("upload")?;
        assert!(upload.write(one()).await.is_err());
        let began = vivace_shards::time::Instant::now();
        assert_eq!(storage.get("twice").await?, "1");
        assert!(began.elapsed() >= Duration::from_secs(3));
        Ok(())
    })?;
    let keys: Vec<String> = store.objects().into_keys().collect();
    assert_eq!(keys, ["lost", "twice"]);
    Ok(())
}

#[test]
fn the_poller_waits_out_a_store_that_fails() -> Result {
    let sim = Sim::new(5);
    let store = store(&sim);
    put(&store, "a", 0);
    store.set_faults(Faults {
        refused: 1_000_000,
        ..Faults::default()
    });
    let outside = Rc::clone(&store);
    sim.run(move || {
        let store = Rc::clone(&outside);
        async move {
            let list = Arc::new(Blocklist::new());
            let polls = poller(&list, |_| {}).run(std::future::pending());
            let task = vivace_shards::spawn(vivace_shards::Class::Background, polls);
            vivace_shards::time::sleep(Duration::from_secs(100)).await;
            assert!(!list.is_complete());
            assert!(
                list.why_incomplete().contains("503"),
                "{}",
                list.why_incomplete()
            );
            store.set_faults(Faults::default());
            // The longest pause after a failure is a minute.
            vivace_shards::time::sleep(Duration::from_secs(70)).await;
            assert!(list.is_complete());
            assert_eq!(list.snapshot("a").live.len(), 1);
            // From now on every five minutes.
            put(&store, "a", 1);
            vivace_shards::time::sleep(Duration::from_secs(320)).await;
            assert_eq!(list.snapshot("a").live.len(), 2);
            drop(task);
            Ok(())
        }
    })?;
    Ok(())
}

#[test]
fn a_damaged_tenant_does_not_harm_the_others() -> Result {
    let sim = Sim::new(6);
    let store = store(&sim);
    for tenant in ["a", "b", "c"] {
        put(&store, tenant, 0);
    }
    let outside = Rc::clone(&store);
    sim.run(move || {
        let store = Rc::clone(&outside);
        async move {
            let list = Arc::new(Blocklist::new());
            // No failure in a row, and one tenant, are tolerated.
            let polls = poller(&list, |config| {
                config.blocklist_poll_tolerate_consecutive_errors = 0
            });
            polls.poll_once().await?;
            put(&store, "a", 1);
            put(&store, "b", 1);
            let bad = keys::block_object("b", block_id(2, 10), BlockObject::Meta);
            store.insert(&bad, "{}");
            let report = polls.poll_once().await?;
            assert_eq!(report.failed, ["b"]);
            let len = |tenant: &str| list.snapshot(tenant).live.len();
            assert_eq!(
                (len("a"), len("b"), len("c")),
                (2, 1, 1),
                "b keeps its former list"
            );
            assert_eq!(list.missing("b"), None);

            // A second one is too much, but what is known stays known.
            let worse = keys::block_object("c", block_id(2, 10), BlockObject::Meta);
            store.insert(&worse, "{}");
            let error = polls.poll_once().await.unwrap_err();
            assert!(error.to_string().contains("meta.json"), "{error}");
            assert_eq!((len("a"), len("b"), len("c")), (2, 1, 1));

            // At a start there is no former list: its tenant hears that.
            store.remove(&worse);
            let fresh = Arc::new(Blocklist::new());
            poller(&fresh, |_| {}).poll_once().await?;
            assert!(fresh.is_complete());
            assert!(fresh.missing("b").unwrap().contains("meta.json"));
            assert_eq!(fresh.missing("a"), None);
            store.remove(&bad);
            polls.poll_once().await?;
            assert_eq!((len("a"), len("b"), len("c")), (2, 2, 1));
            Ok(())
        }
    })?;
    Ok(())
}

#[test]
fn what_is_left_of_a_tenant() -> Result {
    let sim = Sim::new(7);
    let store = store(&sim);
    put(&store, "a", 0);
    store.insert("overrides/a/overrides.json", "{}");
    let outside = Rc::clone(&store);
    sim.run(move || {
        let store = Rc::clone(&outside);
        async move {
            let list = Arc::new(Blocklist::new());
            let polls = poller(&list, |config| {
                config.empty_tenant_deletion_enabled = true;
                config.empty_tenant_deletion_age = vivace_config::types::hours(2);
            });
            polls.poll_once().await?;
            let has = |key: &str| store.objects().contains_key(key);
            assert!(has("a/index.pb.zst") && has("a/index.json.gz"));
            open().delete_block("a", block_id(0, 10)).await?;
            store.insert("a/trash", "x");
            polls.poll_once().await?;
            assert!(!has("a/index.pb.zst") && !has("a/index.json.gz"));
            assert!(has("a/trash"), "too young");
            vivace_shards::time::sleep(Duration::from_secs(3 * 3600)).await;
            polls.poll_once().await?;
            assert!(!has("a/trash"));
            assert!(has("overrides/a/overrides.json"));
            polls.poll_once().await?;
            assert!(list.tenants().is_empty());
            Ok(())
        }
    })?;
    Ok(())
}

#[test]
fn an_index_that_is_too_old_is_not_used() -> Result {
    let sim = Sim::new(8);
    let store = store(&sim);
    put(&store, "a", 0);
    let outside = Rc::clone(&store);
    sim.run(move || {
        let store = Rc::clone(&outside);
        async move {
            let list = Arc::new(Blocklist::new());
            poller(&list, |_| {}).poll_once().await?;
            put(&store, "a", 1);
            let reader = |fallback: bool| {
                let config = TraceStorage {
                    blocklist_poll_stale_tenant_index: vivace_config::types::mins(10),
                    blocklist_poll_fallback: fallback,
                    ..TraceStorage::default()
                };
                let list = Arc::new(Blocklist::new());
                let reader = Poller::new(open(), Arc::clone(&list), &config, false);
                (list, reader)
            };
            let (list, young) = reader(false);
            young.poll_once().await?;
            assert_eq!(list.snapshot("a").live.len(), 1);
            vivace_shards::time::sleep(Duration::from_secs(700)).await;
            let (list, strict) = reader(false);
            assert_eq!(strict.poll_once().await?.failed, ["a"]);
            assert!(list.missing("a").unwrap().contains("too long"));
            let (list, lenient) = reader(true);
            lenient.poll_once().await?;
            assert_eq!(list.snapshot("a").live.len(), 2);
            Ok(())
        }
    })?;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Blocks come, are compacted and deleted, in a store that fails; the list is right as soon as a poll has succeeded.
    #[test]
    fn a_poll_finds_what_there_is(seed in any::<u64>(), steps in prop::collection::vec((0..3_u8, 0..10_usize), 0..25)) {
        let sim = Sim::new(seed);
        let store = store(&sim);
        store.set_faults(Faults::often());
        let outside = Rc::clone(&store);
        let steps = Rc::new(steps);
        let ran = sim.run(move || {
            let (store, steps) = (Rc::clone(&outside), Rc::clone(&steps));
            async move {
                let storage = open();
                let list = Arc::new(Blocklist::new());
                let polls = poller(&list, |_| {});
                for (what, n) in steps.iter() {
                    let block = block_id(*n, 10);
                    let _ = match what {
                        0 => {
                            let key = keys::block_object("a", block, BlockObject::Meta);
                            storage.put(&key, meta("a", *n, 10).to_json()).await
                        }
                        1 => storage.mark_compacted("a", block).await,
                        _ => storage.delete_block("a", block).await,
                    };
                    let _ = polls.poll_once().await;
                }
                store.set_faults(Faults::default());
                polls.poll_once().await?;
                let found = list.snapshot("a");
                let ids = storage.block_ids("a").await?;
                let mut live: Vec<_> = found.live.iter().map(|meta| meta.block_id).collect();
                live.sort();
                assert_eq!(live, ids.live);
                assert_eq!(found.compacted.len(), ids.compacted.len());
                Ok(())
            }
        });
        prop_assert!(ran.is_ok(), "{}", ran.unwrap_err());
    }
}
