//! The traces of one tenant that are active: how large each has grown, and how many are live.
//!
//! A trace is *live* from its first span until it was quiet for `max_trace_idle` or is `max_trace_live` old; more spans make it live again.
//! Its *size* is added up longer than that: it is forgotten only when the trace was quiet for `max_trace_idle` and one check period more.
//! Rejected bytes are added too, so a trace once over the limit stays over while it is active (write-path.md §7.3).

use hashbrown::HashTable;
use std::time::Duration;

/// The ages that decide, from the live-store's configuration.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    pub max_trace_idle: Duration,
    pub max_trace_live: Duration,
    pub flush_check_period: Duration,
}

/// What a tenant is allowed; 0 switches a limit off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceLimits {
    pub max_bytes_per_trace: u64,
    pub max_live_traces: u64,
}

/// Some spans of one trace that arrive together.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub hash: u64,
    pub bytes: u64,
    /// Milliseconds.
    pub now: u32,
}

/// What a piece is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub ages: Ages,
    pub limits: TraceLimits,
    /// The tenant's live traces on other shards.
    pub live_elsewhere: u64,
    /// Whether one more trace may be remembered.
    pub room: bool,
}

/// What became of one trace's piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted {
        /// The trace was not live before this piece.
        became_live: bool,
    },
    TooLarge {
        /// Bytes of the trace including this piece.
        total: u64,
    },
    TooManyLive,
}

/// Times in milliseconds of any clock, wrapping: only differences count, and entries live for seconds.
struct Tracked {
    hash: u64,
    /// Everything that was offered, rejected or not.
    offered: u64,
    /// Accepted since the trace became live.
    live_bytes: u64,
    live_since: u32,
    last_seen: u32,
    live: bool,
}

/// The active traces of one tenant on one shard. An empty one allocates nothing.
#[derive(Default)]
pub struct Tracker {
    traces: HashTable<Tracked>,
    live: u32,
    live_bytes: u64,
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX / 2)
}

impl Ages {
    fn is_over(&self, trace: &Tracked, now: u32) -> bool {
        now.wrapping_sub(trace.last_seen) > millis(self.max_trace_idle)
            || now.wrapping_sub(trace.live_since) > millis(self.max_trace_live)
    }

    fn is_forgotten(&self, trace: &Tracked, now: u32) -> bool {
        let quiet = now.wrapping_sub(trace.last_seen);
        quiet > millis(self.max_trace_idle.saturating_add(self.flush_check_period))
    }
}

impl Tracker {
    /// Traces that are remembered, live or not.
    pub fn len(&self) -> usize {
        self.traces.len()
    }

    pub fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }

    pub fn live(&self) -> u32 {
        self.live
    }

    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Judges a piece and remembers it.
    pub fn offer(&mut self, piece: Piece, rules: &Rules) -> Verdict {
        let Piece { hash, bytes, now } = piece;
        let Rules {
            ages,
            limits,
            live_elsewhere,
            room,
        } = rules;
        let over =
            |total: u64| limits.max_bytes_per_trace > 0 && total > limits.max_bytes_per_trace;
        let crowded = limits.max_live_traces > 0
            && live_elsewhere + u64::from(self.live) >= limits.max_live_traces;
        match self.traces.find_mut(hash, |trace| trace.hash == hash) {
            Some(trace) => {
                if ages.is_forgotten(trace, now) {
                    trace.offered = 0;
                }
                if trace.live && ages.is_over(trace, now) {
                    self.live -= 1;
                    self.live_bytes -= std::mem::take(&mut trace.live_bytes);
                    trace.live = false;
                }
                trace.offered = trace.offered.saturating_add(bytes);
                trace.last_seen = now;
                if over(trace.offered) {
                    return Verdict::TooLarge {
                        total: trace.offered,
                    };
                }
                let became_live = !trace.live;
                if became_live {
                    if limits.max_live_traces > 0
                        && live_elsewhere + u64::from(self.live) >= limits.max_live_traces
                    {
                        return Verdict::TooManyLive;
                    }
                    trace.live = true;
                    trace.live_since = now;
                    self.live += 1;
                }
                trace.live_bytes += bytes;
                self.live_bytes += bytes;
                Verdict::Accepted { became_live }
            }
            None => {
                let too_large = over(bytes);
                // Not remembered: otherwise traces that are refused anyway would fill the memory.
                if !too_large && crowded {
                    return Verdict::TooManyLive;
                }
                let live = !too_large;
                if *room {
                    let accepted = if live { bytes } else { 0 };
                    let trace = Tracked {
                        hash,
                        offered: bytes,
                        live_bytes: accepted,
                        live_since: now,
                        last_seen: now,
                        live,
                    };
                    self.traces.insert_unique(hash, trace, |trace| trace.hash);
                    self.live += u32::from(live);
                    self.live_bytes += accepted;
                }
                if too_large {
                    Verdict::TooLarge { total: bytes }
                } else {
                    Verdict::Accepted { became_live: true }
                }
            }
        }
    }

    /// Takes an accepted piece back, because it could not be stored.
    pub fn retract(&mut self, hash: u64, bytes: u64) {
        if let Ok(mut found) = self.traces.find_entry(hash, |trace| trace.hash == hash) {
            let trace = found.get_mut();
            trace.offered = trace.offered.saturating_sub(bytes);
            let live_bytes = bytes.min(trace.live_bytes);
            trace.live_bytes -= live_bytes;
            self.live_bytes -= live_bytes;
            if trace.offered == 0 {
                self.live -= u32::from(trace.live);
                found.remove();
            }
        }
    }

    /// Ends what is no longer live and forgets what was quiet for long enough.
    pub fn sweep(&mut self, now: u32, ages: &Ages) {
        let Self {
            traces,
            live,
            live_bytes,
        } = self;
        traces.retain(|trace| {
            if trace.live && ages.is_over(trace, now) {
                trace.live = false;
                *live -= 1;
                *live_bytes -= std::mem::take(&mut trace.live_bytes);
            }
            !ages.is_forgotten(trace, now)
        });
        if traces.len() * 8 < traces.capacity() {
            traces.shrink_to(traces.len() * 2, |trace| trace.hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const AGES: Ages = Ages {
        max_trace_idle: Duration::from_millis(50),
        max_trace_live: Duration::from_millis(300),
        flush_check_period: Duration::from_millis(50),
    };

    fn rules(limits: TraceLimits) -> Rules {
        Rules {
            ages: AGES,
            limits,
            live_elsewhere: 0,
            room: true,
        }
    }

    #[derive(Default)]
    struct Naive {
        /// Per trace: offered, live since, last seen, accepted since live.
        traces: HashMap<u64, (u64, Option<u32>, u32, u64)>,
    }

    impl Naive {
        fn expire(&mut self, now: u32) {
            self.traces.retain(|_, (offered, live, seen, bytes)| {
                if live.is_some_and(|since| now - *seen > 50 || now - since > 300) {
                    (*live, *bytes) = (None, 0);
                }
                if now - *seen > 100 {
                    *offered = 0;
                }
                *offered > 0
            });
        }

        fn live(&self) -> u64 {
            self.traces.values().filter(|t| t.1.is_some()).count() as u64
        }

        fn offer(&mut self, trace: u64, bytes: u64, now: u32, limits: &TraceLimits) -> Verdict {
            let live = self.live();
            let known = self.traces.contains_key(&trace);
            let entry = self.traces.entry(trace).or_insert((0, None, now, 0));
            (entry.0, entry.2) = (entry.0 + bytes, now);
            if entry.0 > limits.max_bytes_per_trace {
                return Verdict::TooLarge { total: entry.0 };
            }
            let became_live = entry.1.is_none();
            if became_live {
                if live >= limits.max_live_traces {
                    if !known {
                        self.traces.remove(&trace);
                    }
                    return Verdict::TooManyLive;
                }
                entry.1 = Some(now);
            }
            entry.3 += bytes;
            Verdict::Accepted { became_live }
        }
    }

    proptest! {
        /// With a sweep before each step the tracker is exact.
        #[test]
        fn agrees_with_a_naive_one(
            max_bytes in 1u64..60,
            max_live in 1u64..8,
            steps in proptest::collection::vec((0u64..12, 1u64..20, 0u32..30), 1..400),
        ) {
            let limits = TraceLimits { max_bytes_per_trace: max_bytes, max_live_traces: max_live };
            let (mut tracker, mut naive) = (Tracker::default(), Naive::default());
            let mut now = 7;
            for (trace, bytes, wait) in steps {
                now += wait;
                tracker.sweep(now, &AGES);
                naive.expire(now);
                prop_assert_eq!(u64::from(tracker.live()), naive.live());
                prop_assert_eq!(tracker.live_bytes(), naive.traces.values().map(|t| t.3).sum::<u64>());
                prop_assert_eq!(tracker.len(), naive.traces.len());
                let expected = naive.offer(trace, bytes, now, &limits);
                prop_assert_eq!(tracker.offer(Piece { hash: trace, bytes, now }, &rules(limits)), expected);
            }
        }
    }

    #[test]
    fn once_over_stays_over_while_active_and_starts_anew_when_forgotten() {
        let limits = TraceLimits {
            max_bytes_per_trace: 100,
            max_live_traces: 0,
        };
        let mut tracker = Tracker::default();
        let mut offer = |bytes, now| {
            tracker.offer(
                Piece {
                    hash: 1,
                    bytes,
                    now,
                },
                &rules(limits),
            )
        };
        assert_eq!(offer(90, 0), Verdict::Accepted { became_live: true });
        assert_eq!(offer(20, 10), Verdict::TooLarge { total: 110 });
        assert_eq!(offer(1, 70), Verdict::TooLarge { total: 111 });
        assert_eq!(offer(1, 160), Verdict::TooLarge { total: 112 });
        assert_eq!(offer(1, 300), Verdict::Accepted { became_live: true });
    }

    #[test]
    fn retracting_leaves_nothing_behind() {
        let limits = TraceLimits {
            max_bytes_per_trace: 100,
            max_live_traces: 1,
        };
        let mut tracker = Tracker::default();
        assert_eq!(
            tracker.offer(
                Piece {
                    hash: 1,
                    bytes: 90,
                    now: 0
                },
                &rules(limits)
            ),
            Verdict::Accepted { became_live: true }
        );
        tracker.retract(1, 90);
        assert!(tracker.is_empty() && tracker.live() == 0 && tracker.live_bytes() == 0);
        assert_eq!(
            tracker.offer(
                Piece {
                    hash: 2,
                    bytes: 90,
                    now: 0
                },
                &Rules {
                    live_elsewhere: 1,
                    ..rules(limits)
                }
            ),
            Verdict::TooManyLive
        );
        assert_eq!(
            tracker.offer(
                Piece {
                    hash: 2,
                    bytes: 90,
                    now: 0
                },
                &rules(limits)
            ),
            Verdict::Accepted { became_live: true }
        );
    }

    #[test]
    fn without_room_pieces_pass_but_are_not_remembered() {
        let limits = TraceLimits {
            max_bytes_per_trace: 100,
            max_live_traces: 0,
        };
        let mut tracker = Tracker::default();
        assert_eq!(
            tracker.offer(
                Piece {
                    hash: 1,
                    bytes: 90,
                    now: 0
                },
                &Rules {
                    room: false,
                    ..rules(limits)
                }
            ),
            Verdict::Accepted { became_live: true }
        );
        assert_eq!(
            tracker.offer(
                Piece {
                    hash: 1,
                    bytes: 101,
                    now: 0
                },
                &Rules {
                    room: false,
                    ..rules(limits)
                }
            ),
            Verdict::TooLarge { total: 101 }
        );
        assert!(tracker.is_empty());
    }
}
