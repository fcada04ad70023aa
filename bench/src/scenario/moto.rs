//! An S3 server to read from: moto's, of a Python that has it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::server::{S3, free_ports};
use super::{Error, http};

/// How long it may take to start.
const READY_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// Where the store tests' servers are installed.
const STORES: &str = "VIVACE_TEST_STORES";

/// The server; killed when this is dropped.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    /// An empty bucket of it.
    pub bucket: S3,
}

/// The Python that was named, or that of the store tests' servers.
pub fn python(named: Option<&Path>) -> Option<PathBuf> {
    let named = named.map(Path::to_path_buf);
    named.or_else(|| {
        let stores = PathBuf::from(std::env::var_os(STORES)?);
        Some(stores.join("python/bin/python")).filter(|path| path.is_file())
    })
}

impl Moto {
    /// Starts it with an empty bucket.
    pub fn start(python: &Path) -> Result<Self, Error> {
        let [address, ..] = free_ports()?;
        let child = Command::new(python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
            .arg(address.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io(python.display().to_string()))?;
        let bucket = S3 {
            address,
            bucket: "bench".into(),
        };
        let mut moto = Self { child, bucket };
        let started = Instant::now();
        loop {
            if let Ok((200, _)) = http::request(address, "PUT", "/bench") {
                return Ok(moto);
            }
            let ended = moto.child.try_wait().map_err(Error::io("moto"))?;
            if ended.is_some() || started.elapsed() > READY_MAX {
                let python = python.display();
                return Err(Error::Failed(format!(
                    "{python} -m moto.server does not serve: {ended:?}"
                )));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.bucket.address
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
