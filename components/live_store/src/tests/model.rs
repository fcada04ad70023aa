//! Random batches, evictions, retention, repeated deliveries and lookups, against a list of everything.

use super::support::{batch, find, payload, simulate, store};
use crate::{Config, TraceLimits};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Insert {
        partition: u32,
        tenant: usize,
        spans: Vec<(u64, usize)>,
        gap: u64,
    },
    Again {
        back: usize,
    },
    Forget {
        partition: u32,
        offset: u64,
    },
    Evict,
}

const TENANTS: [&str; 3] = ["a", "b", "c"];
const TRACES: u64 = 6;

/// Partition, offset, tenant, spans as (trace, span).
type Record = (u32, u64, usize, Vec<(u64, u64)>);

fn step() -> impl Strategy<Value = Step> {
    let spans = || proptest::collection::vec((0..TRACES, 0usize..300), 1..6);
    prop_oneof![
        6 => (0u32..2, 0..TENANTS.len(), spans(), 1u64..3).prop_map(|(partition, tenant, spans, gap)| Step::Insert { partition, tenant, spans, gap }),
        1 => (0usize..4).prop_map(|back| Step::Again { back }),
        1 => (0u32..2, 0u64..60).prop_map(|(partition, offset)| Step::Forget { partition, offset }),
        1 => Just(Step::Evict),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn finds_what_was_inserted_and_not_forgotten(max_live_bytes in 0u64..6000, steps in proptest::collection::vec(step(), 1..40)) {
        simulate(move || run(max_live_bytes, steps.clone()));
    }
}

async fn run(max_live_bytes: u64, steps: Vec<Step>) {
    let config = Config {
        max_live_bytes,
        ..Config::default()
    };
    let (store, log) = store(config, TraceLimits::default());
    let mut model: Vec<Record> = Vec::new();
    let mut next_offset = [0u64; 2];
    let mut next_span = 1;
    for step in steps {
        match step {
            Step::Insert {
                partition,
                tenant,
                spans,
                gap,
            } => {
                let offset = next_offset[partition as usize] + gap - 1;
                next_offset[partition as usize] = offset + 1;
                let spans: Vec<_> = spans
                    .into_iter()
                    .map(|(trace, padding)| {
                        next_span += 1;
                        (trace, next_span, padding)
                    })
                    .collect();
                let batch = batch(&spans);
                log.records
                    .borrow_mut()
                    .insert((partition, offset), payload(TENANTS[tenant], &batch));
                store.insert(partition, offset, TENANTS[tenant], batch);
                model.push((
                    partition,
                    offset,
                    tenant,
                    spans.into_iter().map(|s| (s.0, s.1)).collect(),
                ));
            }
            Step::Again { back } => {
                let Some((partition, offset, tenant, spans)) = model.iter().rev().nth(back) else {
                    continue;
                };
                let spans: Vec<_> = spans.iter().map(|s| (s.0, s.1, 3)).collect();
                store.insert(*partition, *offset, TENANTS[*tenant], batch(&spans));
            }
            Step::Forget { partition, offset } => {
                // What the log no longer has is read by nobody.
                log.records
                    .borrow_mut()
                    .retain(|at, _| at.0 != partition || at.1 >= offset);
                model.retain(|record| record.0 != partition || record.1 >= offset);
                store.forget_before(partition, offset).await;
                let next = &mut next_offset[partition as usize];
                *next = (*next).max(offset);
            }
            Step::Evict => {
                store.inner.state.borrow_mut().evict_oldest();
            }
        }
        assert!(store.inner.state.borrow().live_bytes <= max_live_bytes);
        for (partition, offsets) in [(0, 0..u64::MAX), (1, 3..7), (1, 9..9)] {
            let held: Vec<_> = store
                .held(partition, offsets.clone())
                .into_iter()
                .map(|held| (held.offset, held.tenant.to_string()))
                .collect();
            let expected: Vec<_> = model
                .iter()
                .filter(|record| record.0 == partition && offsets.contains(&record.1))
                .map(|record| (record.1, TENANTS[record.2].to_owned()))
                .collect();
            assert_eq!(held, expected, "partition {partition}, offsets {offsets:?}");
        }
        for (number, tenant) in TENANTS.iter().enumerate() {
            for trace in 0..TRACES {
                let mut expected: Vec<u64> = model
                    .iter()
                    .filter(|record| record.2 == number)
                    .flat_map(|record| &record.3)
                    .filter(|span| span.0 == trace)
                    .map(|span| span.1)
                    .collect();
                expected.sort_unstable();
                assert_eq!(find(&store, tenant, trace).await, expected);
            }
        }
    }
    for partition in 0..2 {
        store.forget_before(partition, u64::MAX).await;
    }
    let state = store.inner.state.borrow();
    assert_eq!(state.live_bytes, 0);
    assert!(state.tenants.iter().all(Option::is_none));
    assert!(
        state
            .partitions
            .values()
            .all(|p| p.index.entries() == 0 && p.index.traces() == 0)
    );
}
