//! What all shards of the process share, made before they start.

use std::sync::{Arc, OnceLock};

use vivace_config::{Config, tenant};
use vivace_shards::grpc::health::Health;
use vivace_storage::{Blocklist, Error as StorageError, Storage};

use crate::barrier::Barrier;
use crate::glue::{Inboxes, SectionBook};
use crate::limits::{LimitsError, SharedLimits};
use crate::listeners::Listener;
use crate::modules::Modules;
use crate::settings;

/// The process, as every shard sees it.
pub struct Node {
    /// The configuration as it was loaded.
    pub config: Arc<Config>,
    /// Number of shards.
    pub shards: usize,
    /// What budgets share, in bytes.
    pub memory_limit: u64,
    /// What all of the process may have; 0: no limit.
    pub process_memory: u64,
    /// Where to listen.
    pub listeners: Vec<Listener>,
    /// Limits of tenants.
    pub limits: Arc<SharedLimits>,
    /// States of modules.
    pub modules: Modules,
    /// Mailboxes.
    pub inboxes: Arc<Inboxes>,
    /// `grpc.health.v1`.
    pub health: Health,
    /// The log's part that all shards share.
    pub log: vivace_ingest_log::Shared,
    /// The live store's part that all shards share.
    pub live_store: Arc<vivace_live_store::Shared>,
    /// The distributor's part that all shards share.
    pub distributor: Arc<vivace_distributor::Shared>,
    /// Bloom filters and opened blocks.
    pub caches: Arc<vivace_querier::Caches>,
    /// The blocks that queries see.
    pub blocklist: Arc<Blocklist>,
    /// Sections of the log whose blocks may be listed.
    pub sections: Arc<SectionBook>,
    storage: OnceLock<Result<Storage, StorageError>>,
    /// All shards have replayed: from here on the process is ready.
    pub started: Barrier,
    /// No shard takes requests to ingest any more.
    pub ingest_stopped: Barrier,
    /// No shard takes queries any more.
    pub queries_stopped: Barrier,
}

impl Node {
    /// For a number of shards. `seed` is any secret number.
    pub fn new(
        config: Arc<Config>,
        expand_env: bool,
        shards: usize,
        listeners: Vec<Listener>,
        seed: u64,
    ) -> Result<Self, LimitsError> {
        let process_memory = settings::memory_limit(&config);
        let memory_limit = settings::budgets(process_memory);
        Ok(Self {
            shards,
            memory_limit,
            process_memory,
            caches: vivace_querier::Caches::new(settings::block_cache(&config, memory_limit)),
            blocklist: Arc::new(Blocklist::new()),
            sections: Arc::default(),
            storage: OnceLock::new(),
            listeners,
            limits: Arc::new(SharedLimits::start(Arc::clone(&config), expand_env)?),
            modules: Modules::new(shards),
            inboxes: Arc::new(Inboxes::new(shards)),
            health: Health::new(),
            log: vivace_ingest_log::Shared::new(),
            live_store: vivace_live_store::Shared::new(seed, tenant::SINGLE_TENANT),
            distributor: vivace_distributor::Shared::new(seed, tenant::SINGLE_TENANT),
            started: Barrier::new(shards),
            ingest_stopped: Barrier::new(shards),
            queries_stopped: Barrier::new(shards),
            config,
        })
    }

    /// The store of blocks, opened by the shard that asks first.
    pub fn storage(&self) -> Result<Storage, StorageError> {
        self.storage
            .get_or_init(|| Storage::open(&self.config.storage.trace))
            .clone()
    }
}
