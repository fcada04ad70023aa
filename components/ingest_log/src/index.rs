//! Where in a segment a record lies, roughly: one entry every so many bytes.

use crate::limits::SEALED_INDEX_STRIDE_BYTES;

/// Entries (offset, position), both relative to the segment, both increasing.
#[derive(Debug, Default)]
pub struct SparseIndex {
    entries: Vec<(u32, u32)>,
}

impl SparseIndex {
    /// Tells of a frame, to be kept if it lies `stride` bytes behind the last entry. `relative` is
    /// its offset less the segment's base. What lies before the last entry is ignored, so that a
    /// segment may be told twice.
    pub fn note(&mut self, relative: u64, position: u64, stride: u64) {
        let (Ok(relative), Ok(position)) = (u32::try_from(relative), u32::try_from(position))
        else {
            return;
        };
        let due = match self.entries.last() {
            None => u64::from(position) >= stride,
            Some((last, at)) => {
                relative > *last && position > *at && u64::from(position - at) >= stride
            }
        };
        if due {
            self.entries.push((relative, position));
        }
    }

    /// Where to start looking for a record: at its frame, or at one before it.
    pub fn start_for(&self, relative: u64) -> u64 {
        let after = self
            .entries
            .partition_point(|(entry, _)| u64::from(*entry) <= relative);
        after
            .checked_sub(1)
            .map_or(0, |at| u64::from(self.entries[at].1))
    }

    /// Forgets what lies at `position` or later.
    pub fn cut(&mut self, position: u64) {
        self.entries.retain(|(_, at)| u64::from(*at) < position);
    }

    /// Keeps what a sealed segment is granted.
    pub fn thin(&mut self) {
        let mut next = 0;
        self.entries.retain(|(_, at)| {
            let keep = u64::from(*at) >= next;
            if keep {
                next = u64::from(*at) + SEALED_INDEX_STRIDE_BYTES;
            }
            keep
        });
        self.entries.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::INDEX_STRIDE_BYTES;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_a_place_at_or_before(sizes in proptest::collection::vec(1u64..300_000, 1..200), thin: bool, cut: Option<u8>) {
            let mut index = SparseIndex::default();
            let mut frames = Vec::new();
            let mut position = 0;
            for (offset, size) in sizes.iter().enumerate() {
                index.note(offset as u64, position, INDEX_STRIDE_BYTES);
                frames.push((offset as u64, position));
                position += size;
            }
            let mut slack = INDEX_STRIDE_BYTES;
            if let Some(cut) = cut {
                frames.truncate(usize::from(cut).max(1));
                index.cut(frames.last().map_or(0, |(_, at)| at + 1));
            }
            if thin {
                index.thin();
                slack += SEALED_INDEX_STRIDE_BYTES;
            }
            for (offset, position) in &frames {
                let start = index.start_for(*offset);
                prop_assert!(start <= *position && frames.iter().any(|(_, at)| *at == start));
                prop_assert!(position - start < slack + 300_000);
            }
        }
    }
}
