//! Real traces come back as Tempo's recorded answers say: posted a moment ago, from blocks that Tempo wrote, and from
//! blocks of our own, in both formats.

mod common;
#[path = "common/load.rs"]
mod load;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Options, Result, Server, shared};

/// Sections are cut as soon as nothing more comes.
const QUICK_BLOCKS: &str = "live_store:\n  flush_check_period: 100ms\n  max_trace_idle: 300ms\n  max_trace_live: 1s\n  max_block_duration: 300ms\n";

fn post_everything(server: &Server) -> Result {
    let mut requests: Vec<_> = fs::read_dir(shared().join("conformance/otlp"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pb"))
        .collect();
    requests.sort();
    assert_eq!(requests.len(), 28);
    for path in &requests {
        let answer = server.post_otlp(&fs::read(path)?)?;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (200, &b"\x0a\x00"[..]),
            "{path:?}: {}",
            answer.text()
        );
    }
    Ok(())
}

fn check_answers(server: &Server) -> Result {
    let folder = shared().join("conformance");
    let output = Command::new("python3")
        .arg(folder.join("conformance.py"))
        .args([
            "check",
            "--only",
            "trace",
            "--verbose",
            "--url",
            &server.url(""),
        ])
        .arg("--answers")
        .arg(folder.join("answers.jsonl.gz"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.ends_with("60 passed, 0 failed\n"),
        "{text}{}",
        server.log()
    );
    Ok(())
}

#[test]
fn traces_by_id_equal_the_recorded_answers() -> Result {
    let server = Server::start()?;
    post_everything(&server)?;
    check_answers(&server)
}

fn from_blocks_of_tempo(format: &str) -> Result {
    let server = Server::prepare(Options::default())?;
    let blocks = shared().join("conformance/blocks").join(format);
    copy_tree(&blocks, &server.data().join("blocks"))?;
    let mut server = server;
    server.launch()?;
    server.wait_ready()?;
    check_answers(&server)
}

#[test]
fn blocks_of_tempo_version_4() -> Result {
    from_blocks_of_tempo("vParquet4")
}

#[test]
fn blocks_of_tempo_version_5() -> Result {
    from_blocks_of_tempo("vParquet5")
}

/// Everything goes into blocks; then a server that has nothing but the bucket answers from them.
fn from_blocks_of_our_own(format: &str) -> Result {
    let writer = Server::start_with(Options {
        // The generated configuration ends within storage.trace.
        extra_yaml: format!("    block:\n      version: {format}\n{QUICK_BLOCKS}"),
        ..Options::default()
    })?;
    post_everything(&writer)?;
    writer.wait_for_blocks()?;
    check_answers(&writer)?;
    let reader = Server::prepare(Options::default())?;
    copy_tree(&writer.data().join("blocks"), &reader.data().join("blocks"))?;
    drop(writer);
    let mut reader = reader;
    reader.launch()?;
    reader.wait_ready()?;
    check_answers(&reader)
}

#[test]
fn blocks_of_our_own_version_4() -> Result {
    from_blocks_of_our_own("vParquet4")
}

#[test]
fn blocks_of_our_own_version_5() -> Result {
    from_blocks_of_our_own("vParquet5")
}

fn copy_tree(from: &Path, to: &Path) -> Result {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
