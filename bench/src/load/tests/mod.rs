//! The generator against a tiny server: pacing and lateness in simulated time, protocols on real sockets.

mod server;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use clap::Parser;
use server::{Faults, Store};
use vivace_shards::shutdown::Signal;
use vivace_shards::sim::{Ended, Sim};
use vivace_shards::{runtime, shard_id};

use super::{Options, Report, RunError, Shared, drive, run};

const SERVER: &str = "10.0.0.1:4318";

fn options(line: &str) -> Options {
    let line = format!(
        "vivace-load --quiet --spans-per-request 10 --spans-per-trace 10 --attributes 3 --seed 5 {line}"
    );
    let options = Options::try_parse_from(line.split_whitespace()).expect("options");
    options.check().expect("options that work");
    options
}

/// Runs the load against a server, both simulated: what was reported, and the server.
fn simulate(line: &str, shards: usize, faults: Faults) -> (Report, Rc<Store>) {
    let options = options(&format!(
        "--target {SERVER} --query-url http://{SERVER}/tempo {line}"
    ));
    let sim = Sim::new(options.seed.unwrap_or(0)).shards(shards);
    let server = sim.add_process("server", 1);
    let store: Rc<RefCell<Option<Rc<Store>>>> = Rc::default();
    let (into, stop) = (store.clone(), Signal::new());
    sim.start(server, move || {
        let (into, stop, faults) = (into.clone(), stop.clone(), faults.clone());
        async move {
            let store = Store::new(faults);
            *into.borrow_mut() = Some(store.clone());
            store.listen(SERVER.parse()?, stop.clone())?;
            stop.wait().await;
            Ok(())
        }
    });
    sim.run_for(Duration::from_millis(1)).expect("a server");
    let shared = Arc::new(Shared::new(&options, shards));
    let (for_shards, sent) = (shared.clone(), options.clone());
    let ended = sim.run(move || drive(sent.clone(), for_shards.clone()));
    assert_eq!(ended.expect("a load"), Ended::Finished);
    let (outcome, marks) = shared.result();
    let report = Report::new(&options, &outcome, &marks, shared.settled()).expect("a report");
    let store = store.borrow().clone().expect("a store");
    (report, store)
}

#[test]
fn an_open_loop_sends_what_was_asked_for() {
    for shards in [1, 3] {
        let (report, store) = simulate("--rate 1000 --seconds 10", shards, Faults::default());
        assert_eq!(store.requests.get(), 1000, "{shards} shards");
        assert_eq!((report.requests, report.spans), (1000, 10_000));
        assert_eq!(store.spans(), 10_000);
        assert_eq!((report.dropped, report.failed, report.refused), (0, 0, 0));
        assert!((9.9..10.1).contains(&report.seconds), "{}", report.seconds);
        assert!(report.ack_ms.max < 20.0, "{:?}", report.ack_ms);
    }
}

#[test]
fn a_warm_up_is_not_measured() {
    let (report, store) = simulate("--rate 1000 --seconds 5 --warmup 3", 1, Faults::default());
    assert_eq!((store.requests.get(), report.requests), (800, 500));
    assert!((4.9..5.1).contains(&report.seconds), "{}", report.seconds);
    assert!((report.spans_per_second - 1000.0).abs() < 20.0);
}

#[test]
fn a_stall_counts_for_every_request_that_it_kept_waiting() {
    // 100 requests a second over 4 connections; nothing is answered from 2 s to 4 s.
    let faults = Faults {
        stall: Some((Duration::from_secs(2), Duration::from_secs(4))),
        ..Faults::default()
    };
    let (report, store) = simulate("--rate 1000 --seconds 10 --connections 4", 1, faults);
    assert_eq!((store.requests.get(), report.requests), (1000, 1000));
    // 200 of 1000 were due in the stall, evenly late from 0 to 2 s: the 90th percentile of all is late by 1 s.
    // Measured from the moment of sending, 4 would have been.
    assert!(
        (900.0..1100.0).contains(&report.ack_ms.p90),
        "{:?}",
        report.ack_ms
    );
    assert!(
        (1900.0..2100.0).contains(&report.ack_ms.max),
        "{:?}",
        report.ack_ms
    );
    assert!(report.waited_ms.p90 > 800.0, "{:?}", report.waited_ms);
    assert!(report.ack_ms.p50 < 20.0, "{:?}", report.ack_ms);
}

#[test]
fn what_the_generator_cannot_send_is_counted_as_dropped() {
    // Two connections carry 20 requests a second; 100 are asked for, and 10 may wait.
    let faults = Faults {
        think: Duration::from_millis(100),
        ..Faults::default()
    };
    let line = "--rate 1000 --seconds 10 --connections 2 --max-waiting 10";
    let (report, store) = simulate(line, 1, faults);
    assert_eq!(report.requests, store.requests.get());
    assert_eq!(report.requests + report.dropped, 1000);
    assert!(
        (190..=220).contains(&report.requests),
        "{}",
        report.requests
    );
    // Waited for at most 10 others, at 20 a second.
    assert!(report.ack_ms.max < 800.0, "{:?}", report.ack_ms);
}

#[test]
fn a_closed_loop_has_one_request_per_connection() {
    let faults = Faults {
        think: Duration::from_millis(10),
        ..Faults::default()
    };
    let (report, _) = simulate("--seconds 3 --connections 4", 2, faults);
    // 10 ms of thought and up to 1 ms on the way, back and forth.
    assert!(
        (1000..=1200).contains(&report.requests),
        "{}",
        report.requests
    );
    assert!(
        report.ack_ms.p50 >= 10.0 && report.ack_ms.max < 20.0,
        "{:?}",
        report.ack_ms
    );
}

#[test]
fn a_number_of_spans_can_be_asked_for() {
    let (report, store) = simulate("--spans 2000 --seconds 100", 2, Faults::default());
    assert_eq!((report.spans, store.spans()), (2000, 2000));
}

#[test]
fn a_number_of_spans_ends_an_open_loop() {
    for shards in [1, 2] {
        let line = "--rate 1000 --seconds 3600 --spans 2000 --connections 4";
        let (report, _) = simulate(line, shards, Faults::default());
        assert_eq!((report.spans, report.dropped), (2000, 0), "{shards} shards");
        assert!(report.seconds < 3.0, "{} s", report.seconds);
    }
}

#[test]
fn refusals_are_counted_and_bind_nobody() {
    let faults = Faults {
        refuse_every: 4,
        ..Faults::default()
    };
    let line = "--rate 1000 --seconds 4 --verify 50 --reads-per-second 20";
    let (report, store) = simulate(line, 1, faults);
    assert_eq!(
        (store.requests.get(), report.requests, report.refused),
        (400, 300, 100)
    );
    assert_eq!(report.first_failure.as_deref(), Some("429 later"));
    let after = report.reads_after.as_ref().expect("reads");
    assert_eq!(after.latency_ms.count, 50);
    let beside = report.reads_beside.as_ref().expect("reads");
    assert!((60..=80).contains(&beside.latency_ms.count), "{beside:?}");
    assert!(report.is_good(), "{}", report.text());
}

#[test]
fn refused_requests_are_sent_again_until_all_is_taken_in() {
    let faults = Faults {
        refuse_every: 4,
        ..Faults::default()
    };
    let line = "--spans 3000 --seconds 100 --verify 50 --retry-refused";
    let (report, store) = simulate(line, 2, faults);
    assert_eq!((report.spans, store.spans()), (3000, 3000));
    assert_eq!((report.requests, report.failed), (300, 0));
    assert_eq!(store.requests.get(), 300 + report.refused);
    assert!(report.refused >= 99, "{}", report.refused);
    // The server asks for two seconds, and each refused request waits for them.
    assert!(report.ack_ms.max >= 2000.0, "{:?}", report.ack_ms);
    assert!(report.is_good(), "{}", report.text());
}

#[test]
fn traces_are_read_back_when_all_is_in_blocks() {
    let faults = Faults {
        blocks_after: Duration::from_secs(20),
        ..Faults::default()
    };
    let line = "--spans 2000 --seconds 100 --verify 50";
    for shards in [1, 2] {
        let (report, _) = simulate(&format!("{line} --settle 60"), shards, faults.clone());
        let settled = report.settled.as_ref().expect("a wait");
        assert!((19.0..20.5).contains(&settled.seconds), "{settled:?}");
        assert_eq!(settled.failed, None);
        assert_eq!(
            report.reads_after.as_ref().map(|r| r.latency_ms.count),
            Some(50)
        );
        assert!(report.is_good() && report.text().contains("all in blocks"));
    }
    let (report, _) = simulate(&format!("{line} --settle 5"), 1, faults);
    let settled = report.settled.as_ref().expect("a wait");
    assert!(
        settled.failed.is_some() && settled.seconds < 6.0,
        "{settled:?}"
    );
    assert!(!report.is_good());
    let (report, _) = simulate(&format!("{line} --settle 5"), 1, Faults::default());
    assert!(!report.is_good(), "a server that does not tell");
}

#[test]
fn lost_and_doubled_spans_are_found() {
    let faults = Faults {
        lose_every: 10,
        double_every: 15,
        ..Faults::default()
    };
    let (report, _) = simulate("--rate 1000 --seconds 3 --verify 150", 2, faults);
    let after = report.reads_after.as_ref().expect("reads");
    assert!(
        after.missing_spans > 0 && after.doubled_spans > 0,
        "{after:?}"
    );
    assert_eq!((after.foreign_spans, after.failed), (0, 0));
    assert!(!report.is_good());
    let text = report.text();
    assert!(text.contains("first problem trace "), "{text}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    let line = "--rate 1000 --seconds 3 --verify 10";
    let runs = [1, 2].map(|_| simulate(line, 2, Faults::default()).0);
    assert_eq!(runs[0].ack_ms, runs[1].ack_ms);
    assert_eq!(runs[0].reads_after, runs[1].reads_after);
}

/// A real server for as long as `f` runs: its address, and what it has stored in the end.
fn with_server<T>(f: impl FnOnce(std::net::SocketAddr) -> T) -> (T, u64, Option<String>) {
    let (tell, told) = mpsc::channel();
    let (count, counted) = mpsc::channel();
    let stop = Signal::new();
    let stopped = stop.clone();
    let thread = std::thread::spawn(move || {
        let config = runtime::Config {
            shards: 1,
            pin: false,
            ..runtime::Config::default()
        };
        runtime::run(config, move || {
            let (tell, count, stop) = (tell.clone(), count.clone(), stopped.clone());
            async move {
                assert_eq!(shard_id(), 0);
                let store = Store::new(Faults::default());
                tell.send(store.listen("127.0.0.1:0".parse()?, stop.clone())?)?;
                stop.wait().await;
                count.send((store.spans(), store.tenant.borrow().clone()))?;
                Ok(())
            }
        })
    });
    let result = f(told.recv().expect("a server"));
    stop.trigger("over");
    let (spans, tenant) = counted.recv().expect("a count");
    thread.join().expect("no panic").expect("no error");
    (result, spans, tenant)
}

#[test]
fn both_protocols_and_all_encodings_work_on_real_sockets() {
    for line in [
        "--protocol http",
        "--protocol http --compression gzip --shards 2",
        "--protocol http --compression zstd",
        "--protocol grpc --tenant shop",
        "--protocol grpc --compression gzip",
        "--protocol grpc --compression zstd --rate 40000",
    ] {
        let pid = std::process::id();
        let (report, stored, tenant) = with_server(|address| {
            run(&options(&format!(
                "--target {address} --spans 2000 --verify 20 --query-url http://{address}/tempo --pid {pid} {line}"
            )))
        });
        let report = report.expect(line);
        assert!(report.is_good(), "{line}:\n{}", report.text());
        assert_eq!((report.spans, stored), (2000, 2000), "{line}");
        assert_eq!(tenant.is_some(), line.contains("--tenant"), "{line}");
        let server = report.server.expect("a process");
        assert!(server.rss_mib > 0.0 && server.peak_rss_mib >= server.rss_mib);
        let json = report.json().expect("JSON");
        assert!(!json.contains('\n'));
        let back: Report = serde_json::from_str(&json).expect("what was written");
        assert_eq!(back, report);
    }
}

#[test]
fn the_sample_goes_to_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample");
    let (report, _, _) = with_server(|address| {
        run(&options(&format!(
            "--target {address} --spans 500 --verify 7 --query-url http://{address}/tempo --sample-file {}",
            path.display()
        )))
    });
    assert!(report.expect("a report").is_good());
    let text = std::fs::read_to_string(path).expect("the sample");
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    assert_eq!(lines.len(), 7);
    assert!(
        lines
            .iter()
            .all(|(id, spans)| id.len() == 32 && *spans == "10")
    );
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    drop(socket);
    let error = run(&options(&format!("--target {address}"))).expect_err("no server");
    assert!(error.is_retryable(), "{error}");
    assert!(error.to_string().contains("cannot connect"), "{error}");
    let mut wrong = options("");
    wrong.connections = 0;
    assert!(matches!(run(&wrong), Err(RunError::Usage(_))));
}
