//! What all shards of a process share: per tenant the number of live traces (its limit is for the process) and the counters.

use crate::error::Error;
use crate::limits::MAX_TENANTS;
use crate::metrics::Metrics;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use vivace_limits::Directory;
use vivace_shards::metrics::{self, computed::Computed};

/// Why spans were filtered out; the label value of `tempo_discarded_spans_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    TraceTooLarge,
    LiveTracesExceeded,
}

impl Reason {
    pub const ALL: [Self; 2] = [Self::TraceTooLarge, Self::LiveTracesExceeded];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::TraceTooLarge => "trace_too_large",
            Self::LiveTracesExceeded => "live_traces_exceeded",
        }
    }
}

/// Why a record was not taken in; label values of `tempo_live_store_records_dropped_total`.
const DROP_REASONS: [&str; 3] = ["decoding_failed", "too_old", "instance_not_found"];

/// The tenant label of records whose tenant is not known, or not counted on its own.
const NOBODY: &str = "unknown";

/// One tenant, all shards.
#[derive(Default)]
pub(crate) struct TenantShared {
    pub live_traces: AtomicI64,
    pub live_bytes: AtomicI64,
    pub traces_created: AtomicU64,
    pub bytes_received: AtomicU64,
    pub records_processed: AtomicU64,
    pub records_dropped: [AtomicU64; DROP_REASONS.len()],
    pub discarded: [AtomicU64; Reason::ALL.len()],
}

impl TenantShared {
    pub fn discard(&self, reason: Reason, spans: u64) {
        self.discarded[reason as usize].fetch_add(spans, Relaxed);
    }
}

/// One per process, made before the shards start; each shard's [`crate::Store`] gets a clone of the `Arc`.
pub struct Shared {
    directory: Directory<TenantShared>,
    /// Stands in for tenants that cannot be counted on their own, and keeps their names in the metrics.
    nobody: Arc<TenantShared>,
    /// Kept so that every per-tenant metric has a series from the first scrape.
    _first: Option<Arc<TenantShared>>,
    pub(crate) metrics: Metrics,
}

impl Shared {
    /// `seed` is any secret number. `first_tenant` is exported from the start, with zeros: scrapers miss names without a series.
    /// The metrics are exported as long as the `Arc` lives.
    pub fn new(seed: u64, first_tenant: &str) -> Arc<Self> {
        let directory = Directory::new(MAX_TENANTS, seed);
        let first = directory
            .join(first_tenant, TenantShared::default, |_| true)
            .ok();
        let shared = Arc::new(Self {
            directory,
            nobody: Arc::default(),
            _first: first,
            metrics: Metrics::register(),
        });
        export(&shared);
        shared
    }

    pub(crate) fn join(&self, tenant: &str) -> Result<Arc<TenantShared>, Error> {
        let busy = |tenant: &TenantShared| tenant.live_traces.load(Relaxed) > 0;
        self.directory
            .join(tenant, TenantShared::default, busy)
            .map_err(|full| Error::TooManyTenants {
                limit: full.capacity,
            })
    }

    /// For data that must be taken in although there is no room for one more tenant.
    pub(crate) fn nobody(&self) -> Arc<TenantShared> {
        self.nobody.clone()
    }

    pub(crate) fn undecodable(&self) {
        self.nobody.records_dropped[0].fetch_add(1, Relaxed);
    }

    pub(crate) fn collect(&self) -> Vec<MetricFamily> {
        let mut created = Computed::counter(
            "tempo_live_store_traces_created_total",
            "Traces that became live.",
        );
        let mut live = Computed::gauge("tempo_live_store_live_traces", "Traces that are live.");
        let mut bytes = Computed::gauge(
            "tempo_live_store_live_trace_bytes",
            "Bytes of traces that are live.",
        );
        let mut received =
            Computed::counter("tempo_live_store_bytes_received_total", "Bytes taken in.");
        let mut processed = Computed::counter(
            "tempo_live_store_records_processed_total",
            "Records taken in.",
        );
        let mut dropped = Computed::counter(
            "tempo_live_store_records_dropped_total",
            "Records not taken in.",
        );
        let mut discarded =
            Computed::counter("tempo_discarded_spans_total", "Spans that were discarded.");
        let mut visit = |name: &str, tenant: &TenantShared| {
            let label = [("tenant", name)];
            created.push(&label, tenant.traces_created.load(Relaxed) as f64);
            live.push(&label, tenant.live_traces.load(Relaxed) as f64);
            bytes.push(&label, tenant.live_bytes.load(Relaxed) as f64);
            received.push(
                &[("tenant", name), ("data_type", "trace")],
                tenant.bytes_received.load(Relaxed) as f64,
            );
            processed.push(&label, tenant.records_processed.load(Relaxed) as f64);
            let is_first = self
                ._first
                .as_ref()
                .is_some_and(|first| std::ptr::eq(&**first, tenant));
            let counts = |family: &mut Computed, reason: &str, count: &AtomicU64| {
                let count = count.load(Relaxed);
                if count > 0 || is_first {
                    family.push(&[("reason", reason), ("tenant", name)], count as f64);
                }
            };
            for (reason, count) in std::iter::zip(DROP_REASONS, &tenant.records_dropped) {
                counts(&mut dropped, reason, count);
            }
            for (reason, count) in std::iter::zip(Reason::ALL, &tenant.discarded) {
                counts(&mut discarded, reason.as_str(), count);
            }
        };
        self.directory.for_each(&mut visit);
        let nobody = &self.nobody;
        if nobody.records_processed.load(Relaxed) + nobody.records_dropped[0].load(Relaxed) > 0 {
            visit(NOBODY, nobody);
        }
        let families = [
            created, live, bytes, received, processed, dropped, discarded,
        ];
        families.into_iter().filter_map(Computed::finish).collect()
    }
}

/// Exports the `Shared` made last, as long as somebody holds it: the registry never lets go of a collector.
struct TenantCollector {
    desc: Desc,
}

static LATEST: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

fn export(shared: &Arc<Shared>) {
    static REGISTERED: Once = Once::new();
    // A `Weak` is whole whatever panicked beside it.
    *LATEST.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(shared);
    REGISTERED.call_once(|| {
        let name = "tempo_live_store_traces_created_total".to_owned();
        // A description is how the registry tells collectors apart; one of the families will do.
        let registered = Desc::new(
            name,
            "Per tenant.".into(),
            vec!["tenant".into()],
            HashMap::new(),
        )
        .and_then(|desc| metrics::register(Box::new(TenantCollector { desc })));
        if let Err(error) = registered {
            tracing::error!(%error, "the live-store's per-tenant metrics are not exported");
        }
    });
}

impl Collector for TenantCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let shared = LATEST
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade();
        shared.map(|shared| shared.collect()).unwrap_or_default()
    }
}
