//! Spans shown as examples (traceql.md §7.8): a few, spread over time, chosen by hashes so that every run chooses the same.

use crate::limits::EXEMPLARS_PER_SLOT;
use crate::series::Labels;

/// A span that was chosen.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// Smaller ones win.
    pub(crate) rank: u64,
    /// Whose span it is, as a hash; of one trace one span is shown.
    pub(crate) trace: u64,
    pub(crate) unix_nano: u64,
    pub(crate) interval: u32,
    /// Number of the group in its partial results, or side of a `compare`.
    pub(crate) series: u32,
    /// Of histograms.
    pub(crate) bucket: u8,
    /// NaN: that of the sample.
    pub(crate) value: f64,
    pub(crate) labels: Labels,
}

/// The best spans of each time slot.
#[derive(Clone, Debug)]
pub(crate) struct Reservoir {
    /// Not included.
    start: u64,
    /// Slots a nanosecond.
    scale: f64,
    max: u32,
    /// By slot, best first.
    slots: Vec<Vec<Chosen>>,
}

impl Reservoir {
    /// For at most `max` exemplars of (start, end].
    pub(crate) fn new(start: u64, end: u64, max: u32) -> Self {
        let slots = match max {
            0 => 0,
            _ => (max / 2).max(1),
        };
        Self {
            start,
            scale: f64::from(slots) / end.saturating_sub(start).max(1) as f64,
            max,
            slots: vec![Vec::new(); slots as usize],
        }
    }

    #[inline]
    fn slot(&self, unix_nano: u64) -> usize {
        let into = unix_nano.saturating_sub(self.start).saturating_sub(1);
        // Not a division: every span that counts is asked for its slot.
        let slot = (into as f64 * self.scale) as usize;
        slot.min(self.slots.len().saturating_sub(1))
    }

    /// Whether a span with that rank would be kept.
    #[inline]
    pub(crate) fn wants(&self, unix_nano: u64, rank: u64) -> bool {
        let Some(slot) = self.slots.get(self.slot(unix_nano)) else {
            return false;
        };
        let worst = slot.last().filter(|_| slot.len() >= EXEMPLARS_PER_SLOT);
        worst.is_none_or(|worst| rank < worst.rank)
    }

    /// Keeps it if it is better than another one of its slot, and the best of its trace.
    pub(crate) fn offer(&mut self, chosen: Chosen) {
        if !self.wants(chosen.unix_nano, chosen.rank) {
            return;
        }
        for slot in &mut self.slots {
            let same = slot.iter().position(|other| other.trace == chosen.trace);
            match same {
                Some(place) if slot[place].rank > chosen.rank => {
                    slot.remove(place);
                }
                Some(_) => return,
                None => {}
            }
        }
        let number = self.slot(chosen.unix_nano);
        if let Some(slot) = self.slots.get_mut(number) {
            let place = slot.partition_point(|other| other.rank < chosen.rank);
            slot.insert(place, chosen);
            slot.truncate(EXEMPLARS_PER_SLOT);
        }
    }

    /// `series` gives the number that a series of `other` has here; None drops its exemplars.
    pub(crate) fn merge(&mut self, other: Self, series: impl Fn(u32) -> Option<u32>) {
        for mut chosen in other.slots.into_iter().flatten() {
            if let Some(number) = series(chosen.series) {
                chosen.series = number;
                self.offer(chosen);
            }
        }
    }

    /// By time, as many as are wanted.
    pub(crate) fn chosen(&self) -> Vec<&Chosen> {
        let mut all: Vec<_> = self.slots.iter().flatten().collect();
        all.sort_by_key(|chosen| chosen.rank);
        all.truncate(self.max as usize);
        all.sort_by_key(|chosen| chosen.unix_nano);
        all
    }
}

/// Spreads bits (the finalizer of SplitMix64).
#[inline]
pub(crate) fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A trace's id in 64 bits.
#[inline]
pub(crate) fn trace_hash(id: &[u8; 16]) -> u64 {
    let bits = u128::from_be_bytes(*id);
    mix((bits >> 64) as u64 ^ mix(bits as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(trace: u64, unix_nano: u64) -> Chosen {
        Chosen {
            rank: mix(trace ^ mix(unix_nano)),
            trace,
            unix_nano,
            interval: 0,
            series: 7,
            bucket: 0,
            value: f64::NAN,
            labels: Vec::new(),
        }
    }

    fn found(reservoir: &Reservoir) -> Vec<(u64, u64)> {
        let all = reservoir.chosen();
        all.iter()
            .map(|chosen| (chosen.trace, chosen.unix_nano))
            .collect()
    }

    #[test]
    fn spread_over_time_and_bounded() {
        let mut reservoir = Reservoir::new(0, 1000, 10);
        for at in 1..=1000 {
            reservoir.offer(chosen(at, at));
        }
        let all = found(&reservoir);
        assert_eq!(all.len(), 10);
        for slot in 0..5 {
            let inside = |at: &u64| (slot * 200 + 1..=slot * 200 + 200).contains(at);
            assert_eq!(all.iter().filter(|(_, at)| inside(at)).count(), 2);
        }
        assert!(all.is_sorted_by_key(|(_, at)| *at));
    }

    #[test]
    fn one_of_a_trace_and_none_if_off() {
        let mut reservoir = Reservoir::new(0, 1000, 100);
        for at in 1..=1000 {
            reservoir.offer(chosen(1, at));
        }
        assert_eq!(found(&reservoir).len(), 1);
        let mut off = Reservoir::new(0, 1000, 0);
        off.offer(chosen(1, 1));
        assert!(found(&off).is_empty());
        let mut one = Reservoir::new(0, 1000, 1);
        (1..=9).for_each(|at| one.offer(chosen(at, at)));
        assert_eq!(found(&one).len(), 1);
    }

    #[test]
    fn merging_in_any_order_chooses_the_same() {
        let part = |from: u64| {
            let mut part = Reservoir::new(0, 999, 20);
            (from..1000)
                .step_by(3)
                .for_each(|at| part.offer(chosen(at, at)));
            part
        };
        let mut forth = Reservoir::new(0, 999, 20);
        (1..=3).for_each(|from| forth.merge(part(from), |series| Some(series + 1)));
        let mut back = Reservoir::new(0, 999, 20);
        (1..=3)
            .rev()
            .for_each(|from| back.merge(part(from), |series| Some(series + 1)));
        assert_eq!(found(&forth), found(&back));
        assert!(forth.chosen().iter().all(|chosen| chosen.series == 8));
        forth.merge(part(1), |_| None);
        assert_eq!(found(&forth), found(&back));
    }
}
