//! Object stores started for a test, each on a free port of its own and gone with it.
//!
//! They stand in the folder that `VIVACE_TEST_STORES` names (`tests/servers/install.sh` makes it).

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use vivace_config::blocks::object_stores::StoreKind;
use vivace_config::blocks::storage::TraceStorage;
use vivace_config::types::Secret;

use super::{Result, scratch};

pub const BUCKET: &str = "traces";
const START: Duration = Duration::from_secs(60);
const AZURE_ACCOUNT: &str = "devstoreaccount1";
/// The key that every Azurite has.
const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A running store.
pub struct Server {
    pub kind: StoreKind,
    pub address: SocketAddr,
    child: Child,
    /// Removed after the process has ended.
    data: Vec<tempfile::TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("VIVACE_TEST_STORES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!(
            "skipped: VIVACE_TEST_STORES is not set; ./test.sh installs the stores and sets it"
        );
    }
    folder
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/servers")
        .join(name)
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Server {
    /// S3 by moto. The tenant `many` has `blocks` blocks, here and below. None if the stores are not installed.
    pub fn s3(blocks: usize) -> Result<Option<Self>> {
        let Some(folder) = folder() else {
            return Ok(None);
        };
        let address = free_port()?;
        let mut command = Command::new(folder.join("python/bin/python"));
        command
            .arg(script("s3.py"))
            .args([address.port().to_string(), blocks.to_string()]);
        Self::start(StoreKind::S3, address, command).map(Some)
    }

    /// S3 over TLS; `pem` holds a certificate and its key.
    pub fn s3_over_tls(pem: [&Path; 2]) -> Result<Option<Self>> {
        let Some(folder) = folder() else {
            return Ok(None);
        };
        let address = free_port()?;
        let mut command = Command::new(folder.join("python/bin/python"));
        command
            .arg(script("s3.py"))
            .args([&address.port().to_string(), "0"])
            .args(pem);
        Self::start(StoreKind::S3, address, command).map(Some)
    }

    /// Google's by fake-gcs-server.
    pub fn gcs(blocks: usize) -> Result<Option<Self>> {
        let Some(folder) = folder() else {
            return Ok(None);
        };
        let address = free_port()?;
        let data = vec![scratch()?, tempfile::tempdir()?];
        let mut command = Command::new(folder.join("python/bin/python"));
        command
            .arg(script("gcs.py"))
            .args([address.port().to_string(), blocks.to_string()])
            .args(data.iter().map(tempfile::TempDir::path));
        let mut server = Self::start(StoreKind::Gcs, address, command)?;
        server.data = data;
        Ok(Some(server))
    }

    /// Azure's by Azurite.
    pub fn azure(blocks: usize) -> Result<Option<Self>> {
        let Some(folder) = folder() else {
            return Ok(None);
        };
        let address = free_port()?;
        let mut command = Command::new("node");
        command
            .arg(script("azure.mjs"))
            .arg(folder.join("node/node_modules/azurite"))
            .args([address.port().to_string(), blocks.to_string()]);
        Self::start(StoreKind::Azure, address, command).map(Some)
    }

    fn start(kind: StoreKind, address: SocketAddr, mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(
            match std::env::var_os("VIVACE_TEST_STORES_LOG") {
                Some(_) => Stdio::inherit(),
                None => Stdio::null(),
            },
        );
        let child = command.spawn()?;
        let mut server = Self {
            kind,
            address,
            child,
            data: Vec::new(),
        };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("{kind}: the store has ended: {status}").into());
            }
            if began.elapsed() > START {
                return Err(format!("{kind}: the store does not listen").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// The configuration of this store, at another address if a proxy stands before it.
    pub fn config(&self, address: SocketAddr) -> TraceStorage {
        configure(self.kind, address)
    }
}

/// A configuration of a store at an address.
pub fn configure(kind: StoreKind, address: SocketAddr) -> TraceStorage {
    let mut config = TraceStorage {
        backend: kind,
        ..TraceStorage::default()
    };
    config.s3.bucket = BUCKET.into();
    config.s3.endpoint = address.to_string();
    config.s3.insecure = true;
    config.s3.access_key = "access".into();
    config.s3.secret_key = Secret::new("secret");
    config.gcs.bucket_name = BUCKET.into();
    config.gcs.endpoint = format!("http://{address}/storage/v1/");
    config.gcs.insecure = true;
    config.azure.container_name = BUCKET.into();
    config.azure.storage_account_name = AZURE_ACCOUNT.into();
    config.azure.storage_account_key = Secret::new(AZURE_KEY);
    config.azure.endpoint_suffix = address.to_string();
    config
}

/// Puts the blocks under a folder of the bucket.
pub fn set_prefix(config: &mut TraceStorage, prefix: &str) {
    for place in [
        &mut config.s3.prefix,
        &mut config.gcs.prefix,
        &mut config.azure.prefix,
    ] {
        *place = prefix.to_owned();
    }
}

/// Sends a read again when there is no answer after this time.
pub fn set_hedging(config: &mut TraceStorage, after: vivace_config::types::Duration) {
    for place in [
        &mut config.s3.hedge_requests_at,
        &mut config.gcs.hedge_requests_at,
        &mut config.azure.hedge_requests_at,
    ] {
        *place = after;
    }
}
