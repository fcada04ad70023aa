//! What some work allocates.

use std::hint::black_box;

use crate::counting::{ALLOCATIONS, PEAK, USED};

/// Allocations and reallocations of the current thread so far, for work that waits in between.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// What the current thread allocated during some work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Allocations and reallocations.
    pub allocations: u64,
    /// The most bytes in use, beyond those before.
    pub peak_bytes: usize,
}

/// Runs the work. What it returns is still allocated when this returns.
///
/// # Panics
/// If `Counting` is not the allocator of this program: nothing would be counted.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Measured) {
    let before = ALLOCATIONS.get();
    drop(black_box(Box::new(0_u8)));
    assert!(
        ALLOCATIONS.get() > before,
        "vivace_allocations::Counting must be the #[global_allocator]"
    );
    let (before, used) = (ALLOCATIONS.get(), USED.get());
    PEAK.set(used);
    let done = work();
    let measured = Measured {
        allocations: ALLOCATIONS.get() - before,
        peak_bytes: PEAK.get().saturating_sub(used),
    };
    (done, measured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Counting;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    #[test]
    fn allocations_and_bytes_are_counted() {
        let (kept, measured) = measure(|| {
            drop(black_box(vec![1_u8; 1000]));
            black_box(vec![1_u8; 300])
        });
        let wanted = Measured {
            allocations: 2,
            peak_bytes: 1000,
        };
        assert_eq!(measured, wanted);
        drop(kept);
        let (_, nothing) = measure(|| black_box(1) + 1);
        assert_eq!((nothing.allocations, nothing.peak_bytes), (0, 0));
        // Another thread's are its own; starting it allocates here.
        let (_, measured) = measure(|| {
            std::thread::scope(|scope| {
                scope.spawn(|| drop(black_box(vec![1_u8; 1 << 20])));
            });
        });
        assert!(measured.peak_bytes < 1 << 20, "{measured:?}");
    }
}
