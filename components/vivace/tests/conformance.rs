//! Real traces, posted to a running server, come back as Tempo's recorded answers say.

mod common;
#[path = "common/load.rs"]
mod load;

use std::process::Command;

use common::{Result, Server, shared};

#[test]
fn traces_by_id_equal_the_recorded_answers() -> Result {
    let server = Server::start()?;
    let mut requests: Vec<_> = std::fs::read_dir(shared().join("conformance/otlp"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pb"))
        .collect();
    requests.sort();
    assert_eq!(requests.len(), 28);
    for path in &requests {
        let answer = server.post_otlp(&std::fs::read(path)?)?;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (200, &b"\x0a\x00"[..]),
            "{path:?}: {}",
            answer.text()
        );
    }
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
        "{text}"
    );
    Ok(())
}
