//! One tenant's ingestion rate: a token bucket that several shards may take from without a lock.
//!
//! The bucket is kept in its virtual-scheduling form: instead of a token count it remembers the moment at which all that was
//! taken so far is paid off. Taking `n` bytes moves that moment `n / rate` into the future, and is refused when the moment would
//! lie more than `burst / rate` ahead. That is the same as a bucket of `burst` tokens refilled at `rate`, in one atomic word.

use std::sync::atomic::{AtomicU64, Ordering};

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// A tenant's limit at the moment of the call; it may change between calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Bytes that flow back into the bucket each second. 0 refuses everything.
    pub bytes_per_second: u64,
    /// The size of the bucket in bytes. A request larger than it never passes.
    pub burst_bytes: u64,
}

impl RateLimit {
    fn nanos_for(&self, bytes: u64) -> u64 {
        let nanos = u128::from(bytes) * NANOS_PER_SECOND / u128::from(self.bytes_per_second.max(1));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

/// Which of the two refusals it is: they advise differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBecause {
    /// The request alone is larger than the bucket: it cannot pass, however long the client waits.
    LargerThanBurst,
    /// The request fits the bucket, but not now.
    RateExceeded,
}

/// A refusal, with everything that its message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub because: RefusedBecause,
    pub limit: RateLimit,
    /// Bytes that the request wanted.
    pub bytes: u64,
    /// How long until the bucket has room again; 0 when waiting does not help.
    pub wait_nanos: u64,
}

impl Refused {
    /// The text clients get, write-path.md §2.3 and http-api.md §14.1. `global: 0` is the local rate strategy.
    pub fn message(&self, tenant: &str) -> String {
        let RateLimit {
            bytes_per_second: rate,
            burst_bytes: burst,
        } = self.limit;
        let bytes = self.bytes;
        let limits = format!("(local: {rate} bytes/s, global: 0 bytes/s, burst: {burst} bytes)");
        match self.because {
            RefusedBecause::LargerThanBurst => format!(
                "RATE_LIMITED: batch size ({bytes} bytes) exceeds ingestion limit {limits} while adding {bytes} bytes for user {tenant}. \
                 consider reducing batch size or increasing rate limit."
            ),
            RefusedBecause::RateExceeded => format!(
                "RATE_LIMITED: ingestion rate limit {limits} exceeded while adding {bytes} bytes for user {tenant}. \
                 consider increasing the limit or reducing ingestion rate."
            ),
        }
    }
}

/// The bucket of one tenant. Starts full.
#[derive(Debug, Default)]
pub struct Bucket {
    /// Nanoseconds on the caller's monotonic clock at which the debt is paid off.
    paid_off_at: AtomicU64,
}

impl Bucket {
    pub const fn new() -> Self {
        Self {
            paid_off_at: AtomicU64::new(0),
        }
    }

    /// Takes `bytes` at `now` (nanoseconds, monotonic, one clock for all callers), all or nothing. Taking 0 bytes always passes.
    pub fn take(&self, now: u64, bytes: u64, limit: RateLimit) -> Result<(), Refused> {
        if bytes == 0 {
            return Ok(());
        }
        let refuse = |because, wait_nanos| Refused {
            because,
            limit,
            bytes,
            wait_nanos,
        };
        if bytes > limit.burst_bytes {
            return Err(refuse(RefusedBecause::LargerThanBurst, 0));
        }
        if limit.bytes_per_second == 0 {
            return Err(refuse(RefusedBecause::RateExceeded, 0));
        }
        let cost = limit.nanos_for(bytes);
        let depth = limit.nanos_for(limit.burst_bytes);
        let horizon = now.saturating_add(depth);
        // Relaxed is enough: the word guards nothing but itself.
        let mut seen = self.paid_off_at.load(Ordering::Relaxed);
        loop {
            let after = seen.max(now).saturating_add(cost);
            if after > horizon {
                return Err(refuse(RefusedBecause::RateExceeded, after - horizon));
            }
            match self.paid_off_at.compare_exchange_weak(
                seen,
                after,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }

    /// Whether the bucket is full again, so that forgetting it changes no later answer.
    pub fn is_full(&self, now: u64) -> bool {
        self.paid_off_at.load(Ordering::Relaxed) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_two_texts() {
        let limit = RateLimit {
            bytes_per_second: 100,
            burst_bytes: 100,
        };
        let bucket = Bucket::new();
        let refused = bucket.take(0, 625, limit).unwrap_err();
        assert_eq!(
            refused.message("limited"),
            "RATE_LIMITED: batch size (625 bytes) exceeds ingestion limit (local: 100 bytes/s, global: 0 bytes/s, burst: 100 bytes) \
             while adding 625 bytes for user limited. consider reducing batch size or increasing rate limit."
        );
        bucket.take(0, 90, limit).unwrap();
        let refused = bucket.take(0, 20, limit).unwrap_err();
        assert_eq!(
            refused.message("x"),
            "RATE_LIMITED: ingestion rate limit (local: 100 bytes/s, global: 0 bytes/s, burst: 100 bytes) exceeded while adding 20 bytes \
             for user x. consider increasing the limit or reducing ingestion rate."
        );
        assert_eq!(refused.wait_nanos, SECOND / 10);
        bucket.take(refused.wait_nanos, 20, limit).unwrap();
    }

    #[test]
    fn a_zero_limit_refuses_every_span() {
        let bucket = Bucket::new();
        assert!(
            bucket
                .take(
                    5,
                    1,
                    RateLimit {
                        bytes_per_second: 0,
                        burst_bytes: 0
                    }
                )
                .is_err()
        );
        assert!(
            bucket
                .take(
                    5,
                    1,
                    RateLimit {
                        bytes_per_second: 0,
                        burst_bytes: 10
                    }
                )
                .is_err()
        );
        assert!(
            bucket
                .take(
                    5,
                    0,
                    RateLimit {
                        bytes_per_second: 0,
                        burst_bytes: 0
                    }
                )
                .is_ok()
        );
    }

    #[test]
    fn absurd_limits_do_not_overflow() {
        let bucket = Bucket::new();
        let huge = RateLimit {
            bytes_per_second: u64::MAX,
            burst_bytes: u64::MAX,
        };
        bucket.take(u64::MAX - 1, u64::MAX, huge).unwrap();
        let slow = RateLimit {
            bytes_per_second: 1,
            burst_bytes: u64::MAX,
        };
        let _ = bucket.take(0, u64::MAX, slow);
    }

    #[test]
    fn several_threads_together_get_no_more_than_the_burst() {
        let bucket = Bucket::new();
        let limit = RateLimit {
            bytes_per_second: 1,
            burst_bytes: 1000,
        };
        let taken: usize = std::thread::scope(|scope| {
            let take = || {
                (0..500)
                    .filter(|_| bucket.take(77, 3, limit).is_ok())
                    .count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(taken, 333);
    }

    /// Tokens as a plain number, refilled on each call.
    struct Naive {
        tokens: f64,
        at: u64,
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_token_bucket(
            rate in 1u64..1_000_000,
            burst in 1u64..1_000_000,
            calls in proptest::collection::vec((0u64..2 * SECOND, 0u64..200_000), 1..60),
        ) {
            let limit = RateLimit { bytes_per_second: rate, burst_bytes: burst };
            let bucket = Bucket::new();
            let mut naive = Naive { tokens: burst as f64, at: 0 };
            let mut now = 0;
            for (wait, bytes) in calls {
                now += wait;
                naive.tokens = (naive.tokens + (now - naive.at) as f64 * rate as f64 / 1e9).min(burst as f64);
                naive.at = now;
                let spare = naive.tokens - bytes as f64;
                let passed = bucket.take(now, bytes, limit).is_ok();
                // Both round; within two bytes of the edge either answer is right, and the model follows the bucket.
                if spare.abs() > 2.0 {
                    prop_assert_eq!(passed, spare > 0.0, "spare {}", spare);
                }
                if passed {
                    naive.tokens -= bytes as f64;
                }
            }
        }

        #[test]
        fn waiting_as_told_lets_it_pass(rate in 1u64..1_000_000, burst in 1u64..1_000_000, first in 1u64..1_000_000, second in 1u64..1_000_000) {
            let limit = RateLimit { bytes_per_second: rate, burst_bytes: burst };
            let bucket = Bucket::new();
            let _ = bucket.take(1, first, limit);
            if let Err(refused) = bucket.take(1, second, limit) {
                match refused.because {
                    RefusedBecause::LargerThanBurst => prop_assert!(second > burst),
                    RefusedBecause::RateExceeded => prop_assert!(bucket.take(1 + refused.wait_nanos, second, limit).is_ok()),
                }
            }
        }
    }
}
