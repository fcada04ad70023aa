//! The process: what the command line asks for, and the exit code.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use vivace_config::blocks::server::{LogFormat, LogLevel};
use vivace_config::{Command, Config, Error as ConfigError, Invocation, Loaded, Source, load};
use vivace_shards::{BoxError, runtime, shutdown};

use crate::listeners::{plan, refuse_ports_in_use};
use crate::logging::{self, Format};
use crate::node::Node;
use crate::{block_command, metrics, settings, shard, version};

/// Patience of `-health`.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that `-health` looks at.
const HEALTH_ANSWER_MAX: u64 = 64 << 10;

/// Does what the arguments (without the program's name) ask for, and gives the exit code.
pub fn main(arguments: &[String]) -> ExitCode {
    if let Some(("block", rest)) = arguments.split_first().map(|(a, rest)| (a.as_str(), rest)) {
        return block_command::run(rest);
    }
    match Command::parse(arguments) {
        Ok(Command::Help(text)) => print(&text),
        Ok(Command::Version) => print(&version::text()),
        Ok(Command::Health { url }) => health(&url),
        Ok(Command::Run(invocation)) => run(&invocation),
        Err(error) => fail_config(&error),
    }
}

fn print(text: &str) -> ExitCode {
    // Whoever closed the pipe has read enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn complain(text: &str) {
    // There is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

fn fail_config(error: &ConfigError) -> ExitCode {
    complain(&error.to_string());
    if let ConfigError::Usage { usage, .. } = error {
        complain(usage);
    }
    ExitCode::from(error.exit_code())
}

fn run(invocation: &Invocation) -> ExitCode {
    let loaded = match load_config(invocation) {
        Ok(loaded) => loaded,
        Err(LoadError::Config(error)) => return fail_config(&error),
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    if invocation.verify {
        for warning in &loaded.warnings {
            complain(&format!("warning: {warning}"));
        }
        let all_well = loaded.warnings.is_empty();
        return if all_well {
            print("the configuration is valid, without warnings\n")
        } else {
            ExitCode::FAILURE
        };
    }
    let server = &loaded.config.server;
    let level = match server.log_level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    };
    let format = match server.log_format {
        LogFormat::Logfmt => Format::Logfmt,
        LogFormat::Json => Format::Json,
    };
    // Dropped last: it writes the lines that still wait.
    let _lines = logging::start(level, format);
    if !loaded.warnings.is_empty() {
        tracing::warn!(msg = "-- CONFIGURATION WARNINGS --");
        for warning in &loaded.warnings {
            tracing::warn!(msg = warning.message, explain = warning.explain);
        }
    }
    match serve(Arc::new(loaded.config), invocation.expand_env) {
        Ok(()) => {
            tracing::info!(msg = "Tempo stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(msg = "error running Tempo", err = %error);
            ExitCode::FAILURE
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("failed parsing config: failed to read configFile {path}: {source}")]
    File {
        path: String,
        source: std::io::Error,
    },
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The configuration that the flags name, or what is wrong with it.
pub fn load_config(invocation: &Invocation) -> Result<Loaded, LoadError> {
    let file = match &invocation.config_file {
        None => None,
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => Some((path.as_str(), text)),
            Err(source) => {
                return Err(LoadError::File {
                    path: path.clone(),
                    source,
                });
            }
        },
    };
    let source = file.as_ref().map(|(name, text)| Source { name, text });
    Ok(load(invocation, source, &|name| std::env::var(name).ok())?)
}

/// Runs until the process is asked to stop.
fn serve(config: Arc<Config>, expand_env: bool) -> Result<(), BoxError> {
    let listeners = plan(&config)?;
    refuse_ports_in_use(&listeners)?;
    tracing::info!(
        msg = "Starting Tempo",
        version = version::TEMPO_VERSION,
        vivace = version::VIVACE_VERSION,
        target = config.target,
    );
    for listener in &listeners {
        tracing::info!(msg = "server listening on addresses", name = listener.name, address = %listener.address);
    }
    metrics::announce(shard::FIRST_TENANT);
    let memory_limit = settings::memory_limit(&config);
    let runtime = settings::runtime(&config, settings::budgets(memory_limit));
    let shards = runtime.shard_count();
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), shards);
    let node = Arc::new(Node::new(config, expand_env, shards, listeners, seed)?);
    shutdown::on_termination_signals()?;
    let all = Arc::clone(&node);
    let outcome = runtime::run(runtime, move || shard::run(Arc::clone(&all)));
    if let Some((module, why)) = node.modules.failure() {
        tracing::error!(msg = "module failed", module, err = why);
    }
    Ok(outcome?)
}

/// `-health`: one GET, for container health checks.
fn health(url: &str) -> ExitCode {
    match get(url) {
        Ok((status, _)) if (200..300).contains(&status) => print("Tempo is healthy\n"),
        Ok((status, body)) => {
            complain(&format!(
                "Tempo is unhealthy: status {status}: {}",
                body.trim_end()
            ));
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(&format!("Health check failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// A plain HTTP/1.0 GET: no server of ours needs more to say whether it is ready.
fn get(url: &str) -> Result<(u16, String), BoxError> {
    let rest = url
        .strip_prefix("http://")
        .ok_or(
            "only http:// URLs can be asked; when server.http_tls_config is set, enable internal_server and ask its port, as with -health.url=http://localhost:3101/ready",
        )?;
    let (host, path) = rest
        .split_once('/')
        .map_or((rest, String::new()), |(host, path)| {
            (host, path.to_owned())
        });
    let with_port = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut last: BoxError = "the host has no address".into();
    for address in with_port.to_socket_addrs()? {
        let mut stream = match TcpStream::connect_timeout(&address, HEALTH_TIMEOUT) {
            Ok(stream) => stream,
            Err(error) => {
                last = format!("{address}: {error}").into();
                continue;
            }
        };
        stream.set_read_timeout(Some(HEALTH_TIMEOUT))?;
        stream.write_all(format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.take(HEALTH_ANSWER_MAX).read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer
            .split_whitespace()
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        return Ok((status.ok_or("the answer is not HTTP")?, body.to_owned()));
    }
    Err(last)
}
