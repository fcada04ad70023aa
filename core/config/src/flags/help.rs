//! The help text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::table::Flag;

/// What each group of flags is about; flags without one of these first words are "The process".
const GROUPS: &[(&str, &str)] = &[
    ("", "The process"),
    ("config", "Configuration"),
    ("server", "Listeners"),
    ("distributor", "Receiving"),
    ("ingest-log", "Ingest log"),
    ("ingest", "Ingest log on Kafka"),
    ("live-store", "Recent traces"),
    ("querier", "Queries"),
    ("query-frontend", "Queries"),
    ("storage", "Blocks"),
    ("block-builder", "Block builder"),
    ("backend-scheduler", "Compaction and retention"),
    (
        "backend-schedulerbackend-scheduler",
        "Compaction and retention",
    ),
    ("backend-worker", "Compaction and retention"),
    ("metrics-generator", "Metrics from spans"),
    ("generator", "Metrics from spans"),
    ("ingester", "Limits of every tenant"),
    ("memberlist", "Cluster"),
];

/// What stands under a message about a wrong command line: short enough that the message stays in sight.
pub const USAGE: &str =
    "Usage: vivace [-config.file=FILE] [flags]\nvivace -help lists all flags.\n";

/// All flags by group, with defaults.
pub fn help(flags: &[Flag]) -> String {
    let mut groups: BTreeMap<usize, Vec<&Flag>> = BTreeMap::new();
    for flag in flags {
        let first = flag.name.split('.').next().unwrap_or_default();
        let title = |name: &str| {
            GROUPS
                .iter()
                .find(|(word, _)| *word == name)
                .map(|(_, title)| *title)
        };
        let glued = ["live-store", "generator"]
            .into_iter()
            .find(|word| first.starts_with(word));
        let title = title(first)
            .or_else(|| glued.and_then(title))
            .unwrap_or(GROUPS[0].1);
        let position = GROUPS
            .iter()
            .position(|(_, other)| *other == title)
            .unwrap_or_default();
        groups.entry(position).or_default().push(flag);
    }
    let mut out = String::from(
        "Usage: vivace [-config.file=FILE] [flags]\n       vivace block --help  (commands that look into blocks)\n\n\
         Without flags everything runs on this machine: OTLP on localhost:4317 (gRPC) and localhost:4318 (HTTP), queries on\n\
         http://localhost:3200, data under ./data.\n\n\
         FILE is YAML, as for Tempo. -config.file=FILE -config.verify=true says what is wrong or doubtful in it; a running\n\
         server prints all keys under /status/config, and their defaults under /status/config?mode=defaults.\n\n\
         Flags take one dash or two, and their value after `=` or as the next argument; boolean flags only after `=`.\n\
         Flags win over the file. In brackets stands the key of the file that a flag sets.\n",
    );
    for (position, flags) in groups {
        // Writing to a String cannot fail.
        let _ = write!(out, "\n{}\n", GROUPS[position].1);
        for flag in flags {
            let default = match flag.default.as_str() {
                "" | "[]" | "{}" | "null" => String::new(),
                default => format!(" (default {default})"),
            };
            let key = match flag.path.as_str() {
                "" => String::new(),
                path => format!(" [{path}]"),
            };
            let _ = writeln!(out, "  -{}{default}\n        {}{key}", flag.name, flag.doc);
        }
    }
    out
}
