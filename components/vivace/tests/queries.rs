//! Bad and hostile queries against a real process: clear refusals, quick answers, memory within its limit. And queries while data move:
//! what was acknowledged is found at once, and counted once, wherever it is.

mod common;
#[path = "common/load.rs"]
mod load;
#[path = "common/streams.rs"]
mod streams;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Options, Result, Server, eventually, list, with_params};
use load::unix_nanos;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use streams::stream;
use vivace_bench::data::{Generator, Random, Shape};
use vivace_protocol::tempopb::{SearchRequest, SearchResponse};

const MIB: u64 = 1 << 20;
const SECOND: u64 = 1_000_000_000;

/// How long any of these queries may take, on a machine that does other things too.
const QUICK: Duration = Duration::from_secs(10);

const LIMITED: &str = "memory:\n  limit: 256MiB\noverrides:\n  defaults:\n    ingestion:\n      rate_limit_bytes: 10000000000\n      burst_size_bytes: 10000000000\n      max_traces_per_user: 0\n";

/// Metrics of the last seconds too.
const NO_CUTOFF: &str = "query_frontend:\n  query_end_cutoff: 0s\n";

/// Sections are cut as soon as nothing more comes.
const QUICK_BLOCKS: &str = "live_store:\n  flush_check_period: 100ms\n  max_trace_idle: 300ms\n  max_trace_live: 1s\n  max_block_duration: 300ms\n";

fn start(extra: &str) -> Result<Server> {
    Server::start_with(Options {
        extra_yaml: format!("{LIMITED}{NO_CUTOFF}{extra}"),
        ..Options::default()
    })
}

/// Of the generator's traces.
const SPANS_PER_TRACE: u64 = 20;

/// Posts whole traces; gives the number of spans.
fn post_spans(server: &Server, seed: u64, requests: usize) -> Result<u64> {
    let mut generator = Generator::new(seed, Shape::default());
    let mut spans = 0;
    for _ in 0..requests {
        let request = generator.next_request(unix_nanos());
        let answer = server.post_otlp(&request.body)?;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (200, &b"\x0a\x00"[..]),
            "{}",
            answer.text()
        );
        spans += request.spans as u64;
    }
    Ok(spans)
}

/// Everything that was counted since `from` (unix seconds), by the whole range as one value. The range ends now to the nanosecond: a
/// later end would be moved back by whole seconds, to before the newest spans.
fn count(server: &Server, filter: &str, from: u64) -> Result<u64> {
    let query = format!("{filter} | count_over_time()");
    let (from, to) = ((from * SECOND).to_string(), unix_nanos().to_string());
    let params = [("q", query.as_str()), ("start", &from), ("end", &to)];
    let answer = server.get(&with_params("/api/metrics/query", &params))?;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    let json = answer.json()?;
    let series = list(&json["series"]).iter();
    Ok(series.filter_map(|one| one["value"].as_f64()).sum::<f64>() as u64)
}

/// Traces and matching spans by search.
fn search(server: &Server, filter: &str, from: u64) -> Result<(u64, u64)> {
    let (from, to) = (from.to_string(), (unix_nanos() / SECOND + 5).to_string());
    let params = [
        ("q", filter),
        ("limit", "100000"),
        ("start", from.as_str()),
        ("end", &to),
    ];
    let answer = server.get(&with_params("/api/search", &params))?;
    assert_eq!(answer.status, 200, "{filter}: {}", answer.text());
    let json = answer.json()?;
    let traces = list(&json["traces"]);
    let matched = traces.iter();
    let matched = matched.filter_map(|trace| trace["spanSet"]["matched"].as_u64());
    Ok((traces.len() as u64, matched.sum()))
}

fn still_fine(server: &Server, spans: u64, from: u64, after: &str) -> Result {
    assert_eq!(server.get("/ready")?.status, 200, "after {after}");
    assert_eq!(count(server, "{}", from)?, spans, "after {after}");
    let peak = server.peak_rss()?;
    assert!(
        peak < 256 * MIB,
        "after {after}: peak RSS {} MiB",
        peak / MIB
    );
    Ok(())
}

/// What a request has to give: its status, and a part of the body.
struct Case {
    path: &'static str,
    params: Vec<(&'static str, String)>,
    status: u16,
    text: &'static str,
}

fn case(
    path: &'static str,
    params: &[(&'static str, &str)],
    status: u16,
    text: &'static str,
) -> Case {
    let params = params.iter();
    let params = params.map(|(name, value)| (*name, (*value).to_owned()));
    Case {
        path,
        params: params.collect(),
        status,
        text,
    }
}

const SEARCH: &str = "/api/search";
const RANGE: &str = "/api/metrics/query_range";
const INSTANT: &str = "/api/metrics/query";
const NAMES: &str = "/api/v2/search/tags";

fn refused() -> Vec<Case> {
    let q = |text: &'static str| [("q", text)];
    vec![
        case(
            SEARCH,
            &q("{foo}"),
            400,
            "invalid TraceQL query: parse error at line 1, col 2: unknown identifier: foo",
        ),
        case(
            SEARCH,
            &q("{ .a = "),
            400,
            "invalid TraceQL query: parse error",
        ),
        case(
            SEARCH,
            &q("{ 1 + \"a\" = 2 }"),
            400,
            "invalid TraceQL query",
        ),
        case(SEARCH, &q("{ .a =~ \"[\" }"), 400, "invalid regex"),
        case(SEARCH, &q("{ parent.x = 1 }"), 400, "not yet supported"),
        case(
            SEARCH,
            &q("{ .a =~ \"(x{1000}){1000}\" }"),
            400,
            "invalid TraceQL query",
        ),
        case(
            SEARCH,
            &q("({} | rate()) / ({} | rate())"),
            500,
            "math expressions not supported",
        ),
        case(
            SEARCH,
            &q("{ duration / (1 - 1) > 1 && 1 / 0 = 1 }"),
            500,
            "division by zero",
        ),
        case(
            SEARCH,
            &[("q", "{}"), ("tags", "a=b")],
            400,
            "can't specify tags and q in the same query",
        ),
        case(
            SEARCH,
            &[("tags", "a=\"")],
            400,
            "invalid tags: unterminated quoted value at pos 5",
        ),
        case(
            SEARCH,
            &[("tags", "a=1 a=2")],
            400,
            "invalid tags: tag a has been set twice",
        ),
        case(
            SEARCH,
            &[("q", "{}"), ("limit", "2147483648")],
            400,
            "limit 2147483648 exceeds max limit 262144",
        ),
        case(
            SEARCH,
            &[("q", "{}"), ("limit", "4294967296")],
            400,
            "invalid limit",
        ),
        case(
            SEARCH,
            &[("q", "{}"), ("limit", "0")],
            400,
            "invalid limit: must be a positive number",
        ),
        case(
            SEARCH,
            &[("q", "{}"), ("spss", "101")],
            400,
            "spans per span set exceeds 100. received 101",
        ),
        case(
            SEARCH,
            &[("q", "{}"), ("start", "10"), ("end", "5")],
            400,
            "start must be before end",
        ),
        case(
            SEARCH,
            &[("q", "{}"), ("start", "1"), ("end", "4294967295")],
            400,
            "exceeds 168h0m0s",
        ),
        case(
            SEARCH,
            &[("q", "{}"), ("start", "abc"), ("end", "5")],
            400,
            "invalid start: strconv.ParseUint: parsing \"abc\": invalid syntax",
        ),
        case(
            SEARCH,
            &[("q", "{}"), ("since", "foo")],
            400,
            "could not parse 'since' parameter",
        ),
        case(
            RANGE,
            &[],
            400,
            "parse error : syntax error: unexpected $end",
        ),
        case(RANGE, &q("{}"), 400, "not a metrics query"),
        case(RANGE, &q("{} | rate("), 400, "parse error at line 1"),
        case(
            RANGE,
            &[("q", "{} | rate()"), ("step", "0")],
            400,
            "is too small, minimum step",
        ),
        case(
            RANGE,
            &[("q", "{} | rate()"), ("step", "-5s")],
            400,
            "cannot parse \"-5s\" to a valid duration",
        ),
        case(
            RANGE,
            &[("q", "{} | rate()"), ("step", "abc")],
            400,
            "cannot parse \"abc\" to a valid duration",
        ),
        case(
            RANGE,
            &[("q", "{} | rate()"), ("step", "1ns"), ("since", "23h")],
            400,
            "is too small, minimum step",
        ),
        case(
            RANGE,
            &[("q", "{} | rate()"), ("since", "25h")],
            400,
            "exceeds the maximum allowed duration of 24h0m0s",
        ),
        case(
            RANGE,
            &[
                ("q", "{} | rate()"),
                ("start", "0001-01-01T00:00:00Z"),
                ("end", "9999-12-31T23:59:59Z"),
            ],
            400,
            "",
        ),
        case(
            RANGE,
            &[("q", "{} | rate()"), ("start", "20"), ("end", "10")],
            400,
            "end must be greater than start",
        ),
        case(
            INSTANT,
            &[("q", "{} | rate()"), ("start", "20"), ("end", "10")],
            400,
            "end must be greater than start",
        ),
        case(
            INSTANT,
            &q("{ 1 / 0 = 1 } | rate()"),
            500,
            "division by zero",
        ),
        case(NAMES, &[("scope", "foo")], 400, "invalid scope: foo"),
        case(
            NAMES,
            &[("start", "5")],
            400,
            "must provide both or neither",
        ),
        case(
            "/api/v2/search/tag/foo/values",
            &[],
            400,
            "please provide a valid tagName: failed to parse identifier foo",
        ),
        case(
            "/api/v2/search/tag/.a%7D/values",
            &[],
            400,
            "please provide a valid tagName",
        ),
        case(
            "/api/v2/search/tag/.a/values",
            &[("limit", "x")],
            400,
            "invalid limit",
        ),
    ]
}

/// Hostile or odd, but right: answered, or refused, quickly. Status 0: 200 or 400.
fn answered() -> Vec<Case> {
    let quantiles: Vec<String> = (1..5000).map(|n| format!("0.{n:04}")).collect();
    let many = format!(
        "{{}} | quantile_over_time(duration, {})",
        quantiles.join(",")
    );
    let deep = |depth| format!("{{ {}true{} }}", "(".repeat(depth), ")".repeat(depth));
    let terms = vec![".a=1"; 5000].join("||");
    let terms = format!("{{{terms}}}");
    let pipes = format!("{{}}{}", " | {}".repeat(3000));
    let descend = format!("{{}}{}", " >> {}".repeat(500));
    vec![
        case(SEARCH, &[("q", "{ .http.url =~ \"(a+)+$\" }")], 200, ""),
        case(
            SEARCH,
            &[("q", "{ name =~ \"((a|aa)+)+$\" || .x =~ \".*.*.*.*.*z\" }")],
            200,
            "",
        ),
        case(SEARCH, &[("q", &terms)], 0, ""),
        case(SEARCH, &[("q", &deep(200))], 0, ""),
        case(SEARCH, &[("q", &deep(20_000))], 0, ""),
        case(SEARCH, &[("q", &pipes)], 0, ""),
        case(SEARCH, &[("q", &descend)], 0, ""),
        case(
            SEARCH,
            &[("q", "{}"), ("limit", "262144"), ("spss", "100")],
            200,
            "",
        ),
        case(RANGE, &[("q", &many)], 0, ""),
        case(
            RANGE,
            &[
                ("q", "{} | rate() by (span:id)"),
                ("maxSeries", "1"),
                ("since", "10m"),
            ],
            200,
            "",
        ),
        case(
            RANGE,
            &[("q", "{} | rate()"), ("maxSeries", "4294967295")],
            200,
            "",
        ),
        case(
            RANGE,
            &[
                ("q", "{} | histogram_over_time(duration) by (name)"),
                ("since", "24h"),
                ("step", "60s"),
            ],
            200,
            "",
        ),
        case(
            RANGE,
            &[
                ("q", "{} | compare({ status = error })"),
                ("since", "1h"),
                ("step", "30s"),
            ],
            200,
            "",
        ),
        // Its answer alone is larger than what queries have.
        case(
            RANGE,
            &[
                ("q", "{} | compare({ status = error }, 100)"),
                ("since", "2h"),
                ("step", "1s"),
            ],
            429,
            "ask for fewer series, a longer step or a shorter range",
        ),
        case(NAMES, &[("q", &terms)], 0, ""),
        case(NAMES, &[("q", "{ this is { no query")], 200, ""),
    ]
}

fn check(server: &Server, case: &Case) -> std::result::Result<Duration, String> {
    let params: Vec<(&str, &str)> = case
        .params
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let url = with_params(case.path, &params);
    let shown: String = url.chars().take(150).collect();
    let began = Instant::now();
    let answer = server
        .get(&url)
        .map_err(|error| format!("{shown}: {error}"))?;
    let took = began.elapsed();
    let text: String = answer.text().chars().take(300).collect();
    let is_expected = match case.status {
        0 => matches!(answer.status, 200 | 400),
        status => answer.status == status,
    };
    if !is_expected || !answer.text().contains(case.text) || took > QUICK {
        let (want, status) = (case.status, answer.status);
        return Err(format!(
            "{shown}: {status} after {took:?}, wanted {want} {:?}: {text}",
            case.text
        ));
    }
    Ok(took)
}

fn check_all(cases: &[Case]) -> Result {
    let from = unix_nanos() / SECOND - 60;
    let server = start("")?;
    let spans = post_spans(&server, 1, 20)?;
    let mut wrong = Vec::new();
    for case in cases {
        if let Err(text) = check(&server, case) {
            wrong.push(text);
        }
        still_fine(
            &server,
            spans,
            from,
            &format!("{} {:.100?}", case.path, case.params.first()),
        )?;
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    Ok(())
}

#[test]
fn bad_queries_are_refused_with_the_reason() -> Result {
    check_all(&refused())
}

#[test]
fn hostile_queries_end_quickly_within_the_memory_limit() -> Result {
    check_all(&answered())
}

/// Too long for most clients, so it is written by hand; status and body.
fn get_by_hand(server: &Server, target: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.http))?;
    stream.set_read_timeout(Some(QUICK))?;
    let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    // The server may refuse before it has everything.
    let _closed_early = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("no answer to {} bytes: {text:?}", target.len()))?;
    Ok((status, text))
}

#[test]
fn queries_over_the_size_limit() -> Result {
    const REASON: &str = "TraceQL expression exceeds the configured maximum size of 131072 bytes";
    let from = unix_nanos() / SECOND - 60;
    let server = start("")?;
    let spans = post_spans(&server, 2, 4)?;
    let ask = |query: String| -> Result<(tonic::Code, String)> {
        let request = SearchRequest {
            query,
            limit: 20,
            ..SearchRequest::default()
        };
        let streamed = stream::<_, SearchResponse>(server.grpc, "Search", None, request)?;
        Ok(match streamed {
            Ok(_) => (tonic::Code::Ok, String::new()),
            Err(status) => (status.code(), status.message().to_owned()),
        })
    };
    for bytes in [200_000, 1_000_000] {
        let (code, text) = ask(format!("{{ .a = \"{}\" }}", "x".repeat(bytes)))?;
        assert_eq!(code, tonic::Code::InvalidArgument, "{text}");
        assert!(text.contains(REASON), "{text}");
    }
    let terms = vec![".a=1"; 10_000].join("||");
    let (code, text) = ask(format!("{{{terms}}}"))?;
    let is_answered = matches!(code, tonic::Code::Ok | tonic::Code::InvalidArgument);
    assert!(is_answered, "{code:?} {text}");
    still_fine(&server, spans, from, "10,000 terms")?;
    for bytes in [200_000, 1_000_000] {
        let target = format!("/api/search?q=%7B.a=%22{}%22%7D", "x".repeat(bytes));
        let (status, text) = get_by_hand(&server, &target)?;
        assert!(
            matches!(status, 400 | 414 | 431),
            "{bytes}: {status} {text}"
        );
        assert!(status != 400 || text.contains(REASON), "{text}");
        still_fine(&server, spans, from, "a long URL")?;
    }
    Ok(())
}

/// Processor time of the process so far, user and system.
fn processor_ticks(server: &Server) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid()))?;
    let after_name = stat.rsplit_once(')').ok_or("no name in stat")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
}

#[test]
fn clients_that_go_away_leave_no_work_behind() -> Result {
    /// 100 ticks are a second of a processor.
    const IDLE_TICKS: u64 = 25;
    let from = unix_nanos() / SECOND - 60;
    let server = start("")?;
    let spans = post_spans(&server, 3, 100)?;
    let heavy = "{ name =~ \".*(a|e).*(i|o).*z\" || .x =~ \".*y.*\" } >> { .x != \"\" } | rate() by (span:id, name, duration)";
    let searching =
        "({ true } >> { name =~ \".*(a|e).*(i|o).*\" }) && ({} << {}) && { .x =~ \".*q\" }";
    let urls = [
        with_params(RANGE, &[("q", heavy), ("since", "10m"), ("step", "1s")]),
        with_params(SEARCH, &[("q", searching), ("since", "10m")]),
    ];
    let canceled = |op: &str| {
        let labels = format!("{{op=\"{op}\",result=\"canceled\",tenant=\"single-tenant\"}}");
        server.metric(&format!("tempo_query_frontend_queries_total{labels}"))
    };
    for round in 0..5 {
        let mut clients = Vec::new();
        for index in 0..40 {
            let mut client = TcpStream::connect(("127.0.0.1", server.http))?;
            let url = &urls[index % urls.len()];
            client.write_all(format!("GET {url} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())?;
            clients.push(client);
        }
        std::thread::sleep(Duration::from_millis(20 * round));
        drop(clients);
    }
    let queued = "tempo_query_frontend_queue_length{user=\"single-tenant\"}";
    eventually(QUICK, || Ok(server.metric(queued)? == Some(0.0)))?;
    eventually(QUICK, || {
        let before = processor_ticks(&server)?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(processor_ticks(&server)? - before < IDLE_TICKS)
    })?;
    assert_eq!(server.metric(queued)?, Some(0.0));
    let gone = canceled("metrics")?.unwrap_or_default() + canceled("search")?.unwrap_or_default();
    assert!(
        gone > 0.0,
        "every query was answered before its client went"
    );
    still_fine(&server, spans, from, "clients that went away")
}

fn one_span(seed: u64, name: &str) -> Vec<u8> {
    let mut random = Random::new(seed);
    let now = unix_nanos();
    let mut trace = random.next_u64().to_be_bytes().to_vec();
    trace.extend_from_slice(&random.next_u64().to_be_bytes());
    let span = Span {
        trace_id: trace,
        span_id: (random.next_u64() | 1).to_be_bytes().to_vec(),
        name: name.to_owned(),
        start_time_unix_nano: now - 1000,
        end_time_unix_nano: now,
        ..Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
}

/// Each span is looked for right after its acknowledgement.
fn read_your_writes(server: &Server, spans: u64) -> Result {
    let from = unix_nanos() / SECOND - 60;
    for number in 0..spans {
        let name = format!("write-{number}");
        let answer = server.post_otlp(&one_span(unix_nanos(), &name))?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let filter = format!("{{ name = \"{name}\" }}");
        assert_eq!(search(server, &filter, from)?, (1, 1), "search {name}");
        let all = format!("{{ name =~ \"write-.*\" && name != \"{name}\" }}");
        assert_eq!(
            search(server, &all, from)?,
            (number, number),
            "all before {name}"
        );
        assert_eq!(count(server, &filter, from)?, 1, "count {name}");
    }
    Ok(())
}

#[test]
fn spans_are_found_and_counted_as_soon_as_they_are_acknowledged() -> Result {
    read_your_writes(&start("")?, 60)
}

#[test]
fn spans_are_found_at_once_while_others_move_to_blocks() -> Result {
    read_your_writes(&start(QUICK_BLOCKS)?, 100)
}

/// Polls `look` while sections become blocks; gives the answers that differ from `expected`, which is made of the number of spans so far.
fn poll_while_moving<T: PartialEq + std::fmt::Debug>(
    look: impl Fn(&Server, u64) -> Result<T>,
    expected: impl Fn(u64) -> T,
) -> Result {
    let from = unix_nanos() / SECOND - 60;
    let server = start(QUICK_BLOCKS)?;
    let mut spans = 0;
    for round in 0..4 {
        spans += post_spans(&server, 10 + round, 10)?;
        let moved = AtomicBool::new(false);
        std::thread::scope(|scope| -> Result {
            let waiting = scope.spawn(|| {
                let outcome = server.wait_for_blocks();
                std::thread::sleep(Duration::from_secs(1));
                moved.store(true, Ordering::Relaxed);
                outcome
            });
            let mut polls = 0;
            let mut wrong = Vec::new();
            while !moved.load(Ordering::Relaxed) {
                polls += 1;
                let seen = look(&server, from)?;
                if seen != expected(spans) {
                    wrong.push((polls, seen));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let expected = expected(spans);
            assert!(
                wrong.is_empty(),
                "{expected:?} expected, but (poll, seen): {wrong:?}"
            );
            assert!(polls > 3, "{polls} polls");
            waiting.join().map_err(|_| "the waiting thread panicked")?
        })?;
    }
    Ok(())
}

/// No gap, no double.
#[test]
fn counts_stay_the_same_while_data_move_to_blocks() -> Result {
    poll_while_moving(|server, from| count(server, "{}", from), |spans| spans)
}

#[test]
fn searches_find_every_trace_while_data_move_to_blocks() -> Result {
    poll_while_moving(
        |server, from| Ok(search(server, "{}", from)?.0),
        |spans| spans / SPANS_PER_TRACE,
    )
}

#[test]
fn searches_see_whole_traces_while_data_move_to_blocks() -> Result {
    poll_while_moving(
        |server, from| {
            // Right after another query it happens more often.
            let counted = count(server, "{}", from)?;
            Ok((counted, search(server, "{}", from)?))
        },
        |spans| (spans, (spans / SPANS_PER_TRACE, spans)),
    )
}
