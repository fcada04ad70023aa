use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::sim::Sim;
use crate::time::sleep;

pub(super) fn runnable(class: Class) -> Runnable {
    let meta = Meta {
        class,
        site: Location::caller(),
    };
    let (runnable, task) = async_task::Builder::new()
        .metadata(meta)
        .spawn_local(|_| pending::<()>(), |_| {});
    task.detach();
    runnable
}

/// Runs classes that always have work, each poll costing what `cost` says, and returns the time
/// each class got.
fn share_out(shares: [u32; 3], cost: impl Fn(Class) -> u64, total: u64) -> [u64; 3] {
    let mut queues = Queues::new(Shares(shares));
    for class in Class::ALL {
        queues.push(runnable(class), Place::Woken);
    }
    let mut used = [0; 3];
    while used.iter().sum::<u64>() < total {
        let next = queues.pop().unwrap();
        let class = next.metadata().class;
        used[class.index()] += cost(class);
        queues.charge(class, cost(class));
        queues.push(next, Place::Long);
    }
    used
}

#[test]
fn busy_classes_get_time_by_their_shares_however_long_their_polls() {
    let cost = |class| match class {
        Class::Ingest => 3_000,
        Class::Query => 50_000,
        Class::Background => 200_000,
    };
    let total = 1_000_000_000;
    let used = share_out([60, 30, 10], cost, total);
    for (got, percent) in used.iter().zip([60, 30, 10]) {
        let want = total / 100 * percent;
        assert!(got.abs_diff(want) < total / 100, "{used:?}");
    }
}

#[test]
fn an_idle_class_saves_nothing_up_and_a_new_one_does_not_wait() {
    let mut queues = Queues::new(Shares([60, 30, 10]));
    queues.push(runnable(Class::Background), Place::Woken);
    for _ in 0..1000 {
        let next = queues.pop().unwrap();
        queues.charge(Class::Background, 1_000_000);
        queues.push(next, Place::Long);
    }
    // Ingest wakes up after a long idle time: it goes first, but then they share.
    queues.push(runnable(Class::Ingest), Place::Woken);
    let mut order = Vec::new();
    for _ in 0..14 {
        let next = queues.pop().unwrap();
        let class = next.metadata().class;
        order.push(class);
        queues.charge(class, 1_000_000);
        queues.push(next, Place::Long);
    }
    assert!(order[..2].contains(&Class::Ingest), "{order:?}");
    let background = order
        .iter()
        .filter(|class| **class == Class::Background)
        .count();
    assert!((1..=4).contains(&background), "{order:?}");
    assert_eq!(queues.len(), 2);
}

struct Bell(Rc<Cell<u32>>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_dropped_task_is_cancelled_and_a_detached_one_runs_on() {
    Sim::new(1)
        .run(|| async {
            let dropped = Rc::new(Cell::new(0));
            let bell = Bell(dropped.clone());
            let task = spawn(Class::Query, async move {
                let _bell = bell;
                pending::<()>().await;
            });
            sleep(Duration::from_millis(1)).await;
            assert_eq!(dropped.get(), 0);
            drop(task);
            sleep(Duration::from_millis(1)).await;
            assert_eq!(dropped.get(), 1);

            let bell = Bell(dropped.clone());
            spawn(Class::Query, async move {
                let _bell = bell;
                sleep(Duration::from_millis(1)).await;
            })
            .detach();
            sleep(Duration::from_millis(5)).await;
            assert_eq!(dropped.get(), 2);

            let bell = Bell(dropped.clone());
            let task = spawn(Class::Query, async move {
                let _bell = bell;
                pending::<()>().await;
            });
            assert_eq!(task.cancel().await, None);
            assert_eq!(dropped.get(), 3);
            let done = spawn(Class::Query, async { 4 });
            sleep(Duration::from_millis(1)).await;
            assert!(done.is_finished());
            assert_eq!(done.cancel().await, Some(4));
            Ok(())
        })
        .unwrap();
}

#[test]
fn tasks_left_at_the_end_are_dropped_even_if_their_destructors_spawn() {
    struct Spawns(Rc<Cell<u32>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let bell = Bell(self.0.clone());
            spawn(Class::Background, async move {
                let _bell = bell;
                pending::<()>().await;
            })
            .detach();
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let count = dropped.clone();
    Sim::new(1)
        .run(move || {
            let spawns = Spawns(count.clone());
            async move {
                spawn(Class::Query, async move {
                    let _spawns = spawns;
                    pending::<()>().await;
                })
                .detach();
                Ok(())
            }
        })
        .unwrap();
    assert_eq!(dropped.get(), 1);
}

#[test]
fn yielding_lets_the_others_of_the_class_run() {
    for seed in 0..10 {
        Sim::new(seed)
            .run(|| async {
                let order = Rc::new(RefCell::new(Vec::new()));
                let tasks = ["a", "b"].map(|name| {
                    let order = order.clone();
                    spawn(Class::Query, async move {
                        for _ in 0..50 {
                            order.borrow_mut().push(name);
                            yield_now().await;
                            breathe().await;
                        }
                    })
                });
                for task in tasks {
                    task.await;
                }
                let order = order.borrow();
                let switches = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
                assert!(switches > 10, "{switches} of {}", order.len());
                Ok(())
            })
            .unwrap();
    }
}

/// Waits for a lull; how often that was polled.
async fn polls_of_lull() -> u32 {
    let mut lull = std::pin::pin!(lull(Class::Ingest, Duration::from_secs(1)));
    let mut polls = 0;
    std::future::poll_fn(|cx| {
        polls += 1;
        lull.as_mut().poll(cx)
    })
    .await;
    polls
}

#[test]
fn a_lull_comes_when_no_other_task_of_the_class_can_run() {
    for seed in 0..10 {
        Sim::new(seed)
            .run(|| async {
                assert_eq!(polls_of_lull().await, 1);

                let done = Rc::new(Cell::new(0));
                for _ in 0..3 {
                    let done = done.clone();
                    spawn(Class::Ingest, async move {
                        for _ in 0..20 {
                            yield_now().await;
                        }
                        done.set(done.get() + 1);
                    })
                    .detach();
                }
                polls_of_lull().await;
                assert_eq!(done.get(), 3);

                // What sleeps, and what is of another class, is not waited for.
                let asleep = spawn(Class::Ingest, sleep(Duration::from_secs(1)));
                let restless = spawn(Class::Background, async {
                    loop {
                        yield_now().await;
                    }
                });
                // The first is asleep after this.
                polls_of_lull().await;
                assert_eq!(polls_of_lull().await, 1);
                drop((asleep, restless));
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn those_that_wait_for_a_lull_do_not_wait_for_each_other() {
    for seed in 0..10 {
        Sim::new(seed)
            .run(|| async {
                let tasks = [(); 5].map(|()| spawn(Class::Ingest, polls_of_lull()));
                for task in tasks {
                    let polls = task.await;
                    // Each waits until the others have been polled once.
                    assert!(polls < 30, "{polls}");
                }
                // Given up: does not count any more.
                drop(spawn(Class::Ingest, polls_of_lull()));
                sleep(Duration::from_millis(1)).await;
                assert_eq!(polls_of_lull().await, 1);
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn a_lull_that_does_not_come_is_not_waited_for() {
    Sim::new(1)
        .run(|| async {
            let restless = spawn(Class::Ingest, async {
                loop {
                    yield_now().await;
                }
            });
            polls_of_lull().await;
            drop(restless);
            Ok(())
        })
        .unwrap();
}
