//! One shard from its start to its end: listeners first (probes get answers), then log, live store, distributor;
//! at the stop the same backwards.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use vivace_block_builder::{self as block_builder, BlockBuilder};
use vivace_config::tenant::SINGLE_TENANT;
use vivace_distributor as distributor;
use vivace_ingest_log as ingest_log;
use vivace_live_store as live_store;
use vivace_querier::Querier;
use vivace_shards::grpc::health::Serving;
use vivace_shards::http::{self, Router};
use vivace_shards::memory::{self, Charge, Kind, Pressure};
use vivace_shards::net::{ListenOptions, TcpListener};
use vivace_shards::shutdown::{self, Signal};
use vivace_shards::time::{Instant, sleep, timeout};
use vivace_shards::{BoxError, Class, Task, driver_name, shard_count, shard_id, spawn};
use vivace_storage::{Poller, Storage};

use crate::glue::{
    COMMIT_GROUP, DedicatedOf, ListedBlocks, LogReader, LogRecords, LogSections, Owner, PLAN_GROUP,
    Partitions, Queries, TargetBytes, Traces, UploadBucket,
};
use crate::limits::ShardLimits;
use crate::listeners::{ListenError, Listener, Surface};
use crate::modules::State;
use crate::node::Node;
use crate::{api, memory_guard, settings};

/// Longest wait for the other shards at each step of a stop.
const STEP_MAX: Duration = Duration::from_secs(12);
/// Longest wait for the list of blocks at a start. Ingest must not wait for a store that is down: queries say so instead.
const FIRST_POLL_MAX: Duration = Duration::from_secs(10);
const FIRST_POLL_STEP: Duration = Duration::from_millis(2);

type Servers = Vec<Task<Result<(), http::Error>>>;

/// Runs this shard until the process is told to stop.
pub async fn run(node: Arc<Node>) -> Result<(), BoxError> {
    let outcome = Shard::new(Arc::clone(&node)).run().await;
    if let Err(error) = &outcome {
        node.modules.fail("vivace", &error.to_string());
    }
    outcome
}

struct Shard {
    node: Arc<Node>,
    id: usize,
    limits: Rc<ShardLimits>,
}

/// What runs once everything has started.
struct Running {
    log: ingest_log::Handle,
    blocks: BlockBuilder,
    ingest: Servers,
    ingest_stop: Signal,
    background: Vec<Task<()>>,
    /// This shard's part of what the caches may hold.
    _caches: Charge,
}

impl Shard {
    fn new(node: Arc<Node>) -> Self {
        Self {
            id: shard_id(),
            limits: Rc::new(ShardLimits::new(Arc::clone(&node.limits))),
            node,
        }
    }

    fn set(&self, module: &'static str, state: State) {
        if self.node.modules.set(module, self.id, state) {
            match state {
                State::Running => tracing::debug!(msg = "module running", module),
                State::Terminated => tracing::info!(msg = "module stopped", module),
                _ => {}
            }
        }
    }

    async fn run(self) -> Result<(), BoxError> {
        let stop = shutdown::signal();
        let late = api::Late::default();
        let query_stop = Signal::new();
        self.set("server", State::Starting);
        let queries = self.open_queries(&late, &query_stop)?;
        self.set("server", State::Running);
        self.set("overrides", State::Running);

        let mut running = self.start(&late).await?;
        self.node.started.pass(STEP_MAX).await;
        let building = running.blocks.clone().run();
        running.background.push(spawn(Class::Background, building));
        if self.id == 0 && self.node.modules.readiness().is_ok() {
            self.node.health.set_all(Serving::Serving);
            tracing::info!(msg = "Tempo started", shards = shard_count());
        }

        stop.wait().await;
        self.stop(running, queries, &query_stop).await
    }

    /// Listeners of queries, probes and operators.
    fn open_queries(&self, late: &api::Late, stop: &Signal) -> Result<Servers, BoxError> {
        let frontend = api::frontend(&self.node, &self.limits, late)?;
        let mut servers = Servers::new();
        for listener in self
            .node
            .listeners
            .iter()
            .filter(|one| !one.surface.is_ingest())
        {
            let router = match listener.surface {
                Surface::Internal => api::internal_router(&self.node),
                Surface::Grpc => Router::new().mount_grpc(api::grpc_server(&self.node, &frontend)?),
                _ => api::router(&self.node, &frontend)?,
            };
            servers.push(serve(listener, router, stop)?);
        }
        Ok(servers)
    }

    async fn start(&self, late: &api::Late) -> Result<Running, BoxError> {
        let node = &self.node;
        let started = Instant::now();
        self.set("ingest-log", State::Starting);
        let log_config = settings::ingest_log(&node.config);
        let deps = ingest_log::Deps {
            shared: node.log.clone(),
        };
        let log = ingest_log::Service::start(log_config, deps).await?;
        self.set("ingest-log", State::Running);

        self.set("store", State::Starting);
        let storage = node.storage()?;
        let mut background = Vec::new();
        if self.id == 0 {
            block_builder::clean_folder(settings::local_blocks(&node.config).as_ref()).await?;
            background.push(self.poll_blocks(&storage).await);
        }
        let caches = memory::charge(node.caches.bytes() / node.shards as u64, Kind::Query);
        self.set("store", State::Running);

        self.set("live-store", State::Starting);
        let store = self.live_store(&log);
        let blocks = self.block_builder(&log, &store, &storage)?;
        self.replay(&log, &store, &blocks).await?;
        let querier = Querier::new(
            Rc::new(ListedBlocks::new(node, &storage)),
            Arc::clone(&node.caches),
        );
        let owner = Owner::new(log.clone(), store.clone(), querier.clone(), &blocks)?;
        let inbox = node
            .inboxes
            .take(self.id)
            .ok_or("a shard was started twice")?;
        background.push(spawn(Class::Ingest, owner.clone().serve(inbox)));
        background.push(spawn(Class::Background, store.clone().maintain()));
        if node.process_memory > 0 && driver_name() != "sim" {
            background.push(spawn(Class::Ingest, memory_guard::give_back()));
            if self.id == 0 {
                let limit = memory_guard::Limit {
                    bytes: node.process_memory,
                    set_aside: node.process_memory - node.memory_limit,
                    is_configured: node.config.memory.limit.0 > 0,
                };
                let caches = Arc::clone(&node.caches);
                let reserved = move || caches.bytes().saturating_sub(caches.used());
                let watching = memory_guard::watch(limit, reserved);
                background.push(spawn(Class::Ingest, watching));
            }
        }
        if self.id == 0 {
            let (limits, stop) = (Arc::clone(&node.limits), shutdown::signal());
            background.push(spawn(Class::Background, async move {
                limits.reload(stop).await
            }));
        }
        self.set("live-store", State::Running);

        self.set("query-frontend", State::Starting);
        let frontend = &node.config.query_frontend;
        late.set(api::Sources {
            queries: Queries::new(
                Arc::clone(&node.inboxes),
                owner.clone(),
                querier.clone(),
                Arc::clone(&node.sections),
                self.dedicated(),
                TargetBytes {
                    search: frontend.search.target_bytes_per_job,
                    metrics: frontend.metrics.target_bytes_per_job,
                },
            ),
            traces: Rc::new(Traces {
                inboxes: Arc::clone(&node.inboxes),
                own: owner.clone(),
                querier,
            }),
        });
        self.set("query-frontend", State::Running);

        self.set("distributor", State::Starting);
        let sink = Rc::new(Partitions {
            count: log.partitions(),
            inboxes: Arc::clone(&node.inboxes),
            own: owner,
        });
        let ingest_stop = Signal::new();
        let ingest = self.open_ingest(sink, &ingest_stop)?;
        self.set("distributor", State::Running);
        store.caught_up_after(started.elapsed());
        store.set_ready(true);
        Ok(Running {
            log,
            blocks,
            ingest,
            ingest_stop,
            background,
            _caches: caches,
        })
    }

    /// Keeps the blocklist up to date, and waits for its first state, but not for ever: spans can be taken without it.
    async fn poll_blocks(&self, storage: &Storage) -> Task<()> {
        let node = &self.node;
        let config = &node.config.storage.trace;
        let list = Arc::clone(&node.blocklist);
        let poller = Poller::new(storage.clone(), Arc::clone(&list), config, true);
        let once = settings::span(config.blocklist_poll).is_zero();
        let polling = spawn(Class::Background, async move {
            // Without polling, what an earlier process has written must be known all the same.
            while once && poller.poll_once().await.is_err() {
                sleep(FIRST_POLL_MAX).await;
            }
            let stop = shutdown::signal();
            poller.run(stop.wait()).await;
        });
        let first = async {
            while !list.is_complete() {
                sleep(FIRST_POLL_STEP).await;
            }
        };
        if timeout(FIRST_POLL_MAX, first).await.is_err() {
            tracing::warn!(
                msg = "the store could not be listed yet; spans are taken, queries of blocks fail until it can",
                why = list.why_incomplete(),
            );
        }
        polling
    }

    fn block_builder(
        &self,
        log: &ingest_log::Handle,
        store: &live_store::Store,
        storage: &Storage,
    ) -> Result<BlockBuilder, BoxError> {
        let node = &self.node;
        let (limits, config) = (Rc::clone(&self.limits), Arc::clone(&node.config));
        let live = store.clone();
        let deps = block_builder::Deps {
            source: Rc::new(LogSections {
                log: log.clone(),
                store: store.clone(),
                book: Arc::clone(&node.sections),
            }),
            bucket: Rc::new(UploadBucket::new(node, storage)),
            options: Box::new(move |tenant| {
                let columns = &limits.of(tenant).limits.storage.parquet_dedicated_columns;
                settings::block_options(&config, columns)
            }),
            crowded: Box::new(move || memory::pressure() != Pressure::Normal || live.is_crowded()),
        };
        let config = settings::block_builder(&node.config, node.memory_limit, node.shards);
        let blocks = BlockBuilder::new(config, deps);
        for partition in log.owned() {
            let committed = committed(log, partition)?;
            let planned = log.committed(partition, PLAN_GROUP)?.unwrap_or(0);
            if planned > committed {
                // An earlier process may have made some of its blocks: they are listed before this one gets to them.
                node.sections.note(partition, committed..planned);
            }
            blocks.own(partition, committed, planned);
        }
        Ok(blocks)
    }

    fn dedicated(&self) -> DedicatedOf {
        let (limits, config) = (Rc::clone(&self.limits), Arc::clone(&self.node.config));
        Box::new(move |tenant| {
            let columns = &limits.of(tenant).limits.storage.parquet_dedicated_columns;
            settings::dedicated(&config, columns)
        })
    }

    fn live_store(&self, log: &ingest_log::Handle) -> live_store::Store {
        let node = &self.node;
        let limits = Rc::clone(&self.limits);
        let store = live_store::Store::new(
            settings::live_store(&node.config, node.memory_limit, node.shards),
            Arc::clone(&node.live_store),
            move |tenant| {
                let limits = limits.of(tenant);
                live_store::TraceLimits {
                    max_bytes_per_trace: limits.max_bytes_per_trace,
                    max_live_traces: limits.max_traces_per_user,
                }
            },
            Rc::new(LogReader(log.clone())),
        );
        for partition in log.owned() {
            store.own(partition);
        }
        store
    }

    async fn replay(
        &self,
        log: &ingest_log::Handle,
        store: &live_store::Store,
        blocks: &BlockBuilder,
    ) -> Result<(), BoxError> {
        for partition in log.owned() {
            let from = committed(log, partition)?;
            let started = Instant::now();
            let mut records = LogRecords {
                reader: log.read(partition, from)?,
                partition,
                blocks: blocks.clone(),
            };
            let replayed = store.replay(partition, &mut records).await?;
            if replayed.records + replayed.undecodable > 0 {
                tracing::info!(
                    msg = "replayed the ingest log",
                    partition,
                    from,
                    records = replayed.records,
                    spans = replayed.spans,
                    bytes = replayed.bytes,
                    undecodable = replayed.undecodable,
                    seconds = started.elapsed().as_secs_f64(),
                );
            }
        }
        Ok(())
    }

    fn open_ingest(&self, sink: Rc<Partitions>, stop: &Signal) -> Result<Servers, BoxError> {
        let mut servers = Servers::new();
        for listener in self
            .node
            .listeners
            .iter()
            .filter(|one| one.surface.is_ingest())
        {
            let mut config = settings::distributor(&self.node.config);
            match &listener.surface {
                Surface::OtlpHttp(http) => {
                    config.http_max_body_bytes = http.max_body_bytes;
                    config.http = http.receiver.clone();
                }
                Surface::OtlpGrpc(largest) => config.grpc_max_message_bytes = *largest,
                _ => {}
            }
            let limits = Rc::clone(&self.limits);
            let service = distributor::Service::new(
                config,
                Arc::clone(&self.node.distributor),
                move |tenant| tenant_limits(&limits, tenant),
                Rc::clone(&sink) as Rc<dyn distributor::PartitionSink>,
            );
            let router = match listener.surface {
                Surface::OtlpHttp(_) => distributor::router(&service),
                _ => {
                    let grpc = distributor::grpc_server(&service);
                    let grpc = grpc
                        .health(self.node.health.clone())
                        .reflection(api::DESCRIPTORS)?;
                    Router::new().mount_grpc(grpc)
                }
            };
            servers.push(serve(listener, router, stop)?);
        }
        Ok(servers)
    }

    /// Ingest first, then queries, then the log: nothing is taken away that another shard still uses.
    async fn stop(
        self,
        running: Running,
        queries: Servers,
        query_stop: &Signal,
    ) -> Result<(), BoxError> {
        let node = &self.node;
        node.modules.stopping();
        node.health.set_all(Serving::NotServing);
        let delay = settings::span(node.config.shutdown_delay);
        if !delay.is_zero() {
            sleep(delay).await;
        }
        self.set("distributor", State::Stopping);
        running.ingest_stop.trigger("stopping");
        let mut outcome = join(running.ingest).await;
        node.ingest_stopped.pass(STEP_MAX).await;
        self.set("distributor", State::Terminated);

        self.set("query-frontend", State::Stopping);
        query_stop.trigger("stopping");
        outcome = outcome.and(join(queries).await);
        node.queries_stopped.pass(STEP_MAX).await;
        self.set("query-frontend", State::Terminated);

        self.set("live-store", State::Stopping);
        drop(running.background);
        self.set("live-store", State::Terminated);
        self.set("ingest-log", State::Stopping);
        running.log.close().await;
        self.set("ingest-log", State::Terminated);
        self.set("server", State::Terminated);
        outcome
    }
}

fn tenant_limits(limits: &ShardLimits, tenant: &str) -> distributor::TenantLimits {
    let limits = limits.of(tenant);
    distributor::TenantLimits {
        rate_limit_bytes: limits.rate_limit_bytes,
        burst_size_bytes: limits.burst_size_bytes,
        max_attribute_bytes: limits.limits.ingestion.max_attribute_bytes,
        artificial_delay: limits.artificial_delay,
        retry_info_enabled: limits.limits.ingestion.retry_info_enabled.unwrap_or(true),
    }
}

fn serve(
    listener: &Listener,
    router: Router,
    stop: &Signal,
) -> Result<Task<Result<(), http::Error>>, BoxError> {
    let options = ListenOptions {
        reuse_port: true,
        ..ListenOptions::default()
    };
    let socket =
        TcpListener::bind(listener.address, options).map_err(|source| ListenError::Bind {
            name: listener.name,
            address: listener.address,
            source,
        })?;
    let mut options = listener.options.clone();
    if listener.connection_limit > 0 {
        // The kernel spreads connections evenly, so that a share for each shard is nearly the whole.
        options.max_connections = (listener.connection_limit as usize).div_ceil(shard_count());
    }
    let serving = http::serve(socket, Rc::new(router), options, stop.clone());
    Ok(spawn(listener.options.class, async move {
        let outcome = serving.await;
        if let Err(error) = &outcome {
            // A server without a listener is of no use: stop, and say why.
            shutdown::trigger(error.to_string());
        }
        outcome
    }))
}

async fn join(servers: Servers) -> Result<(), BoxError> {
    let mut outcome = Ok(());
    for server in servers {
        if let Err(error) = server.await {
            outcome = Err(error.into());
        }
    }
    outcome
}

/// Everything of the partition below this is in blocks, or gone.
fn committed(log: &ingest_log::Handle, partition: u32) -> Result<u64, ingest_log::Error> {
    let committed = log.committed(partition, COMMIT_GROUP)?.unwrap_or(0);
    Ok(committed.max(log.start_offset(partition)?))
}

/// The tenant of a process without multi-tenancy.
pub const FIRST_TENANT: &str = SINGLE_TENANT;
