//! Each row of http-api.md §14.1, over real sockets.

use super::support::{Rig, on_a_shard, request, span};
use crate::{Config, PushError, Pushed, TenantLimits};
use bytes::Bytes;
use http::Request;
use prost::Message;
use std::time::Duration;
use vivace_protocol::tempopb::{ExportTraceServiceResponse, Span};
use vivace_shards::grpc::RpcStatus;
use vivace_shards::http::client::Client;
use vivace_shards::http::compression::{Encoding, compress};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

struct Answer {
    status: u16,
    content_type: String,
    retry_after: Option<String>,
    body: Bytes,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The code and message of a `google.rpc.Status`.
    fn refusal(&self) -> (i32, String) {
        if self.content_type == JSON {
            let value: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
            return (
                value["code"].as_i64().unwrap() as i32,
                value["message"].as_str().unwrap().into(),
            );
        }
        assert_eq!(self.content_type, PROTOBUF);
        let status = RpcStatus::decode(&*self.body).unwrap();
        (status.code, status.message)
    }
}

async fn send(
    client: &Client,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Answer {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let response = client.send(builder.body(body).unwrap()).await.unwrap();
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    Answer {
        status: response.status().as_u16(),
        content_type: header("content-type").unwrap_or_default(),
        retry_after: header("retry-after"),
        body: response.body().clone(),
    }
}

async fn post(client: &Client, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    send(client, "POST", "/v1/traces", headers, body.into()).await
}

const JSON_SPAN: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010109","spanId":"0202020202020202","name":"n"}]}]}]}"#;

#[test]
fn success_in_both_forms_and_all_encodings() {
    on_a_shard(|| async {
        let rig = Rig::start(Config::default(), |_| TenantLimits::default());
        let client = rig.client().await;
        let body = request(vec![span(1, 1), span(2, 1)]);
        let stored = || vec![("single-tenant".to_owned(), vec![1, 2])];
        for encoding in [
            Encoding::Identity,
            Encoding::Gzip,
            Encoding::Zstd,
            Encoding::Deflate,
            Encoding::Snappy,
            Encoding::Lz4,
        ] {
            let packed = match encoding {
                Encoding::Identity => body.clone(),
                encoding => compress(encoding, body.clone()).await.unwrap(),
            };
            let answer = post(
                &client,
                &[
                    ("content-type", PROTOBUF),
                    ("content-encoding", encoding.name()),
                ],
                packed,
            )
            .await;
            assert_eq!(
                (answer.status, answer.content_type.as_str(), &*answer.body),
                (200, PROTOBUF, &[0x0a, 0][..]),
                "{encoding:?}"
            );
            assert_eq!(rig.sink.take(), stored());
        }
        for content_type in [JSON, "application/json; charset=utf-8", "Application/JSON"] {
            let answer = post(&client, &[("content-type", content_type)], JSON_SPAN).await;
            assert_eq!(
                (answer.status, answer.content_type.as_str(), answer.text()),
                (200, JSON, r#"{"partialSuccess":{}}"#)
            );
            assert_eq!(rig.sink.take(), [("single-tenant".to_owned(), vec![9])]);
        }
        let answer = post(&client, &[("content-type", PROTOBUF)], "").await;
        assert_eq!((answer.status, &*answer.body), (200, &[0x0a, 0][..]));
        assert!(rig.sink.take().is_empty());
        // A large one of each form goes another way through the process.
        let many: Vec<Span> = (0..8000).map(|n| span(n as u8, 1)).collect();
        let answer = post(&client, &[("content-type", PROTOBUF)], request(many)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            rig.sink
                .take()
                .iter()
                .map(|push| push.1.len())
                .sum::<usize>(),
            7968
        );
        let spans = vec![r#"{"traceId":"01010101010101010101010101010109","spanId":"0202020202020202","name":"n"}"#; 1000].join(",");
        let answer = post(
            &client,
            &[("content-type", JSON)],
            format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#),
        )
        .await;
        assert_eq!(answer.status, 200);
        assert_eq!(rig.sink.take()[0].1.len(), 1000);
    });
}

#[test]
fn what_is_no_export_is_said_so() {
    on_a_shard(|| async {
        let config = Config {
            http_max_body_bytes: 100_000,
            ..Config::default()
        };
        let rig = Rig::start(config, |_| TenantLimits::default());
        let client = rig.client().await;
        for method in ["GET", "PUT", "DELETE"] {
            let answer = send(
                &client,
                method,
                "/v1/traces",
                &[("content-type", PROTOBUF)],
                Bytes::new(),
            )
            .await;
            assert_eq!(
                (answer.status, answer.text()),
                (405, "405 method not allowed, supported: [POST]")
            );
        }
        for headers in [
            &[("content-type", "application/protobuf")][..],
            &[("content-type", "text/plain")],
            &[],
        ] {
            let answer = post(&client, headers, "").await;
            let text =
                "415 unsupported media type, supported: [application/json, application/x-protobuf]";
            assert_eq!((answer.status, answer.text()), (415, text));
        }
        for path in ["/v1/metrics", "/v1/logs", "/", "/v1/traces/x"] {
            let answer = send(
                &client,
                "POST",
                path,
                &[("content-type", PROTOBUF)],
                Bytes::new(),
            )
            .await;
            assert_eq!(
                (answer.status, answer.text().trim_end()),
                (404, "404 page not found"),
                "{path}"
            );
        }
        // (content type, encoding, body, what the message holds)
        let large = vec![b' '; 100_001];
        let bomb = compress(Encoding::Gzip, large.clone().into())
            .await
            .unwrap();
        let rows: [(&str, &str, Bytes, &str); 9] = [
            (JSON, "", "{".into(), "EOF while parsing"),
            (
                JSON,
                "",
                r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102"}]}]}]}"#.into(),
                "length mismatch",
            ),
            (
                PROTOBUF,
                "",
                Bytes::from_static(&[0x0a, 200, 1]),
                "invalid OTLP request",
            ),
            (PROTOBUF, "gzip", "no gzip".into(), "gzip: "),
            (JSON, "zstd", "no zstd".into(), "zstd: "),
            (
                PROTOBUF,
                "br",
                "x".into(),
                "unsupported Content-Encoding: br",
            ),
            (JSON, "br", "x".into(), "unsupported Content-Encoding: br"),
            (PROTOBUF, "", large.into(), "http: request body too large"),
            (JSON, "gzip", bomb, "http: request body too large"),
        ];
        for (content_type, encoding, body, message) in rows {
            // A body that is refused before it is read ends the connection.
            let client = rig.client().await;
            let answer = post(
                &client,
                &[
                    ("content-type", content_type),
                    ("content-encoding", encoding),
                ],
                body,
            )
            .await;
            let (code, text) = answer.refusal();
            assert_eq!(
                (answer.status, code, answer.content_type.as_str()),
                (400, 3, content_type),
                "{message}: {text}"
            );
            assert!(text.contains(message), "{text}");
        }
        assert!(rig.sink.take().is_empty());
    });
}

#[test]
fn bad_ids() {
    on_a_shard(|| async {
        let rig = Rig::start(Config::default(), |_| TenantLimits::default());
        let client = rig.client().await;
        let trace = "trace ids must be 128 bit, received 0 bits";
        let span_id = "span ids must be 64 bit and not all zero, received 0 bits";
        let with = |trace_id: &[u8], span_id: &[u8]| Span {
            trace_id: trace_id.to_vec(),
            span_id: span_id.to_vec(),
            ..span(1, 1)
        };
        for (bad, message) in [
            (with(&[], &[1; 8]), trace),
            (with(&[0; 16], &[1; 8]), trace),
            (with(&[1; 16], &[]), span_id),
            (with(&[1; 16], &[0; 8]), span_id),
        ] {
            let answer = post(
                &client,
                &[("content-type", PROTOBUF)],
                request(vec![bad.clone()]),
            )
            .await;
            assert_eq!(
                (answer.status, answer.refusal()),
                (400, (3, message.to_owned()))
            );
            assert!(rig.sink.take().is_empty());
            // One bad span does not reject the good ones beside it.
            let answer = post(
                &client,
                &[("content-type", PROTOBUF)],
                request(vec![span(7, 1), bad, span(8, 1)]),
            )
            .await;
            assert_eq!(answer.status, 200);
            let partial = ExportTraceServiceResponse::decode(&*answer.body)
                .unwrap()
                .partial_success
                .unwrap();
            assert_eq!(partial.rejected_spans, 1);
            assert!(
                partial.error_message.contains(message),
                "{}",
                partial.error_message
            );
            assert_eq!(rig.sink.take(), [("single-tenant".to_owned(), vec![7, 8])]);
        }
        let text = rig.metrics();
        for line in [
            r#"tempo_discarded_spans_total{reason="invalid_trace_id",tenant="single-tenant"} 4"#,
            r#"tempo_discarded_spans_total{reason="invalid_span_id",tenant="single-tenant"} 4"#,
            r#"tempo_distributor_spans_received_total{tenant="single-tenant"} 16"#,
            r#"tempo_spans_distance_in_past_seconds_count{tenant="single-tenant"} 8"#,
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    });
}

#[test]
fn tenants() {
    on_a_shard(|| async {
        let config = Config {
            multitenancy: true,
            ..Config::default()
        };
        let rig = Rig::start(config, |_| TenantLimits::default());
        let client = rig.client().await;
        let body = || request(vec![span(1, 1)]);
        let answer = post(&client, &[("content-type", JSON)], JSON_SPAN).await;
        assert_eq!(
            (answer.status, answer.refusal()),
            (503, (14, "no org id".to_owned()))
        );
        let long = "x".repeat(151);
        for (tenant, message) in [
            ("", "no org id"),
            ("a|b", "multiple org IDs present"),
            ("a/b", "tenant ID 'a/b' contains unsupported character '/'"),
            (".", "tenant ID is '.' or '..'"),
            ("..", "tenant ID is '.' or '..'"),
            (&long, "tenant ID is too long: max 150 characters"),
        ] {
            let answer = post(
                &client,
                &[("content-type", PROTOBUF), ("x-scope-orgid", tenant)],
                body(),
            )
            .await;
            assert_eq!(
                (answer.status, answer.refusal()),
                (400, (3, message.to_owned()))
            );
        }
        let both = [
            ("content-type", PROTOBUF),
            ("x-scope-orgid", "a"),
            ("x-scope-orgid", "b"),
        ];
        assert_eq!(
            post(&client, &both, body()).await.refusal(),
            (3, "multiple org IDs present".to_owned())
        );
        for tenant in ["a", "a|a", "a:product=x"] {
            let answer = post(
                &client,
                &[("content-type", PROTOBUF), ("X-Scope-OrgID", tenant)],
                body(),
            )
            .await;
            assert_eq!(answer.status, 200);
            assert_eq!(rig.sink.take(), [("a".to_owned(), vec![1])]);
        }
    });
}

#[test]
fn rate_limit() {
    on_a_shard(|| async {
        let config = Config {
            multitenancy: true,
            ..Config::default()
        };
        let rig = Rig::start(config, |tenant| TenantLimits {
            rate_limit_bytes: 100,
            burst_size_bytes: if tenant == "limited" { 100 } else { 1000 },
            retry_info_enabled: tenant != "permanent",
            ..TenantLimits::default()
        });
        let client = rig.client().await;
        let body = request((1..12).map(|n| span(n, 1)).collect());
        let size = body.len();
        assert!((500..1000).contains(&size));
        let answer = post(
            &client,
            &[("content-type", PROTOBUF), ("x-scope-orgid", "limited")],
            body.clone(),
        )
        .await;
        let text = format!(
            "RATE_LIMITED: batch size ({size} bytes) exceeds ingestion limit (local: 100 bytes/s, global: 0 bytes/s, burst: 100 bytes) \
             while adding {size} bytes for user limited. consider reducing batch size or increasing rate limit."
        );
        assert_eq!(
            (
                answer.status,
                answer.refusal(),
                answer.retry_after.as_deref()
            ),
            (429, (8, text), Some("5"))
        );
        let status = RpcStatus::decode(&*answer.body).unwrap();
        assert_eq!(
            status.details[0].type_url,
            "type.googleapis.com/google.rpc.RetryInfo"
        );
        assert_eq!(status.details[0].value, [0x0a, 2, 8, 5]);
        for (tenant, retry_after) in [("x", Some("5")), ("permanent", None)] {
            let headers = [("content-type", PROTOBUF), ("x-scope-orgid", tenant)];
            assert_eq!(post(&client, &headers, body.clone()).await.status, 200);
            let answer = post(&client, &headers, body.clone()).await;
            let text = format!(
                "RATE_LIMITED: ingestion rate limit (local: 100 bytes/s, global: 0 bytes/s, burst: 1000 bytes) exceeded while adding \
                 {size} bytes for user {tenant}. consider increasing the limit or reducing ingestion rate."
            );
            assert_eq!(
                (
                    answer.status,
                    answer.refusal(),
                    answer.retry_after.as_deref()
                ),
                (429, (8, text), retry_after)
            );
            assert_eq!(
                RpcStatus::decode(&*answer.body).unwrap().details.len(),
                usize::from(retry_after.is_some())
            );
        }
        // Its 45 bytes of protobuf fit twice.
        let headers = [("content-type", JSON), ("x-scope-orgid", "limited")];
        for _ in 0..2 {
            assert_eq!(post(&client, &headers, JSON_SPAN).await.status, 200);
        }
        let answer = post(&client, &headers, JSON_SPAN).await;
        assert_eq!(answer.status, 429);
        let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            value["details"][0]["@type"],
            "type.googleapis.com/google.rpc.RetryInfo"
        );
        assert_eq!(value["details"][0]["retryDelay"], "5s");
        let text = rig.metrics();
        assert!(
            text.contains(
                r#"tempo_discarded_spans_total{reason="rate_limited",tenant="limited"} 12"#
            ),
            "{text}"
        );
        assert!(
            text.contains(&format!(
                "tempo_distributor_ingress_bytes_total{{tenant=\"x\"}} {}",
                2 * size
            )),
            "{text}"
        );
        assert!(
            text.contains(&format!(
                "tempo_distributor_bytes_received_total{{tenant=\"x\"}} {size}"
            )),
            "{text}"
        );
    });
}

#[test]
fn failures_behind_the_distributor() {
    on_a_shard(|| async {
        let rig = Rig::start(Config::default(), |_| TenantLimits::default());
        let client = rig.client().await;
        let text = || "the disk is full".to_owned();
        for (error, status, code, retry_after) in [
            (PushError::Busy(text()), 429, 8, Some("5")),
            (PushError::Unavailable(text()), 503, 14, Some("5")),
            (PushError::Timeout(text()), 503, 14, Some("5")),
            (PushError::TooLarge(text()), 400, 3, None),
            (PushError::Other(text()), 500, 13, None),
        ] {
            *rig.sink.answer.borrow_mut() = Some(Err(error));
            let answer = post(
                &client,
                &[("content-type", PROTOBUF)],
                request(vec![span(1, 1)]),
            )
            .await;
            assert_eq!((answer.status, answer.refusal()), (status, (code, text())));
            assert_eq!(answer.retry_after.as_deref(), retry_after);
        }
        *rig.sink.answer.borrow_mut() = Some(Ok(Pushed {
            record_bytes: 10,
            discarded: vec![("trace_too_large", 2), ("live_traces_exceeded", 1)],
        }));
        let answer = post(
            &client,
            &[("content-type", PROTOBUF)],
            request(vec![span(1, 1)]),
        )
        .await;
        assert_eq!(answer.status, 200);
        let partial = ExportTraceServiceResponse::decode(&*answer.body)
            .unwrap()
            .partial_success
            .unwrap();
        assert_eq!(partial.rejected_spans, 3);
        assert_eq!(
            partial.error_message,
            "2 spans rejected: trace_too_large; 1 spans rejected: live_traces_exceeded"
        );
    });
}

#[test]
fn delay_truncation_and_the_flag_for_the_generator() {
    on_a_shard(|| async {
        let rig = Rig::start(
            Config {
                max_attribute_bytes: 10,
                ..Config::default()
            },
            |_| TenantLimits {
                artificial_delay: Some(Duration::from_millis(30)),
                ..TenantLimits::default()
            },
        );
        let client = rig.client().await;
        let began = vivace_shards::time::Instant::now();
        let body = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"a very long key","value":{"intValue":1}}]},"scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010109","spanId":"0202020202020202","name":"n"}]}]}]}"#;
        let headers = [("content-type", JSON), ("no-generate-metrics", "")];
        assert_eq!(post(&client, &headers, body).await.status, 200);
        assert!(began.elapsed() >= Duration::from_millis(25));
        let push = rig.sink.pushed.borrow()[0].clone();
        assert!(push.skip_metrics_generation);
        assert_eq!(
            push.batch
                .view()
                .resource(0)
                .attributes()
                .next()
                .map(|a| a.0),
            Some("a very lon")
        );
        assert!(rig.metrics().contains(r#"tempo_distributor_attributes_truncated_total{tenant="single-tenant",scope="resource"} 1"#));
    });
}
