//! Filling the store from a log that also holds what cannot be read.

use super::support::{Log, batch, find, payload, simulate, store, text_of};
use crate::{BoxError, Config, RecordSource, TraceLimits};
use bytes::Bytes;
use std::rc::Rc;

struct Source {
    records: std::vec::IntoIter<(u64, Bytes)>,
    fails_at_end: bool,
}

impl RecordSource for Source {
    async fn next(&mut self) -> Result<Option<(u64, Bytes)>, BoxError> {
        match self.records.next() {
            None if self.fails_at_end => Err("disk on fire".into()),
            next => Ok(next),
        }
    }
}

fn source(log: &Rc<Log>) -> Source {
    let records: Vec<_> = log
        .records
        .borrow()
        .iter()
        .map(|((_, offset), payload)| (*offset, payload.clone()))
        .collect();
    Source {
        records: records.into_iter(),
        fails_at_end: false,
    }
}

#[test]
fn everything_readable_comes_back_within_the_budget() {
    simulate(|| async {
        let config = Config {
            max_live_bytes: 10_000,
            ..Config::default()
        };
        let (store, log) = store(config, TraceLimits::default());
        for offset in 0..50 {
            let record = match offset {
                10 => Bytes::from_static(b"no record at all"),
                20 => Bytes::new(),
                _ => payload(
                    "t",
                    &batch(&[(offset % 5, offset, 500), (1000 + offset, 0, 1)]),
                ),
            };
            log.records.borrow_mut().insert((3, offset), record);
        }
        let report = store.replay(3, &mut source(&log)).await.unwrap();
        assert_eq!(
            (
                report.records,
                report.spans,
                report.undecodable,
                report.known
            ),
            (48, 96, 2, 0)
        );
        assert_eq!(
            (
                report.next_offset,
                report.first_undecodable.as_ref().map(|bad| bad.0)
            ),
            (Some(50), Some(10))
        );
        assert!(store.inner.state.borrow().live_bytes <= 10_000);
        for trace in 0..5 {
            let expected: Vec<u64> = (0..50)
                .filter(|n| n % 5 == trace && *n != 10 && *n != 20)
                .collect();
            assert_eq!(find(&store, "t", trace).await, expected);
        }
        // A second replay changes nothing, and appends that come behind it go on.
        let report = store.replay(3, &mut source(&log)).await.unwrap();
        assert_eq!((report.records, report.known), (0, 48));
        store.insert(3, 50, "t", batch(&[(0, 999, 1)]));
        assert_eq!(find(&store, "t", 0).await.len(), 9 + 1 - 2 + 1);
        let text = text_of(&store.inner.shared);
        assert!(text.contains(r#"tempo_live_store_records_dropped_total{reason="decoding_failed",tenant="unknown"} 4"#), "{text}");
        assert!(
            text.contains(r#"tempo_live_store_records_processed_total{tenant="t"} 49"#),
            "{text}"
        );
        assert!(
            text.contains(r#"tempo_live_store_traces_created_total{tenant="t"} 53"#),
            "{text}"
        );
    });
}

#[test]
fn what_is_lent_is_not_for_live_batches_and_comes_back() {
    simulate(|| async {
        let config = Config {
            max_live_bytes: 10_000,
            ..Config::default()
        };
        let (store, log) = store(config, TraceLimits::default());
        let insert = |offset: u64| {
            let batch = batch(&[(offset, offset, 500)]);
            log.records
                .borrow_mut()
                .insert((0, offset), payload("t", &batch));
            store.insert(0, offset, "t", batch);
        };
        let live = || store.inner.state.borrow().live_bytes;
        (0..20).for_each(insert);
        assert!(live() > 5_000, "{}", live());
        let mut loan = store.lend();
        loan.grow(4_000);
        loan.grow(1_500);
        assert!((2_500..=4_500).contains(&live()), "{}", live());
        // Never all of it.
        loan.grow(1 << 40);
        (20..40).for_each(insert);
        assert!((1..=2_500).contains(&live()), "{}", live());
        assert_eq!(find(&store, "t", 3).await, [3]);
        drop(loan);
        (40..60).for_each(insert);
        assert!(live() > 5_000, "{}", live());
        assert_eq!(store.inner.state.borrow().lent, 0);
    });
}

#[test]
fn a_failing_log_says_where() {
    simulate(|| async {
        let (store, log) = store(Config::default(), TraceLimits::default());
        log.records
            .borrow_mut()
            .insert((0, 7), payload("t", &batch(&[(1, 1, 1)])));
        let mut source = Source {
            fails_at_end: true,
            ..source(&log)
        };
        let error = store.replay(0, &mut source).await.unwrap_err();
        assert!(error.is_retryable());
        assert_eq!(
            error.to_string(),
            "live-store: replay of partition 0 stopped at offset 8: disk on fire"
        );
        assert_eq!(find(&store, "t", 1).await, [1]);
    });
}

#[test]
fn a_record_that_rotted_is_an_error_of_the_lookup() {
    simulate(|| async {
        let config = Config {
            max_live_bytes: 0,
            ..Config::default()
        };
        let (store, log) = store(config, TraceLimits::default());
        let good = batch(&[(1, 1, 1)]);
        log.records
            .borrow_mut()
            .insert((0, 0), Bytes::from_static(b"rotten"));
        store.insert(0, 0, "t", good);
        let error = store
            .find_trace("t", super::support::trace_id(1))
            .await
            .unwrap_err();
        assert!(!error.is_retryable());
        assert!(
            error
                .to_string()
                .starts_with("live-store: partition 0, offset 0 was read back but"),
            "{error}"
        );
    });
}
