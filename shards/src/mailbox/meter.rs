//! Depth of the named mailboxes, read when the metrics are rendered.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGaugeVec, Opts};

use crate::metrics;

/// Counts one named mailbox's refusals; its depth is read from the channel itself.
#[derive(Clone)]
pub(super) struct Meter {
    full: IntCounter,
}

/// Messages in a mailbox and its capacity; None once it is gone.
type Probe = Box<dyn Fn() -> Option<(usize, usize)> + Send>;

fn probes() -> MutexGuard<'static, Vec<(&'static str, Probe)>> {
    static PROBES: Mutex<Vec<(&'static str, Probe)>> = Mutex::new(Vec::new());
    // The list is valid after every statement, so a panic elsewhere cannot have broken it.
    PROBES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Meter {
    pub(super) fn new<T: Send + 'static>(name: &'static str, sender: &flume::Sender<T>) -> Meter {
        static COLLECTOR: OnceLock<()> = OnceLock::new();
        COLLECTOR.get_or_init(|| {
            if let Err(error) = metrics::register(Box::new(Depths::new())) {
                tracing::error!(%error, "the mailbox metrics were refused");
            }
        });
        let weak = sender.downgrade();
        let probe: Probe = Box::new(move || {
            let channel = weak.upgrade()?;
            Some((channel.len(), channel.capacity().unwrap_or(usize::MAX)))
        });
        let mut probes = probes();
        probes.retain(|(_, probe)| probe().is_some());
        probes.push((name, probe));
        Meter {
            full: metrics::counter_vec(
                "vivace_mailbox_full_total",
                "Messages that found their mailbox full and were refused or had to wait.",
                &["mailbox"],
            )
            .with_label_values(&[name]),
        }
    }

    pub(super) fn full(&self) {
        self.full.inc();
    }
}

struct Depths {
    depth: IntGaugeVec,
    capacity: IntGaugeVec,
}

impl Depths {
    fn new() -> Depths {
        let gauge = |name: &str, help: &str| {
            // Invariant: construction fails on invalid names only, and these are valid constants.
            IntGaugeVec::new(Opts::new(name, help), &["mailbox"]).expect("a valid constant name")
        };
        Depths {
            depth: gauge(
                "vivace_mailbox_depth",
                "Messages waiting in mailboxes of this name.",
            ),
            capacity: gauge(
                "vivace_mailbox_capacity",
                "Messages that mailboxes of this name can hold together.",
            ),
        }
    }
}

impl Collector for Depths {
    fn desc(&self) -> Vec<&Desc> {
        let mut descs = self.depth.desc();
        descs.extend(self.capacity.desc());
        descs
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut sums: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (name, probe) in probes().iter() {
            if let Some((depth, capacity)) = probe() {
                let sum = sums.entry(name).or_default();
                sum.0 += depth;
                sum.1 = sum.1.saturating_add(capacity);
            }
        }
        self.depth.reset();
        self.capacity.reset();
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        for (name, (depth, capacity)) in sums {
            self.depth.with_label_values(&[name]).set(whole(depth));
            self.capacity
                .with_label_values(&[name])
                .set(whole(capacity));
        }
        let mut families = self.depth.collect();
        families.extend(self.capacity.collect());
        families
    }
}
