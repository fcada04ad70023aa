//! Which jobs run, when, how often, and what becomes of them.

mod support;

use std::time::Duration;

use support::*;
use vivace_query_frontend::QueryConfig;
use vivace_shards::time::{sleep, timeout, unix_nanos};
use vivace_shards::{Class, spawn};

const SEARCH: &str = "/api/search?q=%7B%7D&limit=2";

fn few(running: usize) -> QueryConfig {
    QueryConfig {
        running_jobs: running,
        ..config()
    }
}

#[test]
fn a_search_stops_when_it_has_enough() {
    simulate(async || {
        let world = World::start(few(1));
        let steps = vec![
            step("one", 10, 900, vec![trace(1, 800)]),
            step("two", 10, 800, vec![trace(2, 700), trace(3, 600)]),
            step("three", 10, 700, vec![trace(4, 650)]),
        ];
        world.script.set("a", steps);
        let answer = world.get("a", SEARCH).await;
        assert_eq!(answer.numbers(), [1, 2]);
        assert_eq!(world.script.begun(), ["one", "two"]);
        let metrics = &answer.json()["metrics"];
        assert_eq!(metrics["completedJobs"], 2);
        assert_eq!(metrics["totalJobs"], 3);
        assert_eq!(metrics["inspectedBytes"], "200");
        assert_eq!(metrics["totalBlocks"], 3);
        let completed = world.script.0.completed.borrow().clone();
        assert_eq!(completed, [id(1), id(2)]);
    });
}

#[test]
fn traces_that_do_not_match_as_a_whole_make_room_for_others() {
    simulate(async || {
        let world = World::start(few(1));
        let steps = vec![
            step(
                "one",
                10,
                900,
                vec![trace(1, 800), trace(2, 700), trace(3, 600)],
            ),
            step("two", 10, 800, vec![trace(4, 500)]),
            step("three", 10, 700, vec![trace(5, 400)]),
        ];
        world.script.set("a", steps);
        let state = world.script.0.clone();
        state.false_friends.borrow_mut().extend([id(1), id(2)]);
        let answer = world.get("a", SEARCH).await;
        assert_eq!(answer.numbers(), [3, 4]);
        assert_eq!(world.script.begun(), ["one", "two"]);
        assert!(answer.text().contains("trace 4, whole"));
    });
}

#[test]
fn the_most_recent_traces_are_waited_for() {
    simulate(async || {
        let world = World::start(few(8));
        let steps = vec![
            // The newest data answers last.
            step("live", 300, u64::MAX, vec![trace(1, 900)]),
            step("block", 10, 600, vec![trace(2, 600), trace(3, 500)]),
            step("old", 900, 550, vec![trace(4, 550)]),
            step("ancient", 2000, 100, vec![trace(5, 100)]),
        ];
        world.script.set("a", steps);
        let query = "/api/search?q=%7B%7D+with(most_recent%3Dtrue)&limit=2";
        let begun = unix_nanos();
        let answer = world.get("a", query).await;
        assert_eq!(answer.numbers(), [1, 2]);
        // Neither `old` nor `ancient` can have newer ones.
        assert!(unix_nanos() - begun < 800_000_000);
        let answer = world.get("a", &query.replace("limit=2", "limit=4")).await;
        assert_eq!(answer.numbers(), [1, 2, 4, 3]);
    });
}

#[test]
fn any_traces_are_not_waited_for() {
    simulate(async || {
        let world = World::start(few(8));
        let steps = vec![
            step("slow", 300, 950, vec![trace(1, 900)]),
            step("block", 10, 600, vec![trace(2, 600), trace(3, 500)]),
        ];
        world.script.set("a", steps);
        assert_eq!(world.get("a", SEARCH).await.numbers(), [2, 3]);
        sleep(Duration::from_millis(10)).await;
        assert!(world.script.log().contains(&"drop slow".to_owned()));
    });
}

#[test]
fn tenants_take_turns() {
    simulate(async || {
        let world = World::start(few(1));
        let names = ["a1", "a2", "a3", "a4", "a5", "a6"];
        let steps = names.map(|name| step(name, 100, 900, Vec::new()));
        world.script.set("a", steps.into());
        world.script.set(
            "b",
            vec![
                step("b1", 100, 900, Vec::new()),
                step("b2", 100, 900, Vec::new()),
            ],
        );
        let (one, script) = (world.address, world.script.clone());
        let world = std::rc::Rc::new(World {
            script,
            address: one,
        });
        let other = std::rc::Rc::clone(&world);
        let long = spawn(
            Class::Query,
            async move { other.get("a", SEARCH).await.status },
        );
        sleep(Duration::from_millis(50)).await;
        assert_eq!(world.get("b", SEARCH).await.status, 200);
        let begun = world.script.begun();
        // b came when a1 ran and a2 had asked already; from then on they take turns.
        assert_eq!(begun[..5], ["a1", "a2", "b1", "a3", "b2"]);
        assert_eq!(long.await, 200);
        assert_eq!(world.script.begun().len(), 8);
    });
}

#[test]
fn so_many_jobs_run_at_once() {
    simulate(async || {
        let world = World::start(few(3));
        let steps: Vec<Step> = (0..20).map(|_| step("x", 10, 1, Vec::new())).collect();
        world.script.set("a", steps.clone());
        world.script.set("b", steps);
        let answer = world.get("a|b", SEARCH).await;
        assert_eq!(answer.json()["metrics"]["completedJobs"], 40);
        assert_eq!(world.script.0.most_running.get(), 3);
        let mut narrow = config();
        narrow.search.concurrent_jobs = 2;
        assert!(narrow.running_jobs > 2);
    });
}

#[test]
fn a_query_has_so_many_jobs_at_once() {
    simulate(async || {
        let mut narrow = config();
        narrow.search.concurrent_jobs = 2;
        let world = World::start(narrow);
        let steps: Vec<Step> = (0..9).map(|_| step("x", 10, 1, Vec::new())).collect();
        world.script.set("a", steps);
        assert_eq!(world.get("a", SEARCH).await.status, 200);
        assert_eq!(world.script.0.most_running.get(), 2);
    });
}

#[test]
fn jobs_are_tried_again_if_that_may_help() {
    simulate(async || {
        let world = World::start(config());
        let busy = |busy| Step {
            busy,
            ..step("x", 1, 1, vec![trace(1, 1)])
        };
        world.script.set("a", vec![busy(2)]);
        assert_eq!(world.get("a", SEARCH).await.numbers(), [1]);
        assert_eq!(world.script.begun().len(), 3);
        world.script.log();
        world.script.set("a", vec![busy(3)]);
        let answer = world.get("a", SEARCH).await;
        assert_eq!((answer.status, answer.text()), (429, "busy"));
        assert_eq!(world.script.begun().len(), 3);
        world.script.log();
        let broken = Step {
            fails: true,
            ..step("x", 1, 1, Vec::new())
        };
        world.script.set("a", vec![broken]);
        let answer = world.get("a", SEARCH).await;
        assert_eq!((answer.status, answer.text()), (500, "broken"));
        assert_eq!(world.script.begun().len(), 1);
    });
}

#[test]
fn a_failed_job_ends_the_query_and_its_other_jobs() {
    simulate(async || {
        let world = World::start(config());
        let broken = Step {
            fails: true,
            ..step("broken", 1, 1, Vec::new())
        };
        world
            .script
            .set("a", vec![step("slow", 5000, 2, Vec::new()), broken]);
        assert_eq!(world.get("a", SEARCH).await.status, 500);
        assert!(world.script.log().contains(&"drop slow".to_owned()));
    });
}

#[test]
fn a_tenant_may_have_so_many_jobs_waiting() {
    simulate(async || {
        let world = std::rc::Rc::new(World::start(QueryConfig {
            max_outstanding_per_tenant: 10,
            ..few(1)
        }));
        let steps: Vec<Step> = (0..15).map(|_| step("x", 100, 1, Vec::new())).collect();
        world.script.set("a", steps);
        world.script.set("b", vec![step("y", 1, 1, Vec::new())]);
        let other = std::rc::Rc::clone(&world);
        let first = spawn(
            Class::Query,
            async move { other.get("a", SEARCH).await.status },
        );
        sleep(Duration::from_millis(50)).await;
        let answer = world.get("a", SEARCH).await;
        assert_eq!((answer.status, answer.text()), (429, "job queue full"));
        // Others are not concerned, and the query that was there first goes on.
        assert_eq!(world.get("b", SEARCH).await.status, 200);
        assert_eq!(first.await, 200);
        assert_eq!(world.get("a", SEARCH).await.status, 200);
    });
}

#[test]
fn a_client_that_goes_away_stops_the_jobs() {
    simulate(async || {
        let world = World::start(few(2));
        let steps = ["one", "two", "three"].map(|name| step(name, 5000, 1, Vec::new()));
        world.script.set("a", steps.into());
        let gone = timeout(Duration::from_millis(100), world.get("a", SEARCH)).await;
        assert!(gone.is_err());
        sleep(Duration::from_millis(50)).await;
        let mut log = world.script.log();
        log.sort();
        assert_eq!(log, ["begin one", "begin two", "drop one", "drop two"]);
        // Their permits are free again.
        world.script.set("a", vec![step("four", 1, 1, Vec::new())]);
        assert_eq!(world.get("a", SEARCH).await.status, 200);
    });
}

#[test]
fn a_query_has_so_much_time() {
    simulate(async || {
        let world = World::start_with(config(), Duration::from_secs(1));
        world.script.set("a", vec![step("x", 5000, 1, Vec::new())]);
        let answer = world.get("a", SEARCH).await;
        assert_eq!(
            (answer.status, answer.text()),
            (503, "unable to process request in the configured timeout")
        );
        assert_eq!(world.script.log(), ["begin x", "drop x"]);
    });
}

#[test]
fn a_job_may_wait_for_those_before_it() {
    simulate(async || {
        let world = World::start(few(1));
        // The last one has the newest data, but must not begin before the others.
        let steps = vec![
            step("one", 10, 900, Vec::new()),
            step("two", 10, 800, Vec::new()),
            step("last", 10, u64::MAX, Vec::new()),
        ];
        world.script.set("a", steps);
        assert_eq!(world.get("a", SEARCH).await.status, 200);
        assert_eq!(world.script.begun(), ["one", "two", "last"]);
    });
}
