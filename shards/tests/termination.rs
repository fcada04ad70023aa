//! SIGTERM asks the process to stop; a second one ends it at once.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use vivace_shards::runtime::{self, Config};
use vivace_shards::time::sleep;
use vivace_shards::{shard_id, shutdown};

/// How the child process behaves; not set in the parent.
const CHILD: &str = "VIVACE_TEST_TERMINATION";

/// Runs in the child only.
#[test]
fn in_the_child() {
    let Ok(how) = std::env::var(CHILD) else {
        return;
    };
    shutdown::on_termination_signals().unwrap();
    let config = Config {
        shards: 2,
        pin: false,
        ..Config::default()
    };
    runtime::run(config, move || {
        let stubborn = how == "stubborn";
        async move {
            if shard_id() == 0 {
                println!("ready");
            }
            shutdown::signal().wait().await;
            if shard_id() == 0 {
                println!(
                    "stopping: {}",
                    shutdown::signal().reason().unwrap_or_default()
                );
            }
            if stubborn {
                sleep(Duration::from_secs(60)).await;
            }
            Ok(())
        }
    })
    .unwrap();
}

fn child(how: &str) -> (Child, impl FnMut(&str)) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "in_the_child", "--nocapture"])
        .env(CHILD, how)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let expect = move |text: &str| {
        // The test harness writes into the same line.
        assert!(
            lines.any(|line| line.unwrap().contains(text)),
            "{text} was not said"
        );
    };
    (child, expect)
}

fn terminate(child: &Child) {
    let sent = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[test]
fn the_first_signal_stops_in_order() {
    let (mut child, mut expect) = child("obedient");
    expect("ready");
    terminate(&child);
    expect("stopping: signal 15");
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_second_signal_ends_at_once() {
    let (mut child, mut expect) = child("stubborn");
    expect("ready");
    terminate(&child);
    expect("stopping: signal 15");
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
}
