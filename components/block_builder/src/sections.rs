//! Where a partition's log is cut. A section is a range of offsets; all of its records go into blocks together.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Config;

/// Why a section was cut; label values of `tempo_live_store_blocks_cut_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Age,
    Size,
    /// Memory was short, or an earlier process had begun it.
    Immediate,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Age => "max_block_duration",
            Self::Size => "max_block_bytes",
            Self::Immediate => "immediate",
        }
    }
}

/// Offsets from `from` up to, not including, `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    pub from: u64,
    pub to: u64,
    /// Bytes of its records; 0 where an earlier process cut it.
    pub bytes: u64,
    pub reason: Reason,
    /// Its end is durable already: an earlier process may have made some of its blocks.
    pub planned: bool,
}

/// The section that grows. Times are nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Open {
    next: u64,
    bytes: u64,
    first_at: u64,
    last_at: u64,
}

/// The sections of one partition that are not in blocks. Each begins where the one before it ends.
#[derive(Debug)]
pub(crate) struct Sections {
    /// Where the open section begins.
    start: u64,
    open: Option<Open>,
    closed: VecDeque<Section>,
}

impl Sections {
    /// `committed`: everything below is in blocks. `planned`: where an earlier process has cut next, if beyond.
    pub fn new(committed: u64, planned: u64) -> Self {
        let mut closed = VecDeque::new();
        if planned > committed {
            closed.push_back(Section {
                from: committed,
                to: planned,
                bytes: 0,
                reason: Reason::Immediate,
                planned: true,
            });
        }
        Self {
            start: planned.max(committed),
            open: None,
            closed,
        }
    }

    /// A record is durable. Returns whether a section was cut.
    pub fn observe(&mut self, offset: u64, bytes: u64, now: u64, most_bytes: u64) -> bool {
        if offset < self.start {
            return false;
        }
        let mut cut = false;
        if self
            .open
            .is_some_and(|open| open.bytes + bytes > most_bytes)
        {
            self.close(Reason::Size);
            cut = true;
        }
        let open = self.open.get_or_insert(Open {
            next: offset,
            bytes: 0,
            first_at: now,
            last_at: now,
        });
        open.next = offset + 1;
        open.bytes += bytes;
        open.last_at = now;
        cut
    }

    /// Cuts the open section if its age says so.
    pub fn cut_by_age(&mut self, now: u64, config: &Config) {
        let Some(open) = &self.open else { return };
        let since = |then: u64| Duration::from_nanos(now.saturating_sub(then));
        let age = since(open.first_at);
        let idle = since(open.last_at) >= config.max_trace_idle;
        let old = age >= config.max_block_duration;
        if (old && idle) || age >= config.max_block_duration + config.max_trace_live {
            self.close(Reason::Age);
        }
    }

    /// Cuts the open section whatever its age is.
    pub fn cut_now(&mut self) {
        self.close(Reason::Immediate);
    }

    fn close(&mut self, reason: Reason) {
        if let Some(open) = self.open.take() {
            self.closed.push_back(Section {
                from: self.start,
                to: open.next,
                bytes: open.bytes,
                reason,
                planned: false,
            });
            self.start = open.next;
        }
    }

    /// The oldest section that was cut.
    pub fn oldest(&self) -> Option<Section> {
        self.closed.front().copied()
    }

    /// The oldest section is in blocks.
    pub fn done(&mut self) {
        self.closed.pop_front();
    }

    /// Sections that were cut, and bytes of all records.
    pub fn backlog(&self) -> (usize, u64) {
        let closed: u64 = self.closed.iter().map(|section| section.bytes).sum();
        (
            self.closed.len(),
            closed + self.open.map_or(0, |open| open.bytes),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config() -> Config {
        Config {
            folder: "/blocks".into(),
            check_period: Duration::from_secs(5),
            max_trace_idle: Duration::from_secs(5),
            max_trace_live: Duration::from_secs(30),
            max_block_duration: Duration::from_secs(30),
            max_block_bytes: 1000,
            upload_timeout: Duration::from_secs(300),
        }
    }

    fn at(seconds: u64) -> u64 {
        seconds * 1_000_000_000
    }

    #[test]
    fn an_idle_section_is_cut_at_its_age_and_a_busy_one_later() {
        let config = config();
        let mut idle = Sections::new(0, 0);
        idle.observe(0, 10, at(0), 1000);
        for (second, expected) in [(29, None), (30, Some(0..1))] {
            idle.cut_by_age(at(second), &config);
            assert_eq!(idle.oldest().map(|s| s.from..s.to), expected, "{second} s");
        }
        let mut busy = Sections::new(0, 0);
        for second in 0..60 {
            busy.observe(second, 10, at(second), 1000);
            busy.cut_by_age(at(second), &config);
            assert_eq!(busy.oldest(), None, "{second} s");
        }
        busy.cut_by_age(at(60), &config);
        assert_eq!(
            busy.oldest().map(|s| (s.to, s.reason)),
            Some((60, Reason::Age))
        );
    }

    #[test]
    fn what_an_earlier_process_planned_comes_first_and_alike() {
        let mut sections = Sections::new(100, 150);
        sections.observe(149, 10, at(0), 1000);
        assert_eq!(sections.backlog(), (1, 0));
        sections.observe(150, 10, at(0), 1000);
        sections.cut_now();
        let first = sections.oldest().unwrap();
        assert_eq!((first.from, first.to, first.planned), (100, 150, true));
        sections.done();
        let second = sections.oldest().unwrap();
        assert_eq!((second.from, second.to, second.planned), (150, 151, false));
    }

    proptest! {
        /// Sections cover every offset once, in order, and are no larger than allowed unless one record is.
        #[test]
        fn sections_cover_everything(
            records in proptest::collection::vec((0u64..4, 1u64..400, 0u64..20), 1..200),
            most in 50u64..1000,
        ) {
            let config = Config { max_block_bytes: most, ..config() };
            let mut sections = Sections::new(7, 7);
            let (mut offset, mut second) = (7, 0);
            let mut sizes = std::collections::BTreeMap::new();
            for (gap, bytes, wait) in records {
                offset += gap;
                second += wait;
                sections.cut_by_age(at(second), &config);
                sections.observe(offset, bytes, at(second), most);
                sizes.insert(offset, bytes);
                offset += 1;
            }
            sections.cut_now();
            let mut next = 7;
            while let Some(section) = sections.oldest() {
                prop_assert_eq!(section.from, next);
                prop_assert!(section.to > section.from);
                let inside: Vec<u64> = sizes.range(section.from..section.to).map(|(_, b)| *b).collect();
                let total: u64 = inside.iter().sum();
                prop_assert_eq!(total, section.bytes);
                prop_assert!(total <= most || inside.len() == 1);
                next = section.to;
                sections.done();
            }
            prop_assert_eq!(next, offset);
        }
    }
}
