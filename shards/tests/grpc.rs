//! gRPC calls and streams against tonic's client.

mod support;

use std::time::Duration;

use bytes::{Buf, Bytes};
use support::grpc::{
    Cancelled, MIB, Raw, channel, count, methods, path, patterned, server_with, unary, with_tonic,
};
use support::{TestServer, on_a_shard};
use tonic::codec::{CompressionEncoding, Streaming};
use vivace_shards::grpc::health::Health;
use vivace_shards::http::client as http_client;
use vivace_shards::http::{Router, ServerOptions};

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
        let error = unary(&client, "/test.Echo/Twice", patterned(5 * MIB))
            .await
            .unwrap_err();
        assert_eq!(error.code(), tonic::Code::ResourceExhausted);
        assert_eq!(
            error.message(),
            "trying to send message larger than max (10485760 vs. 8388608)"
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
