//! RESULTS.md.

use std::fs;
use std::path::Path;

use super::Error;
use super::machine::Machine;
use super::summary::{Summary, Target, number};

/// What stands below this line is written by hand and kept.
const MARKER: &str =
    "<!-- Everything above is rewritten by bench/run.sh; everything below is kept. -->";

/// The tables.
pub fn markdown(machine: &Machine, command: &str, summaries: &[Summary]) -> String {
    let mut text = format!(
        "# Results\n\n\
         | | |\n|---|---|\n\
         | machine | {} × {}, {:.0} GiB |\n\
         | kernel | {} |\n\
         | commit | {} |\n\
         | date | {} |\n\
         | command | `{command}` |\n\
         | load average before | {} |\n\n\
         Load generator and server share the CPUs. Server CPU is its user and system time from /proc over the time measured, by acknowledged spans.\n\
         Spans have 15 attributes, requests 500 spans, traces 20 spans over two requests. Every ack waits for fdatasync. Spread is lowest to highest run.\n",
        machine.cpus,
        machine.cpu,
        machine.memory_gib,
        machine.kernel,
        machine.commit,
        machine.date,
        machine.load_before,
    );
    for summary in summaries {
        let times = if summary.runs == 1 { "run" } else { "runs" };
        text.push_str(&format!(
            "\n## {} ({} {times})\n\n| figure | median | spread | target |\n|---|---|---|---|\n",
            summary.scenario, summary.runs
        ));
        for row in &summary.rows {
            let target = match (row.target, row.reached()) {
                (Some(Target::AtMost(most)), reached) => format!(
                    "at most {}: {}",
                    number(most),
                    if reached == Some(true) {
                        "reached"
                    } else {
                        "**missed**"
                    }
                ),
                (None, _) => String::new(),
            };
            let median = format!("{} {}", number(row.median), row.unit);
            text.push_str(&format!(
                "| {} | {} | {} – {} | {target} |\n",
                row.name,
                median.trim_end(),
                number(row.low),
                number(row.high)
            ));
        }
    }
    text
}

/// Puts the tables above what was written by hand.
pub fn rewrite(path: &Path, tables: &str) -> Result<(), Error> {
    let old = fs::read_to_string(path).unwrap_or_default();
    let kept = old.split_once(MARKER).map_or("\n", |(_, kept)| kept);
    let text = format!("{tables}\n{MARKER}{kept}");
    fs::write(path, text).map_err(Error::io(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Measured, Scenario};

    #[test]
    fn rewriting_keeps_what_was_written_by_hand() -> Result<(), Error> {
        let folder = tempfile::tempdir().map_err(Error::io("folder"))?;
        let path = folder.path().join("RESULTS.md");
        let tables = |value: f64| {
            let measured = Measured::new("ack p99", "ms", value).target(Some(Target::AtMost(10.0)));
            let summary = Summary::new(Scenario::RateHttp, &[vec![measured]]);
            markdown(&Machine::this(Some("abc")), "bench/run.sh", &[summary])
        };
        rewrite(&path, &tables(12.0))?;
        let first = fs::read_to_string(&path).map_err(Error::io("read"))?;
        assert!(
            first.contains("| ack p99 | 12 ms | 12 – 12 | at most 10: **missed** |"),
            "{first}"
        );
        fs::write(&path, format!("{first}\nThe disk limits it.\n")).map_err(Error::io("write"))?;
        rewrite(&path, &tables(8.0))?;
        let second = fs::read_to_string(&path).map_err(Error::io("read"))?;
        assert!(
            second.contains("8 ms") && !second.contains("12 ms"),
            "{second}"
        );
        assert!(second.ends_with("\nThe disk limits it.\n"), "{second}");
        assert_eq!(second.matches(MARKER).count(), 1);
        Ok(())
    }
}
