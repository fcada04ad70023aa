//! The gRPC server against tonic's client, and against our own.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use support::{TestServer, on_a_shard};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder, Streaming};
use tonic::transport::{Channel, Endpoint};
use vivace_shards::grpc::client::{CallOptions, Client};
use vivace_shards::grpc::health::{Health, Serving};
use vivace_shards::grpc::{Call, Code, Messages, Sender, Server, Status};
use vivace_shards::http::client as http_client;
use vivace_shards::http::compression::Encoding;
use vivace_shards::http::{Http2Options, Router, ServerOptions};
use vivace_shards::{Class, time};

const MIB: usize = 1 << 20;

/// Messages as bytes.
#[derive(Clone, Copy, Default)]
struct Raw;

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
struct Cancelled(Arc<AtomicUsize>);

impl Cancelled {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn wait_for(&self, count: usize) {
        let begin = std::time::Instant::now();
        while self.count() < count {
            assert!(begin.elapsed() < Duration::from_secs(10), "handlers go on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

struct CountDrop(Cancelled);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn methods(cancelled: &Cancelled) -> Server {
    let (unary, streams) = (cancelled.clone(), cancelled.clone());
    Server::new()
        .max_recv_message_bytes(8 * MIB)
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

fn server_with(health: Health, cancelled: Cancelled) -> TestServer {
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

fn server() -> TestServer {
    server_with(Health::new(), Cancelled::default())
}

fn path(path: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(path)
}

async fn channel(server: &TestServer) -> tonic::client::Grpc<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    let channel = endpoint.connect().await.unwrap();
    tonic::client::Grpc::new(channel).max_decoding_message_size(16 * MIB)
}

async fn unary(
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
fn with_tonic(test: impl AsyncFnOnce(tonic::client::Grpc<Channel>, &TestServer)) {
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

fn patterned(size: usize) -> Bytes {
    (0..size)
        .map(|i| (i / 13 % 251) as u8)
        .collect::<Vec<_>>()
        .into()
}

#[test]
fn unary_calls_of_all_sizes_and_encodings() {
    with_tonic(async |client, _| {
        let encodings = [
            None,
            Some(CompressionEncoding::Gzip),
            Some(CompressionEncoding::Zstd),
        ];
        for encoding in encodings {
            let mut client = client.clone();
            if let Some(encoding) = encoding {
                client = client.send_compressed(encoding).accept_compressed(encoding);
            }
            let largest = if encoding.is_none() { 8 * MIB } else { 2 * MIB };
            for size in [0, 1, 1000, 65_536, largest] {
                let message = patterned(size);
                for method in ["/test.Echo/Echo", "/test.Echo/InQuery"] {
                    let answer = unary(&client, method, message.clone()).await.unwrap();
                    assert!(answer == message, "{encoding:?} {size}");
                }
            }
        }
    });
}

#[test]
fn messages_over_the_limit_are_refused() {
    with_tonic(async |client, _| {
        let error = unary(&client, "/test.Echo/Echo", patterned(8 * MIB + 1))
            .await
            .unwrap_err();
        assert_eq!(error.code(), tonic::Code::ResourceExhausted);
        assert_eq!(
            error.message(),
            "grpc: received message larger than max (8388609 vs. 8388608)"
        );
        let packed = client.clone().send_compressed(CompressionEncoding::Gzip);
        let error = unary(&packed, "/test.Echo/Echo", vec![0u8; 9 * MIB])
            .await
            .unwrap_err();
        assert_eq!(error.code(), tonic::Code::ResourceExhausted);
        assert_eq!(
            error.message(),
            "grpc: received message after decompression larger than max 8388608"
        );
        unary(&client, "/test.Echo/Echo", patterned(10))
            .await
            .unwrap();
    });
}

#[test]
fn errors_carry_message_and_details() {
    with_tonic(async |client, _| {
        for code in 1..17 {
            let error = unary(&client, "/test.Echo/Fail", vec![code])
                .await
                .unwrap_err();
            assert_eq!(error.code() as i32, i32::from(code));
            assert_eq!(error.message(), "bad: 100% \u{fc}\nline");
            assert!(!error.details().is_empty());
        }
        let error = unary(&client, "/test.Echo/Panic", "").await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::Internal);
        for (method, message) in [
            (
                "/test.Echo/Nothing",
                "unknown method Nothing for service test.Echo",
            ),
            ("/test.None/Nothing", "unknown service test.None"),
        ] {
            let error = unary(&client, method, "").await.unwrap_err();
            assert_eq!(
                (error.code(), error.message()),
                (tonic::Code::Unimplemented, message)
            );
        }
        let mut request = tonic::Request::new(Bytes::new());
        request
            .metadata_mut()
            .insert("x-scope-orgid", "tenant-1".parse().unwrap());
        let mut client = client.clone();
        client.ready().await.unwrap();
        let answer = client
            .unary(request, path("/test.Echo/Metadata"), Raw)
            .await
            .unwrap();
        assert_eq!(answer.into_inner(), "tenant-1");
    });
}

#[test]
fn deadlines_end_calls_and_cancel_handlers() {
    let cancelled = Cancelled::default();
    let server = server_with(Health::new(), cancelled.clone());
    let address = server.address;
    on_a_shard(move || async move {
        let http = http_client::Client::connect(address, http_client::Version::Http2);
        let http = http.await.unwrap();
        // By hand, so that only the server knows of the deadline.
        let mut request = http::Request::new(Bytes::from_static(&[0; 5]));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = "/test.Echo/Never".parse().unwrap();
        let headers = request.headers_mut();
        headers.insert("content-type", "application/grpc".parse().unwrap());
        headers.insert("grpc-timeout", "50m".parse().unwrap());
        let answer = http.send(request.clone()).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "4");
        assert_eq!(
            answer.headers()["grpc-message"],
            "context deadline exceeded"
        );
        request
            .headers_mut()
            .insert("grpc-timeout", "soon".parse().unwrap());
        let answer = http.send(request.clone()).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "13");
        request.headers_mut().remove("grpc-timeout");
        request
            .headers_mut()
            .insert("grpc-encoding", "br".parse().unwrap());
        let answer = http.send(request).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "12");
        assert_eq!(
            answer.headers()["grpc-message"],
            "grpc: Decompressor is not installed for grpc-encoding \"br\""
        );
    });
    cancelled.wait_for(1);
}

#[test]
fn a_client_that_goes_away_cancels_its_handlers() {
    let cancelled = Cancelled::default();
    let server = server_with(Health::new(), cancelled.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = channel(&server).await;
        let call = unary(&client, "/test.Echo/Never", "");
        assert!(
            tokio::time::timeout(Duration::from_millis(200), call)
                .await
                .is_err()
        );
        let mut streaming = client.clone();
        streaming.ready().await.unwrap();
        let request = tonic::Request::new(Bytes::new());
        let answer = streaming
            .server_streaming(request, path("/test.Echo/Forever"), Raw)
            .await;
        let mut answer: Streaming<Bytes> = answer.unwrap().into_inner();
        assert!(answer.message().await.unwrap().is_some());
    });
    drop(runtime);
    cancelled.wait_for(2);
}

#[test]
fn a_stream_that_nobody_reads_is_reset_and_the_connection_goes_on() {
    let cancelled = Cancelled::default();
    let counter = cancelled.clone();
    let options = ServerOptions {
        write_timeout: Duration::from_millis(300),
        ..ServerOptions::default()
    };
    let server = TestServer::start(options, move || Router::new().mount_grpc(methods(&counter)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut client = channel(&server).await;
        client.ready().await.unwrap();
        let request = tonic::Request::new(Bytes::new());
        let unread = client
            .server_streaming(request, path("/test.Echo/Forever"), Raw)
            .await;
        let mut unread: Streaming<Bytes> = unread.unwrap().into_inner();
        let begin = std::time::Instant::now();
        while cancelled.count() == 0 {
            assert!(begin.elapsed() < Duration::from_secs(10));
            unary(&client, "/test.Echo/Echo", "still here")
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while let Ok(Some(_)) = unread.message().await {}
    });
}

#[test]
fn a_thousand_calls_at_once() {
    with_tonic(async |client, _| {
        let mut calls = tokio::task::JoinSet::new();
        for i in 0..1000u32 {
            let client = client.clone();
            calls.spawn(async move {
                let message = patterned((i as usize * 37) % 5000);
                let answer = unary(&client, "/test.Echo/Echo", message.clone())
                    .await
                    .unwrap();
                assert!(answer == message);
            });
        }
        assert_eq!(calls.join_all().await.len(), 1000);
    });
}

fn count(messages: u32, size: u32) -> Bytes {
    let mut out = messages.to_be_bytes().to_vec();
    out.extend_from_slice(&size.to_be_bytes());
    out.into()
}

#[test]
fn streams_come_in_order_and_end_with_their_status() {
    with_tonic(async |client, _| {
        for encoding in [
            None,
            Some(CompressionEncoding::Gzip),
            Some(CompressionEncoding::Zstd),
        ] {
            let mut client = client.clone();
            if let Some(encoding) = encoding {
                client = client.send_compressed(encoding).accept_compressed(encoding);
            }
            client.ready().await.unwrap();
            let request = tonic::Request::new(count(300, 10_000));
            let answer = client
                .server_streaming(request, path("/test.Echo/Count"), Raw)
                .await;
            let mut answer: Streaming<Bytes> = answer.unwrap().into_inner();
            for expected in 0..300u32 {
                let mut message = answer.message().await.unwrap().unwrap();
                assert_eq!(message.len(), 10_004);
                assert_eq!(message.get_u32(), expected);
            }
            assert!(answer.message().await.unwrap().is_none());
        }
        let mut client = client.clone();
        client.ready().await.unwrap();
        let request = tonic::Request::new(Bytes::new());
        let answer = client
            .server_streaming(request, path("/test.Echo/CountThenFail"), Raw)
            .await;
        let mut answer: Streaming<Bytes> = answer.unwrap().into_inner();
        assert_eq!(answer.message().await.unwrap().unwrap(), "one");
        let error = answer.message().await.unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (tonic::Code::DataLoss, "after one")
        );
        client.ready().await.unwrap();
        let request = tonic::Request::new(Bytes::new());
        let error = client
            .server_streaming(request, path("/test.Echo/FailAtOnce"), Raw)
            .await
            .unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (tonic::Code::InvalidArgument, "at once")
        );
    });
}

#[test]
fn bidirectional_streams_answer_while_they_are_open() {
    with_tonic(async |client, _| {
        let mut client = client.clone();
        client.ready().await.unwrap();
        let (send, receive) = tokio::sync::mpsc::channel::<Bytes>(1);
        let requests = futures_util::stream::unfold(receive, async |mut receive| {
            receive.recv().await.map(|message| (message, receive))
        });
        send.send(Bytes::from_static(b"first")).await.unwrap();
        let request = tonic::Request::new(requests);
        let answer = client
            .streaming(request, path("/test.Echo/Chat"), Raw)
            .await
            .unwrap();
        let mut answer: Streaming<Bytes> = answer.into_inner();
        assert_eq!(answer.message().await.unwrap().unwrap(), "first");
        for i in 0..10 {
            send.send(Bytes::from(format!("message {i}")))
                .await
                .unwrap();
            assert_eq!(
                answer.message().await.unwrap().unwrap(),
                format!("message {i}")
            );
        }
        drop(send);
        assert!(answer.message().await.unwrap().is_none());
    });
}

#[test]
fn health_is_checked_and_watched() {
    let health = Health::new();
    let server = Arc::new(server_with(health.clone(), Cancelled::default()));
    on_a_shard(move || {
        let (server, health) = (Arc::clone(&server), health.clone());
        async move {
            let http = http_client::Client::connect(server.address, http_client::Version::Http2);
            let client = Client::new(http.await.unwrap());
            let options = CallOptions::default();
            let check = async |service: &str| {
                let mut request = Vec::new();
                if !service.is_empty() {
                    request.extend_from_slice(&[0x0a, service.len() as u8]);
                    request.extend_from_slice(service.as_bytes());
                }
                client
                    .unary("/grpc.health.v1.Health/Check", request.into(), &options)
                    .await
                    .map(|(answer, _)| answer)
            };
            assert_eq!(check("").await.unwrap(), &b"\x08\x02"[..]);
            assert_eq!(check("x").await.unwrap_err().code, Code::NotFound);
            let mut watch = client
                .server_streaming("/grpc.health.v1.Health/Watch", Bytes::new(), &options)
                .await
                .unwrap();
            assert_eq!(watch.message().await.unwrap().unwrap(), &b"\x08\x02"[..]);
            health.set("", Serving::Serving);
            assert_eq!(watch.message().await.unwrap().unwrap(), &b"\x08\x01"[..]);
            assert_eq!(check("").await.unwrap(), &b"\x08\x01"[..]);
            // A stopping server says so and ends the stream instead of waiting for it.
            server.trigger();
            assert_eq!(watch.message().await.unwrap().unwrap(), &b"\x08\x02"[..]);
            assert_eq!(watch.message().await.unwrap_err().code, Code::Unavailable);
        }
    });
}

/// A set of one file `a.proto` (package `test`, service `Echo` with `Echo`, message `M` with field `f`) that needs `b.proto`.
fn descriptors() -> Vec<u8> {
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

#[test]
fn reflection_lists_and_describes() {
    with_tonic(async |client, _| {
        for service in ["v1", "v1alpha"] {
            let method =
                format!("/grpc.reflection.{service}.ServerReflection/ServerReflectionInfo");
            let requests = vec![
                Bytes::from_static(b"\x3a\x01*"),
                Bytes::from_static(b"\x22\x09test.Echo"),
                Bytes::from_static(b"\x22\x0etest.Echo.Echo"),
                Bytes::from_static(b"\x22\x08test.M.f"),
                Bytes::from_static(b"\x22\x03no."),
                Bytes::from_static(b"\x1a\x07b.proto"),
            ];
            let mut client = client.clone();
            client.ready().await.unwrap();
            let request = tonic::Request::new(futures_util::stream::iter(requests));
            let answer = client
                .streaming(request, method.parse().unwrap(), Raw)
                .await
                .unwrap();
            let mut answer: Streaming<Bytes> = answer.into_inner();
            let mut texts = Vec::new();
            while let Some(message) = answer.message().await.unwrap() {
                texts.push(String::from_utf8_lossy(&message).into_owned());
            }
            assert_eq!(texts.len(), 6);
            assert!(texts[0].contains("grpc.health.v1.Health") && texts[0].contains("test.Echo"));
            assert!(texts[0].contains("grpc.reflection.v1.ServerReflection"));
            for text in &texts[1..4] {
                assert!(
                    text.contains("a.proto") && text.matches("b.proto").count() == 2,
                    "{text:?}"
                );
            }
            assert!(texts[4].contains("symbol not found: no."));
            assert!(texts[5].contains("b.proto") && !texts[5].contains("a.proto"));
        }
    });
}

#[test]
fn our_client_speaks_every_encoding() {
    let server = server();
    let address = server.address;
    on_a_shard(move || async move {
        let http = http_client::Client::connect(address, http_client::Version::Http2);
        let client = Client::new(http.await.unwrap());
        for encoding in [
            Encoding::Identity,
            Encoding::Gzip,
            Encoding::Zstd,
            Encoding::Snappy,
        ] {
            let options = CallOptions {
                encoding,
                timeout: Some(Duration::from_secs(20)),
                ..CallOptions::default()
            };
            let message = patterned(100_000);
            let answer = client
                .unary("/test.Echo/Echo", message.clone(), &options)
                .await;
            assert!(answer.unwrap().0 == message, "{encoding:?}");
            let mut stream = client
                .server_streaming("/test.Echo/Count", count(20, 1000), &options)
                .await
                .unwrap();
            let mut messages = 0;
            while let Some(message) = stream.message().await.unwrap() {
                assert_eq!(message.len(), 1004);
                messages += 1;
            }
            assert_eq!(messages, 20);
        }
        let options = CallOptions::default();
        let error = client
            .unary("/test.Echo/Fail", Bytes::from_static(&[8]), &options)
            .await;
        let error = error.unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
        assert_eq!(error.retry_delay(), Some(Duration::from_secs(5)));
        let short = CallOptions {
            timeout: Some(Duration::from_millis(50)),
            ..CallOptions::default()
        };
        let error = client
            .unary("/test.Echo/Never", Bytes::new(), &short)
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::DeadlineExceeded);
        let stream = client
            .server_streaming("/test.Echo/FailAtOnce", Bytes::new(), &options)
            .await;
        assert_eq!(
            stream.err().map(|error| error.code),
            Some(Code::InvalidArgument)
        );
    });
}

#[test]
fn calls_are_counted_by_method() {
    with_tonic(async |client, _| {
        unary(&client, "/test.Echo/Echo", "x").await.unwrap();
        let _ = unary(&client, "/test.Echo/Fail", "\u{3}").await;
        let metrics = vivace_shards::metrics::render();
        for (route, status) in [("/test.Echo/Echo", "success"), ("/test.Echo/Fail", "error")] {
            let series = format!(
                "tempo_request_duration_seconds_count{{method=\"gRPC\",route=\"{route}\",status_code=\"{status}\",ws=\"false\"}}"
            );
            assert!(metrics.contains(&series), "{series}");
        }
    });
}
