//! Monotonic and wall-clock time.

use std::cell::Cell;
use std::ops::{Add, AddAssign, Sub};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::context;

/// A point in monotonic time: nanoseconds since an arbitrary start. Only meaningful within one
/// process (or one simulated world).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The present.
    pub fn now() -> Instant {
        Instant(match context::try_current() {
            Some(shard) => shard.clock.now_nanos(),
            None => real_nanos(),
        })
    }

    /// Nanoseconds since the arbitrary start.
    pub fn as_nanos(self) -> u64 {
        self.0
    }

    pub(crate) fn from_nanos(nanos: u64) -> Instant {
        Instant(nanos)
    }

    /// Time passed since this instant; zero if it lies in the future.
    pub fn elapsed(self) -> Duration {
        Instant::now() - self
    }

    /// This instant later by `duration`, or the end of time.
    pub fn saturating_add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(nanos(duration)))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, duration: Duration) -> Instant {
        self.saturating_add(duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    /// The time between; zero if `earlier` is the later one.
    fn sub(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_sub(nanos(duration)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds since 1970-01-01 UTC.
pub fn unix_nanos() -> u64 {
    match context::try_current() {
        Some(shard) => shard.clock.unix_nanos(),
        None => real_unix_nanos(),
    }
}

/// Where a shard's time comes from.
#[derive(Clone)]
pub(crate) enum Clock {
    Real,
    /// Nanoseconds since the simulated world began, advanced by its scheduler.
    Sim(Rc<Cell<u64>>),
}

/// Wall-clock time at the start of every simulated world: 2026-01-01T00:00:00Z.
const SIM_EPOCH_NANOS: u64 = 1_767_225_600_000_000_000;

impl Clock {
    pub(crate) fn now_nanos(&self) -> u64 {
        match self {
            Clock::Real => real_nanos(),
            Clock::Sim(now) => now.get(),
        }
    }

    fn unix_nanos(&self) -> u64 {
        match self {
            Clock::Real => real_unix_nanos(),
            Clock::Sim(now) => SIM_EPOCH_NANOS + now.get(),
        }
    }
}

fn real_nanos() -> u64 {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    nanos(START.get_or_init(std::time::Instant::now).elapsed())
}

fn real_unix_nanos() -> u64 {
    // A clock before 1970 is treated as 1970.
    nanos(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}
