use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::context;
use crate::sim::Sim;
use crate::{Class, spawn};

proptest! {
    /// Timers against a sorted list: insertions, removals and the passing of time in any order.
    #[test]
    fn timers_fire_in_order_of_deadline_then_of_registration(
        steps in prop::collection::vec((0u64..50, 0u8..4), 0..80)
    ) {
        let mut timers = Timers::default();
        let mut model: Vec<(u64, timers::Key)> = Vec::new();
        for (n, what) in steps {
            match what {
                0 | 1 => {
                    let key = timers.insert(n, Waker::noop().clone());
                    let at = model.partition_point(|(deadline, _)| *deadline <= n);
                    model.insert(at, (n, key));
                }
                2 if !model.is_empty() => {
                    let (_, key) = model.remove(n as usize % model.len());
                    prop_assert!(timers.update(key, Waker::noop()));
                    prop_assert!(timers.remove(key).is_some());
                    prop_assert!(!timers.update(key, Waker::noop()));
                }
                _ => {
                    let due = model.partition_point(|(deadline, _)| *deadline <= n);
                    let mut fired = 0;
                    while timers.pop_due(n).is_some() {
                        fired += 1;
                    }
                    prop_assert_eq!(fired, due);
                    model.drain(..due);
                }
            }
            prop_assert_eq!(timers.len(), model.len());
            prop_assert_eq!(timers.next(), model.first().map(|(deadline, _)| *deadline));
        }
    }
}

#[test]
fn sleepers_wake_in_order_of_their_deadlines() {
    for seed in 0..10 {
        Sim::new(seed)
            .run(|| async {
                let woken: Rc<RefCell<Vec<u64>>> = Rc::default();
                let tasks: Vec<_> = [30, 10, 50, 20, 40]
                    .map(|ms| {
                        let woken = woken.clone();
                        spawn(Class::Query, async move {
                            let asked = Instant::now();
                            sleep(Duration::from_millis(ms)).await;
                            assert!(asked.elapsed() >= Duration::from_millis(ms));
                            woken.borrow_mut().push(ms);
                        })
                    })
                    .into();
                for task in tasks {
                    task.await;
                }
                assert_eq!(*woken.borrow(), [10, 20, 30, 40, 50]);
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn a_dropped_sleep_leaves_nothing_behind() {
    Sim::new(1)
        .run(|| async {
            let pending = || context::with(|shard| shard.timers.borrow().len());
            assert!(
                timeout(Duration::from_millis(1), sleep(Duration::from_secs(9)))
                    .await
                    .is_err()
            );
            assert_eq!(pending(), 0);
            assert_eq!(timeout(Duration::from_secs(9), async { 5 }).await, Ok(5));
            assert_eq!(pending(), 0);
            let task = spawn(Class::Query, sleep(Duration::from_secs(9)));
            sleep(Duration::from_millis(1)).await;
            assert_eq!(pending(), 1);
            drop(task);
            sleep(Duration::from_millis(1)).await;
            assert_eq!(pending(), 0);
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_interval_keeps_its_pace_and_skips_what_it_missed() {
    Sim::new(1)
        .run(|| async {
            let start = Instant::now();
            let mut ticks = interval(Duration::from_millis(10));
            let at = |due: Instant| (due - start).as_millis();
            assert_eq!(at(ticks.tick().await), 0);
            assert_eq!(at(ticks.tick().await), 10);
            sleep(Duration::from_millis(35)).await;
            assert_eq!(at(ticks.tick().await), 20);
            assert_eq!(at(ticks.tick().await), 50);
            assert_eq!(at(ticks.tick().await), 60);
            Ok(())
        })
        .unwrap();
}

#[test]
fn instants_saturate_instead_of_overflowing() {
    let end = Instant::from_nanos(u64::MAX);
    assert_eq!(end + Duration::from_secs(1), end);
    assert_eq!(Instant::from_nanos(5) - end, Duration::ZERO);
    assert_eq!(
        Instant::from_nanos(5) - Duration::from_secs(1),
        Instant::from_nanos(0)
    );
    assert!(unix_nanos() > 1_700_000_000_000_000_000);
}
