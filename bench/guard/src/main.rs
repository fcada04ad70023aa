//! Counts the instructions of hot loops and compares them with a record: see README.md.

mod arguments;
mod compare;
mod count;
mod data;
mod limits;
mod loops;
mod record;

use std::process::ExitCode;

use arguments::Arguments;

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("vivace-guard: {error}");
            return ExitCode::from(2);
        }
    };
    let passed = match &arguments {
        Arguments::Run(one) => count::run_counted(one).map(|()| true),
        Arguments::Compare(options) => compare::compare(options),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("vivace-guard: {error}");
            ExitCode::FAILURE
        }
    }
}
