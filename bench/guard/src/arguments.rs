//! The command line.

use std::path::PathBuf;

use thiserror::Error;

use crate::loops::{ALL, Loop};

/// What to do.
pub enum Arguments {
    /// `run LOOP`: runs a loop; for valgrind.
    Run(&'static Loop),
    /// `compare FILE [--record] [--only LOOP,LOOP]`
    Compare(Options),
}

/// What to compare.
pub struct Options {
    /// The record.
    pub file: PathBuf,
    /// Writes the counts to the record instead of comparing them.
    pub is_recording: bool,
    pub loops: Vec<&'static Loop>,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum ArgumentError {
    #[error(
        "usage: vivace-guard compare FILE [--record] [--only LOOP,LOOP] | vivace-guard run LOOP"
    )]
    Usage,
    #[error("there is no loop {name:?}; there are: {known}")]
    UnknownLoop { name: String, known: String },
}

impl Arguments {
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, ArgumentError> {
        let words: Vec<String> = words.collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match &words[..] {
            ["run", name] => Ok(Self::Run(loop_named(name)?)),
            ["compare", file, rest @ ..] => {
                let mut options = Options {
                    file: PathBuf::from(file),
                    is_recording: false,
                    loops: ALL.iter().collect(),
                };
                let mut rest = rest.iter();
                while let Some(word) = rest.next() {
                    match (*word, rest.as_slice().first()) {
                        ("--record", _) => options.is_recording = true,
                        ("--only", Some(names)) => {
                            rest.next();
                            let named = names.split(',').map(loop_named);
                            options.loops = named.collect::<Result<_, _>>()?;
                        }
                        _ => return Err(ArgumentError::Usage),
                    }
                }
                Ok(Self::Compare(options))
            }
            _ => Err(ArgumentError::Usage),
        }
    }
}

fn loop_named(name: &str) -> Result<&'static Loop, ArgumentError> {
    let found = ALL.iter().find(|one| one.name == name);
    found.ok_or_else(|| ArgumentError::UnknownLoop {
        name: name.to_owned(),
        known: ALL
            .iter()
            .map(|one| one.name)
            .collect::<Vec<_>>()
            .join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arguments, ArgumentError> {
        Arguments::parse(text.split(' ').map(str::to_owned))
    }

    #[test]
    fn words_are_understood_and_others_refused() -> Result<(), ArgumentError> {
        assert!(matches!(parse("run scan")?, Arguments::Run(one) if one.name == "scan"));
        let Arguments::Compare(options) = parse("compare a.json --only regex,scan --record")?
        else {
            panic!("not a comparison")
        };
        assert!(options.is_recording && options.loops.len() == 2);
        let Arguments::Compare(options) = parse("compare a.json")? else {
            panic!("not a comparison")
        };
        assert!(!options.is_recording && options.loops.len() == ALL.len());
        for wrong in [
            "",
            "run",
            "compare",
            "compare a.json --only",
            "compare a.json -r",
        ] {
            assert_eq!(parse(wrong).err(), Some(ArgumentError::Usage), "{wrong}");
        }
        for wrong in ["run nothing", "compare a.json --only scan,nothing"] {
            let error = parse(wrong).err();
            assert!(
                matches!(error, Some(ArgumentError::UnknownLoop { .. })),
                "{wrong}"
            );
        }
        Ok(())
    }
}
