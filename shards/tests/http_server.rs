//! The HTTP server against raw sockets: routing, limits, slow and hostile clients.

mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode};
use support::{TestServer, read_all, read_until};
use vivace_shards::http::compression::{self, Encoding};
use vivace_shards::http::response::{empty, text};
use vivace_shards::http::{
    Methods, MinimumProgress, RequestContext, Response, Route, Router, ServerOptions,
};
use vivace_shards::{Class, runtime, time};

const LIMIT: usize = 1 << 20;

fn routes() -> Router {
    Router::new()
        .route(Methods::Any, "/hello", "hello", async |_| {
            text(StatusCode::OK, "hello")
        })
        .route(Methods::Any, "/long", "long", async |_| {
            text(StatusCode::OK, "long text ".repeat(1000))
        })
        .route(
            Methods::Any,
            "/trace/{id}",
            "trace_id",
            async |context: RequestContext| {
                let id = context.params.get("id").unwrap_or_default().to_owned();
                text(StatusCode::OK, format!("{id}|{}", context.query()))
            },
        )
        .route(
            Methods::Any,
            "/tag/{*name}/values",
            "tag_name_values",
            async |context| {
                let context: RequestContext = context;
                text(
                    StatusCode::OK,
                    context.params.get("name").unwrap_or_default().to_owned(),
                )
            },
        )
        .route(
            Methods::only(&[Method::GET]),
            "/get-only",
            "get_only",
            async |_| empty(StatusCode::NO_CONTENT),
        )
        .route(Methods::Any, "/panic", "panic", async |_| {
            panic!("on purpose")
        })
        .route(Methods::Any, "/slow", "slow", async |_| {
            time::sleep(Duration::from_millis(300)).await;
            text(StatusCode::OK, "slow done")
        })
        .route(Methods::Any, "/echo", "echo", echo)
        .add_route(
            Route::new(Methods::Any, "/query", async |_| {
                text(StatusCode::OK, "query")
            })
            .expect("a template")
            .class(Class::Query)
            .vary(),
        )
}

async fn echo(mut context: RequestContext) -> Response {
    let body = match context.body.collect(LIMIT).await {
        Ok(body) => body,
        Err(error) => return text(error.status(), error.to_string()),
    };
    let name = context.header("content-encoding").unwrap_or_default();
    let Some(encoding) = Encoding::parse(name) else {
        return text(
            StatusCode::BAD_REQUEST,
            format!("unsupported Content-Encoding: {name}"),
        );
    };
    match compression::decompress(encoding, body, LIMIT).await {
        Ok(body) => text(StatusCode::OK, body),
        Err(error) => text(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

fn server() -> TestServer {
    TestServer::start(ServerOptions::default(), routes)
}

fn get(server: &TestServer, target: &str) -> String {
    server.exchange(
        format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

fn post(server: &TestServer, headers: &str, body: &[u8]) -> String {
    let mut request = format!(
        "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    server.exchange(&request)
}

#[test]
fn routes_and_their_refusals() {
    let server = server();
    assert!(get(&server, "/hello").ends_with("\r\n\r\nhello"));
    assert!(get(&server, "/trace/a%20b?x=1&y=2").ends_with("a b|x=1&y=2"));
    assert!(get(&server, "/tag/a/b%2Fc/values").ends_with("a/b/c"));
    let unknown = get(&server, "/nothing");
    assert!(unknown.starts_with("HTTP/1.1 404"), "{unknown}");
    assert!(unknown.ends_with("404 page not found\n"));
    assert!(unknown.contains("x-content-type-options: nosniff"));
    let doubled = get(&server, "//hello?q=1");
    assert!(doubled.starts_with("HTTP/1.1 301"), "{doubled}");
    assert!(doubled.contains("location: /hello?q=1"));
    let wrong = server.exchange(b"POST /get-only HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(wrong.starts_with("HTTP/1.1 405"), "{wrong}");
    assert!(wrong.contains("allow: GET"));
    assert!(wrong.ends_with("\r\n\r\n"));
    let head = server.exchange(b"HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(
        head.contains("content-length: 5") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let query = get(&server, "/query");
    assert!(
        query.contains("vary: Accept-Encoding") && query.ends_with("query"),
        "{query}"
    );
}

#[test]
fn answers_are_gzipped_on_request() {
    let server = server();
    let mut stream = server.connect();
    stream
        .write_all(
            b"GET /long HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
        )
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let split = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    assert!(
        head.contains("content-encoding: gzip") && head.contains("vary: Accept-Encoding"),
        "{head}"
    );
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&answer[split..])
        .read_to_string(&mut plain)
        .unwrap();
    assert_eq!(plain, "long text ".repeat(1000));
    assert!(get(&server, "/long").ends_with("long text "));
}

#[test]
fn a_panicking_handler_hurts_nobody_else() {
    let server = server();
    let mut stream = server.connect();
    stream
        .write_all(b"GET /panic HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let answer = read_until(&mut stream, "internal server error\n");
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    // The same connection goes on.
    stream
        .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    read_until(&mut stream, "hello");
    let metrics = vivace_shards::metrics::render();
    assert!(
        metrics.contains("vivace_request_panics_total{route=\"panic\"} 1"),
        "{metrics}"
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = server();
    let mut requests = String::new();
    for i in 0..50 {
        let close = if i == 49 { "Connection: close\r\n" } else { "" };
        requests += &format!("GET /trace/{i} HTTP/1.1\r\nHost: x\r\n{close}\r\n");
    }
    let answers = server.exchange(requests.as_bytes());
    let order: Vec<usize> = answers
        .split("\r\n\r\n")
        .skip(1)
        .map(|body| body.split('|').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(order, (0..50).collect::<Vec<_>>());
}

#[test]
fn bodies_over_the_limit_and_broken_ones() {
    let server = server();
    let large = vec![b'x'; LIMIT + 1];
    let announced = post(&server, "", &large);
    assert!(announced.starts_with("HTTP/1.1 413"), "{announced}");
    assert!(announced.ends_with("http: request body too large"));
    assert!(post(&server, "", &large[..LIMIT]).starts_with("HTTP/1.1 200"));

    let head =
        "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut chunked = head.as_bytes().to_vec();
    for _ in 0..3 {
        chunked.extend_from_slice(format!("{:x}\r\n", LIMIT / 2).as_bytes());
        chunked.extend_from_slice(&large[..LIMIT / 2]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let answer = server.exchange(&chunked);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    let answer = server.exchange(format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").as_bytes());
    assert!(answer.ends_with("abcde"), "{answer}");
    for bad in [
        "zz\r\nabc",
        "5\r\nabcdefg\r\n",
        "-1\r\n",
        "ffffffffffffffffff\r\n",
    ] {
        let answer = server.exchange(format!("{head}{bad}\r\n0\r\n\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{bad}: {answer}");
        assert!(answer.contains("malformed request body"), "{bad}: {answer}");
    }
    assert!(
        server
            .exchange(b"rubbish\r\n\r\n")
            .starts_with("HTTP/1.1 400")
    );
    let huge = format!(
        "GET /hello HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "y".repeat(100_000)
    );
    assert!(server.exchange(huge.as_bytes()).starts_with("HTTP/1.1 431"));
    assert!(get(&server, "/hello").ends_with("hello"));
}

#[test]
fn compressed_bodies_bad_ones_and_bombs() {
    let server = server();
    let gzip = |data: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    let header = "Content-Encoding: gzip\r\n";
    let good = gzip(b"good data");
    assert!(post(&server, header, &good).ends_with("good data"));
    let answer = post(&server, header, b"not gzip at all");
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("gzip: "),
        "{answer}"
    );
    let answer = post(&server, header, &good[..good.len() - 5]);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let bomb = gzip(&vec![0u8; 16 << 20]);
    assert!(bomb.len() < LIMIT);
    let answer = post(&server, header, &bomb);
    assert!(
        answer.contains("decompressed body larger than 1048576 bytes"),
        "{answer}"
    );
    let answer = post(&server, "Content-Encoding: br\r\n", &good);
    assert!(
        answer.ends_with("unsupported Content-Encoding: br"),
        "{answer}"
    );
}

fn impatient() -> ServerOptions {
    ServerOptions {
        header_timeout: Duration::from_millis(300),
        idle_timeout: Some(Duration::from_millis(600)),
        write_timeout: Duration::from_millis(300),
        body_progress: MinimumProgress {
            bytes: 100,
            interval: Duration::from_millis(200),
        },
        ..ServerOptions::default()
    }
}

/// Sends a byte every 50 ms until the server has had enough.
fn drip(server: &TestServer, start: &str) -> (Duration, String) {
    let mut stream = server.connect();
    let begin = Instant::now();
    stream.write_all(start.as_bytes()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut out = Vec::new();
    let mut buffer = [0u8; 1024];
    while begin.elapsed() < Duration::from_secs(20) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => out.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                let _ = stream.write_all(b"a");
            }
            Err(_) => break,
        }
    }
    (begin.elapsed(), String::from_utf8_lossy(&out).into_owned())
}

#[test]
fn slow_clients_are_cut_and_fast_ones_do_not_notice() {
    let server = TestServer::start(impatient(), routes);
    let patient = Duration::from_secs(10);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (took, answer) = drip(&server, "GET /hello HTTP/1.1\r\nX-Slow: ");
            assert!(took < patient && answer.is_empty(), "{took:?} {answer}");
        });
        scope.spawn(|| {
            let (took, answer) = drip(&server, "");
            assert!(took < patient && answer.is_empty(), "{took:?} {answer}");
        });
        scope.spawn(|| {
            let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
            let (took, answer) = drip(&server, head);
            assert!(
                took < patient && answer.starts_with("HTTP/1.1 408"),
                "{took:?} {answer}"
            );
        });
        scope.spawn(|| {
            // An idle connection outlives the header timeout, and is closed without a word.
            let mut stream = server.connect();
            stream
                .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                .unwrap();
            read_until(&mut stream, "hello");
            std::thread::sleep(Duration::from_millis(400));
            stream
                .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                .unwrap();
            read_until(&mut stream, "hello");
            let begin = Instant::now();
            assert_eq!(read_all(&mut stream), "");
            assert!(begin.elapsed() < patient);
        });
        scope.spawn(|| {
            for _ in 0..100 {
                assert!(get(&server, "/hello").ends_with("hello"));
            }
        });
    });
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let options = impatient();
    let server = TestServer::start(options, || {
        Router::new().route(Methods::Any, "/big", "big", async |_| {
            text(StatusCode::OK, Bytes::from(vec![b'x'; 64 << 20]))
        })
    });
    let mut stream = server.connect();
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let received = read_all(&mut stream).len();
    assert!(received < 64 << 20, "{received}");
}

#[test]
fn connections_over_the_limit_wait() {
    let options = ServerOptions {
        max_connections: 2,
        ..ServerOptions::default()
    };
    let server = TestServer::start(options, routes);
    let mut first = server.connect();
    first
        .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    read_until(&mut first, "hello");
    let mut second = server.connect();
    second
        .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    read_until(&mut second, "hello");
    let mut third = server.connect();
    third
        .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    third
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert!(third.read(&mut [0u8; 1]).is_err());
    drop(first);
    third
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    read_until(&mut third, "hello");
}

#[test]
fn shutdown_lets_requests_finish_and_closes_the_rest() {
    let server = server();
    let mut idle = server.connect();
    idle.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    read_until(&mut idle, "hello");
    let mut busy = server.connect();
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    server.trigger();
    assert_eq!(read_all(&mut idle), "");
    let answer = read_all(&mut busy);
    assert!(
        answer.ends_with("slow done") && answer.contains("connection: close"),
        "{answer}"
    );
}

#[test]
fn requests_are_counted_by_route() {
    let server = server();
    get(&server, "/trace/1");
    get(&server, "/trace/2");
    let metrics = vivace_shards::metrics::render();
    let series = "tempo_request_duration_seconds_count{method=\"GET\",route=\"trace_id\",status_code=\"200\",ws=\"false\"}";
    assert!(metrics.contains(series), "{metrics}");
    assert!(
        metrics.contains("tempo_inflight_requests{method=\"GET\",route=\"trace_id\"} 0"),
        "{metrics}"
    );
    assert!(metrics.contains("tempo_tcp_connections{protocol=\"http\"}"));
    assert!(metrics.contains("tempo_tcp_connections_limit{protocol=\"http\"} 10000"));
}

#[test]
fn bodies_wait_for_memory_to_be_free_again() {
    let config = runtime::Config {
        memory_limit_bytes: 4 << 20,
        ..support::one_shard()
    };
    let server = TestServer::start_with(config, ServerOptions::default(), routes);
    let head = format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {LIMIT}\r\n\r\n");
    let mut held: Vec<_> = (0..16)
        .map(|_| {
            // All but the last byte: the body is held until that comes.
            let mut stream = server.connect();
            stream.write_all(head.as_bytes()).unwrap();
            let _ = stream.write_all(&vec![b'x'; LIMIT - 1]);
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let mut statuses: Vec<String> = held
        .iter_mut()
        .map(|stream| {
            let _ = stream.write_all(b"x");
            read_until(stream, "\r\n")
        })
        .collect();
    statuses.dedup();
    assert!(
        statuses.iter().any(|status| status.contains("200")),
        "{statuses:?}"
    );
    assert!(
        statuses.iter().any(|status| status.contains("503")),
        "{statuses:?}"
    );
    drop(held);
    // What was refused is taken once the others are done.
    let body = vec![b'x'; LIMIT];
    let begin = Instant::now();
    while !post(&server, "", &body).starts_with("HTTP/1.1 200") {
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn the_same_on_epoll() {
    let config = runtime::Config {
        driver: runtime::DriverChoice::Epoll,
        ..support::one_shard()
    };
    let server = TestServer::start_with(config, ServerOptions::default(), routes);
    for size in [0, 1, 100_000, LIMIT] {
        let answer = post(&server, "", &vec![b'x'; size]);
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        assert_eq!(body.len(), size);
    }
    assert!(post(&server, "", &vec![b'x'; LIMIT + 1]).starts_with("HTTP/1.1 413"));
}
