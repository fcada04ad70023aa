//! RESULTS.md.

use std::fs;
use std::path::Path;

use super::Error;
use super::machine::Machine;
use super::summary::{Summary, Table, Target, cell, number};

/// What stands below this line is written by hand and kept.
const MARKER: &str =
    "<!-- Everything above is rewritten by bench/run.sh; everything below is kept. -->";

/// What a report begins with.
const HEAD: &str = "# Results\n\n\
    Load generator and server share the CPUs. Server CPU is its user and system time from /proc over the time measured, by acknowledged spans.\n\
    Spans have 15 attributes, requests 500 spans, traces 20 spans over two requests. Every ack waits for fdatasync. Spread is lowest to highest run.\n\
    The `queries` and `storage` sections have other data (README.md, Queries).\n";

/// A scenario's figures, and under which circumstances they were measured.
pub fn section(machine: &Machine, command: &str, summary: &Summary) -> String {
    let times = if summary.runs == 1 { "run" } else { "runs" };
    let mut text = format!(
        "## {} ({} {times})\n\n\
         {}, commit {}, {} × {}, {:.0} GiB, kernel {}, load average before {}: `{command}`\n\n\
         | figure | median | spread | target |\n|---|---|---|---|\n",
        summary.scenario,
        summary.runs,
        machine.date,
        machine.commit,
        machine.cpus,
        machine.cpu,
        machine.memory_gib,
        machine.kernel,
        machine.load_before,
    );
    for row in &summary.rows {
        let wanted = match row.target {
            Some(Target::AtMost(most)) => format!("at most {}", number(most)),
            Some(Target::AtLeast(least)) => format!("at least {}", number(least)),
            None => String::new(),
        };
        let target = match row.reached() {
            Some(true) => format!("{wanted}: reached"),
            Some(false) => format!("{wanted}: **missed**"),
            None => wanted,
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
    if let Some(table) = &summary.table {
        text.push_str(&wide(table));
    }
    text
}

/// A table of its own below the figures.
fn wide(table: &Table) -> String {
    let mut text = format!("\n| {} |\n|", table.columns.join(" | "));
    text.push_str(&"---|".repeat(table.columns.len()));
    text.push('\n');
    for row in &table.rows {
        let values: Vec<String> = row.values.iter().map(|value| cell(*value)).collect();
        // Bars are columns in tables, even in code.
        let note = row.note.replace('|', "\\|");
        let note = match note.trim() {
            "" => String::new(),
            note => format!("`{note}`"),
        };
        text.push_str(&format!(
            "| {} | {} | {note} |\n",
            row.name,
            values.join(" | ")
        ));
    }
    text
}

/// The scenario that a section is of: the first word of its title.
fn name(section: &str) -> &str {
    let title = section.strip_prefix("## ").unwrap_or(section);
    title.split_whitespace().next().unwrap_or_default()
}

/// Puts these sections where older ones of the same scenarios are, new scenarios behind all others. Sections of other scenarios
/// stay, and so does what was written by hand.
pub fn rewrite(path: &Path, sections: &[String]) -> Result<(), Error> {
    let old = fs::read_to_string(path).unwrap_or_default();
    let (tables, kept) = old.split_once(MARKER).unwrap_or(("", "\n"));
    let mut all: Vec<String> = tables
        .split("\n## ")
        .skip(1)
        .map(|section| format!("## {}\n", section.trim_end()))
        .collect();
    for section in sections {
        match all.iter_mut().find(|old| name(old) == name(section)) {
            Some(old) => old.clone_from(section),
            None => all.push(section.clone()),
        }
    }
    let text = format!("{HEAD}\n{}\n{MARKER}{kept}", all.join("\n"));
    fs::write(path, text).map_err(Error::io(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Measured, Scenario, TableRow};

    fn one(scenario: Scenario, value: f64) -> String {
        let measured = Measured::new("ack p99", "ms", value).target(Some(Target::AtMost(10.0)));
        let summary = Summary::new(scenario, &[vec![measured]]);
        section(&Machine::this(Some("abc")), "bench/run.sh", &summary)
    }

    fn read(path: &Path) -> Result<String, Error> {
        fs::read_to_string(path).map_err(Error::io("read"))
    }

    #[test]
    fn rewriting_keeps_what_was_written_by_hand() -> Result<(), Error> {
        let folder = tempfile::tempdir().map_err(Error::io("folder"))?;
        let path = folder.path().join("RESULTS.md");
        rewrite(&path, &[one(Scenario::RateHttp, 12.0)])?;
        let first = read(&path)?;
        assert!(
            first.contains("| ack p99 | 12 ms | 12 – 12 | at most 10: **missed** |"),
            "{first}"
        );
        fs::write(&path, format!("{first}\n## By hand\nThe disk limits it.\n"))
            .map_err(Error::io("write"))?;
        rewrite(&path, &[one(Scenario::RateHttp, 8.0)])?;
        let second = read(&path)?;
        assert!(
            second.contains("8 ms") && !second.contains("12 ms"),
            "{second}"
        );
        assert!(
            second.ends_with("\n## By hand\nThe disk limits it.\n"),
            "{second}"
        );
        assert_eq!(second.matches(MARKER).count(), 1);
        Ok(())
    }

    #[test]
    fn tables_stand_below_the_figures() {
        let table = Table {
            columns: vec!["query", "p50 ms", "cold ms", "text"],
            rows: vec![TableRow {
                name: "error".into(),
                values: vec![Some(1.5), None],
                note: "{} | rate()".into(),
            }],
        };
        let summary = Summary::new(Scenario::Queries, &[vec![Measured::new("spans", "", 3.0)]]);
        let summary = summary.named("queries-3-1").with_table(table);
        let text = section(&Machine::this(Some("abc")), "bench/run.sh", &summary);
        assert!(text.starts_with("## queries-3-1 (1 run)\n"), "{text}");
        let expected = "| spans | 3 | 3 – 3 |  |\n\n| query | p50 ms | cold ms | text |\n|---|---|---|---|\n\
            | error | 1.50 |  | `{} \\| rate()` |\n";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn sections_that_did_not_run_stay_as_they_are() -> Result<(), Error> {
        let folder = tempfile::tempdir().map_err(Error::io("folder"))?;
        let path = folder.path().join("RESULTS.md");
        let (start, mixed) = (one(Scenario::Start, 1.0), one(Scenario::Mixed, 2.0));
        rewrite(
            &path,
            &[start.clone(), one(Scenario::RateHttp, 3.0), mixed.clone()],
        )?;
        let again = one(Scenario::RateHttp, 4.0);
        let new = one(Scenario::Blocks, 5.0);
        rewrite(&path, &[new.clone(), again.clone()])?;
        let text = read(&path)?;
        assert_eq!(
            text,
            format!("{HEAD}\n{start}\n{again}\n{mixed}\n{new}\n{MARKER}\n")
        );
        Ok(())
    }
}
