//! The server under test: a process of our own on free loopback ports, or one that runs already.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::options::Options;
use super::{Error, http};
use crate::load::Samples;

/// How long a server may take until it is ready; replays take their time.
const READY_MAX: Duration = Duration::from_secs(300);
/// How long the answer to a probe may take.
const PROBE_MAX: Duration = Duration::from_secs(2);
/// Between two probes: what start-up times are exact to.
const PROBE_EVERY: Duration = Duration::from_millis(1);

/// After data was removed and the file system has committed that: freed blocks are discarded in the background.
const SETTLE: Duration = Duration::from_secs(4);
/// Folders in the data folder.
const BLOCKS: &str = "blocks";
const LOG: &str = "wal";

/// What is different from the plain server.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Appended to the configuration.
    pub yaml: String,
    /// Where blocks go; into the data folder if not given.
    pub store: Option<S3>,
}

/// A bucket of an S3 server without TLS.
#[derive(Debug, Clone)]
pub struct S3 {
    /// The server.
    pub address: SocketAddr,
    /// Its bucket.
    pub bucket: String,
}

/// A server that somebody else has started.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "names say it")]
pub struct External {
    pub otlp_http: SocketAddr,
    pub otlp_grpc: SocketAddr,
    pub query: String,
    pub pid: u32,
    /// Its bucket, if that is a folder here.
    pub bucket: Option<PathBuf>,
}

/// A server. One of our own is killed, and its data removed, when this is dropped.
#[derive(Debug)]
pub struct Server {
    at: External,
    own: Option<Own>,
}

/// A server's data. When it is removed, the file system frees gigabytes with its next commits, which whoever syncs meanwhile waits for:
/// the next server's figures are to be its own.
#[derive(Debug)]
struct Folder(Option<tempfile::TempDir>);

impl Folder {
    fn path(&self) -> &Path {
        self.0
            .as_ref()
            .map_or(Path::new(""), |folder| folder.path())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.0.take());
        rustix::fs::sync();
        std::thread::sleep(SETTLE);
    }
}

#[derive(Debug)]
struct Own {
    folder: Folder,
    http: SocketAddr,
    grpc: SocketAddr,
    child: Option<Child>,
}

impl Server {
    /// The other server, or a new one that is ready.
    pub fn start(options: &Options) -> Result<Self, Error> {
        if let Some(at) = options.external() {
            return Ok(Self { at, own: None });
        }
        let mut server = Self::prepare(options)?;
        server.launch()?;
        Ok(server)
    }

    /// The other server, or a new one with this difference that is ready.
    pub fn start_with(options: &Options, setup: &Setup) -> Result<Self, Error> {
        if let Some(at) = options.external() {
            return Ok(Self { at, own: None });
        }
        let mut server = Self::prepare_with(options, setup)?;
        server.launch()?;
        Ok(server)
    }

    /// A configuration on free ports; nothing runs yet.
    pub fn prepare(options: &Options) -> Result<Self, Error> {
        Self::prepare_with(options, &Setup::default())
    }

    /// A configuration with this difference; nothing runs yet.
    pub fn prepare_with(options: &Options, setup: &Setup) -> Result<Self, Error> {
        let folder = match &options.data {
            Some(data) => tempfile::tempdir_in(data),
            None => tempfile::tempdir(),
        };
        let folder = folder.map_err(Error::io("data folder"))?;
        let [http, grpc, otlp_http, otlp_grpc] = free_ports()?;
        let at = External {
            otlp_http,
            otlp_grpc,
            query: format!("http://{http}"),
            pid: 0,
            bucket: None,
        };
        let server = Self {
            at,
            own: Some(Own {
                folder: Folder(Some(folder)),
                http,
                grpc,
                child: None,
            }),
        };
        server.configure(options, setup)?;
        Ok(server)
    }

    /// Another difference for the next start of a server whose blocks are in its data folder.
    pub fn reconfigure(&self, options: &Options, yaml: &str) -> Result<(), Error> {
        let setup = Setup {
            yaml: yaml.into(),
            ..Setup::default()
        };
        self.configure(options, &setup)
    }

    fn configure(&self, options: &Options, setup: &Setup) -> Result<(), Error> {
        let Some(own) = &self.own else {
            return Err(Error::Failed(
                "only a server of our own can be configured".into(),
            ));
        };
        let Own {
            folder, http, grpc, ..
        } = own;
        let (otlp_http, otlp_grpc) = (self.at.otlp_http, self.at.otlp_grpc);
        let data = folder.path().display();
        let shards = options.shards;
        let store = setup.store.as_ref().map_or_else(
            || format!("backend: local, local: {{path: '{data}/{BLOCKS}'}}"),
            |s3| {
                format!(
                    "backend: s3, s3: {{bucket: {}, endpoint: '{}', region: us-east-1, access_key: bench, secret_key: bench, insecure: true, forcepathstyle: true}}",
                    s3.bucket, s3.address
                )
            },
        );
        let extra = &setup.yaml;
        // No limits: a bench that is refused measures nothing.
        let yaml = format!(
            "shards: {shards}\n\
             server: {{http_listen_address: 127.0.0.1, http_listen_port: {}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {}}}\n\
             distributor: {{receivers: {{otlp: {{protocols: {{http: {{endpoint: '{otlp_http}'}}, grpc: {{endpoint: '{otlp_grpc}'}}}}}}}}}}\n\
             storage: {{trace: {{{store}, wal: {{path: '{data}/{LOG}'}}}}}}\n\
             overrides: {{defaults: {{ingestion: {{max_traces_per_user: 0, rate_limit_bytes: 4000000000, burst_size_bytes: 4000000000}}}}}}\n{extra}",
            http.port(),
            grpc.port(),
        );
        let config = folder.path().join("vivace.yaml");
        fs::write(&config, yaml).map_err(Error::io("configuration"))
    }

    /// Starts the process; the time until it is ready.
    pub fn launch(&mut self) -> Result<Duration, Error> {
        let Some(own) = &mut self.own else {
            return Err(Error::Failed(
                "only a server of our own can be started".into(),
            ));
        };
        let program = sibling("vivace")?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(own.log())
            .map_err(Error::io("log"))?;
        let started = Instant::now();
        let child = Command::new(&program)
            .arg(format!(
                "-config.file={}",
                own.folder.path().join("vivace.yaml").display()
            ))
            .current_dir(own.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(Error::io("log"))?)
            .stderr(log)
            .spawn()
            .map_err(Error::io(program.display().to_string()))?;
        self.at.pid = child.id();
        let child = own.child.insert(child);
        loop {
            if probe(own.http) {
                return Ok(started.elapsed());
            }
            let ended = child.try_wait().map_err(Error::io("server"))?;
            if ended.is_some() || started.elapsed() > READY_MAX {
                let log = fs::read_to_string(own.folder.path().join("log.txt")).unwrap_or_default();
                return Err(Error::Failed(format!(
                    "the server is not ready: {ended:?}\n{log}"
                )));
            }
            std::thread::sleep(PROBE_EVERY);
        }
    }

    /// The folder that is its bucket, if it is one of our own with a local bucket, or another's whose folder is known.
    pub fn bucket(&self) -> Option<PathBuf> {
        let own = self.own.as_ref();
        let own = own.map(|own| own.folder.path().join(BLOCKS));
        own.or_else(|| self.at.bucket.clone())
            .filter(|path| path.is_dir())
    }

    /// What its `/metrics` say now.
    pub fn samples(&self) -> Result<Samples, Error> {
        let answer = http::get(&self.at.query, "/metrics")?;
        Ok(Samples::parse(&String::from_utf8_lossy(&answer)))
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.own.as_mut().and_then(|own| own.child.take()) {
            let _already_gone = child.kill();
            let _reaped = child.wait();
        }
    }

    /// Where it is.
    pub fn at(&self) -> &External {
        &self.at
    }
}

impl Own {
    fn log(&self) -> PathBuf {
        self.folder.path().join("log.txt")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program of this project, beside this one.
pub fn sibling(name: &str) -> Result<PathBuf, Error> {
    let me = std::env::current_exe().map_err(Error::io("own path"))?;
    let path = me.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    let path = path.display();
    Err(Error::Failed(format!(
        "{path} is not there: build it first, as run.sh does"
    )))
}

/// Whether `/ready` answers 200.
fn probe(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, PROBE_MAX)?;
        stream.set_read_timeout(Some(PROBE_MAX))?;
        stream.write_all(b"GET /ready HTTP/1.0\r\nHost: bench\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// Ports that were free a moment ago, below the range that outgoing connections take theirs from.
pub fn free_ports() -> Result<[SocketAddr; 4], Error> {
    let mut free = Vec::new();
    let from = 12_000 + (std::process::id() % 18_000) as u16;
    for port in from..from + 2_000 {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            free.push(address);
        }
        if let [a, b, c, d] = free[..] {
            return Ok([a, b, c, d]);
        }
    }
    Err(Error::Failed("no free ports".into()))
}
