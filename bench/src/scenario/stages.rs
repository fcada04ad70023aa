//! Where the server's time goes, by its own counters.

use std::time::Duration;

use super::blocks::BUILD_CPU;
use super::server::Server;
use super::shards::shard_threads;
use super::summary::{Measured, Target};
use crate::load::{STAGES, Stored};

/// What each stage means.
const MEANINGS: [&str; STAGES.len()] = [
    "requests to batches",
    "live store",
    "frames and checksums",
    "records back",
    "blocks",
    "of blocks",
];
/// Spans that a server has taken in.
const ACCEPTED: &str = "tempo_receiver_accepted_spans";
/// Stages that make blocks of records: those that the target of building is about.
const BUILDING: [&str; 2] = ["cut", "write"];

/// Busy time of the server's shards by stage and span since it was started, and what is left of its CPU: HTTP, sockets, the kernel's part of
/// disk and network. Nothing, where the server does not tell.
pub fn stages(spans: u64, stored: &Stored, cpu_us_per_span: Option<f64>) -> Vec<Measured> {
    let mut measured = rows(spans, stored);
    if measured.is_empty() {
        return measured;
    }
    let micros = |seconds: f64| seconds * 1e6 / spans.max(1) as f64;
    let told: f64 = stored.stage_seconds.iter().sum();
    let all = STAGES.iter().zip(stored.stage_seconds);
    let building = all.filter(|(stage, _)| BUILDING.contains(stage));
    let building = micros(building.map(|(_, seconds)| seconds).sum());
    let target = Some(Target::AtMost(BUILD_CPU));
    measured.push(Measured::new("stages cut and write", "us/span", building).target(target));
    if let Some(cpu) = cpu_us_per_span {
        let rest = cpu - micros(told);
        measured.push(Measured::new("server CPU in no stage", "us/span", rest));
    }
    measured
}

/// The stages alone, by span that the server has taken in since its start. Blocks of some of them are not made yet.
pub fn so_far(server: &Server) -> Vec<Measured> {
    match server.samples() {
        Ok(samples) => {
            let mut measured = rows(samples.sum(ACCEPTED) as u64, &samples.stored());
            measured.extend(waiting(server.at().pid));
            measured
        }
        // Another server may have no metrics.
        Err(_) => Vec::new(),
    }
}

/// How much of the time in which shards had something to do they had no CPU, since the server's start: by so much at most the stages'
/// times are too long.
pub fn waiting(pid: u32) -> Option<Measured> {
    let threads = shard_threads(pid);
    let cpu: Duration = threads.iter().map(|thread| thread.cpu).sum();
    let waited: Option<Duration> = threads.iter().map(|thread| thread.waited).sum();
    let waited = waited?.as_secs_f64();
    let all = waited + cpu.as_secs_f64();
    let share = (all > 0.0).then_some(100.0 * waited / all)?;
    Some(Measured::new("shards ready but without a CPU", "%", share))
}

fn rows(spans: u64, stored: &Stored) -> Vec<Measured> {
    if spans == 0 || stored.stage_seconds.iter().sum::<f64>() == 0.0 {
        return Vec::new();
    }
    let all = STAGES.iter().zip(MEANINGS).zip(stored.stage_seconds);
    let rows = all.map(|((stage, meaning), seconds)| {
        let micros = seconds * 1e6 / spans as f64;
        Measured::new(format!("stage {stage}: {meaning}"), "us/span", micros)
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, Summary};

    #[test]
    fn stages_and_the_rest_make_the_whole() {
        let stored = Stored {
            stage_seconds: [1.0, 0.5, 0.25, 0.5, 1.5, 0.25],
            ..Stored::default()
        };
        let measured = stages(1_000_000, &stored, Some(5.0));
        let summary = Summary::new(Scenario::Blocks, &[measured]);
        let figure = |name: &str| {
            let row = summary.rows.iter().find(|row| row.name.starts_with(name));
            row.map(|row| row.median)
        };
        assert_eq!(figure("stage scan"), Some(1.0));
        assert_eq!(figure("stages cut and write"), Some(2.0));
        assert_eq!(figure("server CPU in no stage"), Some(1.0));
        assert!(stages(1, &Stored::default(), Some(5.0)).is_empty());
    }
}
