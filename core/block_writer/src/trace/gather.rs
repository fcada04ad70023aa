//! The spans of a trace, each once, sorted.

use super::merge::Fragment;
use super::source::Source;

/// A span where it lies, with what it is sorted by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) start: u64,
    /// Big-endian, so that the order is that of bytes.
    pub(crate) id: u64,
    pub(crate) kind: i32,
    pub(crate) batch: u32,
    pub(crate) row: u32,
}

/// The spans of the current trace; used again for every trace.
#[derive(Default)]
pub(crate) struct Gathered {
    /// By start, id and kind.
    pub(crate) spans: Vec<Placed>,
    /// Ids with places in `spans`, by both.
    pub(crate) by_id: Vec<(u64, u32)>,
    doubles: Vec<u32>,
}

impl Gathered {
    /// Collects a trace and returns how many spans were there already. Of spans with the same id and kind the one that
    /// started first stays; if that is the same, the one with the shorter duration, then that of the earlier batch.
    pub(crate) fn collect(&mut self, sources: &[Source<'_>], fragments: &[Fragment]) -> u64 {
        self.spans.clear();
        for Fragment { batch, rows } in fragments {
            let view = sources[*batch as usize].view;
            let (starts, ids, kinds) = (view.start_unix_nanos(), view.span_ids(), view.kinds());
            self.spans.extend(rows.clone().map(|row| Placed {
                start: starts.get(row),
                id: u64::from_be_bytes(ids.get(row)),
                kind: kinds.get(row),
                batch: *batch,
                row: row as u32,
            }));
        }
        let key = |span: &Placed| (span.start, span.id, span.kind);
        if !self.spans.is_sorted_by_key(key) {
            self.spans
                .sort_unstable_by_key(|span| (key(span), span.batch, span.row));
        }
        self.index();
        self.find_doubles(sources);
        let doubles = self.doubles.len() as u64;
        if doubles > 0 {
            self.remove_doubles();
            self.index();
        }
        doubles
    }

    fn index(&mut self) {
        self.by_id.clear();
        let ids = self.spans.iter().enumerate();
        self.by_id
            .extend(ids.map(|(place, span)| (span.id, place as u32)));
        if !self.by_id.is_sorted() {
            self.by_id.sort_unstable();
        }
    }

    fn find_doubles(&mut self, sources: &[Source<'_>]) {
        self.doubles.clear();
        for same in self.by_id.chunk_by(|a, b| a.0 == b.0) {
            if same.len() == 1 {
                continue;
            }
            let spans = &self.spans;
            let mut places: Vec<u32> = same.iter().map(|(_, place)| *place).collect();
            let duration = |place: u32| {
                let span = &spans[place as usize];
                let durations = sources[span.batch as usize].view.duration_nanos();
                durations.get(span.row as usize)
            };
            places.sort_by_key(|place| {
                let span = &spans[*place as usize];
                (span.kind, span.start, duration(*place), *place)
            });
            for of_kind in
                places.chunk_by(|a, b| spans[*a as usize].kind == spans[*b as usize].kind)
            {
                self.doubles.extend(&of_kind[1..]);
            }
        }
        self.doubles.sort_unstable();
    }

    fn remove_doubles(&mut self) {
        let mut doubles = self.doubles.iter().peekable();
        let mut place = 0;
        self.spans.retain(|_| {
            let double = doubles.next_if(|double| **double == place).is_some();
            place += 1;
            !double
        });
    }
}
