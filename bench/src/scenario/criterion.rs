//! The benches of the hot loops, for the same table: criterion's, and the block writer's, which prints its figures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Error;
use super::options::Options;
use super::summary::{Measured, Target};

/// Criterion's benches, by package.
const BENCHES: [(&str, &[&str]); 2] = [
    ("vivace-bench", &["scanner", "span_batch", "ingest_log"]),
    ("vivace-block-reader", &["find_trace"]),
];
/// Figures that have a target: benchmark id, microseconds per element.
const TARGETS: [(&str, f64); 1] = [("scanner/1_partitions", 1.2)];
/// Microseconds of CPU of a span on its way into a block.
const BUILD_CPU: f64 = 2.5;
/// Bytes of a span, as a part of what Tempo's block of the same spans has.
const BYTES_SHARE: f64 = 0.75;
/// Spans of the conformance data.
const CONFORMANCE_SPANS: f64 = 11_990.0;

/// Runs them with cargo and reads what they have found.
pub fn run(_options: &Options) -> Result<Vec<Measured>, Error> {
    let home = tempfile::tempdir().map_err(Error::io("folder for criterion"))?;
    for (package, benches) in BENCHES {
        let benches = benches.iter().flat_map(|bench| ["--bench", bench]);
        let mut command = cargo_bench(package);
        command
            .args(benches)
            .args(["--", "--noplot", "--quiet"])
            .env("CRITERION_HOME", home.path())
            .stdout(Stdio::null());
        finish(command)?;
    }
    let mut found = Vec::new();
    collect(home.path(), &mut found)?;
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let mut measured: Vec<Measured> = found.into_iter().map(|(_, measured)| measured).collect();
    for data in ["generated", "otlp"] {
        let mut command = cargo_bench("vivace-block-writer");
        command.args(["--bench", "write_block", "--", data]);
        let text = finish(command)?;
        measured.extend(written(data, &text, tempos_bytes()));
    }
    Ok(measured)
}

fn cargo_bench(package: &str) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["bench", "--package", package]);
    command
}

/// What it printed, if it was to be kept.
fn finish(mut command: Command) -> Result<String, Error> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::io("cargo bench"))?;
    if !output.status.success() {
        return Err(Error::Failed(format!("cargo bench: {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Bytes of a span in the block of the conformance data that Tempo wrote, where that data is.
fn tempos_bytes() -> Option<f64> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let folder = std::env::var_os("VIVACE_SHARED").map_or_else(|| folder.into(), PathBuf::from);
    let blocks = folder.join("conformance/blocks/vParquet5");
    let bucket = super::bucket::Bucket::read(&blocks).ok()?;
    (bucket.data_bytes > 0).then(|| bucket.data_bytes as f64 / CONFORMANCE_SPANS)
}

/// The writer's lines, such as `vParquet5: 9 spans in 2 batches and 3 traces, 1900 ns/span, 28.64 B/span, …`.
fn written(data: &str, text: &str, tempos_bytes: Option<f64>) -> Vec<Measured> {
    let mut measured = Vec::new();
    for line in text.lines() {
        let Some((format, rest)) = line.split_once(": ") else {
            continue;
        };
        let figure = |unit: &str| {
            let mut parts = rest.split(", ");
            parts.find_map(|part| part.strip_suffix(unit)?.trim().parse::<f64>().ok())
        };
        let (Some(nanos), Some(bytes)) = (figure("ns/span"), figure("B/span")) else {
            continue;
        };
        let newest = format == "vParquet5";
        let cpu = (newest && data == "generated").then_some(Target::AtMost(BUILD_CPU));
        let size = tempos_bytes.filter(|_| newest && data == "otlp");
        let size = size.map(|bytes| Target::AtMost(bytes * BYTES_SHARE));
        let name = format!("write_block/{data} {format}");
        measured.push(Measured::new(name.clone(), "us/span", nanos / 1e3).target(cpu));
        measured.push(Measured::new(format!("{name}, size"), "B/span", bytes).target(size));
    }
    measured
}

/// Finds `…/new/benchmark.json` with `estimates.json` beside it, at any depth.
fn collect(folder: &Path, into: &mut Vec<(String, Measured)>) -> Result<(), Error> {
    let shown = folder.display().to_string();
    for entry in fs::read_dir(folder).map_err(Error::io(&shown))? {
        let entry = entry.map_err(Error::io(&shown))?;
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        if entry.file_name() == "new" && path.join("estimates.json").is_file() {
            let estimates = json(&path.join("estimates.json"))?;
            if let Some(one) = read(&json(&path.join("benchmark.json"))?, &estimates) {
                into.push(one);
            }
        } else {
            collect(&path, into)?;
        }
    }
    Ok(())
}

fn json(path: &Path) -> Result<Value, Error> {
    let text = fs::read(path).map_err(Error::io(path.display().to_string()))?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::Failed(format!("{}: {error}", path.display())))
}

/// Time per element where the bench counts elements, else per iteration.
fn read(benchmark: &Value, estimates: &Value) -> Option<(String, Measured)> {
    let id = benchmark["full_id"].as_str()?.to_owned();
    let nanos = estimates["median"]["point_estimate"].as_f64()?;
    let elements = benchmark["throughput"]["Elements"].as_f64();
    let (unit, micros) = match elements {
        Some(elements) => ("us/span", nanos / elements / 1e3),
        None => ("us", nanos / 1e3),
    };
    let target = TARGETS.iter().find(|(name, _)| *name == id);
    let target = target.map(|(_, most)| Target::AtMost(*most));
    let measured = Measured::new(id.clone(), unit, micros).target(target);
    Some((id, measured))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterions_files_are_read() -> Result<(), Error> {
        let home = tempfile::tempdir().map_err(Error::io("folder"))?;
        let new = home.path().join("scanner/1_partitions/new");
        fs::create_dir_all(&new).map_err(Error::io("folder"))?;
        for (name, text) in [
            (
                "benchmark.json",
                r#"{"full_id":"scanner/1_partitions","throughput":{"Elements":1000}}"#,
            ),
            (
                "estimates.json",
                r#"{"median":{"point_estimate":900000.0}}"#,
            ),
        ] {
            fs::write(new.join(name), text).map_err(Error::io(name))?;
        }
        let mut found = Vec::new();
        collect(home.path(), &mut found)?;
        let expected = Measured::new("scanner/1_partitions", "us/span", 0.9);
        let expected = expected.target(Some(Target::AtMost(1.2)));
        assert_eq!(found, [("scanner/1_partitions".to_owned(), expected)]);
        Ok(())
    }

    #[test]
    fn the_writers_lines_are_read() {
        let text = "noise\nvParquet5: 9 spans in 2 batches and 3 traces, 1900 ns/span, 28.64 B/span, 1 row groups, 7 footer bytes\n\
                    vParquet4: 9 spans in 2 batches and 3 traces, 2100 ns/span, 30.5 B/span\n";
        let generated = written("generated", text, Some(100.0));
        assert_eq!(generated.len(), 4);
        let name = "write_block/generated vParquet5";
        let expected = Measured::new(name, "us/span", 1.9).target(Some(Target::AtMost(2.5)));
        assert_eq!(generated[0], expected);
        let name = "write_block/generated vParquet4, size";
        assert_eq!(generated[3], Measured::new(name, "B/span", 30.5));
        let otlp = written("otlp", text, Some(100.0));
        let name = "write_block/otlp vParquet5, size";
        let expected = Measured::new(name, "B/span", 28.64).target(Some(Target::AtMost(75.0)));
        assert_eq!(otlp[1], expected);
        assert!(written("otlp", "vParquet5: nothing", None).is_empty());
    }
}
