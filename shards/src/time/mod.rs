//! Clocks and timers. In the simulator both follow the seeded clock.

mod clock;
mod interval;
mod sleep;
#[cfg(test)]
mod tests;
mod timers;

pub(crate) use clock::Clock;
pub use clock::{Instant, unix_nanos};
pub use interval::{Interval, interval};
pub use sleep::{Elapsed, Sleep, sleep, sleep_until, timeout};
pub(crate) use timers::Timers;
