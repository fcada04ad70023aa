//! All scenarios in one command: see bench/README.md.

use std::process::ExitCode;

use clap::Parser;
use vivace_bench::scenario::{Error, Machine, Options, rewrite, run, section};

fn main() -> ExitCode {
    match work(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vivace-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Tables to the file, one line of JSON to standard output.
fn work(options: &Options) -> Result<(), Error> {
    let machine = Machine::this(options.commit.as_deref());
    let summaries = run(options)?;
    if let Some(path) = &options.results {
        // What decides the figures; where the results go does not.
        let mut words = vec!["bench/run.sh".to_owned()];
        let mut given = std::env::args().skip(1);
        while let Some(word) = given.next() {
            match word.as_str() {
                "--results" | "--commit" | "--data" | "--moto-python" => drop(given.next()),
                _ => words.push(word),
            }
        }
        let command = words.join(" ");
        let sections = summaries.iter();
        let sections: Vec<String> = sections
            .map(|summary| section(&machine, &command, summary))
            .collect();
        rewrite(path, &sections)?;
    }
    let line = serde_json::to_string(&summaries);
    println!(
        "{}",
        line.map_err(|error| Error::Failed(error.to_string()))?
    );
    Ok(())
}
