//! Start, readiness, status pages and stop, as probes and operators see them.

mod common;
#[path = "common/load.rs"]
mod load;

use std::process::Command;
use std::time::Duration;

use common::{Options, Result, Server};

/// Upper bound of a stop (drop-in-checklist.md).
const STOP_MAX: Duration = Duration::from_secs(30);

fn vivace(arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
    let folder = tempfile::tempdir()?;
    let output = Command::new(env!("CARGO_BIN_EXE_vivace"))
        .args(arguments)
        .current_dir(folder.path())
        .output()?;
    Ok((
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

#[test]
fn sigterm_ends_the_process_with_zero_and_keeps_the_data() -> Result {
    let mut server = Server::start()?;
    let body = std::fs::read(common::shared().join("conformance/otlp/0000.pb"))?;
    assert_eq!(server.post_otlp(&body)?.status, 200);
    let trace = serde_json::from_slice::<serde_json::Value>(&std::fs::read(
        common::shared().join("conformance/otlp/traces.json"),
    )?)?;
    let ids: Vec<String> = trace
        .as_object()
        .into_iter()
        .flatten()
        .map(|(id, _)| id.clone())
        .collect();
    let before: Vec<_> = ids
        .iter()
        .map(|id| server.span_ids(id))
        .collect::<Result<_>>()?;
    assert!(before.iter().any(|spans| !spans.is_empty()));
    assert_eq!(server.stop(STOP_MAX)?.code(), Some(0), "{}", server.log());
    server.restart()?;
    let after: Vec<_> = ids
        .iter()
        .map(|id| server.span_ids(id))
        .collect::<Result<_>>()?;
    assert_eq!(before, after);
    assert_eq!(server.stop(STOP_MAX)?.code(), Some(0));
    Ok(())
}

#[test]
fn a_second_signal_ends_at_once() -> Result {
    let mut server = Server::start_with(Options {
        extra_yaml: "shutdown_delay: 60s\n".into(),
        ..Options::default()
    })?;
    server.signal("TERM")?;
    common::eventually(Duration::from_secs(5), || {
        Ok(server
            .get("/ready")
            .is_ok_and(|answer| answer.status == 503 && answer.text() == "Application is stopping"))
    })?;
    server.signal("TERM")?;
    server.wait_exit(Duration::from_secs(5))?;
    Ok(())
}

#[test]
fn operators_pages() -> Result {
    let server = Server::start()?;
    let ready = server.get("/ready")?;
    assert_eq!((ready.status, ready.text().as_str()), (200, "ready\n"));
    assert_eq!(server.get("/api/echo")?.text(), "echo\n");
    let build = server.get("/api/status/buildinfo")?.json()?;
    for key in [
        "version",
        "revision",
        "branch",
        "buildUser",
        "buildDate",
        "goVersion",
    ] {
        assert!(build[key].is_string(), "{key}: {build}");
    }
    // Grafana chooses features by the version of Tempo.
    assert!(
        build["version"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.")),
        "{build}"
    );
    for (path, needle) in [
        ("/status", "GET /status/config"),
        ("/status/version", "tempo, version 3."),
        ("/status/services", "Running"),
        ("/status/endpoints", "/api/traces/{traceID}"),
        ("/status/config", "http_listen_port"),
        ("/status/config?mode=diff", "---"),
        ("/status/runtime_config", "defaults:"),
        ("/metrics", "tempo_build_info"),
    ] {
        let answer = server.get(path)?;
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            answer.text().contains(needle),
            "{path} lacks {needle:?}:\n{}",
            answer.text()
        );
    }
    let bad_mode = server.get("/status/config?mode=bad")?;
    assert_eq!(
        (bad_mode.status, bad_mode.text().trim_end()),
        (500, "unknown value for mode query parameter: bad")
    );
    for path in ["/flush", "/shutdown", "/status/nothing", "/nothing"] {
        let answer = server.get(path)?;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (404, "404 page not found\n"),
            "{path}"
        );
    }
    Ok(())
}

#[test]
fn metrics_that_scrapers_expect_are_there_from_the_start() -> Result {
    let server = Server::start()?;
    let text = server.get("/metrics")?.text();
    for sample in [
        "tempo_partition_ring_partitions{name=\"livestore-partitions\",state=\"Active\"} 1",
        "tempo_live_store_traces_created_total",
        "tempo_live_store_ready 1",
        "tempo_live_store_partition_owned",
        "tempo_distributor_spans_received_total",
        "tempo_distributor_bytes_received_total",
        "tempo_distributor_ingress_bytes_total",
        "tempo_distributor_produce_batches_total",
        "tempo_discarded_spans_total",
        "tempo_receiver_accepted_spans",
        "tempo_request_duration_seconds",
        "tempo_build_info",
        "process_resident_memory_bytes",
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(sample)),
            "no {sample} in\n{text}"
        );
    }
    Ok(())
}

#[test]
fn flags_and_configuration_errors() -> Result {
    let (code, out, _) = vivace(&["-version"])?;
    assert_eq!(code, Some(0));
    assert!(out.starts_with("tempo, version 3."), "{out}");

    let (code, out, err) = vivace(&["-help"])?;
    assert_eq!(code, Some(0));
    assert!(format!("{out}{err}").contains("-config.file"), "{out}{err}");

    let (code, _, err) = vivace(&["--no-such-flag"])?;
    assert_eq!(code, Some(2));
    assert!(err.contains("no-such-flag"), "{err}");

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("bad.yaml");
    std::fs::write(&file, "server:\n  http_listen_prot: 1\n")?;
    let (code, _, err) = vivace(&[&format!("-config.file={}", file.display())])?;
    assert_eq!(code, Some(1));
    for needle in ["bad.yaml", ":2:3", "http_listen_prot", "http_listen_port"] {
        assert!(err.contains(needle), "no {needle} in {err}");
    }

    std::fs::write(
        &file,
        "storage:\n  trace:\n    backend: local\n    local:\n      path: blocks\ndistributor:\n  receivers:\n    otlp:\n      protocols:\n        grpc:\n",
    )?;
    let (code, out, err) = vivace(&[
        &format!("-config.file={}", file.display()),
        "-config.verify=true",
    ])?;
    assert_eq!(code, Some(0), "{out}{err}");

    std::fs::write(
        &file,
        "target: querier\nstorage:\n  trace:\n    backend: local\n    local:\n      path: blocks\n",
    )?;
    let (code, _, err) = vivace(&[&format!("-config.file={}", file.display())])?;
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("querier"), "{err}");
    Ok(())
}

#[test]
fn health_flag_asks_the_running_server() -> Result {
    let server = Server::start()?;
    let url = format!("-health.url={}", server.url("/ready"));
    let (code, out, _) = vivace(&["-health", &url])?;
    assert_eq!((code, out.trim()), (Some(0), "Tempo is healthy"));
    let (code, _, err) = vivace(&[
        "-health",
        &format!("-health.url={}", server.url("/nothing")),
    ])?;
    assert_eq!(code, Some(1));
    assert!(err.contains("Tempo is unhealthy: status 404"), "{err}");
    Ok(())
}

#[test]
fn a_port_or_folder_in_use_is_named() -> Result {
    let first = Server::start()?;
    let mut second = Server::prepare(Options {
        data: Some(first.data()),
        ..Options::default()
    })?;
    second.launch()?;
    let status = second.wait_exit(Duration::from_secs(10))?;
    assert_eq!(status.code(), Some(1));
    assert!(second.log().contains("ingest-log"), "{}", second.log());

    let port = format!("-server.http-listen-port={}", first.http);
    let mut third = Server::prepare(Options {
        flags: vec![port],
        ..Options::default()
    })?;
    third.launch()?;
    let status = third.wait_exit(Duration::from_secs(10))?;
    assert_eq!(status.code(), Some(1));
    assert!(
        third.log().contains(&first.http.to_string()),
        "{}",
        third.log()
    );
    Ok(())
}

#[test]
fn without_io_uring_it_runs_on_epoll_and_pwrite() -> Result {
    let server = Server::start_with(Options {
        wrapper: common::refuse_io_uring(),
        ..Options::default()
    })?;
    let body = std::fs::read(common::shared().join("conformance/otlp/0001.pb"))?;
    assert_eq!(server.post_otlp(&body)?.status, 200);
    let metrics = server.get("/metrics")?.text();
    assert!(
        metrics.contains("driver=\"epoll\"") && metrics.contains("lane=\"pwrite\""),
        "{metrics}"
    );
    Ok(())
}
