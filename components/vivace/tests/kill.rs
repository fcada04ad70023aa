//! ACK and ONCE against a real process: SIGKILL at random moments under load, again and again on the same data.

mod common;
#[path = "common/load.rs"]
mod load;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Options, Result, Server};
use load::{Ledger, Load};
use vivace_bench::data::{Random, Shape};

const KILLS: usize = 20;
const UNLIMITED: &str = "overrides:\n  defaults:\n    ingestion:\n      max_traces_per_user: 0\n";

fn survive_kills(options: Options, kills: usize) -> Result<(Server, Ledger)> {
    let seed = std::env::var("VIVACE_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(load::unix_nanos);
    eprintln!("VIVACE_SEED={seed}");
    let mut random = Random::new(seed);
    let shape = Shape {
        spans_per_request: 100,
        spans_per_trace: 50,
        attributes_per_span: 15,
    };
    let mut server = Server::start_with(options)?;
    let mut all = Ledger::default();
    for kill in 0..kills {
        let running = Load::start(&server, 4, random.next_u64() >> 16, shape);
        std::thread::sleep(Duration::from_millis(20 + random.below(400)));
        server.kill()?;
        let ledger = running.stop()?;
        server.restart()?;
        load::check(&server, &ledger).map_err(|error| format!("kill {kill}: {error}"))?;
        all.merge(ledger);
    }
    assert!(
        all.acknowledged_spans() > 1000,
        "hardly any load: {} spans",
        all.acknowledged_spans()
    );
    load::check(&server, &all)?;
    Ok((server, all))
}

#[test]
fn acknowledged_spans_survive_kills_under_load() -> Result {
    survive_kills(
        Options {
            extra_yaml: UNLIMITED.into(),
            ..Options::default()
        },
        KILLS,
    )?;
    Ok(())
}

#[test]
fn acknowledged_spans_survive_kills_without_io_uring() -> Result {
    survive_kills(
        Options {
            extra_yaml: UNLIMITED.into(),
            wrapper: common::refuse_io_uring(),
            ..Options::default()
        },
        5,
    )?;
    Ok(())
}

/// Sections are cut, built, uploaded and committed several times a second, and the kills fall anywhere in between.
#[test]
fn acknowledged_spans_survive_kills_while_blocks_are_made() -> Result {
    let (server, all) = survive_kills(
        Options {
            extra_yaml: format!(
                "{UNLIMITED}live_store: {{flush_check_period: 50ms, max_trace_idle: 20ms, max_trace_live: 50ms, max_block_duration: 50ms}}\n"
            ),
            ..Options::default()
        },
        10,
    )?;
    server.wait_for_blocks()?;
    load::check(&server, &all)?;
    let bucket = server.data().join("blocks/single-tenant");
    let mut spans = BTreeSet::new();
    let mut blocks = 0;
    for folder in std::fs::read_dir(&bucket)? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        blocks += 1;
        assert!(folder.join("meta.json").exists(), "{folder:?} is an orphan");
        let verified = vivace_block(&["verify", &folder.display().to_string()])?;
        assert!(verified.status.success(), "{folder:?}: {verified:?}");
        let traces = vivace_block(&["cat", &folder.display().to_string()])?;
        assert!(traces.status.success(), "{folder:?}: {traces:?}");
        for line in String::from_utf8(traces.stdout)?.lines() {
            let trace = serde_json::from_str(line)?;
            for span in load::span_ids_of(&trace).map_err(|error| error.to_string())? {
                assert!(spans.insert(span.clone()), "{span} is in two blocks");
            }
        }
    }
    assert!(blocks >= 10, "{blocks} blocks only");
    let local = std::fs::read_dir(server.data().join("wal/blocks"))?;
    assert_eq!(local.count(), 0, "local blocks are left");
    Ok(())
}

fn vivace_block(arguments: &[&str]) -> Result<std::process::Output> {
    Ok(std::process::Command::new(env!("CARGO_BIN_EXE_vivace"))
        .arg("block")
        .args(arguments)
        .output()?)
}
