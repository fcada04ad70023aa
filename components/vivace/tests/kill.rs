//! ACK and ONCE against a real process: SIGKILL at random moments under load, again and again on the same data.

mod common;
#[path = "common/load.rs"]
mod load;

use std::time::Duration;

use common::{Options, Result, Server};
use load::{Ledger, Load};
use vivace_bench::data::{Random, Shape};

const KILLS: usize = 20;
const UNLIMITED: &str = "overrides:\n  defaults:\n    ingestion:\n      max_traces_per_user: 0\n";

fn survive_kills(options: Options, kills: usize) -> Result {
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
    load::check(&server, &all)
}

#[test]
fn acknowledged_spans_survive_kills_under_load() -> Result {
    survive_kills(
        Options {
            extra_yaml: UNLIMITED.into(),
            ..Options::default()
        },
        KILLS,
    )
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
    )
}
