//! The settings of a poller.

use std::time::Duration;

use vivace_config::blocks::storage::TraceStorage;

use crate::limits::{DEFAULT_EMPTY_TENANT_AGE, MOST_METAS_AT_ONCE, MOST_TENANTS_AT_ONCE};

pub(super) struct Config {
    /// Zero: never.
    pub period: Duration,
    pub metas_at_once: usize,
    pub tenants_at_once: usize,
    /// Whether this process lists and writes indexes, or reads them.
    pub builder: bool,
    /// An index older than this is not used. None: any is.
    pub stale: Option<Duration>,
    /// List the store if there is no usable index.
    pub fallback: bool,
    pub jitter: Duration,
    pub tolerated_errors: u32,
    pub tolerated_tenants: u32,
    /// Delete what is left of tenants without blocks when all of it is older.
    pub delete_empty: Option<Duration>,
}

impl Config {
    pub(super) fn new(config: &TraceStorage, builder: bool) -> Self {
        let some = |duration: Duration| (duration > Duration::ZERO).then_some(duration);
        // 0 blocks at once would never find one.
        let metas = match config.blocklist_poll_concurrency {
            0 => TraceStorage::default().blocklist_poll_concurrency,
            metas => metas,
        };
        let at_once = |n: u32, most: usize| usize::try_from(n).unwrap_or(most).clamp(1, most);
        let age = some(config.empty_tenant_deletion_age.as_std());
        Self {
            period: config.blocklist_poll.as_std(),
            metas_at_once: at_once(metas, MOST_METAS_AT_ONCE),
            tenants_at_once: at_once(
                config.blocklist_poll_tenant_concurrency,
                MOST_TENANTS_AT_ONCE,
            ),
            builder,
            stale: some(config.blocklist_poll_stale_tenant_index.as_std()),
            fallback: config.blocklist_poll_fallback,
            jitter: Duration::from_millis(config.blocklist_poll_jitter_ms.into()),
            tolerated_errors: config.blocklist_poll_tolerate_consecutive_errors,
            tolerated_tenants: config.blocklist_poll_tolerate_tenant_failures,
            delete_empty: config
                .empty_tenant_deletion_enabled
                .then(|| age.unwrap_or(DEFAULT_EMPTY_TENANT_AGE)),
        }
    }
}
