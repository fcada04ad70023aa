//! A sink that remembers, requests, and a distributor on real loopback sockets.

use crate::{Config, PartitionSink, Push, PushError, Pushed, Service, Shared, TenantLimits};
use bytes::Bytes;
use futures_util::future::{LocalBoxFuture, ready};
use prost::Message;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use vivace_protocol::tempopb::{ExportTraceServiceRequest, ResourceSpans, ScopeSpans, Span};
use vivace_shards::http::client::{Client, Version};
use vivace_shards::http::{ServerOptions, serve};
use vivace_shards::net::{ListenOptions, TcpListener};
use vivace_shards::{Class, runtime, shutdown, spawn};

/// Remembers what was pushed; answers as it is told.
#[derive(Default)]
pub struct Sink {
    pub pushed: RefCell<Vec<Push>>,
    pub answer: RefCell<Option<Result<Pushed, PushError>>>,
}

impl Sink {
    /// Tenant, partition and trace ids' last bytes of all pushes so far, which are forgotten.
    pub fn take(&self) -> Vec<(String, Vec<u8>)> {
        let pushed = self.pushed.take();
        let traces = |push: &Push| {
            push.batch
                .view()
                .spans()
                .map(|span| span.trace_id().0[15])
                .collect()
        };
        let mut all: Vec<(String, Vec<u8>)> = pushed
            .iter()
            .map(|push| (push.tenant.to_string(), traces(push)))
            .collect();
        all.sort();
        all
    }
}

impl PartitionSink for Sink {
    fn partitions(&self) -> u32 {
        1
    }

    fn push(&self, push: Push) -> LocalBoxFuture<'_, Result<Pushed, PushError>> {
        let record_bytes = push.batch.as_bytes().len() as u64;
        self.pushed.borrow_mut().push(push);
        let stored = Pushed {
            record_bytes,
            discarded: Vec::new(),
        };
        Box::pin(ready(self.answer.borrow().clone().unwrap_or(Ok(stored))))
    }
}

pub fn span(trace: u8, span: u8) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![span; 8],
        name: "GET /".into(),
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_001_000_000_000,
        ..Span::default()
    }
}

pub fn request(spans: Vec<Span>) -> Bytes {
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }
        .encode_to_vec()
        .into()
}

/// A distributor that listens, and what is behind it.
pub struct Rig {
    pub shared: Arc<Shared>,
    pub sink: Rc<Sink>,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
}

impl Rig {
    pub fn start(config: Config, limits: impl Fn(&str) -> TenantLimits + 'static) -> Self {
        let shared = Shared::new(3, "single-tenant");
        let sink = Rc::new(Sink::default());
        let service = Service::new(config, shared.clone(), limits, sink.clone());
        let listen = |router| {
            let listener =
                TcpListener::bind(([127, 0, 0, 1], 0).into(), ListenOptions::default()).unwrap();
            let address = listener.local_addr().unwrap();
            let serving = serve(
                listener,
                Rc::new(router),
                ServerOptions::default(),
                shutdown::signal(),
            );
            spawn(Class::Ingest, serving).detach();
            address
        };
        let http = listen(crate::router(&service));
        let grpc =
            listen(vivace_shards::http::Router::new().mount_grpc(crate::grpc_server(&service)));
        Self {
            shared,
            sink,
            http,
            grpc,
        }
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.http, Version::Http1).await.unwrap()
    }

    pub async fn grpc_client(&self) -> vivace_shards::grpc::client::Client {
        let http = Client::connect(self.grpc, Version::Http2).await.unwrap();
        vivace_shards::grpc::client::Client::new(http)
    }

    pub fn metrics(&self) -> String {
        prometheus::TextEncoder::new()
            .encode_to_string(&self.shared.collect())
            .unwrap()
    }
}

/// Runs a test on one real shard.
pub fn on_a_shard<Fut: Future<Output = ()> + 'static>(
    test: impl Fn() -> Fut + Send + Sync + 'static,
) {
    let config = runtime::Config {
        shards: 1,
        pin: false,
        ..runtime::Config::default()
    };
    let run = move || {
        // Boxed: a debug build moves a test's future about many times on the stack.
        let test = Box::pin(test());
        async move {
            test.await;
            shutdown::trigger("the test is over");
            Ok(())
        }
    };
    if let Err(error) = runtime::run(config, run) {
        panic!("{error}");
    }
}
