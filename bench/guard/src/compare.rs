//! All loops against the record.

use std::fmt;
use std::sync::Mutex;
use std::thread;

use crate::arguments::Options;
use crate::count::{CountError, count};
use crate::limits::{TOLERANCE_PERCENT, WORKERS_MOST};
use crate::loops::{Failure, Loop};
use crate::record::{Record, versions};

/// What a count means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Slower,
    /// So much that the record should follow: it would let a later loss pass.
    Faster,
    NoRecord,
}

impl Verdict {
    fn of(recorded: Option<f64>, now: f64) -> Self {
        let Some(recorded) = recorded else {
            return Self::NoRecord;
        };
        let percent = (now / recorded - 1.0) * 100.0;
        match percent {
            _ if percent < -TOLERANCE_PERCENT => Self::Faster,
            _ if percent <= TOLERANCE_PERCENT => Self::Same,
            // A record of 0, or what is no number.
            _ => Self::Slower,
        }
    }

    fn passes(self) -> bool {
        matches!(self, Self::Same | Self::Faster)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Same => "ok",
            Self::Slower => "SLOWER",
            Self::Faster => "faster: renew the record",
            Self::NoRecord => "NO RECORD",
        })
    }
}

/// Counts, prints a table, and says whether all is well.
pub fn compare(options: &Options) -> Result<bool, Failure> {
    let mut record = Record::read(&options.file)?;
    let versions = versions();
    let counted = count_all(&options.loops)?;
    println!(
        "{:<16} {:>12} {:>12} {:>7}  instructions for",
        "loop", "recorded", "now", "ratio"
    );
    let mut failed = Vec::new();
    for (one, now) in &counted {
        let recorded = record.instructions.get(one.name).copied();
        let verdict = Verdict::of(recorded, *now);
        let (before, ratio) = match recorded {
            Some(recorded) => (format!("{recorded:.2}"), format!("{:.3}", now / recorded)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        println!(
            "{:<16} {before:>12} {now:>12.2} {ratio:>7}  a {:<6} {verdict}",
            one.name, one.unit
        );
        if !verdict.passes() {
            failed.push(one.name);
        }
    }
    if options.is_recording {
        for (one, now) in &counted {
            record.put(one.name, *now);
        }
        record.made_with = versions;
        let known = |name: &String| crate::loops::ALL.iter().any(|one| one.name == name);
        record.instructions.retain(|name, _| known(name));
        record.write(&options.file)?;
        println!("written to {}", options.file.display());
        return Ok(true);
    }
    for (program, version) in &versions {
        let recorded = record.made_with.get(program);
        if recorded.is_some_and(|recorded| recorded != version) {
            println!("note: {program} was another when the record was made");
        }
    }
    if !failed.is_empty() {
        println!(
            "More than {TOLERANCE_PERCENT} % slower, or not recorded: {}. If it has to be so: bench/guard/run.sh --record",
            failed.join(", ")
        );
    }
    Ok(failed.is_empty())
}

/// Several at a time: counts do not depend on what else the machine does.
fn count_all(loops: &[&'static Loop]) -> Result<Vec<(&'static Loop, f64)>, CountError> {
    let workers = thread::available_parallelism().map_or(1, |count| count.get().min(WORKERS_MOST));
    let next = Mutex::new(loops.iter().copied().enumerate());
    let work = || {
        let mut done = Vec::new();
        loop {
            // The guard of the lock is gone before the count begins.
            let taken = next.lock().ok().and_then(|mut next| next.next());
            let Some((number, one)) = taken else {
                return Ok(done);
            };
            done.push((number, one, count(one)?));
        }
    };
    let all: Result<Vec<Vec<_>>, CountError> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    });
    let mut all: Vec<_> = all?.into_iter().flatten().collect();
    all.sort_by_key(|(number, ..)| *number);
    Ok(all.into_iter().map(|(_, one, now)| (one, now)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tolerance_separates_noise_from_loss() {
        let within = TOLERANCE_PERCENT / 100.0 - 0.001;
        for (recorded, now, verdict) in [
            (Some(100.0), 100.0, Verdict::Same),
            (Some(100.0), 100.0 * (1.0 + within), Verdict::Same),
            (Some(100.0), 100.0 * (1.0 - within), Verdict::Same),
            (Some(100.0), 100.0 * (1.002 + within), Verdict::Slower),
            (Some(100.0), 100.0 * (0.998 - within), Verdict::Faster),
            (Some(0.0), 1.0, Verdict::Slower),
            (Some(0.0), 0.0, Verdict::Slower),
            (Some(f64::NAN), 1.0, Verdict::Slower),
            (None, 1.0, Verdict::NoRecord),
        ] {
            assert_eq!(Verdict::of(recorded, now), verdict, "{recorded:?} {now}");
            let passes = matches!(verdict, Verdict::Same | Verdict::Faster);
            assert_eq!(verdict.passes(), passes);
        }
    }
}
