//! The whole way over a real S3 server: blocks go there, another process answers from there, and while the store cannot
//! be reached ingest goes on within the disk budget.

mod common;
#[path = "common/load.rs"]
mod load;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Options, Result, Server, eventually};
use load::Load;
use vivace_bench::data::Shape;

const START_MAX: Duration = Duration::from_secs(60);
const SHAPE: Shape = Shape {
    spans_per_request: 100,
    spans_per_trace: 50,
    attributes_per_span: 15,
};

struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// None if the stores are not installed.
fn stores() -> Option<PathBuf> {
    let folder = std::env::var_os("VIVACE_TEST_STORES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!(
            "skipped: VIVACE_TEST_STORES is not set; ./test.sh installs the stores and sets it"
        );
    }
    folder
}

fn moto(stores: &Path, address: SocketAddr) -> Result<Moto> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/tests/servers/s3.py");
    let child = Command::new(stores.join("python/bin/python"))
        .arg(script)
        .args([address.port().to_string(), "0".to_owned()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let moto = Moto(child);
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        if began.elapsed() > START_MAX {
            return Err("the store does not listen".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(moto)
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The generated configuration ends within storage.trace; its backend is overruled by a flag.
fn options(address: SocketAddr, more: &str) -> Options {
    Options {
        extra_yaml: format!(
            "    s3: {{bucket: traces, prefix: a/b, endpoint: '{address}', insecure: true, access_key: access, secret_key: secret, retry_max_attempts: 2}}\n\
             overrides: {{defaults: {{ingestion: {{max_traces_per_user: 0}}}}}}\n\
             live_store: {{flush_check_period: 100ms, max_trace_idle: 50ms, max_trace_live: 100ms, max_block_duration: 100ms}}\n{more}"
        ),
        flags: vec!["-storage.trace.backend=s3".into()],
        ..Options::default()
    }
}

#[test]
fn another_process_answers_from_the_bucket() -> Result {
    let Some(stores) = stores() else {
        return Ok(());
    };
    let address = free_address()?;
    let _moto = moto(&stores, address)?;
    let writer = Server::start_with(options(address, ""))?;
    let running = Load::start(&writer, 2, 7, SHAPE);
    std::thread::sleep(Duration::from_millis(1500));
    let ledger = running.stop()?;
    assert!(ledger.acknowledged_spans() > 1000);
    writer.wait_for_blocks()?;
    load::check(&writer, &ledger)?;
    drop(writer);
    let reader = Server::start_with(options(address, ""))?;
    load::check(&reader, &ledger)?;
    let listed = Command::new(env!("CARGO_BIN_EXE_vivace"))
        .arg("block")
        .arg(format!("-config.file={}", reader.config_path().display()))
        .arg("-storage.trace.backend=s3")
        .args(["list", "--json"])
        .output()?;
    assert!(listed.status.success(), "{listed:?}");
    let blocks: serde_json::Value = serde_json::from_slice(&listed.stdout)?;
    assert!(blocks.to_string().contains("single-tenant"), "{blocks}");
    Ok(())
}

#[test]
fn a_store_that_is_down_holds_nothing_up_until_the_log_is_full() -> Result {
    let Some(stores) = stores() else {
        return Ok(());
    };
    let address = free_address()?;
    let small_log = "ingest_log: {embedded: {partitions: 1, segment_size: 1MiB, max_record_size: 512KiB, max_bytes: 6MiB}}\n";
    let server = Server::start_with(options(address, small_log))?;
    // Ready and taking spans, although nothing listens there.
    let running = Load::start(&server, 2, 9, SHAPE);
    let full = eventually(Duration::from_secs(60), || {
        Ok(server.log().contains("its limit is")
            || server.metric("vivace_ingest_log_disk_full")? == Some(1.0))
    });
    full?;
    std::thread::sleep(Duration::from_millis(500));
    let ledger = running.stop()?;
    assert!(ledger.acknowledged_spans() > 1000);
    assert!(ledger.refused_requests > 0, "the log was never full");
    let unknown = server.get("/api/v2/traces/0123456789abcdef0123456789abcdef")?;
    assert_eq!(unknown.status, 503, "{}", unknown.text());
    assert!(
        unknown.text().contains("list of blocks"),
        "{}",
        unknown.text()
    );

    let _moto = moto(&stores, address)?;
    server.wait_for_blocks()?;
    // The list of blocks is tried for again with growing pauses.
    eventually(Duration::from_secs(120), || {
        let unknown = server.get("/api/v2/traces/0123456789abcdef0123456789abcdef")?;
        Ok(unknown.status == 200)
    })?;
    load::check(&server, &ledger)?;
    // Ingest comes back, on a busy machine a little later.
    let mut seed = 11;
    eventually(Duration::from_secs(60), || {
        let again = Load::start(&server, 2, seed, SHAPE);
        seed += 1;
        std::thread::sleep(Duration::from_millis(300));
        Ok(again.stop()?.acknowledged_spans() > 100)
    })?;
    // The log has let go of what is in blocks.
    eventually(Duration::from_secs(60), || {
        Ok(server
            .metric("vivace_ingest_log_disk_bytes")?
            .is_some_and(|bytes| bytes <= 4.0 * 1_048_576.0))
    })
}
