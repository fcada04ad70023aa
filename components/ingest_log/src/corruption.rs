//! What was found damaged, for logs, metrics and `/status`.

use std::path::PathBuf;

use crate::limits::MAX_CORRUPT_RANGES;
use crate::survey::Hole;

/// A stretch of a segment that is no sound record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorruptRange {
    pub partition: u32,
    pub file: PathBuf,
    /// First damaged byte, and the first byte behind the damage.
    pub from_byte: u64,
    pub to_byte: u64,
    /// First lost offset, and the first one behind the loss.
    pub from_offset: u64,
    pub to_offset: u64,
}

/// What is known of damage. Ranges are found by recovery, by reads and by the scrubber.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorruptionReport {
    /// At most [`MAX_CORRUPT_RANGES`] for each partition.
    pub ranges: Vec<CorruptRange>,
    /// Found, but more than the list holds.
    pub unlisted: u64,
}

impl CorruptionReport {
    /// Records lost in the listed ranges.
    pub fn lost_records(&self) -> u64 {
        let lost = |range: &CorruptRange| range.to_offset - range.from_offset;
        self.ranges.iter().map(lost).sum()
    }

    /// Returns whether this is news. The same hole is met by every reader that passes it.
    pub(crate) fn note(&mut self, partition: u32, file: PathBuf, hole: Hole) -> bool {
        let known = |range: &CorruptRange| range.from_byte == hole.from && range.file == file;
        if self.ranges.iter().any(known) {
            return false;
        }
        if self.ranges.len() >= MAX_CORRUPT_RANGES {
            self.unlisted += 1;
            return true;
        }
        tracing::error!(
            partition,
            file = %file.display(),
            from_byte = hole.from,
            to_byte = hole.to,
            from_offset = hole.first_offset,
            to_offset = hole.next_offset,
            "ingest log: damaged range skipped; the records in it are lost"
        );
        self.ranges.push(CorruptRange {
            partition,
            file,
            from_byte: hole.from,
            to_byte: hole.to,
            from_offset: hole.first_offset,
            to_offset: hole.next_offset,
        });
        true
    }

    pub(crate) fn merge(&mut self, other: &CorruptionReport) {
        self.ranges.extend_from_slice(&other.ranges);
        self.unlisted += other.unlisted;
    }
}
