//! The load generator's command.

use std::process::ExitCode;

use clap::Parser;
use vivace_bench::load::{Options, RunError, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let options = Options::parse();
    let report = match run(&options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("vivace-load: {error}");
            let usage = matches!(error, RunError::Usage(_));
            return ExitCode::from(if usage { 2 } else { 1 });
        }
    };
    if options.json {
        match report.json() {
            Ok(line) => println!("{line}"),
            Err(error) => {
                eprintln!("vivace-load: {error}");
                return ExitCode::from(1);
            }
        }
    } else {
        print!("{}", report.text());
    }
    ExitCode::from(if report.is_good() { 0 } else { 1 })
}
