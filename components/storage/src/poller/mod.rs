//! Looking through the store for blocks, again and again (read-path-and-backend-work.md §11).
//!
//! For each tenant either the index is read that somebody else writes, or the store is listed, metas of unknown blocks are read, and the
//! index is written for others.

mod config;
mod deletion;
mod index;
mod metrics;
mod tenant;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};
use vivace_config::blocks::storage::TraceStorage;
use vivace_shards::{rand, time};

use crate::blocklist::{self, Blocklist};
use crate::error::Error;
use crate::limits::{POLL_RETRY_MAX, POLL_RETRY_MIN};
use crate::storage::Storage;
use config::Config;
use metrics::Metrics;

/// Keeps a [`Blocklist`] up to date.
pub struct Poller {
    storage: Storage,
    list: Arc<Blocklist>,
    config: Config,
    metrics: Metrics,
    /// Failures in a row, by tenant.
    failures: RefCell<BTreeMap<String, u32>>,
}

/// What a poll has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollReport {
    pub tenants: usize,
    /// Live and compacted blocks in the list afterwards.
    pub live: usize,
    pub compacted: usize,
    /// Tenants whose former list was kept.
    pub failed: Vec<String>,
}

impl Poller {
    /// A poller of the configured pace. `builder`: it lists the store and writes the indexes of tenants, as the single binary does;
    /// otherwise it reads them.
    pub fn new(
        storage: Storage,
        list: Arc<Blocklist>,
        config: &TraceStorage,
        builder: bool,
    ) -> Self {
        let config = Config::new(config, builder);
        list.prepare_polls(config.period.saturating_mul(2));
        blocklist::export(&list);
        Self {
            storage,
            list,
            config,
            metrics: Metrics::new(),
            failures: RefCell::default(),
        }
    }

    /// Polls until `stop` resolves, the first time at once. A failed poll is tried again with growing pauses. With a pace of 0 nothing
    /// is polled: the list is what this process adds to it.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        if self.config.period.is_zero() {
            self.list.set_complete();
            return stop.await;
        }
        let mut stop = pin!(stop);
        let mut retry = POLL_RETRY_MIN;
        loop {
            let poll = pin!(self.poll_once());
            let pause = match select(poll, stop.as_mut()).await {
                Either::Left((Ok(_), _)) => {
                    retry = POLL_RETRY_MIN;
                    self.config.period
                }
                Either::Left((Err(_), _)) => {
                    let pause = retry.min(self.config.period);
                    retry = retry.saturating_mul(2).min(POLL_RETRY_MAX);
                    pause
                }
                Either::Right(_) => return,
            };
            let pause = pin!(time::sleep(spread(pause)));
            if let Either::Right(_) = select(pause, stop.as_mut()).await {
                return;
            }
        }
    }

    /// Looks through the store once.
    ///
    /// # Errors
    /// If the tenants cannot be listed, or more of them fail than is tolerated. Logged already.
    pub async fn poll_once(&self) -> Result<PollReport, Error> {
        let began = time::Instant::now();
        let polled = self.poll().await;
        let took = began.elapsed();
        match &polled {
            Ok(report) => {
                self.metrics.duration.observe(took.as_secs_f64());
                tracing::info!(
                    seconds = took.as_secs_f64(),
                    tenants = report.tenants,
                    blocks = report.live,
                    "blocklist poll complete"
                );
            }
            Err(error) => {
                self.list.poll_failed(&error.to_string());
                tracing::error!(%error, "blocklist poll failed");
            }
        }
        polled
    }

    async fn poll(&self) -> Result<PollReport, Error> {
        let poll = self.list.begin_poll();
        let tenants = match self.storage.tenants().await {
            Ok(tenants) => tenants,
            Err(error) => {
                self.metrics.errors.with_label_values(&[""]).inc();
                return Err(error);
            }
        };
        self.failures
            .borrow_mut()
            .retain(|tenant, _| tenants.binary_search(tenant).is_ok());
        let polls = tenants.iter().map(|tenant| async move {
            self.jitter().await;
            (tenant, self.poll_tenant(poll, tenant).await)
        });
        let mut polls = stream::iter(polls).buffer_unordered(self.config.tenants_at_once);
        let mut failed = Vec::new();
        let mut beyond = None;
        let mut tolerated = self.config.tolerated_tenants;
        while let Some((tenant, polled)) = polls.next().await {
            let Err(error) = polled else {
                self.failures.borrow_mut().remove(tenant);
                continue;
            };
            self.metrics.errors.with_label_values(&[tenant]).inc();
            self.list.tenant_failed(tenant, &error.to_string());
            failed.push(tenant.clone());
            let in_a_row = {
                let mut failures = self.failures.borrow_mut();
                let failures = failures.entry(tenant.clone()).or_default();
                *failures = failures.saturating_add(1);
                *failures
            };
            tracing::error!(tenant, %error, in_a_row, "failed to poll or create index for tenant");
            if in_a_row > self.config.tolerated_errors {
                match tolerated.checked_sub(1) {
                    Some(left) => tolerated = left,
                    None => beyond = Some(error),
                }
            }
        }
        drop(polls);
        if let Some(error) = beyond {
            return Err(error);
        }
        self.list.end_poll(poll, &tenants);
        failed.sort_unstable();
        let (live, compacted) = self.list.lengths();
        Ok(PollReport {
            tenants: tenants.len(),
            live,
            compacted,
            failed,
        })
    }

    /// Spreads the load of many tenants.
    async fn jitter(&self) {
        let most = u64::try_from(self.config.jitter.as_nanos()).unwrap_or(u64::MAX);
        if most > 0 {
            time::sleep(Duration::from_nanos(rand::below(most))).await;
        }
    }
}

/// A pause of up to a twentieth more, so that processes that start together do not stay together.
fn spread(pause: Duration) -> Duration {
    let more = u64::try_from((pause / 20).as_nanos()).unwrap_or(u64::MAX);
    pause + Duration::from_nanos(rand::below(more))
}
