//! Instructions of one loop, counted by valgrind.

use std::io;
use std::process::{Command, Output};

use thiserror::Error;

use crate::loops::{Failure, Loop, measured_rounds};

#[derive(Debug, Error)]
pub enum CountError {
    #[error("valgrind is needed and can't be started: {0}")]
    NoValgrind(io::Error),
    #[error("the name of this program is not known: {0}")]
    NoProgram(io::Error),
    #[error("the loop {name} failed under valgrind ({status}):\n{told}")]
    Failed {
        name: &'static str,
        status: String,
        told: String,
    },
    #[error("the loop {name} tells no counts:\n{told}")]
    NoCounts { name: &'static str, told: String },
}

/// Words around the numbers of units on standard output.
const UNITS: &str = "units: ";
/// Of callgrind, on standard error.
const COLLECTED: &str = "Collected :";

/// Runs a loop once for whatever is made at first use, then the rounds that count.
pub fn run_counted(one: &Loop) -> Result<(), Failure> {
    let mut ready = (one.make)()?;
    (ready.round)()?;
    measured_rounds(&mut *ready.round, one.rounds)?;
    println!("{UNITS}{}", ready.units * u64::from(one.rounds));
    Ok(())
}

/// Instructions for one unit of a loop. It runs in a process of its own, so that other loops don't change its count.
pub fn count(one: &'static Loop) -> Result<f64, CountError> {
    let program = std::env::current_exe().map_err(CountError::NoProgram)?;
    let mut command = Command::new("valgrind");
    // The environment lies on the stack and moves it: only what valgrind needs is left.
    command.env_clear();
    for name in ["PATH", "VALGRIND_LIB"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--collect-atstart=no",
            "--toggle-collect=*measured_rounds*",
        ])
        .arg(program)
        .args(["run", one.name]);
    let output = command.output().map_err(CountError::NoValgrind)?;
    read(one.name, &output)
}

fn read(name: &'static str, output: &Output) -> Result<f64, CountError> {
    let units = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(CountError::Failed {
            name,
            status: output.status.to_string(),
            told: told.into_owned(),
        });
    }
    let after = |text: &str, word: &str| -> Option<u64> {
        let (_, rest) = text.split_once(word)?;
        rest.lines().next()?.trim().parse().ok()
    };
    match (after(&told, COLLECTED), after(&units, UNITS)) {
        (Some(instructions), Some(units)) if instructions > 0 && units > 0 => {
            Ok(instructions as f64 / units as f64)
        }
        _ => Err(CountError::NoCounts {
            name,
            told: told.into_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn output(code: i32, units: &str, told: &str) -> Output {
        Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: units.as_bytes().to_vec(),
            stderr: told.as_bytes().to_vec(),
        }
    }

    #[test]
    fn counts_are_read_and_nothing_is_taken_for_none() {
        let told = "==7== Events    : Ir\n==7== Collected : 1500\n==7== \n";
        let good = read("scan", &output(0, "units: 1000\n", told));
        assert!(matches!(good, Ok(1.5)), "{good:?}");
        let failed = read("scan", &output(1, "", "a panic"));
        assert!(
            matches!(failed, Err(CountError::Failed { .. })),
            "{failed:?}"
        );
        for (units, told) in [
            ("", told),
            ("units: 0\n", told),
            ("units: 1000\n", ""),
            // The function was not found.
            ("units: 1000\n", "==7== Collected : 0\n"),
        ] {
            let read = read("scan", &output(0, units, told));
            assert!(matches!(read, Err(CountError::NoCounts { .. })), "{read:?}");
        }
    }
}
