//! Memory budgets. Whatever can grow with what comes from outside (bodies, queues, caches, live data) is charged here before it is allocated.
//!
//! Every shard has its own budget, its equal part of the process's limit, so that one shard can decide without asking the others.
//! A [`Charge`] gives back what it took when it is dropped, on whatever thread that happens. Nothing here allocates, waits or aborts:
//! a charge that does not fit is refused, and the caller answers with a retryable error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, IntGaugeVec, Opts};

use crate::context::{self, Shard};

/// From here on, in percent of the limit, background work is refused and the pressure is [`Pressure::Shedding`].
const SHEDDING_PERCENT: u64 = 80;

/// Queries get memory up to here, in percent of the limit: they must never be why ingest is turned away.
const QUERY_PERCENT: u64 = 75;

/// What memory is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Requests on their way in.
    Ingest,
    /// Answers on their way out, and what is read for them: refused from 75 % of the limit on.
    Query,
    /// Work that can wait: refused first, from 80 % of the limit on.
    Background,
    /// Acknowledged data that is kept in memory to be queried.
    LiveData,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Ingest, Self::Query, Self::Background, Self::LiveData];

    fn label(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Query => "query",
            Self::Background => "background",
            Self::LiveData => "live_data",
        }
    }
}

/// How full a budget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// At most 80 % used.
    Normal,
    /// Over 80 % used: background work is refused, and new work should be turned away with a retry hint.
    Shedding,
    /// Nothing is left.
    Full,
}

/// A charge that did not fit. A retry can help once others have given memory back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("memory budget exceeded: {used} of {limit} bytes of this shard are in use")]
pub struct OverBudget {
    /// Bytes in use when the charge was refused.
    pub used: u64,
    /// What may be in use.
    pub limit: u64,
}

impl OverBudget {
    /// Always: memory comes back when requests end.
    pub fn is_retryable(&self) -> bool {
        true
    }
}

/// The budget of one shard. Shared by the shard (through the ambient functions below) and by every charge on it.
#[derive(Debug)]
pub struct Budget {
    /// `u64::MAX` when there is none.
    limit: u64,
    /// Of the limit, what is in use without being charged.
    uncounted: AtomicU64,
    used: AtomicU64,
    by_kind: [AtomicU64; Kind::ALL.len()],
}

impl Budget {
    /// A budget of `limit` bytes; 0 means no limit.
    pub fn new(limit: u64) -> Arc<Self> {
        let budget = Arc::new(Self {
            limit: if limit == 0 { u64::MAX } else { limit },
            uncounted: AtomicU64::new(0),
            used: AtomicU64::new(0),
            by_kind: Default::default(),
        });
        let mut all = budgets().lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&budget));
        budget
    }

    /// One shard's part of a process-wide limit (0 means none): never 0 by rounding.
    pub fn for_shard(process_limit: u64, shards: usize) -> Arc<Self> {
        match process_limit {
            0 => Self::new(0),
            limit => Self::new((limit / u64::try_from(shards.max(1)).unwrap_or(u64::MAX)).max(1)),
        }
    }

    /// Takes `bytes` if they fit.
    pub fn try_charge(self: &Arc<Self>, bytes: u64, kind: Kind) -> Result<Charge, OverBudget> {
        self.take(bytes, kind)?;
        Ok(Charge {
            budget: Arc::clone(self),
            bytes,
            kind,
        })
    }

    /// Takes `bytes` even if they do not fit: only for what is there already and cannot be refused any more
    /// (acknowledged data). It makes room scarcer for everybody who asks.
    pub fn charge(self: &Arc<Self>, bytes: u64, kind: Kind) -> Charge {
        self.add(bytes, kind);
        Charge {
            budget: Arc::clone(self),
            bytes,
            kind,
        }
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes in use for one purpose.
    pub fn used_for(&self, kind: Kind) -> u64 {
        self.by_kind[kind as usize].load(Ordering::Relaxed)
    }

    /// Bytes that may be in use; `u64::MAX` when there is no limit.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What is left of the limit for charges.
    fn chargeable(&self) -> u64 {
        match self.limit {
            u64::MAX => u64::MAX,
            limit => limit.saturating_sub(self.uncounted.load(Ordering::Relaxed)),
        }
    }

    /// How full it is.
    pub fn pressure(&self) -> Pressure {
        let used = self.used();
        let limit = self.chargeable();
        if used >= limit {
            Pressure::Full
        } else if used > percent(limit, SHEDDING_PERCENT) {
            Pressure::Shedding
        } else {
            Pressure::Normal
        }
    }

    fn take(&self, bytes: u64, kind: Kind) -> Result<(), OverBudget> {
        let limit = self.chargeable();
        let ceiling = match kind {
            Kind::Background => percent(limit, SHEDDING_PERCENT),
            Kind::Query => percent(limit, QUERY_PERCENT),
            Kind::Ingest | Kind::LiveData => limit,
        };
        // The counters guard no other memory, so relaxed order will do; the compare keeps the sum within the ceiling.
        let fits = |used: u64| used.checked_add(bytes).filter(|after| *after <= ceiling);
        match self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
        {
            Ok(_) => {
                self.by_kind[kind as usize].fetch_add(bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(used) => Err(OverBudget {
                used,
                limit: ceiling,
            }),
        }
    }

    fn add(&self, bytes: u64, kind: Kind) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        self.by_kind[kind as usize].fetch_add(bytes, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: u64, kind: Kind) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.by_kind[kind as usize].fetch_sub(bytes, Ordering::Relaxed);
    }
}

fn percent(limit: u64, percent: u64) -> u64 {
    if limit == u64::MAX {
        limit
    } else {
        limit / 100 * percent + limit % 100 * percent / 100
    }
}

/// Memory that is accounted for. Dropping it gives the bytes back, on any thread.
#[derive(Debug)]
#[must_use = "the bytes are given back as soon as the charge is dropped"]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: u64,
    kind: Kind,
}

impl Charge {
    /// How much it holds.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it is held for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Takes more; on refusal it holds what it held.
    pub fn try_grow(&mut self, more: u64) -> Result<(), OverBudget> {
        self.budget.take(more, self.kind)?;
        self.bytes += more;
        Ok(())
    }

    /// Holds so many bytes from now on, more or fewer; on refusal it holds what it held.
    pub fn try_resize(&mut self, bytes: u64) -> Result<(), OverBudget> {
        match bytes.checked_sub(self.bytes) {
            // Nothing more is no refusal, however full the budget is.
            Some(0) => Ok(()),
            Some(more) => self.try_grow(more),
            None => {
                self.shrink_to(bytes);
                Ok(())
            }
        }
    }

    /// Gives back all but `bytes`; does nothing if it holds less.
    pub fn shrink_to(&mut self, bytes: u64) {
        let back = self.bytes.saturating_sub(bytes);
        self.budget.give_back(back, self.kind);
        self.bytes -= back;
    }

    /// Moves `bytes` (at most what is held) into a charge of their own.
    pub fn split(&mut self, bytes: u64) -> Charge {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Charge {
            budget: Arc::clone(&self.budget),
            bytes,
            kind: self.kind,
        }
    }

    /// Keeps the bytes for another purpose. This is never refused: the memory is in use already.
    pub fn into_kind(mut self, kind: Kind) -> Charge {
        self.budget.by_kind[self.kind as usize].fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.by_kind[kind as usize].fetch_add(self.bytes, Ordering::Relaxed);
        self.kind = kind;
        self
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes, self.kind);
    }
}

/// How a shard keeps its budget among its local state.
struct OfShard(Arc<Budget>);

/// Gives a new shard its part of the process's limit (0 means none). Done once, before anything is charged on it.
pub(crate) fn install(shard: &Shard, process_limit: u64) {
    shard.local(|| OfShard(Budget::for_shard(process_limit, shard.count)));
}

/// The budget of the current shard; outside shards one without a limit.
pub fn current() -> Arc<Budget> {
    static OUTSIDE: OnceLock<Arc<Budget>> = OnceLock::new();
    match context::try_current() {
        Some(shard) => Arc::clone(&shard.local(|| OfShard(Budget::new(0))).0),
        None => Arc::clone(OUTSIDE.get_or_init(|| Budget::new(0))),
    }
}

/// Takes `bytes` from the current shard's budget if they fit.
pub fn try_charge(bytes: u64, kind: Kind) -> Result<Charge, OverBudget> {
    current().try_charge(bytes, kind)
}

/// Takes `bytes` even over the limit; see [`Budget::charge`].
pub fn charge(bytes: u64, kind: Kind) -> Charge {
    current().charge(bytes, kind)
}

/// How full the current shard's budget is.
pub fn pressure() -> Pressure {
    current().pressure()
}

/// Bytes in use on the current shard.
pub fn used() -> u64 {
    current().used()
}

/// Bytes that may be in use on the current shard; `u64::MAX` when there is no limit.
pub fn limit() -> u64 {
    current().limit()
}

/// Takes memory that is in use without being charged (what the allocator has not given back, what nobody counts) out of the limits
/// of all budgets, in equal parts; replaces what was said before.
pub fn set_uncounted(bytes: u64) {
    let budgets = live_budgets();
    let limited: Vec<_> = budgets.iter().filter(|one| one.limit != u64::MAX).collect();
    let share = bytes / limited.len().max(1) as u64;
    for budget in limited {
        budget.uncounted.store(share, Ordering::Relaxed);
    }
}

/// Bytes in use in the whole process.
pub fn process_used() -> u64 {
    live_budgets().iter().map(|budget| budget.used()).sum()
}

/// Every budget of the process that still has a shard or a charge, for the totals.
fn budgets() -> &'static Mutex<Vec<Weak<Budget>>> {
    static BUDGETS: Mutex<Vec<Weak<Budget>>> = Mutex::new(Vec::new());
    &BUDGETS
}

fn live_budgets() -> Vec<Arc<Budget>> {
    let all = budgets().lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().filter_map(Weak::upgrade).collect()
}

/// Exports the process's totals, added up when asked for so that shards share no counter.
pub(crate) struct BudgetCollector {
    used: IntGaugeVec,
    limit: IntGauge,
}

impl BudgetCollector {
    pub(crate) fn new() -> Self {
        // Invariant: constant valid names build.
        Self {
            used: IntGaugeVec::new(
                Opts::new(
                    "vivace_memory_used_bytes",
                    "Bytes charged to the memory budgets, by what they are used for.",
                ),
                &["kind"],
            )
            .expect("valid constant names build"),
            limit: IntGauge::new(
                "vivace_memory_limit_bytes",
                "Sum of the shards' memory budgets; 0 when there is no limit.",
            )
            .expect("a valid constant name builds"),
        }
    }
}

impl Collector for BudgetCollector {
    fn desc(&self) -> Vec<&Desc> {
        let mut descs = self.used.desc();
        descs.extend(self.limit.desc());
        descs
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let budgets = live_budgets();
        let whole = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        for kind in Kind::ALL {
            let used: u64 = budgets.iter().map(|budget| budget.used_for(kind)).sum();
            self.used
                .with_label_values(&[kind.label()])
                .set(whole(used));
        }
        let limits = budgets.iter().map(|budget| budget.limit());
        self.limit
            .set(whole(limits.filter(|limit| *limit != u64::MAX).sum()));
        let mut families = self.used.collect();
        families.extend(self.limit.collect());
        families
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn background_is_refused_first_then_everybody_and_what_is_dropped_comes_back() {
        let budget = Budget::new(1000);
        let ingest = budget.try_charge(800, Kind::Ingest).unwrap();
        assert_eq!(budget.pressure(), Pressure::Normal);
        let refused = budget.try_charge(1, Kind::Background).unwrap_err();
        assert_eq!((refused.used, refused.limit), (800, 800));
        let refused = budget.try_charge(1, Kind::Query).unwrap_err();
        assert_eq!((refused.used, refused.limit), (800, 750));
        let query = budget.charge(199, Kind::Query);
        assert_eq!(budget.pressure(), Pressure::Shedding);
        let refused = budget.try_charge(2, Kind::Ingest).unwrap_err();
        assert_eq!((refused.used, refused.limit), (999, 1000));
        let live = budget.charge(500, Kind::LiveData);
        assert_eq!((budget.pressure(), budget.used()), (Pressure::Full, 1499));
        std::thread::spawn(move || drop((ingest, live)))
            .join()
            .unwrap();
        assert_eq!((budget.used(), budget.used_for(Kind::Query)), (199, 199));
        drop(query);
        assert!(budget.try_charge(800, Kind::Background).is_ok());
        assert!(budget.try_charge(u64::MAX, Kind::Ingest).is_err());
    }

    #[test]
    fn threads_together_never_exceed_the_limit() {
        let budget = Budget::new(10_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut held = Vec::new();
                    for i in 0..5_000 {
                        match budget.try_charge(i % 97, Kind::Ingest) {
                            Ok(charge) => held.push(charge),
                            Err(_) => held.clear(),
                        }
                        assert!(budget.used() <= 10_000);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn every_shard_gets_an_equal_part_and_charges_go_back_to_where_they_came_from() {
        let config = crate::runtime::Config {
            shards: 2,
            pin: false,
            memory_limit_bytes: 501,
            ..Default::default()
        };
        let main = || async {
            assert_eq!((limit(), used()), (250, 0));
            assert!(try_charge(240, Kind::Query).is_err());
            let charge = try_charge(240, Kind::LiveData)?;
            assert_eq!((used(), pressure()), (240, Pressure::Shedding));
            assert!(process_used() >= 240);
            assert!(try_charge(11, Kind::Ingest).is_err());
            crate::side::blocking(move || drop(charge)).await?;
            assert_eq!((used(), pressure()), (0, Pressure::Normal));
            // What nobody counted leaves less to charge.
            current().uncounted.store(100, Ordering::Relaxed);
            assert!(try_charge(151, Kind::Ingest).is_err());
            let _rest = try_charge(150, Kind::Ingest)?;
            assert_eq!((limit(), pressure()), (250, Pressure::Full));
            Ok(())
        };
        crate::runtime::run(config, main).unwrap();
        assert_eq!((limit(), pressure()), (u64::MAX, Pressure::Normal));
        assert_eq!(Budget::for_shard(3, 4).limit(), 1);
        assert_eq!(Budget::for_shard(0, 4).limit(), u64::MAX);
        let text = crate::metrics::render();
        assert!(text.contains("vivace_memory_used_bytes{kind=\"live_data\"}"));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Take(u64, Kind),
        Force(u64, Kind),
        Grow(usize, u64),
        Resize(usize, u64),
        Shrink(usize, u64),
        Split(usize, u64),
        Turn(usize, Kind),
        Drop(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let kind = prop::sample::select(Kind::ALL.to_vec());
        let at = 0..8usize;
        prop_oneof![
            (0..400u64, kind.clone()).prop_map(|(n, k)| Step::Take(n, k)),
            (0..100u64, kind.clone()).prop_map(|(n, k)| Step::Force(n, k)),
            (at.clone(), 0..200u64).prop_map(|(i, n)| Step::Grow(i, n)),
            (at.clone(), 0..400u64).prop_map(|(i, n)| Step::Resize(i, n)),
            (at.clone(), 0..200u64).prop_map(|(i, n)| Step::Shrink(i, n)),
            (at.clone(), 0..200u64).prop_map(|(i, n)| Step::Split(i, n)),
            (at.clone(), kind).prop_map(|(i, k)| Step::Turn(i, k)),
            at.prop_map(Step::Drop),
        ]
    }

    proptest! {
        #[test]
        fn the_counters_are_always_the_sum_of_the_charges(steps in prop::collection::vec(step(), 0..60)) {
            let budget = Budget::new(1000);
            let mut held: Vec<Charge> = Vec::new();
            for step in steps {
                let before = budget.used();
                match step {
                    Step::Take(n, kind) => match budget.try_charge(n, kind) {
                        Ok(charge) => held.push(charge),
                        Err(over) => {
                            prop_assert_eq!(over.used, before);
                            prop_assert!(before + n > over.limit);
                        }
                    },
                    Step::Force(n, kind) => held.push(budget.charge(n, kind)),
                    Step::Grow(i, n) => if let Some(charge) = held.get_mut(i) {
                        let fitted = charge.try_grow(n).is_ok();
                        prop_assert_eq!(budget.used(), before + if fitted { n } else { 0 });
                    },
                    Step::Resize(i, n) => if let Some(charge) = held.get_mut(i) {
                        let held_before = charge.bytes();
                        let fitted = charge.try_resize(n).is_ok();
                        prop_assert_eq!(charge.bytes(), if fitted { n } else { held_before });
                        prop_assert!(fitted || n > held_before);
                    },
                    Step::Shrink(i, n) => if let Some(charge) = held.get_mut(i) { charge.shrink_to(n); },
                    Step::Split(i, n) => if let Some(charge) = held.get_mut(i) {
                        let part = charge.split(n);
                        held.push(part);
                    },
                    Step::Turn(i, kind) => if i < held.len() {
                        let charge = held.swap_remove(i).into_kind(kind);
                        held.push(charge);
                    },
                    Step::Drop(i) => if i < held.len() { drop(held.swap_remove(i)); },
                }
                prop_assert_eq!(budget.used(), held.iter().map(Charge::bytes).sum::<u64>());
                for kind in Kind::ALL {
                    let of_kind = held.iter().filter(|charge| charge.kind() == kind);
                    prop_assert_eq!(budget.used_for(kind), of_kind.map(Charge::bytes).sum::<u64>());
                }
            }
        }
    }
}
