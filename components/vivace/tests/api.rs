//! The HTTP and gRPC surface as clients, probes and proxies see it: routes, forms of answers, tenants, limits of tenants
//! that change while the server runs, TLS, and keys of listeners that must take effect.

mod common;
#[path = "common/load.rs"]
mod load;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Options, Result, Server, eventually, send};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message as _;
use vivace_shards::http::client::{Client, Version};
use vivace_shards::{grpc, runtime};

const LONG: Duration = Duration::from_secs(20);
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

/// An export of one trace: `spans` spans with ids from `first` on, each with an attribute of 100 bytes.
fn export(trace: u8, first: u8, spans: u8) -> Vec<u8> {
    let span = |id| Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        name: "GET /".into(),
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_001_000_000_000,
        attributes: vec![KeyValue {
            key: "padding".into(),
            value: Some(AnyValue {
                value: Some(Value::StringValue("x".repeat(100))),
            }),
            ..KeyValue::default()
        }],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: (first..first + spans).map(span).collect(),
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn id(trace: u8) -> String {
    format!("{trace:02x}").repeat(16)
}

fn spans(data: &TracesData) -> usize {
    let scopes = data.resource_spans.iter().flat_map(|r| &r.scope_spans);
    scopes.map(|scope| scope.spans.len()).sum()
}

#[test]
fn routes_methods_and_forms() -> Result {
    let server = Server::start()?;
    assert_eq!(server.post_otlp(&export(7, 1, 30))?.status, 200);
    let (v1, v2) = (
        format!("/api/traces/{}", id(7)),
        format!("/api/v2/traces/{}", id(7)),
    );
    let not_found = "404 page not found\n";
    // Method, path, status, body, a header.
    for (method, path, status, body, header) in [
        (
            "GET",
            "/api/echo",
            200,
            "echo\n",
            ("content-type", "text/plain; charset=utf-8"),
        ),
        ("POST", "/api/echo", 200, "echo\n", ("content-length", "5")),
        (
            "OPTIONS",
            "/api/echo",
            200,
            "echo\n",
            ("content-length", "5"),
        ),
        ("HEAD", "/api/echo", 200, "", ("content-length", "5")),
        (
            "GET",
            "//api//echo?x=1",
            301,
            "",
            ("location", "/api/echo?x=1"),
        ),
        ("GET", "/api/traces/01", 404, "", ("content-length", "0")),
        (
            "GET",
            "/api/v2/traces/01",
            200,
            "{\"trace\":{},\"metrics\":{}}",
            ("vary", "Accept-Encoding"),
        ),
        (
            "POST",
            "/api/v2/traces/01?mode=blocks",
            200,
            "{\"trace\":{},\"metrics\":{}}",
            ("content-type", "application/json"),
        ),
        (
            "GET",
            "/api/v2/traces/xyz",
            400,
            "trace IDs can only contain hex characters: invalid character 'x' at position 1",
            ("vary", "Accept-Encoding"),
        ),
        (
            "GET",
            "/api/traces/",
            404,
            not_found,
            ("x-content-type-options", "nosniff"),
        ),
        ("GET", "/", 404, not_found, ("", "")),
        ("POST", "/metrics", 405, "", ("allow", "GET")),
        ("HEAD", "/ready", 200, "", ("content-length", "6")),
        (
            "GET",
            "/status/usage-stats",
            200,
            "usage-stats is not enabled\n",
            ("", ""),
        ),
        (
            "GET",
            "/memberlist",
            200,
            "This instance doesn't use memberlist.\n",
            ("", ""),
        ),
        ("GET", "/querier/api/echo", 404, not_found, ("", "")),
    ] {
        let answer = server.request(method, path, &[])?;
        let got = (
            answer.status,
            answer.text(),
            answer.header(header.0).to_owned(),
        );
        assert_eq!(
            got,
            (status, body.to_owned(), header.1.to_owned()),
            "{method} {path}"
        );
    }

    // Accept, then the type of v1 and of v2.
    for (accept, type1, type2) in [
        ("", "application/json", "application/json"),
        ("text/html, */*", "application/json", "application/json"),
        (
            "application/protobuf",
            "application/protobuf",
            "application/protobuf",
        ),
        (
            "application/json, application/protobuf",
            "application/protobuf",
            "application/protobuf",
        ),
        (
            "application/vnd.grafana.llm",
            "application/vnd.grafana.llm",
            "application/vnd.grafana.llm+json",
        ),
    ] {
        for (path, want) in [(&v1, type1), (&v2, type2)] {
            let answer = server.get_with(path, &[("accept", accept)])?;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, want),
                "{accept} {path}"
            );
            let plain = answer.body;
            let zipped = server.get_with(
                path,
                &[("accept", accept), ("accept-encoding", "br, gzip;q=0.5")],
            )?;
            assert_eq!(
                (zipped.header("content-encoding"), zipped.header("vary")),
                ("gzip", "Accept-Encoding")
            );
            let mut unzipped = Vec::new();
            flate2::read::GzDecoder::new(&zipped.body[..]).read_to_end(&mut unzipped)?;
            assert_eq!(unzipped, plain);
        }
    }
    let protobuf = [("accept", "application/protobuf")];
    assert_eq!(
        spans(&TracesData::decode(
            &server.get_with(&v1, &protobuf)?.body[..]
        )?),
        30
    );
    let llm = server
        .get_with(&v2, &[("accept", "application/vnd.grafana.llm")])?
        .json()?;
    assert_eq!(
        (llm["trace"]["traceId"].as_str(), llm["status"].as_str()),
        (Some(id(7).as_str()), Some("COMPLETE"))
    );
    // The trace must be there even when it is empty: Grafana's plugin looks into it.
    assert_eq!(
        server.get_with("/api/v2/traces/01", &protobuf)?.body[..2],
        [0x0a, 0]
    );
    Ok(())
}

/// A server with tenants and a file of their limits that is read again five times a second.
fn with_tenants(file: &Path, extra: &str) -> Result<Server> {
    Server::start_with(Options {
        extra_yaml: format!(
            "multitenancy_enabled: true\n{extra}overrides:\n  per_tenant_override_config: {}\n  per_tenant_override_period: 200ms\n",
            file.display()
        ),
        ..Options::default()
    })
}

#[test]
fn tenants_of_queries_and_of_ingest() -> Result {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("overrides.yaml");
    std::fs::write(&file, "overrides: {}\n")?;
    let server = with_tenants(&file, "http_api_prefix: /tempo\n")?;
    let body = export(9, 1, 1);
    let long = "a".repeat(151);
    let unsupported = "tenant ID 'a/b' contains unsupported character '/'";
    let (dots, too_long) = (
        "tenant ID is '.' or '..'",
        "tenant ID is too long: max 150 characters",
    );
    // Tenant; then status and text of a query, and of an export.
    for (tenant, query, ingest) in [
        (None, (401, "no org id"), (503, "no org id")),
        (Some(""), (401, "no org id"), (400, "no org id")),
        (Some("a/b"), (400, unsupported), (400, unsupported)),
        (Some(".."), (400, dots), (400, dots)),
        (Some(long.as_str()), (400, too_long), (400, too_long)),
        (Some("a|"), (400, "no org id"), (400, "no org id")),
        (Some("a|a/b"), (400, unsupported), (400, unsupported)),
        (Some("a|b"), (200, ""), (400, "multiple org IDs present")),
        (Some("a|a"), (200, ""), (200, "")),
        (Some("a:k=v"), (200, ""), (200, "")),
    ] {
        let header = tenant.map(|tenant| ("X-Scope-OrgID", tenant));
        let headers: Vec<_> = header.into_iter().collect();
        let answer = server.get_with("/tempo/api/v2/traces/01", &headers)?;
        assert_eq!(answer.status, query.0, "{tenant:?} {}", answer.text());
        if query.0 != 200 {
            assert_eq!(answer.text(), format!("{}\n", query.1), "{tenant:?}");
        }
        let headers: Vec<_> = headers.into_iter().chain([PROTOBUF]).collect();
        let answer = server.post("/v1/traces", &body, &headers)?;
        assert_eq!(answer.status, ingest.0, "{tenant:?} {}", answer.text());
        assert!(
            answer.text().contains(ingest.1),
            "{tenant:?} {}",
            answer.text()
        );
    }
    // What is prefixed and what is not, without a tenant.
    for (path, status) in [
        ("/tempo/api/echo", 200),
        ("/api/echo", 404),
        ("/tempo/api/status/buildinfo", 200),
        ("/tempo/status/usage-stats", 200),
        ("/status/usage-stats", 404),
        ("/tempo/ready", 404),
        ("/ready", 200),
        ("/status/config", 200),
        ("/tempo/metrics", 404),
        ("/metrics", 200),
    ] {
        assert_eq!(server.get(path)?.status, status, "{path}");
    }
    // Both tenants' spans of one trace come together; each alone sees its own.
    for (tenant, first) in [("one", 1), ("two", 10)] {
        let headers = [("X-Scope-OrgID", tenant), PROTOBUF];
        assert_eq!(
            server
                .post("/v1/traces", &export(3, first, 2), &headers)?
                .status,
            200
        );
    }
    for (tenant, want) in [
        ("one", &[1, 2][..]),
        ("two", &[10, 11]),
        ("two|one|two", &[1, 2, 10, 11]),
        ("three", &[]),
    ] {
        let path = format!("/tempo/api/v2/traces/{}", id(3));
        let answer = server.get_with(&path, &[("x-scope-orgid", tenant)])?;
        let found: BTreeSet<String> = load::span_ids_of(&answer.json()?)?.into_iter().collect();
        let want: BTreeSet<String> = want
            .iter()
            .map(|id: &u8| format!("{id:02x}").repeat(8))
            .collect();
        assert_eq!(found, want, "{tenant}");
    }
    Ok(())
}

#[test]
fn limits_of_tenants_change_while_the_server_runs() -> Result {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("overrides.yaml");
    let limits = |bytes: u32| {
        format!(
            "overrides:\n  small:\n    ingestion: {{rate_limit_bytes: 1000000, burst_size_bytes: 1000000}}\n    global: {{max_bytes_per_trace: {bytes}}}\n"
        )
    };
    std::fs::write(&file, limits(1_000_000))?;
    let server = with_tenants(&file, "")?;
    let tenant = ("X-Scope-OrgID", "small");
    let answer = server.post("/v1/traces", &export(5, 1, 60), &[tenant, PROTOBUF])?;
    assert_eq!(answer.status, 200);
    let (v1, v2) = (
        format!("/api/traces/{}", id(5)),
        format!("/api/v2/traces/{}", id(5)),
    );
    let v1_status = || -> Result<u16> { Ok(server.get_with(&v1, &[tenant])?.status) };
    let is_healthy = || -> Result<bool> {
        let sample = "tempo_runtime_config_last_reload_successful{config=\"overrides\"}";
        Ok(server.metric(sample)? == Some(1.0))
    };
    assert_eq!(v1_status()?, 200);

    std::fs::write(&file, limits(3000))?;
    eventually(LONG, || Ok(v1_status()? == 422))?;
    let text = server.get_with(&v1, &[tenant])?.text();
    assert!(
        text.ends_with("trace exceeds max size (max bytes: 3000)"),
        "{text}"
    );
    let partial = server.get_with(&v2, &[tenant])?.json()?;
    assert_eq!(partial["status"], "PARTIAL");
    assert_eq!(
        partial["message"],
        "Trace exceeds maximum size of 3000 bytes, a partial trace is returned"
    );
    let kept: usize = common::list(&partial["trace"]["resourceSpans"])
        .iter()
        .flat_map(|resource| common::list(&resource["scopeSpans"]))
        .map(|scope| common::list(&scope["spans"]).len())
        .sum();
    assert!((1..60).contains(&kept), "{kept}");
    // What comes now is too large for its tenant, and the client is told.
    let answer = server.post("/v1/traces", &export(5, 100, 1), &[tenant, PROTOBUF])?;
    assert!(
        answer.status == 200 && answer.text().contains("trace_too_large"),
        "{}",
        answer.text()
    );

    for broken in ["overrides: [", "overrides:\n  small: {globl: {}}\n"] {
        std::fs::write(&file, broken)?;
        eventually(LONG, || Ok(!is_healthy()?))?;
        assert_eq!(v1_status()?, 422, "the last good limits stay");
        std::fs::write(&file, limits(3000))?;
        eventually(LONG, is_healthy)?;
    }
    std::fs::remove_file(&file)?;
    eventually(LONG, || Ok(!is_healthy()?))?;
    assert_eq!(v1_status()?, 422);
    // Without the entry the defaults apply, which are larger.
    std::fs::write(&file, "overrides: {}\n")?;
    eventually(LONG, || Ok(v1_status()? == 200))?;
    let all = server.get("/status/overrides")?.text();
    assert!(!all.contains("small"), "{all}");
    Ok(())
}

#[test]
fn keys_of_listeners_take_effect() -> Result {
    let ports = common::free_ports(2)?;
    let (otlp, grpc) = (ports[0], ports[1]);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("c.yaml");
    let data = folder.path().display();
    let mut server = Server::prepare(Options::default())?;
    let http = server.http;
    std::fs::write(
        &file,
        format!(
            "server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {}, log_level: info, \
             http_path_prefix: /pre, log_request_at_info_level_enabled: true, log_request_headers: true, log_source_ips_enabled: true, http_listen_conn_limit: 64}}\n\
             query_frontend: {{url_deny_list: [\"start=666\"], log_query_request_headers: \"X-Query-Tags\"}}\n\
             distributor:\n  receivers:\n    otlp:\n      protocols:\n        grpc: {{endpoint: \"127.0.0.1:{grpc}\", keepalive: {{server_parameters: {{max_connection_age: 300ms}}}}}}\n        \
             http: {{endpoint: \"127.0.0.1:{otlp}\", traces_url_path: /in, compression_algorithms: [\"\", gzip], response_headers: {{X-From: vivace}}, keep_alives_enabled: false, \
             read_timeout: 500ms, cors: {{allowed_origins: [\"https://*.example\"], max_age: 60}}}}\n\
             storage: {{trace: {{backend: local, local: {{path: {data}/blocks}}, wal: {{path: {data}/wal}}}}}}\n",
            server.grpc
        ),
    )?;
    std::fs::copy(&file, server.config_path())?;
    server.launch()?;
    eventually(LONG, || {
        Ok(server
            .get("/pre/ready")
            .is_ok_and(|ready| ready.status == 200))
    })?;

    assert_eq!(server.get("/ready")?.status, 404);
    assert_eq!(server.get("/prefix/ready")?.status, 404);
    let tags = [
        ("x-query-tags", "a=b c"),
        ("x-forwarded-for", "1.2.3.4"),
        ("authorization", "Bearer hidden"),
    ];
    let denied = server.get_with("/pre/api/v2/traces/1?start=666", &tags)?;
    assert_eq!(denied.status, 400, "{}", denied.text());
    assert_eq!(server.get("/pre/api/v2/traces/1?start=6")?.status, 200);
    eventually(LONG, || {
        Ok(server
            .log()
            .contains("GET /pre/api/v2/traces/1?start=6 (200)"))
    })?;
    let log = server.log();
    let line = |needle: &str| {
        let found = log.lines().find(|line| line.contains(needle));
        found.unwrap_or_default().to_owned()
    };
    let request = line("GET /pre/api/v2/traces/1?start=666 (400)");
    for needle in [
        "level=info",
        "sourceIPs=\"1.2.3.4, 127.0.0.1\"",
        "x-query-tags: a=b c",
    ] {
        assert!(request.contains(needle), "{needle} is not in {request:?}");
    }
    assert!(!log.contains("hidden"), "secrets are not logged");
    let stats = line("query stats");
    for needle in [
        "tenant=single-tenant",
        "method=GET",
        "status=400",
        "header_x-query-tags=\"a=b c\"",
    ] {
        assert!(stats.contains(needle), "{needle} is not in {stats:?}");
    }
    let metrics = server.get("/pre/metrics")?.text();
    assert!(metrics.contains("tempo_live_store_partition_owned{partition=\"0\",zone=\"\"} 1"));
    assert_eq!(
        metrics.matches("tempo_live_store_partition_owned{").count(),
        1
    );

    let url = |path: &str| format!("http://127.0.0.1:{otlp}{path}");
    let origin = ("origin", "https://shop.example");
    let asks = ("access-control-request-method", "POST");
    let allowed = send("OPTIONS", &url("/in"), &[origin, asks])?;
    assert_eq!(
        (
            allowed.status,
            allowed.header("access-control-allow-origin"),
            allowed.header("access-control-max-age")
        ),
        (204, "https://shop.example", "60")
    );
    let foreign = send(
        "OPTIONS",
        &url("/in"),
        &[("origin", "https://other.org"), asks],
    )?;
    assert_eq!(foreign.header("access-control-allow-origin"), "");
    let post = |path: &str, encoding: &str| {
        let mut request = common::agent()
            .post(url(path))
            .header(PROTOBUF.0, PROTOBUF.1);
        request = request
            .header(origin.0, origin.1)
            .header("content-encoding", encoding);
        common::answer(request.send(&[][..])?)
    };
    let taken = post("/in", "")?;
    for (name, want) in [
        ("x-from", "vivace"),
        ("connection", "close"),
        ("access-control-allow-origin", "https://shop.example"),
    ] {
        assert_eq!((taken.status, taken.header(name)), (200, want), "{name}");
    }
    let refused = post("/in", "zstd")?;
    assert!(
        refused.status == 400
            && refused
                .text()
                .contains("unsupported Content-Encoding: zstd")
    );
    assert_eq!(post("/v1/traces", "")?.status, 404);

    // A body that does not come is not waited for.
    let mut slow = TcpStream::connect(("127.0.0.1", otlp))?;
    slow.set_read_timeout(Some(LONG))?;
    slow.write_all(b"POST /in HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 10\r\n\r\n")?;
    let mut answer = String::new();
    slow.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");

    // An old gRPC connection is asked to go.
    on_a_shard(move || async move {
        let client =
            Client::connect(SocketAddr::from(([127, 0, 0, 1], grpc)), Version::Http2).await?;
        let begun = std::time::Instant::now();
        while client.is_open() {
            if begun.elapsed() > LONG {
                return Err("the connection is as old as that and still open".into());
            }
            vivace_shards::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    })?;
    assert_eq!(server.stop(Duration::from_secs(30))?.code(), Some(0));
    Ok(())
}

/// Runs on one real shard of this process.
fn on_a_shard<Fut>(test: impl Fn() -> Fut + Send + Sync + 'static) -> Result
where
    Fut: Future<Output = Result> + 'static,
{
    let outcome = Arc::new(Mutex::new(Err("the test did not end".into())));
    let written = Arc::clone(&outcome);
    let config = runtime::Config {
        shards: 1,
        pin: false,
        ..runtime::Config::default()
    };
    let test = Arc::new(test);
    runtime::run(config, move || {
        let (test, written) = (Arc::clone(&test), Arc::clone(&written));
        async move {
            let result = test().await;
            *written.lock().map_err(|_| "poisoned")? = result;
            Ok(())
        }
    })?;
    let mut outcome = outcome.lock().map_err(|_| "poisoned")?;
    std::mem::replace(&mut *outcome, Ok(()))
}

#[test]
fn tls_probes_and_grpc_health() -> Result {
    let folder = tempfile::tempdir()?;
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    std::fs::write(&cert, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let internal = common::free_ports(1)?[0];
    let mut server = Server::prepare(Options::default())?;
    let mut config = std::fs::read_to_string(server.config_path())?;
    config = config.replacen(
        "server:\n",
        &format!(
            "stream_over_http_enabled: true\ninternal_server: {{enable: true, http_listen_address: 127.0.0.1, http_listen_port: {internal}}}\nserver:\n  http_tls_config: {{cert_file: {}, key_file: {}}}\n",
            cert.display(),
            key.display()
        ),
        1,
    );
    std::fs::write(server.config_path(), config)?;
    server.launch()?;
    let probe = format!("http://127.0.0.1:{internal}");
    eventually(LONG, || {
        let ready = send("GET", &format!("{probe}/ready"), &[]);
        Ok(ready.is_ok_and(|ready| ready.status == 200 && ready.text() == "ready\n"))
    })?;
    for path in ["/metrics", "/status", "/api/echo"] {
        assert_eq!(
            send("GET", &format!("{probe}{path}"), &[])?.status,
            404,
            "{path}"
        );
    }
    let health = |url: &str| -> Result<_> {
        let output = Command::new(env!("CARGO_BIN_EXE_vivace"))
            .args(["-health", &format!("-health.url={url}")])
            .output()?;
        let text = [output.stdout, output.stderr].concat();
        Ok((
            output.status.code(),
            String::from_utf8_lossy(&text).into_owned(),
        ))
    };
    assert_eq!(
        health(&format!("{probe}/ready"))?,
        (Some(0), "Tempo is healthy\n".into())
    );
    let (code, text) = health(&format!("https://localhost:{}/ready", server.http))?;
    assert!(
        code == Some(1) && text.contains("internal_server"),
        "{text}"
    );

    assert!(
        server.get("/ready").is_err(),
        "the main port speaks TLS only"
    );
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = rustls::ClientConnection::new(Arc::new(client), "localhost".try_into()?)?;
    let socket = TcpStream::connect(("127.0.0.1", server.http))?;
    let mut stream = rustls::StreamOwned::new(connection, socket);
    stream.write_all(b"GET /api/echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("echo\n"),
        "{answer}"
    );

    // The gRPC port and the receiver speak clear text; SERVING is 1.
    let ports = [server.grpc, server.otlp_grpc];
    on_a_shard(move || async move {
        for port in ports {
            let http =
                Client::connect(SocketAddr::from(([127, 0, 0, 1], port)), Version::Http2).await?;
            let client = grpc::client::Client::new(http);
            let options = grpc::client::CallOptions::default();
            let check = "/grpc.health.v1.Health/Check";
            let (serving, _) = client.unary(check, bytes::Bytes::new(), &options).await?;
            assert_eq!(&serving[..], [8, 1], "port {port}");
            let unknown = client
                .unary(check, bytes::Bytes::from_static(b"\x0a\x01x"), &options)
                .await;
            assert_eq!(
                unknown.map_err(|status| status.code),
                Err(grpc::Code::NotFound)
            );
            let nothing = client.unary("/a.B/C", bytes::Bytes::new(), &options).await;
            assert_eq!(
                nothing.map_err(|status| status.code),
                Err(grpc::Code::Unimplemented)
            );
        }
        Ok(())
    })?;
    assert_eq!(server.stop(Duration::from_secs(30))?.code(), Some(0));
    Ok(())
}
