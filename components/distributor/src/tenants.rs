//! Per tenant: the rate, and the counters of the process. A shard keeps the tenants it meets; all shards share a tenant's bucket and counters.

use crate::limits::{MAX_TENANTS, TENANT_IDLE};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use vivace_limits::{Bucket, Directory, TenantMap};
use vivace_shards::metrics::{self, computed::Computed};
use vivace_shards::time::Instant;

/// Bounds of the distance histograms in seconds (write-path.md §2.7).
const DISTANCE_BOUNDS: [f64; 3] = [300.0, 1800.0, 3600.0];

/// Scopes of `tempo_distributor_attributes_truncated_total`.
pub(crate) const SCOPES: [&str; 5] = ["resource", "scope", "span", "event", "link"];

/// Why the distributor discarded spans: its own reason, then those of the scanner, then anything else.
const REASONS: [&str; 7] = [
    RATE_LIMITED,
    "invalid_trace_id",
    "invalid_span_id",
    "unsupported_value",
    "value_too_deep",
    "span_too_large",
    "unknown_error",
];

pub(crate) const RATE_LIMITED: &str = "rate_limited";

/// How far the ends of spans were from the wall clock.
#[derive(Debug, Default)]
pub(crate) struct Distance {
    counts: [AtomicU64; DISTANCE_BOUNDS.len() + 1],
    millis: AtomicU64,
}

impl Distance {
    fn export(&self, family: &mut Computed, tenant: &str) {
        let counts = self.counts.each_ref().map(|count| count.load(Relaxed));
        let sum = self.millis.load(Relaxed) as f64 / 1e3;
        family.push_histogram(&[("tenant", tenant)], &DISTANCE_BOUNDS, &counts, sum);
    }
}

/// Distances of one request, added up before they are shared.
#[derive(Debug, Default)]
pub(crate) struct Distances {
    counts: [u64; DISTANCE_BOUNDS.len() + 1],
    millis: u64,
}

impl Distances {
    pub fn add(&mut self, nanos: u64) {
        let seconds = nanos as f64 / 1e9;
        self.counts[DISTANCE_BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        self.millis = self.millis.saturating_add(nanos / 1_000_000);
    }

    pub fn share(&self, with: &Distance) {
        for (mine, all) in std::iter::zip(self.counts, &with.counts) {
            if mine > 0 {
                all.fetch_add(mine, Relaxed);
            }
        }
        with.millis.fetch_add(self.millis, Relaxed);
    }
}

/// One tenant, all shards.
#[derive(Debug, Default)]
pub(crate) struct Tenant {
    pub bucket: Bucket,
    pub ingress_bytes: AtomicU64,
    pub bytes_received: AtomicU64,
    pub spans_received: AtomicU64,
    pub truncated: [AtomicU64; SCOPES.len()],
    pub in_past: Distance,
    pub in_future: Distance,
    discarded: [AtomicU64; REASONS.len()],
}

impl Tenant {
    pub fn discard(&self, reason: &str, spans: u64) {
        if spans > 0 {
            let at = REASONS.iter().position(|known| *known == reason);
            self.discarded[at.unwrap_or(REASONS.len() - 1)].fetch_add(spans, Relaxed);
        }
    }
}

/// One per process, made before the shards start; each shard's [`crate::Service`] gets a clone of the `Arc`.
pub struct Shared {
    directory: Directory<Tenant>,
    /// Kept so that every per-tenant metric has a series from the first scrape.
    first: Option<Arc<Tenant>>,
}

impl Shared {
    /// `seed` is any secret number. `first_tenant` is exported from the start, with zeros: scrapers miss names without a series.
    /// The metrics are exported as long as the `Arc` lives.
    pub fn new(seed: u64, first_tenant: &str) -> Arc<Self> {
        let directory = Directory::new(MAX_TENANTS, seed);
        let first = directory.join(first_tenant, Tenant::default, |_| true).ok();
        let shared = Arc::new(Self { directory, first });
        export(&shared);
        crate::metrics::announce(first_tenant);
        shared
    }

    pub(crate) fn collect(&self) -> Vec<MetricFamily> {
        let mut ingress = Computed::counter(
            "tempo_distributor_ingress_bytes_total",
            "Bytes of requests before any limit.",
        );
        let mut bytes = Computed::counter(
            "tempo_distributor_bytes_received_total",
            "Bytes of requests within the rate limit.",
        );
        let mut spans = Computed::counter(
            "tempo_distributor_spans_received_total",
            "Spans of requests within the rate limit.",
        );
        let mut truncated = Computed::counter(
            "tempo_distributor_attributes_truncated_total",
            "Attribute keys and values cut.",
        );
        let mut past = Computed::histogram(
            "tempo_spans_distance_in_past_seconds",
            "How long ago spans ended when they came in.",
        );
        let mut future = Computed::histogram(
            "tempo_spans_distance_in_future_seconds",
            "How far in the future spans end.",
        );
        let mut discarded =
            Computed::counter("tempo_discarded_spans_total", "Spans that were discarded.");
        self.directory.for_each(|name, tenant| {
            let label = [("tenant", name)];
            ingress.push(&label, tenant.ingress_bytes.load(Relaxed) as f64);
            bytes.push(&label, tenant.bytes_received.load(Relaxed) as f64);
            spans.push(&label, tenant.spans_received.load(Relaxed) as f64);
            tenant.in_past.export(&mut past, name);
            tenant.in_future.export(&mut future, name);
            let is_first = self
                .first
                .as_ref()
                .is_some_and(|first| std::ptr::eq(&**first, tenant));
            for (scope, count) in std::iter::zip(SCOPES, &tenant.truncated) {
                let count = count.load(Relaxed);
                if count > 0 || is_first {
                    truncated.push(&[("tenant", name), ("scope", scope)], count as f64);
                }
            }
            for (reason, count) in std::iter::zip(REASONS, &tenant.discarded) {
                let count = count.load(Relaxed);
                if count > 0 || is_first {
                    discarded.push(&[("reason", reason), ("tenant", name)], count as f64);
                }
            }
        });
        let families = [ingress, bytes, spans, truncated, past, future, discarded];
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
        let name = "tempo_distributor_ingress_bytes_total".to_owned();
        // A description is how the registry tells collectors apart; one of the families will do.
        let registered = Desc::new(
            name,
            "Per tenant.".into(),
            vec!["tenant".into()],
            HashMap::new(),
        )
        .and_then(|desc| metrics::register(Box::new(TenantCollector { desc })));
        if let Err(error) = registered {
            tracing::error!(%error, "the distributor's per-tenant metrics are not exported");
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

/// What a shard knows of one tenant.
#[derive(Clone)]
pub(crate) struct Known {
    pub name: Rc<str>,
    pub shared: Arc<Tenant>,
}

/// The tenants one shard has met lately.
pub(crate) struct Tenants {
    shared: Arc<Shared>,
    known: RefCell<TenantMap<Known>>,
}

impl Tenants {
    pub fn new(shared: Arc<Shared>) -> Self {
        let idle = u64::try_from(TENANT_IDLE.as_nanos()).unwrap_or(u64::MAX);
        let known = TenantMap::new(MAX_TENANTS, idle, vivace_shards::rand::u64());
        Self {
            shared,
            known: RefCell::new(known),
        }
    }

    /// The tenant's state; None when more tenants are active than the process keeps.
    pub fn get(&self, tenant: &str, now: Instant) -> Option<Known> {
        let mut known = self.known.borrow_mut();
        let now = now.as_nanos();
        if let Some(found) = known.get(tenant, now) {
            return Some(found.clone());
        }
        let idle = u64::try_from(TENANT_IDLE.as_nanos()).unwrap_or(u64::MAX);
        // One out for one in: a shard that is never full still forgets tenants that are gone.
        known.pop_idle(now, idle);
        let owes = |tenant: &Tenant| !tenant.bucket.is_full(now);
        let shared = self
            .shared
            .directory
            .join(tenant, Tenant::default, owes)
            .ok()?;
        let fresh = Known {
            name: tenant.into(),
            shared,
        };
        known.insert(tenant, fresh.clone(), now).ok()?;
        Some(fresh)
    }
}
