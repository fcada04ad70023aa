//! What a series holds while spans are counted: values by interval.

use crate::limits::MAX_POINTS;

/// Values by interval that may still be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room(pub(crate) usize);

impl Default for Room {
    fn default() -> Self {
        Self(MAX_POINTS)
    }
}

impl Room {
    fn take(&mut self, points: usize) -> bool {
        let left = self.0.checked_sub(points);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// The value of one interval.
pub(crate) trait Slot: Copy {
    /// Of an interval without spans.
    const EMPTY: Self;
    fn merge(&mut self, other: Self);
    /// For spans that stand for others that were not read.
    fn multiply(&mut self, factor: f64);
}

/// Spans, weighted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Count(pub(crate) f64);

/// NaN: none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Least(pub(crate) f64);

/// NaN: none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Greatest(pub(crate) f64);

/// Sum of weighted values with the error of that sum (Neumaier), and the sum of weights; absent while that is 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Total {
    sum: f64,
    error: f64,
    weight: f64,
}

impl Slot for Count {
    const EMPTY: Self = Self(0.0);

    #[inline]
    fn merge(&mut self, other: Self) {
        self.0 += other.0;
    }

    fn multiply(&mut self, factor: f64) {
        self.0 *= factor;
    }
}

impl Slot for Least {
    const EMPTY: Self = Self(f64::NAN);

    #[inline]
    fn merge(&mut self, other: Self) {
        self.0 = self.0.min(other.0);
    }

    fn multiply(&mut self, _: f64) {}
}

impl Slot for Greatest {
    const EMPTY: Self = Self(f64::NAN);

    #[inline]
    fn merge(&mut self, other: Self) {
        self.0 = self.0.max(other.0);
    }

    fn multiply(&mut self, _: f64) {}
}

impl Slot for Total {
    const EMPTY: Self = Self {
        sum: 0.0,
        error: 0.0,
        weight: 0.0,
    };

    #[inline]
    fn merge(&mut self, other: Self) {
        self.add(other.sum);
        self.error += other.error;
        self.weight += other.weight;
    }

    fn multiply(&mut self, factor: f64) {
        self.sum *= factor;
        self.error *= factor;
        self.weight *= factor;
    }
}

impl Total {
    #[inline]
    pub(crate) fn of(value: f64, weight: f64) -> Self {
        Self {
            sum: value * weight,
            error: 0.0,
            weight,
        }
    }

    #[inline]
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let error = if self.sum.abs() >= value.abs() {
            self.sum - sum + value
        } else {
            value - sum + self.sum
        };
        // Infinite sums have no error to speak of; NaN would make them absent.
        if error.is_finite() {
            self.error += error;
        }
        self.sum = sum;
    }

    /// NaN: absent.
    pub(crate) fn sum(self) -> f64 {
        if self.weight == 0.0 {
            f64::NAN
        } else {
            self.sum + self.error
        }
    }

    /// NaN: absent.
    pub(crate) fn mean(self) -> f64 {
        self.sum() / self.weight
    }
}

/// Values by interval, from the first that has one to the last: a job sees but a part of a long range.
#[derive(Clone, Debug)]
pub(crate) struct Window<T> {
    first: u32,
    slots: Vec<T>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            first: 0,
            slots: Vec::new(),
        }
    }
}

impl<T: Slot> Window<T> {
    pub(crate) fn get(&self, interval: u32) -> T {
        let index = interval.checked_sub(self.first);
        let slot = index.and_then(|index| self.slots.get(index as usize));
        slot.copied().unwrap_or(T::EMPTY)
    }

    /// With the numbers of the intervals.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, T)> {
        (self.first..).zip(self.slots.iter().copied())
    }

    /// False: there is no room for it.
    #[inline]
    pub(crate) fn add(&mut self, interval: u32, value: T, room: &mut Room) -> bool {
        let index = interval.wrapping_sub(self.first) as usize;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.merge(value);
            return true;
        }
        self.grow_and_add(interval, value, room)
    }

    #[cold]
    fn grow_and_add(&mut self, interval: u32, value: T, room: &mut Room) -> bool {
        if !self.cover(interval, room) {
            return false;
        }
        let index = interval.wrapping_sub(self.first) as usize;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.merge(value);
        }
        true
    }

    /// Makes a slot for an interval that has none.
    fn cover(&mut self, interval: u32, room: &mut Room) -> bool {
        let len = self.slots.len();
        if len == 0 {
            self.first = interval;
        }
        if interval < self.first {
            // As far again as there are slots, so that a walk backwards does not move them every time.
            let first = interval.min(self.first.saturating_sub(len as u32));
            let more = (self.first - first) as usize;
            if !room.take(more) {
                return false;
            }
            self.slots.splice(0..0, std::iter::repeat_n(T::EMPTY, more));
            self.first = first;
            return true;
        }
        let wanted = (interval - self.first) as usize + 1;
        if wanted > len {
            if !room.take(wanted - len) {
                return false;
            }
            self.slots.resize(wanted, T::EMPTY);
        }
        true
    }

    /// False: some of it had no room.
    pub(crate) fn merge(&mut self, other: &Self, room: &mut Room) -> bool {
        let mut fits = true;
        for (interval, value) in other.iter() {
            fits &= self.add(interval, value, room);
        }
        fits
    }

    pub(crate) fn multiply(&mut self, factor: f64) {
        for slot in &mut self.slots {
            slot.multiply(factor);
        }
    }

    /// How much room it takes.
    pub(crate) fn points(&self) -> usize {
        self.slots.len()
    }
}

/// Counts by bucket; a bucket is the exponent of its upper bound, 1 to 63 (traceql.md §7.5).
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    /// Ascending exponents.
    windows: Vec<(u8, Window<Count>)>,
}

impl Buckets {
    #[inline]
    fn window(&mut self, exponent: u8) -> &mut Window<Count> {
        let place = self
            .windows
            .iter()
            .position(|(known, _)| *known >= exponent)
            .unwrap_or(self.windows.len());
        let is_known = self
            .windows
            .get(place)
            .is_some_and(|(known, _)| *known == exponent);
        if !is_known {
            self.windows.insert(place, (exponent, Window::default()));
        }
        &mut self.windows[place].1
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, &Window<Count>)> {
        self.windows
            .iter()
            .map(|(exponent, window)| (*exponent, window))
    }
}

/// The values of one series, by the function of its query.
#[derive(Clone, Debug)]
pub(crate) enum Points {
    Count(Window<Count>),
    Least(Window<Least>),
    Greatest(Window<Greatest>),
    Total(Window<Total>),
    Buckets(Buckets),
}

/// What was read of a span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reading {
    /// It counts, and has no value.
    Span,
    Number(f64),
    Bucket(u8),
}

impl Points {
    /// False: there is no room for it.
    #[inline]
    pub(crate) fn add(
        &mut self,
        interval: u32,
        reading: Reading,
        weight: f64,
        room: &mut Room,
    ) -> bool {
        match (self, reading) {
            (Self::Count(window), _) => window.add(interval, Count(weight), room),
            (Self::Least(window), Reading::Number(value)) => {
                window.add(interval, Least(value), room)
            }
            (Self::Greatest(window), Reading::Number(value)) => {
                window.add(interval, Greatest(value), room)
            }
            (Self::Total(window), Reading::Number(value)) => {
                window.add(interval, Total::of(value, weight), room)
            }
            (Self::Buckets(buckets), Reading::Bucket(exponent)) => {
                let window = buckets.window(exponent);
                window.add(interval, Count(weight), room)
            }
            // A leaf reads what its function takes.
            (Self::Least(_) | Self::Greatest(_) | Self::Total(_) | Self::Buckets(_), _) => true,
        }
    }

    /// False: some of it had no room. Points of another function are ignored.
    pub(crate) fn merge(&mut self, other: &Self, room: &mut Room) -> bool {
        match (self, other) {
            (Self::Count(one), Self::Count(other)) => one.merge(other, room),
            (Self::Least(one), Self::Least(other)) => one.merge(other, room),
            (Self::Greatest(one), Self::Greatest(other)) => one.merge(other, room),
            (Self::Total(one), Self::Total(other)) => one.merge(other, room),
            (Self::Buckets(one), Self::Buckets(other)) => {
                let mut fits = true;
                for (exponent, window) in other.iter() {
                    fits &= one.window(exponent).merge(window, room);
                }
                fits
            }
            _ => true,
        }
    }

    pub(crate) fn multiply(&mut self, factor: f64) {
        match self {
            Self::Count(window) => window.multiply(factor),
            Self::Least(window) => window.multiply(factor),
            Self::Greatest(window) => window.multiply(factor),
            Self::Total(window) => window.multiply(factor),
            Self::Buckets(buckets) => {
                for (_, window) in &mut buckets.windows {
                    window.multiply(factor);
                }
            }
        }
    }

    pub(crate) fn points(&self) -> usize {
        match self {
            Self::Count(window) => window.points(),
            Self::Least(window) => window.points(),
            Self::Greatest(window) => window.points(),
            Self::Total(window) => window.points(),
            Self::Buckets(buckets) => buckets.iter().map(|(_, window)| window.points()).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_grow_both_ways() {
        let mut room = Room(100);
        let mut window = Window::default();
        for interval in [10, 12, 9, 3, 12, 30] {
            assert!(window.add(interval, Count(1.0), &mut room));
        }
        let found: Vec<_> = (0..40).filter(|&at| window.get(at) != Count(0.0)).collect();
        assert_eq!(found, [3, 9, 10, 12, 30]);
        assert_eq!(window.get(12), Count(2.0));
        assert_eq!(window.points(), 100 - room.0);
    }

    #[test]
    fn windows_stop_at_the_room() {
        let mut room = Room(5);
        let mut window = Window::default();
        assert!(window.add(3, Count(1.0), &mut room));
        assert!(!window.add(100, Count(1.0), &mut room));
        assert!(window.add(7, Count(1.0), &mut room));
        assert!(!window.add(8, Count(1.0), &mut room));
        assert!(window.add(5, Count(1.0), &mut room));
        assert_eq!(window.points(), 5);
    }

    #[test]
    fn sums_keep_small_parts() {
        let mut total = Total::EMPTY;
        for value in [1e16, 1.0, 1.0, -1e16] {
            total.merge(Total::of(value, 1.0));
        }
        assert_eq!(total.sum(), 2.0);
        assert_eq!(total.mean(), 0.5);
        assert!(Total::EMPTY.sum().is_nan());
        assert!(Total::EMPTY.mean().is_nan());
        let mut infinite = Total::of(f64::INFINITY, 1.0);
        infinite.merge(Total::of(1.0, 1.0));
        assert_eq!(infinite.sum(), f64::INFINITY);
    }

    #[test]
    fn extremes_skip_what_is_absent() {
        let mut least = Least::EMPTY;
        least.merge(Least(3.0));
        least.merge(Least::EMPTY);
        least.merge(Least(-1.0));
        least.multiply(10.0);
        assert_eq!(least.0, -1.0);
        let mut greatest = Greatest::EMPTY;
        greatest.merge(Greatest(3.0));
        greatest.merge(Greatest(-1.0));
        assert_eq!(greatest.0, 3.0);
    }
}
