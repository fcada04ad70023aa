use std::task::{Context, Poll, Waker};

use vivace_columns::ServiceStats;
use vivace_engine::{SpanSetResult, TraceResult};
use vivace_model::TraceId;
use vivace_shards::sim::Sim;
use vivace_traceql::Static;

use super::held::Held;
use super::queue::{Permit, Place, Queue};
use super::runner::{Rules, Runner};
use crate::jobs::{Job, JobCost, Jobs};
use crate::metrics::Metrics;

fn queue(running: usize, outstanding: usize) -> Queue {
    Queue::new(running, outstanding, Metrics::register("t").queue)
}

fn ask(place: &Place) -> Option<Permit> {
    let mut context = Context::from_waker(Waker::noop());
    match place.poll_permit(&mut context) {
        Poll::Ready(permit) => Some(permit),
        Poll::Pending => None,
    }
}

#[test]
fn permits_go_round_tenants_and_their_queries() {
    let queue = queue(1, 0);
    let first = queue.enter("a", 5).unwrap();
    let second = queue.enter("a", 5).unwrap();
    let other = queue.enter("b", 5).unwrap();
    let permit = ask(&first).unwrap();
    let places = [&first, &second, &other];
    assert!(places.iter().all(|place| ask(place).is_none()));
    drop(permit);
    let mut order = Vec::new();
    for _ in 0..8 {
        let found = places.iter().position(|place| {
            let permit = ask(place);
            let granted = permit.is_some();
            // It asks again before it gives back, as a query does that has more jobs.
            if granted {
                assert!(ask(place).is_none());
            }
            granted
        });
        order.push(found.unwrap());
    }
    // Of every two permits one is b's; those of a take turns.
    assert_eq!(
        order.iter().filter(|place| **place == 2).count(),
        4,
        "{order:?}"
    );
    assert_eq!(
        order.iter().filter(|place| **place == 0).count(),
        2,
        "{order:?}"
    );
}

#[test]
fn what_is_dropped_is_given_back() {
    let queue = queue(1, 0);
    let (one, two, three) = (
        queue.enter("a", 1).unwrap(),
        queue.enter("a", 1).unwrap(),
        queue.enter("b", 1).unwrap(),
    );
    let permit = ask(&one).unwrap();
    assert!(ask(&two).is_none() && ask(&three).is_none());
    drop(permit);
    // `two` has the permit now, without having looked.
    assert!(ask(&three).is_none());
    drop(two);
    let permit = ask(&three).unwrap();
    assert!(ask(&one).is_none());
    one.withdraw();
    drop(permit);
    assert!(ask(&three).is_some());
    assert!(ask(&one).is_some());
}

#[test]
fn so_many_jobs_may_wait() {
    let queue = queue(1, 10);
    // A query alone may be as large as it likes.
    let large = queue.enter("a", 50).unwrap();
    assert!(queue.enter("a", 1).is_err());
    large.outstanding(9);
    let small = queue.enter("a", 1).unwrap();
    assert!(queue.enter("a", 1).is_err());
    assert!(queue.enter("b", 10).is_ok());
    drop((large, small));
    assert!(queue.enter("a", 11).is_ok());
}

fn trace(number: u128, start: u64) -> TraceResult {
    TraceResult {
        trace_id: TraceId(number.to_be_bytes()),
        root_service: "".into(),
        root_name: "".into(),
        start_unix_nano: start,
        duration_nano: 1,
        services: Vec::new(),
        span_sets: Vec::new(),
    }
}

fn id(number: u128) -> TraceId {
    TraceId(number.to_be_bytes())
}

#[test]
fn the_first_or_the_newest_are_the_answer() {
    let found = [vec![trace(1, 5), trace(2, 9)], vec![trace(3, 20)]];
    let held = |newest_first| {
        let mut held = Held::new(2, newest_first);
        for found in found.clone() {
            held.add(0, found);
        }
        held
    };
    assert_eq!(held(false).answer(), [id(2), id(1)]);
    assert!(held(false).is_enough(Some(u64::MAX)));
    assert_eq!(held(true).answer(), [id(3), id(2)]);
    assert!(held(true).is_enough(Some(8)));
    assert!(!held(true).is_enough(Some(9)));
    assert!(held(true).is_enough(None));
    assert_eq!(held(true).certain(Some(10)), [id(3)]);
    assert!(!Held::new(4, false).is_enough(Some(0)));
}

#[test]
fn spare_traces_are_bounded() {
    let mut held = Held::new(2, true);
    let many: Vec<_> = (1..5000)
        .map(|number| trace(number, number as u64))
        .collect();
    for part in many.chunks(100) {
        held.add(0, part.to_vec());
    }
    assert_eq!(held.answer(), [id(4999), id(4998)]);
    assert!(
        held.take_incomplete(&held_ids(&held), usize::MAX)[0]
            .1
            .len()
            <= 2
    );
}

fn held_ids(held: &Held) -> Vec<TraceId> {
    held.answer()
}

#[test]
fn two_tenants_parts_of_a_trace_are_one() {
    let set = |by: &str, matched| SpanSetResult {
        attributes: vec![("by(name)".into(), Static::String(by.into()))],
        matched,
        spans: Vec::new(),
    };
    let stats = |spans, errors| ServiceStats {
        service: "s".into(),
        spans,
        errors,
    };
    let one = TraceResult {
        services: vec![stats(3, 1)],
        span_sets: vec![set("x", 1), set("y", 5)],
        ..trace(1, 9)
    };
    let other = TraceResult {
        root_name: "root".into(),
        duration_nano: 70,
        services: vec![stats(2, 2)],
        span_sets: vec![set("x", 2), set("y", 4), set("z", 1)],
        ..trace(1, 7)
    };
    let mut held = Held::new(5, false);
    held.add(0, vec![one]);
    held.add(1, vec![other]);
    let (tenant, merged) = held.get(&id(1)).unwrap();
    assert_eq!((tenant, &*merged.root_name), (0, "root"));
    assert_eq!((merged.start_unix_nano, merged.duration_nano), (7, 70));
    assert_eq!(merged.services, [stats(3, 2)]);
    assert_eq!(merged.span_sets, [set("x", 2), set("y", 5), set("z", 1)]);
    held.put_complete(0, &[id(1)], Vec::new());
    assert_eq!(held.get(&id(1)).unwrap().0, 1);
    held.put_complete(1, &[id(1)], vec![trace(1, 3)]);
    assert!(held.is_complete(&id(1)));
    // A late part changes nothing that is complete.
    held.add(1, vec![trace(1, 1)]);
    assert_eq!(held.get(&id(1)).unwrap().1.start_unix_nano, 3);
}

#[test]
fn tags_stop_at_their_bounds() {
    use super::{TagBounds, TagsRun};
    use crate::jobs::{TagScope, TagsFound};

    let found = |texts: &[&str]| TagsFound {
        names: texts
            .iter()
            .map(|text| (TagScope::Span, (*text).into()))
            .collect(),
        values: texts
            .iter()
            .map(|text| ("string", (*text).into()))
            .collect(),
    };
    let run = |bounds: TagBounds| {
        let steps = [
            found(&["aa", "bb"]),
            found(&["aa"]),
            found(&["bb"]),
            found(&["cc", "dd"]),
        ];
        let sim = Sim::new(1);
        let answer = std::rc::Rc::new(std::cell::RefCell::new(TagsFound::default()));
        let into = std::rc::Rc::clone(&answer);
        sim.run(move || {
            let (steps, into) = (steps.clone(), std::rc::Rc::clone(&into));
            async move {
                let metrics = Metrics::register("t").queue;
                let jobs = steps.map(|step| Job {
                    bytes: 1,
                    newest: 1,
                    run: Box::new(move || {
                        let step = step.clone();
                        Box::pin(async move { Ok((step, JobCost::default())) })
                    }),
                });
                let rules = Rules {
                    concurrent: 1,
                    retries: 0,
                    is_cautious: false,
                    metrics: metrics.clone(),
                };
                let jobs = Jobs {
                    jobs: jobs.into(),
                    blocks: 0,
                    block_bytes: 0,
                };
                let queue = Queue::new(1, 0, metrics);
                let runner = Runner::new(&queue, "t", vec![jobs], rules)?;
                let mut run = TagsRun::new(runner, bounds);
                assert!(run.advance(None).await?);
                assert_eq!(run.news().values.len(), run.answer().values.len());
                assert_eq!(run.news(), TagsFound::default());
                *into.borrow_mut() = run.answer();
                Ok(())
            }
        })
        .unwrap();
        answer.take()
    };
    let bounds = |bytes, limit, stale| TagBounds {
        bytes,
        limit,
        stale,
    };
    assert_eq!(run(bounds(0, 0, 0)), found(&["aa", "bb", "cc", "dd"]));
    assert_eq!(run(bounds(0, 0, 2)), found(&["aa", "bb"]));
    assert_eq!(run(bounds(0, 3, 0)).names.len(), 3);
    // Names and values together.
    let cut = run(bounds(9, 0, 0));
    assert_eq!((cut.names.len(), cut.values.len()), (2, 2));
}

/// A search that live data answers begins on no block; one that needs more begins on more and more of them.
#[test]
fn live_data_goes_first_and_blocks_follow_slowly() {
    let begun_of = |live_traces: usize, wanted: u32| {
        let begun = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let into = std::rc::Rc::clone(&begun);
        let work = move || {
            let into = std::rc::Rc::clone(&into);
            async move {
                let job = |newest: u64, traces: usize| {
                    let into = std::rc::Rc::clone(&into);
                    Job {
                        bytes: 1,
                        newest,
                        run: Box::new(move || {
                            into.borrow_mut().push(newest);
                            let found = (0..traces as u128)
                                .map(|number| trace(u128::from(newest) * 1000 + number, newest));
                            let found: Vec<TraceResult> = found.collect();
                            Box::pin(async move {
                                vivace_shards::time::sleep(std::time::Duration::from_millis(1))
                                    .await;
                                Ok((found, JobCost::default()))
                            })
                        }),
                    }
                };
                let mut jobs = vec![job(u64::MAX, live_traces), job(u64::MAX, 0)];
                jobs.extend((1..=100).rev().map(|newest| job(newest, 1)));
                let metrics = Metrics::register("t").queue;
                let rules = Rules {
                    concurrent: 50,
                    retries: 0,
                    is_cautious: true,
                    metrics: metrics.clone(),
                };
                let jobs = Jobs {
                    jobs,
                    blocks: 100,
                    block_bytes: 0,
                };
                let queue = Queue::new(50, 0, metrics);
                let mut runner = Runner::new(&queue, "t", vec![jobs], rules)?;
                let mut held = Held::new(wanted, false);
                while !held.is_enough(runner.newest_left()) {
                    let Some(found) = runner.next().await else {
                        break;
                    };
                    held.add(0, found?.1);
                }
                Ok(())
            }
        };
        Sim::new(1).run(work).unwrap();
        begun.take()
    };
    assert_eq!(begun_of(20, 20), [u64::MAX; 2]);
    let begun = begun_of(19, 20);
    assert_eq!(begun[..2], [u64::MAX; 2]);
    assert!(begun.len() < 12, "{begun:?}");
    assert_eq!(begun_of(0, 1000).len(), 102);
}
