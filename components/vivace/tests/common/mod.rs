//! A real server process on free loopback ports with a data folder of its own; both are gone when the test ends.

#![allow(dead_code, reason = "each test file uses its own part of this harness")]

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T = ()> = std::result::Result<T, Error>;

/// How long a server may take until it is ready, on a busy machine.
const READY_MAX: Duration = Duration::from_secs(30);

/// How long blocks may take after the last span.
const BLOCKS_MAX: Duration = Duration::from_secs(60);

/// The folder with conformance data that stands beside the project.
pub fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared")
}

/// What a test wants to be different from the plain server.
#[derive(Default, Clone)]
pub struct Options {
    /// YAML that is appended to the generated configuration.
    pub extra_yaml: String,
    /// Flags after `-config.file`.
    pub flags: Vec<String>,
    /// Environment of the process.
    pub env: Vec<(String, String)>,
    /// Command that is put in front, such as a wrapper that refuses system calls.
    pub wrapper: Vec<String>,
    /// Put the data here instead of into the test's own folder.
    pub data: Option<PathBuf>,
}

/// A running server.
pub struct Server {
    child: Option<Child>,
    folder: tempfile::TempDir,
    options: Options,
    pub http: u16,
    pub grpc: u16,
    pub otlp_grpc: u16,
    pub otlp_http: u16,
}

/// A response, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

impl Server {
    pub fn start() -> Result<Self> {
        Self::start_with(Options::default())
    }

    /// Starts a server and waits until it is ready.
    pub fn start_with(options: Options) -> Result<Self> {
        let mut server = Self::prepare(options)?;
        server.launch()?;
        server.wait_ready()?;
        Ok(server)
    }

    /// Chooses ports and writes the configuration; nothing runs yet.
    pub fn prepare(options: Options) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let ports = free_ports(4)?;
        let server = Self {
            child: None,
            folder,
            options,
            http: ports[0],
            grpc: ports[1],
            otlp_grpc: ports[2],
            otlp_http: ports[3],
        };
        fs::write(server.config_path(), server.config())?;
        Ok(server)
    }

    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("vivace.yaml")
    }

    pub fn data(&self) -> PathBuf {
        self.options
            .data
            .clone()
            .unwrap_or_else(|| self.folder.path().join("data"))
    }

    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("log.txt")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn config(&self) -> String {
        let data = self.data().display().to_string();
        let (http, grpc, otlp_grpc, otlp_http) =
            (self.http, self.grpc, self.otlp_grpc, self.otlp_http);
        format!(
            "server:\n  http_listen_address: 127.0.0.1\n  http_listen_port: {http}\n  grpc_listen_address: 127.0.0.1\n  grpc_listen_port: {grpc}\n\
             distributor:\n  receivers:\n    otlp:\n      protocols:\n        grpc:\n          endpoint: 127.0.0.1:{otlp_grpc}\n        http:\n          endpoint: 127.0.0.1:{otlp_http}\n\
             storage:\n  trace:\n    backend: local\n    wal:\n      path: {data}/wal\n    local:\n      path: {data}/blocks\n{}",
            self.options.extra_yaml
        )
    }

    /// Starts the process without waiting.
    pub fn launch(&mut self) -> Result {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let mut arguments = self.options.wrapper.clone();
        arguments.push(env!("CARGO_BIN_EXE_vivace").to_owned());
        arguments.push(format!("-config.file={}", self.config_path().display()));
        arguments.extend(self.options.flags.iter().cloned());
        let child = Command::new(&arguments[0])
            .args(&arguments[1..])
            .envs(self.options.env.iter().cloned())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    pub fn wait_ready(&mut self) -> Result {
        let started = Instant::now();
        loop {
            if let Some(status) = self.try_wait()? {
                return Err(
                    format!("ended with {status} before it was ready:\n{}", self.log()).into(),
                );
            }
            if self.get("/ready").is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if started.elapsed() > READY_MAX {
                return Err(format!("not ready after {READY_MAX:?}:\n{}", self.log()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => Ok(child.try_wait()?),
            None => Err("the server was not started".into()),
        }
    }

    /// SIGKILL, and wait until the process is gone.
    pub fn kill(&mut self) -> Result {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Sends a signal by name, for example `TERM`.
    pub fn signal(&self, name: &str) -> Result {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.pid().to_string()])
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("kill -{name} failed").into())
        }
    }

    /// SIGTERM; the exit status, or an error when it takes longer than `limit`.
    pub fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        self.wait_exit(limit)
    }

    pub fn wait_exit(&mut self, limit: Duration) -> Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.try_wait()? {
                self.child = None;
                return Ok(status);
            }
            if started.elapsed() > limit {
                return Err(format!("still running after {limit:?}:\n{}", self.log()).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts the process again on the same data and ports.
    pub fn restart(&mut self) -> Result {
        self.launch()?;
        self.wait_ready()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http)
    }

    pub fn get(&self, path: &str) -> Result<Answer> {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let mut request = agent().get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.call()?)
    }

    /// Any method on the query API, without a body.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        send(method, &self.url(path), headers)
    }

    /// Posts an OTLP protobuf body to the HTTP receiver.
    pub fn post_otlp(&self, body: &[u8]) -> Result<Answer> {
        self.post(
            "/v1/traces",
            body,
            &[("content-type", "application/x-protobuf")],
        )
    }

    /// Posts to the OTLP HTTP receiver.
    pub fn post(&self, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Result<Answer> {
        let mut request = agent().post(format!("http://127.0.0.1:{}{path}", self.otlp_http));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send(body)?)
    }

    /// Span ids (hex) of a trace as the v2 endpoint gives them, in order of the answer; empty when unknown.
    pub fn span_ids(&self, trace_id: &str) -> Result<Vec<String>> {
        let answer = self.get(&format!("/api/v2/traces/{trace_id}"))?;
        if answer.status != 200 {
            return Err(format!("{trace_id}: {} {}", answer.status, answer.text()).into());
        }
        let json = answer.json()?;
        crate::load::span_ids_of(&json).map_err(|error| format!("{trace_id}: {error}").into())
    }

    /// The value of one sample of `/metrics`, written as in the text format.
    pub fn metric(&self, sample: &str) -> Result<Option<f64>> {
        let text = self.get("/metrics")?.text();
        Ok(text
            .lines()
            .filter_map(|line| line.rsplit_once(' '))
            .find(|(name, _)| *name == sample)
            .and_then(|(_, value)| value.parse().ok()))
    }

    /// Waits until everything acknowledged is in uploaded blocks.
    pub fn wait_for_blocks(&self) -> Result {
        let outcome = eventually(BLOCKS_MAX, || {
            let text = self.get("/metrics")?.text();
            let samples = |name: &str| -> BTreeMap<String, f64> {
                let of_group =
                    |line: &&str| !line.contains("group=") || line.contains("group=\"live-store\"");
                text.lines()
                    .filter(|line| line.starts_with(name))
                    .filter(of_group)
                    .filter_map(|line| {
                        let partition = line.split("partition=\"").nth(1)?.split('"').next()?;
                        Some((partition.to_owned(), line.rsplit(' ').next()?.parse().ok()?))
                    })
                    .collect()
            };
            let ends = samples("vivace_ingest_log_end_offset");
            let committed = samples("vivace_ingest_log_committed_offset");
            Ok(ends
                .iter()
                .all(|(partition, end)| *end == 0.0 || committed.get(partition) == Some(end)))
        });
        outcome.map_err(|error| format!("blocks: {error}\n{}", self.log()).into())
    }

    /// Resident memory in bytes.
    pub fn rss(&self) -> Result<u64> {
        status_kib(self.pid(), "VmRSS").map(|kib| kib * 1024)
    }

    /// Largest resident memory so far in bytes.
    pub fn peak_rss(&self) -> Result<u64> {
        status_kib(self.pid(), "VmHWM").map(|kib| kib * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(8000);
            let from = (from..log.len())
                .find(|at| log.is_char_boundary(*at))
                .unwrap_or(log.len());
            eprintln!("server log (end):\n{}", &log[from..]);
        }
        if let Some(mut child) = self.child.take() {
            let _already_gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

fn status_kib(pid: u32, key: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse().ok())
        .ok_or_else(|| format!("no {key} of process {pid}").into())
}

pub fn list(value: &serde_json::Value) -> &[serde_json::Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .into()
}

/// `path?name=value&…`, with everything in the values escaped that has to be.
pub fn with_params(path: &str, params: &[(&str, &str)]) -> String {
    let mut url = path.to_owned();
    for (index, (name, value)) in params.iter().enumerate() {
        url.push(if index == 0 { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        url.push_str(&escaped(value));
    }
    url
}

/// Percent-encoded, but for what may stand in a query as it is.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~()*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Any method on any URL, without a body.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(agent().run(request.body(())?)?)
}

pub fn answer(response: ureq::http::Response<ureq::Body>) -> Result<Answer> {
    let (parts, mut body) = response.into_parts();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let body = body.with_config().limit(1 << 30).read_to_vec()?;
    Ok(Answer {
        status: parts.status.as_u16(),
        headers,
        body,
    })
}

pub fn base64_to_hex(text: &str) -> String {
    let mut bits = 0u32;
    let mut held = 0;
    let mut hex = String::new();
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            hex.push_str(&format!("{:02x}", bits >> held & 0xff));
        }
    }
    hex
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Ports that were free a moment ago, below the range that outgoing connections take theirs from.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    use std::collections::hash_map::RandomState;
    use std::hash::BuildHasher as _;
    let mut ports = Vec::new();
    let random = RandomState::new();
    for attempt in 0..2000u32 {
        let port = 12_000 + (random.hash_one((attempt, std::process::id())) % 20_000) as u16;
        if !ports.contains(&port)
            && TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).is_ok()
        {
            ports.push(port);
            if ports.len() == count {
                return Ok(ports);
            }
        }
    }
    Err("no free ports".into())
}

/// Repeats `check` until it says yes or `limit` has passed.
pub fn eventually(limit: Duration, mut check: impl FnMut() -> Result<bool>) -> Result {
    let started = Instant::now();
    loop {
        if check()? {
            return Ok(());
        }
        if started.elapsed() > limit {
            return Err(format!("did not happen within {limit:?}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A wrapper under which io_uring is refused.
pub fn refuse_io_uring() -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/refuse_io_uring.py");
    vec!["python3".to_owned(), script.display().to_string()]
}
