//! The loops that are guarded.

mod blocks;
mod ingest;
mod metrics;
mod predicates;
mod query;

/// Why a loop could not be run; all data are our own, so each of these is a mistake in the code.
pub type Failure = Box<dyn std::error::Error>;

/// A loop, ready to run.
pub struct Ready {
    /// Units that one round works on.
    pub units: u64,
    pub round: Box<dyn FnMut() -> Result<(), Failure>>,
}

/// What is counted.
pub struct Loop {
    /// As in the record.
    pub name: &'static str,
    /// What counts are told for: mostly a span.
    pub unit: &'static str,
    /// Rounds that are counted, so that there are some tens of millions of instructions.
    pub rounds: u32,
    pub make: fn() -> Result<Ready, Failure>,
}

impl Loop {
    const fn of_spans(
        name: &'static str,
        rounds: u32,
        make: fn() -> Result<Ready, Failure>,
    ) -> Self {
        Self {
            name,
            unit: "span",
            rounds,
            make,
        }
    }
}

pub const ALL: &[Loop] = &[
    Loop::of_spans("scan", 1, ingest::scan),
    Loop::of_spans("record", 4, ingest::record),
    Loop::of_spans("write_block", 1, blocks::write),
    Loop {
        name: "find_trace",
        unit: "trace",
        rounds: 1,
        make: blocks::find_trace,
    },
    Loop::of_spans("load_columns", 4, blocks::load_columns),
    Loop::of_spans("block_query", 4, predicates::of_block),
    Loop::of_spans("batch_query", 4, predicates::of_batches),
    Loop::of_spans("equal_dedicated", 40, predicates::equal_dedicated),
    Loop::of_spans("equal_generic", 40, predicates::equal_generic),
    Loop::of_spans("regex", 40, predicates::regex),
    Loop::of_spans("numbers", 40, predicates::numbers),
    Loop::of_spans("descendants", 10, predicates::descendants),
    Loop::of_spans("rate", 20, metrics::rate),
    Loop::of_spans("quantiles", 20, metrics::quantiles),
];

/// All rounds of a loop. Only what happens in here is counted: the name is what valgrind is told.
#[inline(never)]
pub fn measured_rounds(
    round: &mut dyn FnMut() -> Result<(), Failure>,
    rounds: u32,
) -> Result<(), Failure> {
    for _ in 0..rounds {
        round()?;
    }
    Ok(())
}

/// A round must find the same each time, and something: a loop that does nothing would be the fastest.
fn check(what: &str, found: u64, among: u64) -> Result<(), Failure> {
    match found > 0 && found <= among {
        true => Ok(()),
        false => Err(format!("{what}: found {found} of {among}").into()),
    }
}
