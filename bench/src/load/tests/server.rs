//! A tiny trace store to send to: OTLP over HTTP and gRPC, and trace by id. Runs on real shards and in the simulator.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message;
use vivace_shards::grpc::{Call, Code, Server, Status};
use vivace_shards::http::compression::{Encoding, decompress};
use vivace_shards::http::{
    Methods, RequestContext, Response, Router, ServerOptions, response, serve,
};
use vivace_shards::net::{ListenOptions, TcpListener};
use vivace_shards::shutdown::Signal;
use vivace_shards::time::{self, Instant};
use vivace_shards::{BoxError, Class, spawn};

const MAX_BODY: usize = 64 << 20;

/// What is wrong with the server.
#[derive(Default, Clone)]
pub struct Faults {
    /// Answers nothing between these times after its start.
    pub stall: Option<(Duration, Duration)>,
    /// Time for each request.
    pub think: Duration,
    /// Refuses every n-th request; 0 = none.
    pub refuse_every: u64,
    /// Acknowledges every n-th request without storing it; 0 = none.
    pub lose_every: u64,
    /// Stores every n-th request twice; 0 = none.
    pub double_every: u64,
    /// Says in its metrics that all is in blocks from this time after its start; zero = says nothing of blocks.
    pub blocks_after: Duration,
}

/// The store.
pub struct Store {
    faults: Faults,
    started: Cell<Instant>,
    /// Export requests seen.
    pub requests: Cell<u64>,
    /// The tenant of the last one.
    pub tenant: RefCell<Option<String>>,
    traces: RefCell<BTreeMap<Vec<u8>, Vec<Span>>>,
}

fn every(n: u64, of: u64) -> bool {
    of > 0 && n.is_multiple_of(of)
}

impl Store {
    /// Empty.
    pub fn new(faults: Faults) -> Rc<Self> {
        Rc::new(Self {
            faults,
            started: Cell::new(Instant::now()),
            requests: Cell::new(0),
            tenant: RefCell::default(),
            traces: RefCell::default(),
        })
    }

    /// Spans stored.
    pub fn spans(&self) -> u64 {
        self.traces.borrow().values().map(|t| t.len() as u64).sum()
    }

    /// Says whether the request is accepted.
    async fn export(&self, body: &[u8], tenant: Option<&str>) -> Result<bool, BoxError> {
        let n = self.requests.get() + 1;
        self.requests.set(n);
        *self.tenant.borrow_mut() = tenant.map(str::to_owned);
        time::sleep(self.faults.think).await;
        if let Some((from, to)) = self.faults.stall
            && (from..to).contains(&self.started.get().elapsed())
        {
            time::sleep_until(self.started.get() + to).await;
        }
        if every(n, self.faults.refuse_every) {
            return Ok(false);
        }
        let request = ExportTraceServiceRequest::decode(body)?;
        let copies = if every(n, self.faults.lose_every) {
            0
        } else {
            1 + usize::from(every(n, self.faults.double_every))
        };
        let scopes = request
            .resource_spans
            .into_iter()
            .flat_map(|r| r.scope_spans);
        for span in scopes.flat_map(|scope| scope.spans) {
            let mut traces = self.traces.borrow_mut();
            let trace = traces.entry(span.trace_id.clone()).or_default();
            trace.extend(std::iter::repeat_n(span, copies));
        }
        Ok(true)
    }

    async fn post(&self, mut context: RequestContext) -> Response {
        let tenant = context.header("x-scope-orgid").map(str::to_owned);
        let encoding = context.header("content-encoding").unwrap_or_default();
        let encoding = Encoding::parse(encoding).expect("an encoding");
        let body = context.body.collect(MAX_BODY).await.expect("a body");
        let body = decompress(encoding, body, MAX_BODY).await.expect("data");
        match self.export(&body, tenant.as_deref()).await {
            Ok(true) => response::with_type(StatusCode::OK, "application/x-protobuf", vec![10, 0]),
            Ok(false) => {
                let mut later = response::error(StatusCode::TOO_MANY_REQUESTS, "later");
                let after = HeaderValue::from_static("2");
                later.headers_mut().insert(RETRY_AFTER, after);
                later
            }
            Err(error) => response::error(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    async fn call(&self, call: Call) -> Result<bytes::Bytes, Status> {
        let tenant = call.metadata_str("x-scope-orgid").map(str::to_owned);
        match self.export(&call.message, tenant.as_deref()).await {
            Ok(true) => Ok(bytes::Bytes::new()),
            Ok(false) => Err(Status::new(Code::ResourceExhausted, "later")),
            Err(error) => Err(Status::new(Code::InvalidArgument, error.to_string())),
        }
    }

    fn metrics(&self) -> Response {
        let after = self.faults.blocks_after;
        let committed = u8::from(self.started.get().elapsed() >= after);
        let text = format!(
            "vivace_ingest_log_end_offset{{partition=\"0\"}} 1\n\
             vivace_ingest_log_committed_offset{{group=\"live-store\",partition=\"0\"}} {committed}\n"
        );
        let text = if after.is_zero() { String::new() } else { text };
        response::text(StatusCode::OK, text)
    }

    fn read(&self, trace_id: &str) -> Response {
        let id: Option<Vec<u8>> = (0..trace_id.len() / 2)
            .map(|at| u8::from_str_radix(&trace_id[at * 2..at * 2 + 2], 16).ok())
            .collect();
        let traces = self.traces.borrow();
        let Some(spans) = id.and_then(|id| traces.get(&id)) else {
            return response::empty(StatusCode::NOT_FOUND);
        };
        let data = TracesData {
            resource_spans: vec![ResourceSpans {
                scope_spans: vec![ScopeSpans {
                    spans: spans.clone(),
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        let body = data.encode_to_vec();
        response::with_type(StatusCode::OK, "application/protobuf", body)
    }

    /// Serves until the signal is set.
    pub fn listen(
        self: &Rc<Self>,
        address: SocketAddr,
        stop: Signal,
    ) -> Result<SocketAddr, BoxError> {
        let listener = TcpListener::bind(address, ListenOptions::default())?;
        let address = listener.local_addr()?;
        self.started.set(Instant::now());
        let (post, call, read, metrics) = (self.clone(), self.clone(), self.clone(), self.clone());
        let export = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
        let grpc = Server::new()
            .max_recv_message_bytes(MAX_BODY)
            .unary(export, async move |request: Call| call.call(request).await);
        let router = Router::new()
            .route(Methods::Any, "/v1/traces", "traces", async move |context| {
                post.post(context).await
            })
            .route(
                Methods::Any,
                "/tempo/api/traces/{id}",
                "trace",
                async move |context: RequestContext| {
                    read.read(context.params.get("id").unwrap_or_default())
                },
            )
            .route(
                Methods::Any,
                "/tempo/metrics",
                "metrics",
                async move |_: RequestContext| metrics.metrics(),
            )
            .mount_grpc(grpc);
        spawn(Class::Ingest, async move {
            let served = serve(listener, Rc::new(router), ServerOptions::default(), stop);
            assert!(served.await.is_ok());
        })
        .detach();
        Ok(address)
    }
}
