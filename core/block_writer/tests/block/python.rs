//! What an independent reader, pyarrow, says of the blocks.
//!
//! `VIVACE_TEST_PYARROW` names a Python that has it (`tests/python/install.sh` makes one).

use std::path::Path;
use std::process::Command;

use vivace_block::Format;
use vivace_block_writer::Options;

use crate::common::{Result, conformance, options, shared, tempo, write};

fn compare(format: Format) -> Result {
    let Some(python) = std::env::var_os("VIVACE_TEST_PYARROW") else {
        eprintln!(
            "skipped: VIVACE_TEST_PYARROW is not set; tests/python/install.sh makes a Python with pyarrow"
        );
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let options = Options {
        row_group_bytes: 500_000,
        ..options(format)
    };
    let (_, bytes) = write(&conformance(), &options);
    let path = folder.path().join(format.as_str());
    std::fs::write(&path, &bytes)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/compare.py");
    let output = Command::new(&python)
        .arg(script)
        .arg(&path)
        .arg(tempo(format))
        .arg(shared().join("conformance/otlp"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{format}: {text}{errors}");
    assert!(text.ends_with("the same\n"), "{format}: {text}");
    Ok(())
}

#[test]
fn pyarrow_reads_version_4_as_tempo_wrote_it_and_as_it_was_sent() -> Result {
    compare(Format::VParquet4)
}

#[test]
fn pyarrow_reads_version_5_as_tempo_wrote_it_and_as_it_was_sent() -> Result {
    compare(Format::VParquet5)
}
