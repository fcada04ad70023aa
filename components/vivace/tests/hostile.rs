//! BOUND and CLEAR against a real process: garbage, slow clients, many tenants, huge traces, a full disk.
//! Bad clients get clear errors, memory stays within the limit, good clients notice nothing.

mod common;
#[path = "common/load.rs"]
mod load;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Options, Result, Server, hex, shared};
use load::{Load, unix_nanos};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use vivace_bench::data::{Generator, Random, Shape};

const MIB: u64 = 1 << 20;
const LIMITED: &str = "memory:\n  limit: 256MiB\n";
const NO_TRACE_LIMITS: &str = "overrides:\n  defaults:\n    ingestion:\n      max_traces_per_user: 0\n      rate_limit_bytes: 10000000000\n      burst_size_bytes: 10000000000\n";

fn limited(extra: &str) -> Options {
    Options {
        extra_yaml: format!("{LIMITED}{extra}"),
        ..Options::default()
    }
}

fn small_request(trace: [u8; 16], spans: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let now = unix_nanos();
    let spans = (0..spans)
        .map(|_| Span {
            trace_id: trace.to_vec(),
            span_id: (random.next_u64() | 1).to_be_bytes().to_vec(),
            name: "work".into(),
            start_time_unix_nano: now - 1000,
            end_time_unix_nano: now,
            ..Span::default()
        })
        .collect();
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
}

fn still_fine(server: &Server) -> Result {
    let mut random = Random::new(unix_nanos());
    let mut trace = [7; 16];
    trace[..8].copy_from_slice(&random.next_u64().to_be_bytes());
    let answer = server.post_otlp(&small_request(trace, 3, random.next_u64()))?;
    assert_eq!(
        (answer.status, &answer.body[..]),
        (200, &b"\x0a\x00"[..]),
        "{}",
        answer.text()
    );
    assert_eq!(server.span_ids(&hex(&trace))?.len(), 3);
    Ok(())
}

/// Does `work` for 0..count on several threads.
fn in_parallel(threads: u64, count: u64, work: impl Fn(u64) -> Result + Sync) -> Result {
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|thread| {
                let work = &work;
                scope.spawn(move || (thread..count).step_by(threads as usize).try_for_each(work))
            })
            .collect();
        all.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".into()))
        })
    })
}

#[test]
fn a_request_cut_or_bent_at_every_offset_never_hurts() -> Result {
    let server = Server::start_with(limited(NO_TRACE_LIMITS))?;
    let mut generator = Generator::new(
        1,
        Shape {
            spans_per_request: 4,
            spans_per_trace: 4,
            attributes_per_span: 15,
        },
    );
    let whole = generator.next_request(unix_nanos()).body;
    let refused = AtomicUsize::new(0);
    in_parallel(8, whole.len() as u64, |at| {
        let at = at as usize;
        let mut bent = whole.clone();
        bent[at] ^= 1 << (at % 8);
        for body in [&whole[..at], &bent[..]] {
            let answer = server.post_otlp(body)?;
            match answer.status {
                200 => {}
                400 => {
                    refused.fetch_add(1, Ordering::Relaxed);
                    assert!(answer.body.len() > 10, "a refusal without a reason at {at}");
                }
                other => {
                    return Err(format!("status {other} at offset {at}: {}", answer.text()).into());
                }
            }
        }
        Ok(())
    })?;
    let refused = refused.into_inner();
    assert!(refused > whole.len() / 2, "only {refused} refusals");
    still_fine(&server)
}

/// `VIVACE_GARBAGE_BYTES` sets how much; the default is a smoke of the 10 GB that were posted once.
#[test]
fn garbage_in_bounded_pieces_is_refused_within_the_memory_limit() -> Result {
    let total = std::env::var("VIVACE_GARBAGE_BYTES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(192 * MIB);
    let server = Server::start_with(limited(NO_TRACE_LIMITS))?;
    let good = Load::start(
        &server,
        1,
        5,
        Shape {
            spans_per_request: 50,
            ..Shape::default()
        },
    );
    let mut random = Random::new(3);
    let mut garbage: Vec<u8> = (0..4 * MIB / 8)
        .flat_map(|_| random.next_u64().to_le_bytes())
        .collect();
    let mut posted = 0;
    while posted < total {
        // Shifted by one byte each time, so that no two pieces are the same.
        garbage.rotate_left(1);
        let kinds = [
            ("application/x-protobuf", "identity"),
            ("application/x-protobuf", "gzip"),
            ("application/x-protobuf", "zstd"),
            ("application/json", "identity"),
            ("text/plain", "identity"),
        ];
        let (kind, encoding) = kinds[(posted / garbage.len() as u64) as usize % kinds.len()];
        match server.post(
            "/v1/traces",
            &garbage,
            &[("content-type", kind), ("content-encoding", encoding)],
        ) {
            Ok(answer) => assert!(
                matches!(answer.status, 400 | 415 | 429),
                "{kind} {encoding}: {} {}",
                answer.status,
                answer.text()
            ),
            // The server may close while we still write a body that it has refused already.
            Err(error) => eprintln!("{kind} {encoding}: {error}"),
        }
        posted += garbage.len() as u64;
    }
    let ledger = good.stop()?;
    assert!(ledger.acknowledged_spans() > 0);
    load::check(&server, &ledger)?;
    assert!(
        server.peak_rss()? < 256 * MIB,
        "peak RSS {} MiB",
        server.peak_rss()? / MIB
    );
    still_fine(&server)
}

#[test]
fn decompression_bombs_stop_at_the_limit() -> Result {
    let server = Server::start_with(limited(NO_TRACE_LIMITS))?;
    let zeros = vec![0; 24 * MIB as usize];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&zeros)?;
    for (encoding, body) in [
        ("gzip", gzip.finish()?),
        ("zstd", zstd::encode_all(&zeros[..], 1)?),
    ] {
        let answer = server.post(
            "/v1/traces",
            &body,
            &[
                ("content-type", "application/x-protobuf"),
                ("content-encoding", encoding),
            ],
        )?;
        assert_eq!(answer.status, 400, "{encoding}: {}", answer.text());
        assert!(
            answer.text().contains("too large"),
            "{encoding}: {}",
            answer.text()
        );
    }
    assert!(server.peak_rss()? < 256 * MIB);
    still_fine(&server)
}

#[test]
fn slow_clients_do_not_slow_good_ones() -> Result {
    let server = Server::start_with(limited(""))?;
    let stop = AtomicBool::new(false);
    let held = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (stop, held, server) = (&stop, &held, &server);
            scope.spawn(move || {
                let mut streams = Vec::new();
                for index in 0..100 {
                    let port = if (thread + index) % 2 == 0 { server.otlp_http } else { server.http };
                    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
                        let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000000\r\n";
                        let whole_head = format!("{head}\r\n");
                        let sent = if index % 3 == 0 { head } else { whole_head.as_str() };
                        let _closed = stream.write_all(sent.as_bytes());
                        streams.push(stream);
                    }
                }
                held.fetch_add(streams.len(), Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    for stream in &mut streams {
                        let _closed = stream.write_all(b"x");
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
        let outcome = (|| -> Result {
            common::eventually(Duration::from_secs(10), || {
                Ok(held.load(Ordering::Relaxed) >= 390)
            })?;
            let mut slowest = Duration::ZERO;
            for _ in 0..50 {
                let started = Instant::now();
                still_fine(&server)?;
                slowest = slowest.max(started.elapsed());
            }
            assert!(
                slowest < Duration::from_secs(5),
                "a good client waited {slowest:?}"
            );
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        outcome
    })
}

#[test]
fn ten_thousand_tenants() -> Result {
    let server = Server::start_with(limited("multitenancy_enabled: true\n"))?;
    let trace = [9; 16];
    // Many at once, so that they share the disk's syncs.
    in_parallel(16, 10_000, |tenant| {
        let name = format!("tenant-{tenant}");
        let body = small_request(trace, 1, tenant);
        let headers = [
            ("content-type", "application/x-protobuf"),
            ("x-scope-orgid", name.as_str()),
        ];
        let answer = server.post("/v1/traces", &body, &headers)?;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        Ok(())
    })?;
    for tenant in [0, 1, 4_999, 9_999u64] {
        let name = format!("tenant-{tenant}");
        let answer = server.get_with(
            &format!("/api/v2/traces/{}", hex(&trace)),
            &[("x-scope-orgid", &name)],
        )?;
        let text = answer.text();
        assert_eq!(text.matches("\"spanId\"").count(), 1, "{name}: {text}");
    }
    let missing = server.get(&format!("/api/v2/traces/{}", hex(&trace)))?;
    assert_eq!(
        (missing.status, missing.text().as_str()),
        (401, "no org id\n")
    );
    assert!(
        server.peak_rss()? < 256 * MIB,
        "peak RSS {} MiB",
        server.peak_rss()? / MIB
    );
    Ok(())
}

#[test]
fn a_trace_of_200_mb_is_kept_up_to_its_limit() -> Result {
    let server = Server::start_with(limited(NO_TRACE_LIMITS))?;
    let trace = [3; 16];
    let mut posted = 0;
    let mut partial = 0;
    let mut seed = 0;
    while posted < 200 * MIB as usize {
        let mut request = ExportTraceServiceRequest::decode(&small_request(trace, 200, seed)[..])?;
        for span in request
            .resource_spans
            .iter_mut()
            .flat_map(|r| &mut r.scope_spans)
            .flat_map(|s| &mut s.spans)
        {
            span.trace_state = "x".repeat(8000);
        }
        seed += 1;
        let body = request.encode_to_vec();
        posted += body.len();
        let answer = server.post_otlp(&body)?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        if answer.body != b"\x0a\x00" {
            partial += 1;
            assert!(
                answer.text().contains("trace_too_large"),
                "{}",
                answer.text()
            );
        }
    }
    assert!(partial > 50, "only {partial} partial successes");
    let found = server.get(&format!("/api/v2/traces/{}", hex(&trace)))?;
    assert_eq!(found.status, 200);
    let spans = found.text().matches("\"spanId\"").count();
    assert!(spans > 200 && spans < 2000, "{spans} spans");
    assert!(
        server
            .metric(
                "tempo_discarded_spans_total{reason=\"trace_too_large\",tenant=\"single-tenant\"}"
            )?
            .unwrap_or_default()
            > 1000.0
    );
    assert!(
        server.peak_rss()? < 256 * MIB,
        "peak RSS {} MiB",
        server.peak_rss()? / MIB
    );
    still_fine(&server)
}

/// A file system of its own, gone when the test ends.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder.path())
            .output()?;
        if !mounted.status.success() {
            eprintln!(
                "skipped: mounts are refused here ({}); the simulated disk covers a full disk",
                String::from_utf8_lossy(&mounted.stderr).trim()
            );
            return Ok(None);
        }
        Ok(Some(Self(folder)))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _reported_by_the_system = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_refuses_clearly_and_recovers_without_a_restart() -> Result {
    let Some(disk) = SmallDisk::mount(96)? else {
        return Ok(());
    };
    let data = disk.0.path().join("data");
    let ballast = disk.0.path().join("ballast");
    let yaml = format!(
        "{NO_TRACE_LIMITS}ingest_log:\n  embedded:\n    segment_size: 4MiB\n    max_record_size: 2MiB\n    min_free_bytes: 4MiB\n"
    );
    let mut server = Server::start_with(Options {
        data: Some(data),
        ..limited(&yaml)
    })?;
    still_fine(&server)?;

    let fill = Command::new("fallocate")
        .args(["-l", "72M"])
        .arg(&ballast)
        .status()?;
    assert!(fill.success());
    let mut generator = Generator::new(
        2,
        Shape {
            spans_per_trace: 250,
            ..Shape::default()
        },
    );
    let mut refusal = None;
    let mut acknowledged = Vec::new();
    // What becomes blocks leaves the log, so the disk is full when it is full of blocks.
    for _ in 0..4000 {
        let request = generator.next_request(unix_nanos());
        let answer = server.post_otlp(&request.body)?;
        if answer.status == 200 {
            acknowledged.push(load::spans_of(&request.body)?);
        } else {
            refusal = Some(answer);
            break;
        }
    }
    let refusal = refusal.ok_or("a full disk was never noticed")?;
    assert!(
        matches!(refusal.status, 429 | 503),
        "{} {}",
        refusal.status,
        refusal.text()
    );
    assert!(refusal.text().contains("disk"), "{}", refusal.text());
    assert!(
        refusal.headers.contains_key("retry-after"),
        "{:?}",
        refusal.headers
    );

    std::fs::remove_file(&ballast)?;
    common::eventually(Duration::from_secs(10), || {
        Ok(server.post_otlp(&small_request([1; 16], 1, 1))?.status == 200)
    })?;
    still_fine(&server)?;
    server.kill()?;
    server.restart()?;
    for (trace, spans) in acknowledged.iter().flatten() {
        let found = server.span_ids(trace)?;
        assert!(
            spans.iter().all(|span| found.contains(span)),
            "trace {trace} lost spans"
        );
    }
    Ok(())
}

#[test]
fn raw_sockets_with_nonsense_are_answered_or_closed() -> Result {
    let server = Server::start_with(limited(""))?;
    let mut random = Random::new(11);
    for port in [server.http, server.grpc, server.otlp_grpc, server.otlp_http] {
        for _ in 0..50 {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            let noise: Vec<u8> = (0..random.below(300) + 1)
                .map(|_| random.next_u64() as u8)
                .collect();
            let _closed_early = stream.write_all(&noise);
            let _shut = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            let _reset = stream.take(1 << 20).read_to_end(&mut answer);
        }
    }
    still_fine(&server)?;
    // The conformance data is real; it is the last thing posted here.
    let body = std::fs::read(shared().join("conformance/otlp/0002.pb"))?;
    assert_eq!(server.post_otlp(&body)?.status, 200);
    Ok(())
}
