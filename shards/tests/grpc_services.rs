//! Health, reflection, our own client, and the metrics of calls.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use support::grpc::{Cancelled, Raw, count, patterned, server, server_with, unary, with_tonic};
use support::on_a_shard;
use tonic::codec::Streaming;
use vivace_shards::grpc::Code;
use vivace_shards::grpc::client::{CallOptions, Client};
use vivace_shards::grpc::health::{Health, Serving};
use vivace_shards::http::client as http_client;
use vivace_shards::http::compression::Encoding;

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
