//! What was checked, and what came of it.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use crate::limits::MAX_FINDINGS;

macro_rules! checks {
    ($($variant:ident $name:literal $meaning:literal)*) => {
        /// A rule of block-format.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Check { $($variant),* }

        impl Check {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What holds when it is ok.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),* }
            }
        }
    };
}

checks! {
    MetaIds "meta-ids" "block and tenant of the meta are those of its key"
    MetaSize "meta-size" "size of the meta is that of data.parquet"
    MetaFooterSize "meta-footer-size" "footerSize of the meta is that of the footer"
    MetaObjects "meta-total-objects" "totalObjects of the meta is the number of rows"
    MetaRecords "meta-total-records" "totalRecords of the meta is at least the number of row groups"
    MetaTimes "meta-times" "startTime and endTime of the meta cover all spans, to the second"
    MetaReplication "meta-replication-factor" "replicationFactor is 1: metrics queries read no other blocks"
    MetaPageSize "meta-index-page-size" "indexPageSize is 0"
    MetaDedicated "meta-dedicated-columns" "the format can hold all dedicatedColumns, and each name is there once in a scope"
    BloomShards "bloom-shards" "there are as many bloom shards as the meta says, of equal bits and hashes"
    BloomIds "bloom-ids" "the bloom filter has every trace id"
    Index "index" "the index, if there is one, has the last trace id of each row group"
    FileMetadata "file-metadata" "version 2, root Trace, no key-value metadata, sorting columns, bloom filters or field ids"
    Schema "schema" "leaves, their order, types and levels are those of the format and the dedicated columns"
    RowGroups "row-groups" "row groups have rows, and all columns at their place; rows add up"
    Dictionaries "dictionaries" "columns that must have a dictionary have one and use it in every page"
    Pages "pages" "pages can be decoded and fill their chunk"
    PageCrc "page-crc" "every page has a CRC, and it is right"
    PageRows "page-rows" "every page begins with a row, and has as many rows as its header says"
    NullCounts "null-counts" "nulls are counted right in page headers, chunks and column indexes"
    Bounds "bounds" "bounds of pages, chunks and column indexes hold for all values, and are not missing"
    OffsetIndex "offset-index" "offset indexes say where pages are and which row they begin with"
    ColumnIndex "column-index" "column indexes have an entry for each page, null pages and the right order"
    Levels "levels" "levels of all columns of a row describe one tree"
    TraceIds "trace-ids" "trace ids have 16 bytes and ascend, each once"
    TraceIdText "trace-id-text" "TraceIDText is the trace id in hex without zeros before it"
    TraceTimes "trace-times" "start, end and duration of a trace are those of its spans"
    RootNames "root-names" "names of the root span and of its service"
    ServiceStats "service-stats" "spans and errors are counted right for each service"
    SpanCount "span-count" "SpanCount is the number of spans of a scope"
    NestedSet "nested-set" "NestedSetLeft, NestedSetRight and ParentID describe the tree of spans"
    ChildCount "child-count" "ChildCount is the number of children of a span"
    RoundedTimes "rounded-times" "rounded starts are the interval that a span starts in"
    AttributeValues "attribute-values" "an attribute has one value, or is an array of one type"
    AttributeOrder "attribute-order" "attributes of a resource are sorted by key"
    DedicatedColumns "dedicated-columns" "no attribute with a column of its own is among the generic ones"
}

/// What came of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// Things looked at: pages, rows and so on.
    looked_at: u64,
    failures: u64,
    /// The first of them.
    findings: Vec<String>,
    skipped: Option<&'static str>,
}

/// All checks of a block.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    states: Vec<State>,
}

impl Report {
    pub fn new() -> Self {
        Self {
            states: vec![State::default(); Check::ALL.len()],
        }
    }

    /// One more thing was looked at.
    pub fn look(&mut self, check: Check) {
        self.states[check as usize].looked_at += 1;
    }

    /// It does not hold here. The place is only asked for when it will be shown.
    pub fn fail(&mut self, check: Check, finding: impl FnOnce() -> String) {
        let state = &mut self.states[check as usize];
        state.failures += 1;
        if state.findings.len() < MAX_FINDINGS {
            state.findings.push(finding());
        }
    }

    /// One more thing was looked at; it must hold.
    pub fn expect(&mut self, check: Check, holds: bool, finding: impl FnOnce() -> String) {
        self.look(check);
        if !holds {
            self.fail(check, finding);
        }
    }

    /// There is nothing to look at in such a block.
    pub fn skip(&mut self, check: Check, why: &'static str) {
        self.states[check as usize].skipped = Some(why);
    }

    pub fn failed(&self) -> Vec<Check> {
        let all = Check::ALL.iter().copied();
        all.filter(|check| self.states[*check as usize].failures > 0)
            .collect()
    }

    fn word(state: &State) -> &'static str {
        if state.failures > 0 {
            "FAILED"
        } else if state.skipped.is_some() {
            "skipped"
        } else if state.looked_at == 0 {
            "nothing"
        } else {
            "ok"
        }
    }

    /// A line for each check, and those below it that say where it failed.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        for (check, state) in Check::ALL.iter().zip(&self.states) {
            let word = Self::word(state);
            write!(out, "{word:<8} {:<24} {}", check.name(), check.meaning())?;
            match (state.skipped, state.failures) {
                (Some(why), _) => writeln!(out, " ({why})")?,
                (_, 0) => writeln!(out)?,
                (_, failures) => writeln!(out, ": {failures} times not")?,
            }
            for finding in &state.findings {
                writeln!(out, "         - {finding}")?;
            }
            let more = state.failures - state.findings.len() as u64;
            if more > 0 {
                writeln!(out, "         - and {more} more")?;
            }
        }
        Ok(())
    }

    pub fn json(&self) -> Json {
        let check = |(check, state): (&Check, &State)| {
            json!({
                "name": check.name(),
                "meaning": check.meaning(),
                "result": Self::word(state).to_lowercase(),
                "lookedAt": state.looked_at,
                "failures": state.failures,
                "findings": state.findings,
                "skipped": state.skipped,
            })
        };
        Check::ALL.iter().zip(&self.states).map(check).collect()
    }
}
