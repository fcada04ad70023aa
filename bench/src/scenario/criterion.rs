//! The criterion benches, for the same table.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Error;
use super::options::Options;
use super::summary::{Measured, Target};

/// Benches of this crate, and figures of them that have a target: benchmark id, microseconds per element.
const BENCHES: [&str; 3] = ["scanner", "span_batch", "ingest_log"];
const TARGETS: [(&str, f64); 1] = [("scanner/1_partitions", 1.2)];

/// Runs them with cargo and reads what criterion has written.
pub fn run(_options: &Options) -> Result<Vec<Measured>, Error> {
    let home = tempfile::tempdir().map_err(Error::io("folder for criterion"))?;
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let status = Command::new(&cargo)
        .args(["bench", "--package", "vivace-bench"])
        .args(BENCHES.iter().flat_map(|bench| ["--bench", bench]))
        .args(["--", "--noplot", "--quiet"])
        .env("CRITERION_HOME", home.path())
        .stdout(std::process::Stdio::null())
        .status()
        .map_err(Error::io(&cargo))?;
    if !status.success() {
        return Err(Error::Failed(format!("cargo bench: {status}")));
    }
    let mut measured = Vec::new();
    collect(home.path(), &mut measured)?;
    measured.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(measured.into_iter().map(|(_, measured)| measured).collect())
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
}
