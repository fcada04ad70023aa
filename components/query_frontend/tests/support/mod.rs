//! A source of jobs that follow a script, and a front end over it in the simulated world.
#![allow(dead_code, reason = "each test file uses a part")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use http::{HeaderMap, Request, StatusCode};
use vivace_columns::ServiceStats;
use vivace_columns::{BatchChunk, Bitmap, Chunk as _, Selection};
use vivace_config::blocks::query_frontend::QueryFrontend;
use vivace_engine::{SpanResult, SpanSetResult, TraceResult};
use vivace_model::{Owner, SpanBatch, SpanBatchBuilder, SpanId, SpanRow, TraceId, Value};
use vivace_protocol::trace::Fragment;
use vivace_query_frontend::*;
use vivace_query_metrics::{MetricsPlan, Partials};
use vivace_shards::grpc::client::{CallOptions, Client as GrpcClient};
use vivace_shards::grpc::{Server, Status};
use vivace_shards::http::client::{Client, Version};
use vivace_shards::http::{Router, ServerOptions, serve};
use vivace_shards::net::{ListenOptions, TcpListener};
use vivace_shards::sim::{Ended, Sim};
use vivace_shards::time::{sleep, unix_nanos};
use vivace_shards::{BoxError, Class, shutdown, spawn};
use vivace_traceql::Query;

pub const ADDRESS: &str = "10.0.0.1:3200";
pub const SECOND: u64 = 1_000_000_000;

/// One job of a script.
#[derive(Clone, Default)]
pub struct Step {
    pub name: &'static str,
    pub delay: Duration,
    /// Unix nanoseconds.
    pub newest: u64,
    /// Tries that are answered with Busy before one succeeds.
    pub busy: u32,
    pub fails: bool,
    pub traces: Vec<TraceResult>,
    pub tags: TagsFound,
    /// Starts of spans that a metrics query counts, and their services.
    pub spans: Vec<(u64, &'static str)>,
}

#[derive(Default)]
pub struct State {
    pub jobs: RefCell<BTreeMap<String, Vec<Step>>>,
    /// `begin x`, `end x`, `drop x` in the order in which it happened.
    pub log: RefCell<Vec<String>>,
    pub running: Cell<usize>,
    pub most_running: Cell<usize>,
    /// Traces that don't match as a whole.
    pub false_friends: RefCell<BTreeSet<TraceId>>,
    pub completed: RefCell<Vec<TraceId>>,
    pub matching: RefCell<Vec<[u8; 8]>>,
    pub specs: RefCell<Vec<String>>,
    pub fragments: RefCell<Vec<Fragment>>,
    pub limits: RefCell<BTreeMap<String, QueryLimits>>,
}

/// The double.
#[derive(Clone, Default)]
pub struct Script(pub Rc<State>);

struct Running {
    state: Rc<State>,
    name: &'static str,
    ended: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.state.running.set(self.state.running.get() - 1);
        let what = if self.ended { "end" } else { "drop" };
        let line = format!("{what} {}", self.name);
        self.state.log.borrow_mut().push(line);
    }
}

impl Script {
    pub fn set(&self, tenant: &str, steps: Vec<Step>) {
        self.0.jobs.borrow_mut().insert(tenant.to_owned(), steps);
    }

    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.0.log.borrow_mut())
    }

    pub fn begun(&self) -> Vec<String> {
        let log = self.0.log.borrow();
        let begun = log.iter().filter_map(|line| line.strip_prefix("begin "));
        begun.map(str::to_owned).collect()
    }

    fn jobs<T: 'static>(
        &self,
        tenant: &str,
        make: impl AsyncFn(Step) -> T + Clone + 'static,
    ) -> Jobs<T> {
        let steps = self
            .0
            .jobs
            .borrow()
            .get(tenant)
            .cloned()
            .unwrap_or_default();
        let blocks = steps.len() as u32;
        let jobs = steps.into_iter().map(|step| {
            let (state, make) = (Rc::clone(&self.0), make.clone());
            let busy = Rc::new(Cell::new(step.busy));
            Job {
                bytes: 10,
                newest: step.newest,
                run: Box::new(move || {
                    let (state, make, step) = (Rc::clone(&state), make.clone(), step.clone());
                    let busy = Rc::clone(&busy);
                    async move {
                        state.log.borrow_mut().push(format!("begin {}", step.name));
                        state.running.set(state.running.get() + 1);
                        let most = state.most_running.get().max(state.running.get());
                        state.most_running.set(most);
                        let mut running = Running {
                            state,
                            name: step.name,
                            ended: false,
                        };
                        sleep(step.delay).await;
                        running.ended = true;
                        if busy.get() > 0 {
                            busy.set(busy.get() - 1);
                            return Err(SourceError::Busy("busy".into()));
                        }
                        if step.fails {
                            return Err(SourceError::Failed("broken".into()));
                        }
                        let cost = JobCost {
                            inspected_bytes: 100,
                            inspected_spans: 7,
                            backend_reads: 1,
                            backend_bytes: 50,
                        };
                        Ok((make(step).await, cost))
                    }
                    .boxed_local()
                }),
            }
        });
        Jobs {
            jobs: jobs.collect(),
            blocks,
            block_bytes: u64::from(blocks) * 1000,
        }
    }
}

impl QuerySource for Script {
    fn search<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<SearchSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<Vec<TraceResult>>, SourceError>> {
        let line = format!(
            "{} {}..{} spans {} limit {}",
            spec.query, spec.start, spec.end, spec.spans_per_set, spec.limit
        );
        self.0.specs.borrow_mut().push(line);
        let jobs = self.jobs(tenant, async |step: Step| step.traces);
        async { Ok(jobs) }.boxed_local()
    }

    fn complete<'a>(
        &'a self,
        _: &'a str,
        _: Rc<SearchSpec>,
        mut found: Vec<TraceResult>,
    ) -> LocalBoxFuture<'a, Result<Vec<TraceResult>, SourceError>> {
        let ids = found.iter().map(|trace| trace.trace_id);
        self.0.completed.borrow_mut().extend(ids);
        let false_friends = self.0.false_friends.borrow();
        found.retain(|trace| !false_friends.contains(&trace.trace_id));
        for trace in &mut found {
            trace.root_name = format!("{}, whole", trace.root_name).into();
        }
        async { Ok(found) }.boxed_local()
    }

    fn metrics<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<MetricsSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<Partials>, SourceError>> {
        self.0
            .specs
            .borrow_mut()
            .push(format!("{:?}", spec.request));
        let plan = MetricsPlan::new(&spec.query, spec.request, false);
        let plan = Rc::new(plan.map_err(|error| error.to_string()).unwrap());
        let make = async move |step: Step| count(&plan, &step.spans).await;
        let jobs = self.jobs(tenant, make);
        async { Ok(jobs) }.boxed_local()
    }

    fn tags<'a>(
        &'a self,
        tenant: &'a str,
        spec: Rc<TagsSpec>,
    ) -> LocalBoxFuture<'a, Result<Jobs<TagsFound>, SourceError>> {
        let line = format!(
            "{:?} {:?} {:?} {}..{}",
            spec.scope, spec.values_of, spec.filter, spec.start, spec.end
        );
        self.0.specs.borrow_mut().push(line);
        let jobs = self.jobs(tenant, async |step: Step| step.tags);
        async { Ok(jobs) }.boxed_local()
    }

    fn matching_spans<'a>(
        &'a self,
        _: &'a Query,
        _: TraceId,
        _: &'a [Fragment],
    ) -> LocalBoxFuture<'a, Result<Vec<[u8; 8]>, SourceError>> {
        let matching = self.0.matching.borrow().clone();
        async { Ok(matching) }.boxed_local()
    }
}

/// Counts spans as a job does.
async fn count(plan: &MetricsPlan, spans: &[(u64, &str)]) -> Partials {
    let mut partials = plan.new_partials();
    let Some(batch) = batch(spans) else {
        return partials;
    };
    let mut chunk = BatchChunk::new(&batch, async || {});
    for (number, leaf) in plan.leaves().iter().enumerate() {
        chunk.load(&leaf.columns(), None).await.unwrap();
        chunk.load_trace_ids().await.unwrap();
        let all = Selection::of(Bitmap::from_fn(spans.len() as u32, |_| true));
        plan.observe(number, &mut partials, &chunk, &all, 1.0, &async || {})
            .await
            .unwrap();
    }
    partials
}

/// Spans of one trace with starts and services; ids count from 1, each is the child of the one before.
pub fn batch(spans: &[(u64, &str)]) -> Option<SpanBatch> {
    let mut builder = SpanBatchBuilder::new();
    for (number, (start, service)) in (1u64..).zip(spans) {
        let (key, name) = (builder.intern("service.name"), builder.intern(service));
        builder.attribute(Owner::Resource, key, Value::string(name));
        let empty = builder.intern("");
        let resource = builder.resource(0, empty, &[]).unwrap();
        let scope = builder.scope(empty, empty, 0, empty).unwrap();
        builder
            .end_span(SpanRow {
                trace_id: id(1),
                span_id: SpanId(number.to_be_bytes()),
                parent_span_id: (number > 1).then(|| SpanId((number - 1).to_be_bytes())),
                name: empty,
                kind: 1,
                start_unix_nano: *start,
                end_unix_nano: *start + 1,
                status_code: 0,
                status_message: empty,
                trace_state: empty,
                flags: 0,
                dropped_attributes_count: 0,
                dropped_events_count: 0,
                dropped_links_count: 0,
                resource,
                scope,
            })
            .unwrap();
    }
    builder.finish()
}

pub fn id(number: u128) -> TraceId {
    TraceId(number.to_be_bytes())
}

/// A trace with one span.
pub fn trace(number: u128, start: u64) -> TraceResult {
    TraceResult {
        trace_id: id(number),
        root_service: "shop".into(),
        root_name: format!("trace {number}").into(),
        start_unix_nano: start,
        duration_nano: 5_000_000,
        services: vec![ServiceStats {
            service: "shop".into(),
            spans: 2,
            errors: 1,
        }],
        span_sets: vec![SpanSetResult {
            attributes: Vec::new(),
            matched: 1,
            spans: vec![SpanResult {
                span_id: SpanId([0, 0, 0, 0, 0, 0, 0, 9]),
                name: None,
                start_unix_nano: start,
                duration_nano: 5_000_000,
                attributes: Vec::new(),
            }],
        }],
    }
}

/// A job that finds traces.
pub fn step(name: &'static str, millis: u64, newest: u64, traces: Vec<TraceResult>) -> Step {
    Step {
        name,
        delay: Duration::from_millis(millis),
        newest,
        traces,
        ..Step::default()
    }
}

impl TraceSource for Script {
    fn find_recent<'a>(
        &'a self,
        _: &'a str,
        _: TraceId,
    ) -> LocalBoxFuture<'a, Result<Vec<Fragment>, SourceError>> {
        let fragments = self.0.fragments.borrow().clone();
        async { Ok(fragments) }.boxed_local()
    }

    fn find_in_blocks<'a>(
        &'a self,
        _: &'a str,
        _: &'a BlockLookup,
    ) -> LocalBoxFuture<'a, Result<FromBlocks, SourceError>> {
        async { Ok(FromBlocks::default()) }.boxed_local()
    }
}

impl Tenants for Script {
    fn of_request(&self, headers: &HeaderMap) -> Result<Vec<String>, TenantRefusal> {
        let header = headers.get("x-scope-orgid");
        let text = header.and_then(|value| value.to_str().ok());
        match text {
            Some(text) => Ok(text.split('|').map(str::to_owned).collect()),
            None => Err(TenantRefusal {
                status: StatusCode::UNAUTHORIZED,
                text: "no org id".into(),
            }),
        }
    }

    fn max_bytes_per_trace(&self, _: &str) -> u64 {
        0
    }

    fn query_limits(&self, tenant: &str) -> QueryLimits {
        let limits = self.0.limits.borrow();
        limits.get(tenant).copied().unwrap_or_default()
    }
}

/// The usual settings, without a cutoff.
pub fn config() -> QueryConfig {
    QueryConfig {
        cutoff: 0,
        ..QueryConfig::new(&QueryFrontend::default())
    }
}

pub struct World {
    pub script: Script,
    pub address: SocketAddr,
}

pub fn deps(script: &Script, config: QueryConfig) -> Deps {
    Deps {
        prefix: String::new(),
        api_timeout: Duration::from_secs(30),
        duration_slo: Duration::ZERO,
        throughput_bytes_slo: 0.0,
        first_tenant: "a".into(),
        url_deny_list: vec![regex::Regex::new("denied").unwrap()],
        log_headers: Vec::new(),
        traces: Rc::new(script.clone()),
        tenants: Rc::new(script.clone()),
        queries: Some(Queries {
            source: Rc::new(script.clone()),
            config,
        }),
    }
}

impl World {
    /// A front end that answers HTTP and gRPC on one port.
    pub fn start(config: QueryConfig) -> Self {
        Self::start_with(config, Duration::from_secs(30))
    }

    pub fn start_with(config: QueryConfig, api_timeout: Duration) -> Self {
        let script = Script::default();
        let address: SocketAddr = ADDRESS.parse().unwrap();
        let listener = TcpListener::bind(address, ListenOptions::default()).unwrap();
        let mut deps = deps(&script, config);
        deps.api_timeout = api_timeout;
        let frontend = Frontend::new(deps);
        let mut router = Router::new();
        for route in frontend.routes().unwrap() {
            router = router.add_route(route);
        }
        let router = router.mount_grpc(frontend.add_streaming(Server::new()));
        spawn(Class::Query, async move {
            let options = ServerOptions::default();
            serve(listener, Rc::new(router), options, shutdown::signal()).await
        })
        .detach();
        Self { script, address }
    }

    pub async fn get_with(&self, tenant: &str, target: &str, accept: &str) -> Answer {
        let client = Client::connect(self.address, Version::Http1).await.unwrap();
        let mut request = Request::get(target).header("accept", accept);
        if !tenant.is_empty() {
            request = request.header("x-scope-orgid", tenant);
        }
        let answer = client
            .send(request.body(Bytes::new()).unwrap())
            .await
            .unwrap();
        let header = answer.headers().get("content-type");
        Answer {
            status: answer.status().as_u16(),
            kind: header.map_or("", |kind| kind.to_str().unwrap()).to_owned(),
            body: answer.into_body(),
        }
    }

    pub async fn get(&self, tenant: &str, target: &str) -> Answer {
        self.get_with(tenant, target, "application/json").await
    }

    /// All messages of a stream with the (simulated) milliseconds at which they came.
    pub async fn stream<Q: prost::Message, M: prost::Message + Default>(
        &self,
        tenant: &str,
        method: &str,
        request: &Q,
    ) -> Result<Vec<(u64, M)>, Status> {
        let http = Client::connect(self.address, Version::Http2).await.unwrap();
        let client = GrpcClient::new(http);
        let mut options = CallOptions::default();
        if !tenant.is_empty() {
            let tenant = tenant.parse().unwrap();
            options.metadata.insert("x-scope-orgid", tenant);
        }
        let begun = unix_nanos();
        let path = format!("/tempopb.StreamingQuerier/{method}");
        let message = request.encode_to_vec().into();
        let mut stream = client.server_streaming(&path, message, &options).await?;
        let mut messages = Vec::new();
        while let Some(message) = stream.message().await? {
            let at = (unix_nanos() - begun) / 1_000_000;
            messages.push((at, M::decode(message).unwrap()));
        }
        Ok(messages)
    }
}

pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The numbers of the traces of a search, in order.
    pub fn numbers(&self) -> Vec<u64> {
        let json = self.json();
        let traces = json["traces"].as_array().unwrap();
        let ids = traces
            .iter()
            .map(|trace| trace["traceID"].as_str().unwrap());
        ids.map(|id| u64::from_str_radix(id, 16).unwrap()).collect()
    }
}

/// Runs a test in a simulated world.
pub fn simulate<F, Fut>(test: F)
where
    F: Fn() -> Fut + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let sim = Sim::new(7);
    let ended = sim.run(move || {
        let test = test();
        async move {
            test.await;
            Ok::<(), BoxError>(())
        }
    });
    assert_eq!(ended.unwrap(), Ended::Finished);
}
