//! The OpenTelemetry SDKs of Python and Node, as their users install them, export spans; every span is there once.
//!
//! They stand in the folder that `VIVACE_TEST_CLIENTS` names (`tests/clients/install.sh` makes it).

mod common;
#[path = "common/load.rs"]
mod load;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Result, Server};

const TRACES: usize = 50;
const SPANS_PER_TRACE: usize = 100;

fn clients() -> Option<PathBuf> {
    let folder = std::env::var_os("VIVACE_TEST_CLIENTS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!(
            "skipped: VIVACE_TEST_CLIENTS is not set; ./test.sh installs the SDKs and sets it"
        );
    }
    folder
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

fn export_and_compare(mut command: Command, kind: &str, server: &Server) -> Result {
    let port = if kind == "grpc" {
        server.otlp_grpc
    } else {
        server.otlp_http
    };
    let output = command
        .args([
            kind,
            &port.to_string(),
            &TRACES.to_string(),
            &SPANS_PER_TRACE.to_string(),
        ])
        .output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let sent: BTreeMap<String, Vec<String>> = serde_json::from_slice(&output.stdout)?;
    assert_eq!(sent.len(), TRACES);
    for (trace_id, mut expected) in sent {
        let mut found = server.span_ids(&trace_id)?;
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{kind} trace {trace_id}");
    }
    Ok(())
}

#[test]
fn python_sdk() -> Result {
    let Some(clients) = clients() else {
        return Ok(());
    };
    let server = Server::start()?;
    for kind in ["grpc", "http"] {
        let mut command = Command::new(clients.join("python/bin/python"));
        command.arg(script("export.py"));
        export_and_compare(command, kind, &server)?;
    }
    Ok(())
}

#[test]
fn node_sdk() -> Result {
    let Some(clients) = clients() else {
        return Ok(());
    };
    let server = Server::start()?;
    for kind in ["grpc", "http", "json"] {
        let mut command = Command::new("node");
        command
            .arg(script("export.mjs"))
            .current_dir(clients.join("node"));
        export_and_compare(command, kind, &server)?;
    }
    Ok(())
}
