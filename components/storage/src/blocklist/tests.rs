use proptest::prelude::*;
use vivace_block::ZERO_TIME;
use vivace_block::dedicated::{DedicatedColumn, default_columns};

use super::*;

pub(crate) fn meta(tenant: &str, id: u128, end: i64) -> BlockMeta {
    BlockMeta {
        format: "vParquet5".into(),
        block_id: Uuid::from_u128(id),
        tenant_id: tenant.into(),
        start_time: ZERO_TIME,
        end_time: DateTime::from_timestamp(end, 0).unwrap(),
        total_objects: 3,
        size: 50,
        compaction_level: 0,
        index_page_size: 0,
        total_records: 1,
        bloom_shards: 1,
        footer_size: 10,
        dedicated_columns: Arc::default(),
        replication_factor: 1,
    }
}

fn ids(blocks: &[Arc<BlockMeta>]) -> Vec<u128> {
    blocks.iter().map(|meta| meta.block_id.as_u128()).collect()
}

fn found(live: &[(u128, i64)]) -> TenantBlocks {
    let metas = live.iter().map(|(id, end)| Arc::new(meta("a", *id, *end)));
    TenantBlocks::new(metas.collect(), Vec::new())
}

#[test]
fn blocks_are_in_order_of_their_ends_then_ids() {
    let list = Blocklist::new();
    for (id, end) in [(3, 10), (1, 20), (2, 10), (9, 5)] {
        list.add(meta("a", id, end));
    }
    assert_eq!(ids(&list.snapshot("a").live), [1, 2, 3, 9]);
    // Again, with another end.
    list.add(meta("a", 9, 30));
    assert_eq!(ids(&list.snapshot("a").live), [9, 1, 2, 3]);
    assert!(list.snapshot("a").is_live(&meta("a", 2, 10)));
    assert!(!list.snapshot("a").is_live(&meta("a", 4, 10)));
    assert!(list.snapshot("b").is_empty());
    assert_eq!((list.tenants(), list.lengths()), (vec!["a".into()], (4, 0)));
}

#[test]
fn a_block_added_while_a_poll_is_under_way_stays() {
    let list = Blocklist::new();
    list.add(meta("a", 1, 1));
    let poll = list.begin_poll();
    list.add(meta("a", 2, 2));
    // Found before the second one was written.
    list.apply(poll, "a", found(&[(1, 1)]), None);
    list.end_poll(poll, &["a".into()]);
    assert_eq!(ids(&list.snapshot("a").live), [2, 1]);
    // The next one has to find it.
    let poll = list.begin_poll();
    list.apply(poll, "a", found(&[(1, 1)]), None);
    list.end_poll(poll, &["a".into()]);
    assert_eq!(ids(&list.snapshot("a").live), [2, 1]);
    let poll = list.begin_poll();
    list.apply(poll, "a", found(&[(1, 1)]), None);
    assert_eq!(ids(&list.snapshot("a").live), [1]);
}

#[test]
fn an_old_index_does_not_bring_back_what_was_compacted() {
    let list = Blocklist::new();
    let poll = list.begin_poll();
    list.apply(poll, "a", found(&[(1, 1), (2, 2)]), None);
    let at = now();
    let update = Update {
        added: vec![meta("a", 3, 2)],
        compacted: vec![(Uuid::from_u128(1), at)],
        removed: vec![Uuid::from_u128(2)],
    };
    list.update("a", update);
    let expected = list.snapshot("a");
    assert_eq!(ids(&expected.live), [3]);
    assert_eq!(expected.compacted[0].compacted_time, at);
    let poll = list.begin_poll();
    list.apply(poll, "a", found(&[(1, 1), (2, 2)]), None);
    assert_eq!(list.snapshot("a"), expected);
    let all = list.for_trace_by_id("a");
    assert_eq!(ids(&all), [3, 1]);
    list.prepare_polls(Duration::ZERO);
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(ids(&list.for_trace_by_id("a")), [3]);
}

#[test]
fn traces_are_looked_for_in_one_list_until_blocks_change() {
    let list = Blocklist::new();
    list.prepare_polls(Duration::from_secs(3600));
    list.add(meta("a", 1, 1));
    list.add(meta("a", 2, 2));
    let first = list.for_trace_by_id("a");
    assert!(Arc::ptr_eq(&first, &list.for_trace_by_id("a")));
    let update = Update {
        compacted: vec![(Uuid::from_u128(1), now())],
        ..Update::default()
    };
    list.update("a", update);
    let second = list.for_trace_by_id("a");
    assert_eq!((ids(&first), ids(&second)), (vec![2, 1], vec![2, 1]));
    assert!(!Arc::ptr_eq(&first, &second));
    // One that was marked so long ago that everybody knows its successor.
    let update = Update {
        added: vec![meta("a", 3, 3)],
        compacted: vec![(Uuid::from_u128(2), now() - TimeDelta::hours(2))],
        ..Update::default()
    };
    list.update("a", update);
    assert_eq!(ids(&list.for_trace_by_id("a")), [3, 1]);
    // Time alone ends it too.
    list.prepare_polls(Duration::from_millis(20));
    list.update(
        "a",
        Update {
            compacted: vec![(Uuid::from_u128(3), now())],
            ..Update::default()
        },
    );
    assert_eq!(ids(&list.for_trace_by_id("a"))[0], 3);
    std::thread::sleep(Duration::from_millis(25));
    assert!(list.for_trace_by_id("a").is_empty());
    let poll = list.begin_poll();
    list.apply(poll, "a", found(&[(7, 1)]), None);
    assert_eq!(ids(&list.for_trace_by_id("a"))[0], 7);
    list.end_poll(poll, &[]);
    assert!(!ids(&list.for_trace_by_id("a")).contains(&7));
    assert!(list.for_trace_by_id("b").is_empty());
}

#[test]
fn equal_dedicated_columns_are_one_list() {
    let with = |id, columns: &[DedicatedColumn]| BlockMeta {
        dedicated_columns: columns.into(),
        ..meta("a", id, 1)
    };
    let (some, less) = (default_columns(), &default_columns()[1..]);
    let list = |blocks: &TenantBlocks, at: usize| Arc::clone(&blocks.live[at].dedicated_columns);
    let metas = [with(1, &some), with(2, less), with(3, &some), with(4, less)];
    let first = TenantBlocks::new(metas.map(Arc::new).into(), Vec::new());
    for (a, b) in [(0, 2), (1, 3)] {
        assert!(Arc::ptr_eq(&list(&first, a), &list(&first, b)));
    }
    assert_eq!(*list(&first, 1), *less);
    // The next poll knows them, and has a new one, which comes first.
    let mut live = first.live.clone();
    live.push(Arc::new(with(0, &some)));
    let next = TenantBlocks::new(live, Vec::new());
    assert!(Arc::ptr_eq(&list(&next, 0), &list(&first, 0)));
    let blocks = Blocklist::new();
    blocks.add(with(1, &some));
    blocks.add(with(2, &some));
    let known = blocks.snapshot("a");
    assert!(Arc::ptr_eq(&list(&known, 0), &list(&known, 1)));
}

#[test]
#[ignore = "a measurement: run it alone, in release"]
fn for_trace_by_id_of_ten_thousand_blocks() {
    let metas = (0..10_000).map(|id| Arc::new(meta("a", id, 1)));
    let list = Blocklist::new();
    let poll = list.begin_poll();
    list.apply(
        poll,
        "a",
        TenantBlocks::new(metas.collect(), Vec::new()),
        None,
    );
    for _ in 0..3 {
        let began = std::time::Instant::now();
        let count = list.for_trace_by_id("a").len();
        println!("{count} blocks in {:?}", began.elapsed());
    }
}

#[test]
fn tenants_that_vanish_are_forgotten_unless_they_have_just_come() {
    let list = Blocklist::new();
    let poll = list.begin_poll();
    list.apply(poll, "a", found(&[(1, 1)]), None);
    list.end_poll(poll, &["a".into()]);
    let poll = list.begin_poll();
    list.add(meta("b", 1, 1));
    list.end_poll(poll, &[]);
    assert_eq!(list.tenants(), ["b"]);
    for _ in 0..2 {
        let poll = list.begin_poll();
        list.end_poll(poll, &[]);
    }
    assert!(list.tenants().is_empty());
    assert!(list.state().tenants.is_empty());
}

#[test]
fn what_is_not_known_is_said() {
    let list = Blocklist::new();
    assert!(!list.is_complete());
    assert!(list.why_incomplete().contains("not been listed"));
    assert_eq!(list.missing("a"), Some(list.why_incomplete()));
    list.poll_failed("no store");
    assert_eq!(list.missing("a"), Some("no store".into()));
    let poll = list.begin_poll();
    list.tenant_failed("b", "bad meta");
    list.end_poll(poll, &["a".into(), "b".into()]);
    assert!(list.is_complete());
    assert_eq!(
        (list.missing("a"), list.missing("b")),
        (None, Some("bad meta".into()))
    );
    let poll = list.begin_poll();
    list.apply(poll, "b", found(&[(1, 1)]), None);
    list.tenant_failed("b", "bad again");
    assert_eq!(list.missing("b"), None, "a former list is there");
}

#[derive(Clone, Debug)]
enum Step {
    Add(u128),
    Compact(u128),
    Remove(u128),
    /// A poll's listing is read, and applied after some more steps.
    Poll(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 0..6_u128;
    prop_oneof![
        3 => id().prop_map(Step::Add),
        1 => id().prop_map(Step::Compact),
        1 => id().prop_map(Step::Remove),
        2 => (0..4_usize).prop_map(Step::Poll),
    ]
}

proptest! {
    /// As long as this process alone changes the store, and in the order store first, list second, the list is always what the
    /// store has, whatever polls are under way.
    #[test]
    fn the_list_is_what_the_store_has(steps in prop::collection::vec(step(), 0..60)) {
        let list = Blocklist::new();
        let at = now();
        let (mut live, mut compacted) = (BTreeMap::new(), BTreeMap::new());
        let mut under_way: Option<(Poll, TenantBlocks, usize)> = None;
        for (time, step) in (0_i64..).zip(steps) {
            if let Some((poll, found, left)) = under_way.take() {
                if left == 0 {
                    list.apply(poll, "a", found, None);
                    list.end_poll(poll, &["a".into()]);
                } else {
                    under_way = Some((poll, found, left - 1));
                }
            }
            match step {
                // Ids are never used again.
                Step::Add(id) => {
                    let id = id + (u128::from(time.unsigned_abs()) << 8);
                    live.insert(id, time);
                    list.add(meta("a", id, time));
                }
                Step::Compact(n) => if let Some((&id, &end)) = live.iter().nth(n as usize) {
                    live.remove(&id);
                    compacted.insert(id, end);
                    let compacted = vec![(Uuid::from_u128(id), at)];
                    list.update("a", Update { compacted, ..Update::default() });
                },
                Step::Remove(n) => if let Some((&id, _)) = compacted.iter().nth(n as usize) {
                    compacted.remove(&id);
                    let removed = vec![Uuid::from_u128(id)];
                    list.update("a", Update { removed, ..Update::default() });
                },
                Step::Poll(left) => if under_way.is_none() {
                    let poll = list.begin_poll();
                    under_way = Some((poll, blocks(&live, &compacted, at), left));
                },
            }
            prop_assert_eq!(&*list.snapshot("a"), &blocks(&live, &compacted, at));
        }
    }
}

fn blocks(
    live: &BTreeMap<u128, i64>,
    compacted: &BTreeMap<u128, i64>,
    at: DateTime<Utc>,
) -> TenantBlocks {
    let metas = |map: &BTreeMap<u128, i64>| -> Vec<Arc<BlockMeta>> {
        map.iter()
            .map(|(id, end)| Arc::new(meta("a", *id, *end)))
            .collect()
    };
    let compacted = metas(compacted).into_iter();
    let compacted = compacted.map(|meta| CompactedBlock {
        meta,
        compacted_time: at,
    });
    TenantBlocks::new(metas(live), compacted.collect())
}
