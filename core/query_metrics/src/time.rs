//! Requests and intervals: arithmetic only (traceql.md §7.1, §7.2). All times are unix nanoseconds.

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// Points that an answer without a `step` has, about.
const DEFAULT_POINTS: u64 = 240;
/// Steps of ranges below a minute.
const FINE_STEP: u64 = 50_000_000;
/// What other default steps are multiples of, the coarsest first.
const GRAINS: [u64; 6] = [HOUR, 5 * MINUTE, MINUTE, 15 * SECOND, 5 * SECOND, SECOND];

/// The step of a range query without one, for a range of that many nanoseconds.
pub fn default_step(range: u64) -> u64 {
    let step = range / DEFAULT_POINTS;
    if range < MINUTE {
        return (step - step % FINE_STEP).max(FINE_STEP);
    }
    let grain = GRAINS.into_iter().find(|&grain| grain < step);
    let grain = grain.unwrap_or(SECOND);
    (step - step % grain).max(SECOND)
}

/// Start and end on multiples of the step: one step before the last multiple that is not behind `start`, and the first that is not
/// before `end`. A step of 0 changes nothing.
pub fn align_range(start: u64, end: u64, step: u64) -> (u64, u64) {
    if step == 0 {
        return (start, end);
    }
    let floored = start - start % step;
    let aligned = if floored > step {
        floored - step
    } else {
        floored
    };
    let end = end.checked_next_multiple_of(step).unwrap_or(end);
    (aligned, end)
}

/// The end of a range query that may not look at spans behind `newest`; on a multiple of the step if it had to be cut.
pub fn cut_range_end(end: u64, step: u64, newest: u64) -> u64 {
    if end <= newest {
        end
    } else {
        newest - newest.checked_rem(step).unwrap_or(0)
    }
}

/// The end of an instant query that may not look at spans behind `newest`: moved back by whole seconds.
pub fn cut_instant_end(end: u64, newest: u64) -> u64 {
    let back = end.saturating_sub(newest).div_ceil(SECOND);
    end.saturating_sub(back.saturating_mul(SECOND))
}

/// How many intervals (start, end] has; 0 if it is empty or the step is 0.
pub fn count_intervals(start: u64, end: u64, step: u64) -> u64 {
    match step {
        0 => 0,
        _ => end.saturating_sub(start).div_ceil(step),
    }
}

/// Tells the interval of a time. Neighbours are mostly in the same one, which needs no division.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: u64,
    end: u64,
    step: u64,
    intervals: u32,
    /// The last answer: (low, high] has number `last`.
    low: u64,
    high: u64,
    last: u32,
}

impl Clock {
    pub(crate) fn new(start: u64, end: u64, step: u64, intervals: u32) -> Self {
        Self {
            start,
            end,
            step: step.max(1),
            intervals,
            low: 0,
            high: 0,
            last: 0,
        }
    }

    /// None: outside of (start, end].
    #[inline]
    pub(crate) fn interval(&mut self, at: u64) -> Option<u32> {
        if at > self.low && at <= self.high {
            return Some(self.last);
        }
        if at <= self.start || at > self.end {
            return None;
        }
        let number = (at - self.start - 1) / self.step;
        self.last = (number as u32).min(self.intervals.saturating_sub(1));
        self.low = self.start + number * self.step;
        self.high = self.low.saturating_add(self.step).min(self.end);
        Some(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_steps() {
        let cases = [
            (HOUR, 15 * SECOND),
            (12 * HOUR, 3 * MINUTE),
            (24 * HOUR, 5 * MINUTE),
            (10 * MINUTE, 2 * SECOND),
            (MINUTE, SECOND),
            (59 * SECOND, 200_000_000),
            (30 * SECOND, 100_000_000),
            (10 * SECOND, FINE_STEP),
            (1, FINE_STEP),
            (0, FINE_STEP),
            // 240 steps of exactly a grain take the next finer one, which divides it.
            (4 * HOUR, MINUTE),
            (3 * HOUR, 45 * SECOND),
            (7 * 24 * HOUR, 40 * MINUTE),
            (30 * 24 * HOUR, 3 * HOUR),
        ];
        for (range, step) in cases {
            assert_eq!(default_step(range), step, "of {range} ns");
        }
    }

    #[test]
    fn the_example_of_the_specification() {
        let base = 1_700_000_010 * SECOND;
        let step = 30 * SECOND;
        assert_eq!(base % step, 0);
        let (start, end) = align_range(base + 5 * SECOND, base + 65 * SECOND, step);
        assert_eq!((start, end), (base - step, base + 3 * step));
        let stamps: Vec<_> = (0..count_intervals(start, end, step))
            .map(|number| start + (number + 1) * step - base)
            .collect();
        assert_eq!(stamps, [0, step, 2 * step, 3 * step]);
    }

    #[test]
    fn aligned_bounds_stay_and_early_starts_are_not_moved_below_zero() {
        assert_eq!(align_range(600, 900, 100), (500, 900));
        assert_eq!(align_range(150, 901, 100), (100, 1000));
        assert_eq!(align_range(50, 60, 100), (0, 100));
        assert_eq!(align_range(250, 251, 100), (100, 300));
        assert_eq!(align_range(5, 6, 0), (5, 6));
        assert_eq!(align_range(5, u64::MAX, 10), (0, u64::MAX));
        assert_eq!(count_intervals(5, 6, 0), 0);
        assert_eq!(count_intervals(6, 5, 1), 0);
    }

    #[test]
    fn ends_are_cut() {
        assert_eq!(cut_range_end(900, 100, 1000), 900);
        assert_eq!(cut_range_end(1200, 100, 1150), 1100);
        assert_eq!(cut_range_end(1200, 0, 1150), 1150);
        assert_eq!(cut_instant_end(10 * SECOND, 10 * SECOND), 10 * SECOND);
        assert_eq!(cut_instant_end(10 * SECOND, 10 * SECOND - 1), 9 * SECOND);
        assert_eq!(
            cut_instant_end(100 * SECOND + 7, 70 * SECOND + 7),
            70 * SECOND + 7
        );
        assert_eq!(cut_instant_end(3, 0), 0);
    }

    #[test]
    fn a_boundary_belongs_to_the_interval_that_ends_there() {
        let mut clock = Clock::new(100, 400, 100, 3);
        let asked = [100, 101, 200, 201, 300, 150, 400, 401, 0, u64::MAX, 399];
        let found: Vec<_> = asked.into_iter().map(|at| clock.interval(at)).collect();
        let want = [
            None,
            Some(0),
            Some(0),
            Some(1),
            Some(1),
            Some(0),
            Some(2),
            None,
            None,
            None,
            Some(2),
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn a_last_interval_may_be_shorter() {
        let mut clock = Clock::new(0, 250, 100, 3);
        assert_eq!(clock.interval(250), Some(2));
        assert_eq!(clock.interval(251), None);
        assert_eq!(clock.interval(201), Some(2));
    }
}
