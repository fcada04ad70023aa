//! The limits of tenants while the process runs: the file of tenants is read again every period.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use vivace_config::{Config, Error as ConfigError, Resolver, Source, TenantFile, TenantLimits};
use vivace_shards::metrics::{float_gauge_vec, gauge_vec};
use vivace_shards::shutdown::Signal;
use vivace_shards::{side, time};

use crate::settings::span;

/// Larger files of tenants are refused.
const FILE_BYTES_MAX: u64 = 64 << 20;
const FILE_METRIC: &str = "overrides";

/// Shared by all shards.
pub struct SharedLimits {
    config: Arc<Config>,
    expand_env: bool,
    current: Mutex<Arc<Resolver>>,
    /// Goes up with each new reading, so that shards notice without taking the lock.
    generation: AtomicU64,
}

/// A file of tenants that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// It can't be read.
    #[error("cannot read the per-tenant overrides {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// It is too large to be right.
    #[error("the per-tenant overrides {} have {bytes} bytes; at most {FILE_BYTES_MAX} are read", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    /// Its content is wrong.
    #[error(transparent)]
    Content(#[from] ConfigError),
    /// The helper threads are gone.
    #[error("cannot read the per-tenant overrides: {0}")]
    Side(#[from] side::Error),
}

impl LimitsError {
    /// Files get mended while the process runs.
    pub fn is_retryable(&self) -> bool {
        true
    }
}

impl SharedLimits {
    /// Reads the file of tenants, if there is one; it must be right at start.
    pub fn start(config: Arc<Config>, expand_env: bool) -> Result<Self, LimitsError> {
        let file = match path(&config) {
            Some(path) => Some(read(&path, &config, expand_env)?),
            None => None,
        };
        let resolver = Arc::new(Resolver::new(&config, file.as_ref()));
        announce(&resolver);
        Ok(Self {
            config,
            expand_env,
            current: Mutex::new(resolver),
            generation: AtomicU64::new(1),
        })
    }

    /// Everybody's limits now.
    pub fn current(&self) -> Arc<Resolver> {
        // Nothing can panic while the lock is held.
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Reads the file again and again until the process stops. A file that is wrong changes nothing.
    pub async fn reload(&self, stop: Signal) {
        let Some(path) = path(&self.config) else {
            return;
        };
        let healthy = gauge_vec(
            "tempo_runtime_config_last_reload_successful",
            "Whether the file of tenants could be read last time.",
            &["config"],
        );
        let healthy = healthy.with_label_values(&[FILE_METRIC]);
        healthy.set(1);
        let period = span(self.config.overrides.per_tenant_override_period)
            .max(std::time::Duration::from_millis(100));
        let mut was_wrong = false;
        while time::timeout(period, stop.wait()).await.is_err() {
            let (from, config, expand_env) =
                (path.clone(), Arc::clone(&self.config), self.expand_env);
            let outcome = side::blocking(move || read(&from, &config, expand_env)).await;
            match outcome.map_err(LimitsError::from).and_then(|file| file) {
                Ok(file) => {
                    let resolver = Arc::new(Resolver::new(&self.config, Some(&file)));
                    announce(&resolver);
                    *self.current.lock().unwrap_or_else(PoisonError::into_inner) = resolver;
                    self.generation.fetch_add(1, Ordering::Release);
                    healthy.set(1);
                    was_wrong = false;
                }
                Err(error) => {
                    healthy.set(0);
                    if !std::mem::replace(&mut was_wrong, true) {
                        tracing::error!(%error, "the per-tenant overrides are wrong; the last good ones stay");
                    }
                }
            }
        }
    }
}

fn path(config: &Config) -> Option<PathBuf> {
    let path = &config.overrides.per_tenant_override_config;
    (!path.is_empty()).then(|| path.into())
}

/// Blocks: called before the shards start, and from then on beside them.
fn read(path: &Path, config: &Config, expand_env: bool) -> Result<TenantFile, LimitsError> {
    let fail = |source| LimitsError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::metadata(path).map_err(fail)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(LimitsError::TooLarge {
            path: path.to_owned(),
            bytes,
        });
    }
    let text = std::fs::read_to_string(path).map_err(fail)?;
    let name = path.display().to_string();
    let source = Source {
        name: &name,
        text: &text,
    };
    Ok(TenantFile::parse(source, config, expand_env, &|name| {
        std::env::var(name).ok()
    })?)
}

/// `tempo_limits_defaults` and `tempo_limits_overrides` (configuration.md §8.3).
fn announce(resolver: &Resolver) {
    let defaults = float_gauge_vec(
        "tempo_limits_defaults",
        "Limits without overrides.",
        &["limit_name"],
    );
    for (name, value) in exported(resolver.defaults()) {
        defaults.with_label_values(&[name]).set(value);
    }
    let overrides = float_gauge_vec(
        "tempo_limits_overrides",
        "Limits of tenants that have their own.",
        &["limit_name", "user"],
    );
    overrides.reset();
    for (tenant, limits) in resolver.tenants() {
        for (name, value) in exported(limits) {
            overrides.with_label_values(&[name, tenant]).set(value);
        }
    }
}

fn exported(limits: &TenantLimits) -> [(&'static str, f64); 9] {
    let all = &limits.limits;
    [
        (
            "max_local_traces_per_user",
            limits.max_traces_per_user as f64,
        ),
        (
            "max_global_traces_per_user",
            all.ingestion.max_global_traces_per_user as f64,
        ),
        ("max_bytes_per_trace", limits.max_bytes_per_trace as f64),
        (
            "max_bytes_per_tag_values_query",
            all.read.max_bytes_per_tag_values_query as f64,
        ),
        (
            "max_blocks_per_tag_values_query",
            f64::from(all.read.max_blocks_per_tag_values_query),
        ),
        ("ingestion_rate_limit_bytes", limits.rate_limit_bytes as f64),
        ("ingestion_burst_size_bytes", limits.burst_size_bytes as f64),
        (
            "block_retention",
            all.compaction
                .block_retention
                .as_duration()
                .as_std()
                .as_secs_f64(),
        ),
        (
            "metrics_generator_max_active_series",
            all.metrics_generator.max_active_series as f64,
        ),
    ]
}

/// One shard's copy, renewed when there is a new reading: no lock on the way of a request.
pub struct ShardLimits {
    shared: Arc<SharedLimits>,
    seen: Cell<u64>,
    resolver: RefCell<Arc<Resolver>>,
}

impl ShardLimits {
    /// For the current shard.
    pub fn new(shared: Arc<SharedLimits>) -> Self {
        Self {
            seen: Cell::new(shared.generation.load(Ordering::Acquire)),
            resolver: RefCell::new(shared.current()),
            shared,
        }
    }

    /// A tenant's limits now.
    pub fn of(&self, tenant: &str) -> Arc<TenantLimits> {
        let generation = self.shared.generation.load(Ordering::Acquire);
        if self.seen.replace(generation) != generation {
            *self.resolver.borrow_mut() = self.shared.current();
        }
        Arc::clone(self.resolver.borrow().limits(tenant))
    }
}
