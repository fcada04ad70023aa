//! The record in the repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What was counted when the record was made.
#[derive(Debug, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// With what, by name: other versions may count otherwise.
    pub made_with: BTreeMap<String, String>,
    /// Instructions for one unit, by loop.
    pub instructions: BTreeMap<String, f64>,
}

#[derive(Debug, Error)]
pub enum RecordError {
    #[error("{file}: {error}")]
    Io { file: String, error: io::Error },
    #[error("{file} is no record: {error}")]
    Malformed {
        file: String,
        error: serde_json::Error,
    },
}

impl Record {
    /// An empty one if there is no file.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let file = path.display().to_string();
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| RecordError::Malformed { file, error }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(RecordError::Io { file, error }),
        }
    }

    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let file = path.display().to_string();
        let text = serde_json::to_string_pretty(self);
        let text = text.map_err(|error| RecordError::Malformed {
            file: file.clone(),
            error,
        })?;
        fs::write(path, text + "\n").map_err(|error| RecordError::Io { file, error })
    }

    /// Counts with two decimals: the rest is noise.
    pub fn put(&mut self, name: &str, instructions: f64) {
        let rounded = (instructions * 100.0).round() / 100.0;
        self.instructions.insert(name.to_owned(), rounded);
    }
}

/// Versions of what counts depend on, as their programs tell them.
pub fn versions() -> BTreeMap<String, String> {
    let told = |program: &str| {
        let output = Command::new(program).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let text = text.unwrap_or_default();
        (
            program.to_owned(),
            text.lines().next().unwrap_or("unknown").to_owned(),
        )
    };
    ["rustc", "valgrind"].map(told).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() -> Result<(), RecordError> {
        let mut record = Record::default();
        record.put("scan", 1234.567);
        record.put("numbers", 0.449);
        record.made_with.insert("rustc".to_owned(), "1".to_owned());
        assert_eq!(record.instructions["scan"], 1234.57);
        let path = std::env::temp_dir().join(format!("vivace-guard-{}.json", std::process::id()));
        record.write(&path)?;
        let read = Record::read(&path);
        fs::write(&path, b"{}")
            .and_then(|()| fs::remove_file(&path))
            .ok();
        assert_eq!(read?, record);
        // No record is an empty one: every loop without a count fails later.
        assert_eq!(Record::read(&path)?, Record::default());
        Ok(())
    }
}
