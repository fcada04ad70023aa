//! What may come in, and what is said about the rest.

use super::support::{batch, find, simulate, store, store_with, text_of};
use crate::{Admission, Config, Discarded, Reason, Shared, TraceLimits};
use std::time::Duration;
use vivace_shards::metrics::render;
use vivace_shards::time::Instant;

const NO_LIMITS: TraceLimits = TraceLimits {
    max_bytes_per_trace: 0,
    max_live_traces: 0,
};

#[test]
fn a_trace_that_grows_too_large_is_cut_out_of_its_batch() {
    simulate(|| async {
        let limits = TraceLimits {
            max_bytes_per_trace: 1000,
            max_live_traces: 0,
        };
        let (store, _) = store(Config::default(), limits);
        let now = Instant::now();
        let Admission::Accept(ticket) = store
            .admit("t", &batch(&[(1, 1, 600), (2, 1, 100)]), now)
            .unwrap()
        else {
            panic!()
        };
        ticket.stored();
        let mixed = batch(&[(1, 2, 600), (2, 2, 100), (3, 2, 5000), (3, 3, 1), (4, 9, 1)]);
        let Admission::Filtered {
            batch: Some(rest),
            discarded,
            ticket,
        } = store.admit("t", &mixed, now).unwrap()
        else {
            panic!()
        };
        ticket.stored();
        assert_eq!(
            discarded,
            [Discarded {
                reason: Reason::TraceTooLarge,
                spans: 3
            }]
        );
        store.insert(0, 0, "t", rest);
        assert_eq!(
            (find(&store, "t", 1).await, find(&store, "t", 2).await),
            (vec![], vec![2])
        );
        assert_eq!(
            (find(&store, "t", 3).await, find(&store, "t", 4).await),
            (vec![], vec![9])
        );
        // Once over, over while it is active.
        let Admission::Filtered { batch: None, .. } =
            store.admit("t", &batch(&[(1, 3, 1)]), now).unwrap()
        else {
            panic!()
        };
        let later = now + Duration::from_secs(60);
        store.sweep(later).await;
        let Admission::Accept(ticket) = store.admit("t", &batch(&[(1, 4, 1)]), later).unwrap()
        else {
            panic!()
        };
        drop(ticket);
        assert!(
            text_of(&store.inner.shared)
                .contains(r#"tempo_discarded_spans_total{reason="trace_too_large",tenant="t"} 4"#)
        );
    });
}

#[test]
fn live_traces_are_counted_over_all_shards_and_end_by_themselves() {
    simulate(|| async {
        let limits = TraceLimits {
            max_bytes_per_trace: 0,
            max_live_traces: 2,
        };
        let shared = Shared::new(1, "single-tenant");
        let (one, _) = store_with(Config::default(), limits, shared.clone());
        let (two, _) = store_with(Config::default(), limits, shared);
        let now = Instant::now();
        let Admission::Accept(first) = one.admit("t", &batch(&[(1, 1, 1)]), now).unwrap() else {
            panic!()
        };
        let Admission::Accept(second) = two.admit("t", &batch(&[(2, 1, 1)]), now).unwrap() else {
            panic!()
        };
        for store in [&one, &two] {
            let refused = store
                .admit("t", &batch(&[(3, 1, 1), (3, 2, 1)]), now)
                .unwrap();
            let Admission::Filtered {
                batch: None,
                discarded,
                ..
            } = refused
            else {
                panic!()
            };
            assert_eq!(
                discarded,
                [Discarded {
                    reason: Reason::LiveTracesExceeded,
                    spans: 2
                }]
            );
            assert!(matches!(
                store.admit("other", &batch(&[(3, 1, 1)]), now).unwrap(),
                Admission::Accept(_)
            ));
        }
        assert!(
            text_of(&one.inner.shared).contains(r#"tempo_live_store_live_traces{tenant="t"} 2"#)
        );
        // What could not be stored leaves no trace behind.
        drop(first);
        let Admission::Accept(third) = one.admit("t", &batch(&[(3, 1, 1)]), now).unwrap() else {
            panic!()
        };
        third.stored();
        second.stored();
        // Quiet for long enough: another shard's live traces end when that shard looks, one's own at once.
        let later = now + Duration::from_secs(6);
        two.sweep(later).await;
        assert!(matches!(
            one.admit("t", &batch(&[(4, 1, 1), (5, 1, 1)]), later)
                .unwrap(),
            Admission::Accept(_)
        ));
    });
}

#[test]
fn a_full_index_refuses_with_its_name_and_an_open_ticket_holds_its_place() {
    simulate(|| async {
        let (empty, _) = store(Config::default(), NO_LIMITS);
        empty.own(0);
        let base = empty.inner.state.borrow().index_bytes();
        let config = Config {
            max_index_bytes: base + 16 * 1024 + 17 * 1024,
            ..Config::default()
        };
        let (store, _) = store(config, NO_LIMITS);
        store.own(0);
        let spans: Vec<_> = (0..500).map(|trace| (trace, 1, 1)).collect();
        let now = Instant::now();
        let first = store.admit("t", &batch(&spans), now).unwrap();
        let second = store.admit("t", &batch(&spans), now).unwrap();
        let error = store.admit("t", &batch(&spans), now).unwrap_err();
        assert!(error.is_retryable());
        assert!(error.to_string().contains("trace index"), "{error}");
        drop(first);
        let third = store.admit("t", &batch(&spans), now).unwrap();
        drop((second, third));
        assert_eq!(store.inner.state.borrow().promised, 0);
        assert!(
            store
                .inner
                .state
                .borrow()
                .tenants
                .iter()
                .all(Option::is_none)
        );
    });
}

#[test]
fn every_name_is_there_from_the_first_scrape() {
    let shared = Shared::new(1, "single-tenant");
    let text = render() + &text_of(&shared);
    for line in [
        r#"tempo_live_store_traces_created_total{tenant="single-tenant"} 0"#,
        r#"tempo_live_store_live_traces{tenant="single-tenant"} 0"#,
        r#"tempo_live_store_bytes_received_total{tenant="single-tenant",data_type="trace"} 0"#,
        r#"tempo_live_store_records_processed_total{tenant="single-tenant"} 0"#,
        r#"tempo_live_store_records_dropped_total{reason="too_old",tenant="single-tenant"} 0"#,
        r#"tempo_discarded_spans_total{reason="live_traces_exceeded",tenant="single-tenant"} 0"#,
        "tempo_live_store_catch_up_duration_seconds 0",
        "tempo_live_store_ready 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
}
