//! A gRPC server with methods of every kind, and tonic's client for it, with messages as bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use vivace_shards::grpc::health::Health;
use vivace_shards::grpc::{Call, Code, Messages, Sender, Server, Status};
use vivace_shards::http::{Http2Options, Router, ServerOptions};
use vivace_shards::{Class, time};

use super::TestServer;

pub const MIB: usize = 1 << 20;

/// Messages as bytes.
#[derive(Clone, Copy, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;
    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;
    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, tonic::Status> {
        Ok(Some(buf.copy_to_bytes(buf.remaining())))
    }
}

/// Counts handlers that were dropped before their end.
#[derive(Clone, Default)]
pub struct Cancelled(pub Arc<AtomicUsize>);

impl Cancelled {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub fn wait_for(&self, count: usize) {
        let begin = std::time::Instant::now();
        while self.count() < count {
            assert!(begin.elapsed() < Duration::from_secs(10), "handlers go on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub struct CountDrop(Cancelled);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub fn methods(cancelled: &Cancelled) -> Server {
    let (unary, streams) = (cancelled.clone(), cancelled.clone());
    Server::new()
        .max_recv_message_bytes(8 * MIB)
        .max_send_message_bytes(8 * MIB)
        .unary("/test.Echo/Twice", async |call: Call| {
            Ok(call.message.repeat(2).into())
        })
        .unary("/test.Echo/Echo", async |call: Call| Ok(call.message))
        .run_in(Class::Query)
        .unary("/test.Echo/InQuery", async |call: Call| Ok(call.message))
        .unary("/test.Echo/Fail", async |call: Call| {
            let code = call.message.first().copied().unwrap_or(2);
            let status = Status::new(Code::from_number(code.into()), "bad: 100% \u{fc}\nline");
            Err(status.with_retry(Duration::from_secs(5)))
        })
        .unary("/test.Echo/Panic", async |_: Call| panic!("on purpose"))
        .unary("/test.Echo/Never", async move |_: Call| {
            let _count = CountDrop(unary.clone());
            time::sleep(Duration::from_secs(60)).await;
            Ok(Bytes::new())
        })
        .unary("/test.Echo/Metadata", async |call: Call| {
            Ok(Bytes::from(
                call.metadata_str("x-scope-orgid")
                    .unwrap_or("none")
                    .to_owned(),
            ))
        })
        .server_streaming("/test.Echo/Count", async |call: Call, sender: Sender| {
            let mut message = call.message;
            let count = message.get_u32();
            let size = message.get_u32() as usize;
            for i in 0..count {
                let mut out = i.to_be_bytes().to_vec();
                out.resize(4 + size, b'.');
                sender.send(out.into()).await?;
            }
            Ok(())
        })
        .server_streaming(
            "/test.Echo/CountThenFail",
            async |_: Call, sender: Sender| {
                sender.send(Bytes::from_static(b"one")).await?;
                Err(Status::new(Code::DataLoss, "after one"))
            },
        )
        .server_streaming("/test.Echo/FailAtOnce", async |_: Call, _: Sender| {
            Err(Status::new(Code::InvalidArgument, "at once"))
        })
        .server_streaming(
            "/test.Echo/Forever",
            async move |_: Call, sender: Sender| {
                let _count = CountDrop(streams.clone());
                loop {
                    sender.send(Bytes::from(vec![0u8; 100_000])).await?;
                }
            },
        )
        .streaming(
            "/test.Echo/Chat",
            async |_: Call, mut messages: Messages, sender: Sender| {
                while let Some(message) = messages.next().await? {
                    sender.send(message).await?;
                }
                Ok(())
            },
        )
}

pub fn server_with(health: Health, cancelled: Cancelled) -> TestServer {
    let options = ServerOptions {
        name: "grpc",
        h2: Http2Options {
            max_concurrent_streams: 2000,
            ..Http2Options::default()
        },
        drain_timeout: Duration::from_secs(5),
        ..ServerOptions::default()
    };
    TestServer::start(options, move || {
        let server = methods(&cancelled).health(health.clone());
        let server = server.reflection(&descriptors()).expect("a descriptor set");
        Router::new().mount_grpc(server)
    })
}

pub fn server() -> TestServer {
    server_with(Health::new(), Cancelled::default())
}

pub fn path(path: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(path)
}

pub async fn channel(server: &TestServer) -> tonic::client::Grpc<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    let channel = endpoint.connect().await.unwrap();
    tonic::client::Grpc::new(channel).max_decoding_message_size(16 * MIB)
}

pub async fn unary(
    client: &tonic::client::Grpc<Channel>,
    method: &'static str,
    message: impl Into<Bytes>,
) -> Result<Bytes, tonic::Status> {
    let mut client = client.clone();
    client.ready().await.unwrap();
    let request = tonic::Request::new(message.into());
    let answer = client.unary(request, path(method), Raw).await?;
    Ok(answer.into_inner())
}

/// Runs tonic's client on a tokio thread.
pub fn with_tonic(test: impl AsyncFnOnce(tonic::client::Grpc<Channel>, &TestServer)) {
    let server = server();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = channel(&server).await;
        test(client, &server).await;
    });
}

pub fn patterned(size: usize) -> Bytes {
    (0..size)
        .map(|i| (i / 13 % 251) as u8)
        .collect::<Vec<_>>()
        .into()
}

/// A set of one file `a.proto` (package `test`, service `Echo` with `Echo`, message `M` with field `f`) that needs `b.proto`.
pub fn descriptors() -> Vec<u8> {
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, content.len() as u8];
        out.extend_from_slice(content);
        out
    }
    let b = field(1, b"b.proto");
    let method = field(1, b"Echo");
    let service = [field(1, b"Echo"), field(2, &method)].concat();
    let message = [field(1, b"M"), field(2, &field(1, b"f"))].concat();
    let a = [
        field(1, b"a.proto"),
        field(2, b"test"),
        field(3, b"b.proto"),
        field(4, &message),
        field(6, &service),
    ]
    .concat();
    [field(1, &a), field(1, &b)].concat()
}

pub fn count(messages: u32, size: u32) -> Bytes {
    let mut out = messages.to_be_bytes().to_vec();
    out.extend_from_slice(&size.to_be_bytes());
    out.into()
}
