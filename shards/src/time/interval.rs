//! Ticks at a fixed pace.

use std::time::Duration;

use super::clock::Instant;
use super::sleep::sleep_until;

/// Ticks every period, the first time at once. Ticks that were missed are skipped, not caught up:
/// a late ticker keeps its pace instead of bursting.
pub struct Interval {
    next: Instant,
    period: Duration,
}

/// An [`Interval`] whose first tick is now. A period of zero counts as one nanosecond.
pub fn interval(period: Duration) -> Interval {
    Interval {
        next: Instant::now(),
        period: period.max(Duration::from_nanos(1)),
    }
}

impl Interval {
    /// Waits for the next tick and returns when it was due. Dropping the future loses no tick.
    pub async fn tick(&mut self) -> Instant {
        sleep_until(self.next).await;
        let due = self.next;
        self.next = due + self.period;
        let now = Instant::now();
        if self.next <= now {
            let period = self.period.as_nanos().max(1);
            let missed = (now - self.next).as_nanos() / period + 1;
            // Both factors come from u64 nanoseconds, and their product lies within one period
            // of `now`.
            let skip = u64::try_from(missed * period).unwrap_or(u64::MAX);
            self.next += Duration::from_nanos(skip);
        }
        due
    }
}
