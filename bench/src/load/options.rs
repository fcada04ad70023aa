//! Command line of the load generator.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vivace_shards::http::compression::Encoding;

use super::limits;
use crate::data::Shape;

/// What the requests travel on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// OTLP/HTTP, protobuf.
    Http,
    /// OTLP/gRPC.
    Grpc,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, the usual choice of SDKs and collectors.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl From<Compression> for Encoding {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::Identity,
            Compression::Gzip => Self::Gzip,
            Compression::Zstd => Self::Zstd,
        }
    }
}

/// An option that makes no sense.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct UsageError(pub String);

impl UsageError {
    /// Never: the same options fail in the same way.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// Where traces are read: a server and what stands before `/api/traces`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryUrl {
    /// The server.
    pub address: SocketAddr,
    /// Path prefix without a slash at its end.
    pub prefix: String,
}

impl FromStr for QueryUrl {
    type Err = UsageError;

    fn from_str(text: &str) -> Result<Self, UsageError> {
        let rest = text.strip_prefix("http://").unwrap_or(text);
        if rest.contains("://") {
            return Err(UsageError(format!("{text}: only http:// is spoken here")));
        }
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Self {
            address: resolve(host)?,
            prefix: path.trim_end_matches('/').to_owned(),
        })
    }
}

/// `host:port` as an address; IPv4 first, as servers on localhost often listen there only.
fn resolve(text: &str) -> Result<SocketAddr, UsageError> {
    let bad = |why: &dyn std::fmt::Display| UsageError(format!("{text:?} is no host:port: {why}"));
    let all: Vec<SocketAddr> = text
        .to_socket_addrs()
        .map_err(|error| bad(&error))?
        .collect();
    let best = all.iter().find(|address| address.is_ipv4()).or(all.first());
    best.copied().ok_or_else(|| bad(&"the name has no address"))
}

/// Sends realistic traces to a Tempo-compatible server and measures how it takes them.
///
/// Open loop (--rate) sends at a fixed rate whatever the answers do; a latency counts from the moment at which the
/// request was due, so a server that stalls can't hide it. Closed loop (no --rate) sends as fast as answers come back.
#[derive(Debug, Clone, Parser)]
#[command(name = "vivace-load", version)]
pub struct Options {
    /// Address of the OTLP receiver [default: 127.0.0.1:4318, with gRPC 127.0.0.1:4317].
    #[arg(long, value_parser = resolve)]
    pub target: Option<SocketAddr>,
    /// Protocol of the requests.
    #[arg(long, value_enum, default_value = "http")]
    pub protocol: Protocol,
    /// How requests are compressed.
    #[arg(long, value_enum, default_value = "none")]
    pub compression: Compression,
    /// Spans per second over all connections; 0 = closed loop.
    #[arg(long, default_value_t = 0)]
    pub rate: u64,
    /// Connections; each has one request under way.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// How long to send before measuring, in seconds.
    #[arg(long, default_value_t = 0)]
    pub warmup: u64,
    /// Stop after about this many spans; 0 = no such limit.
    #[arg(long, default_value_t = 0)]
    pub spans: u64,
    /// Spans of one request.
    #[arg(long, default_value_t = 500)]
    pub spans_per_request: usize,
    /// Spans of one trace; a trace is spread over two requests.
    #[arg(long, default_value_t = 20)]
    pub spans_per_trace: usize,
    /// Attributes of one span.
    #[arg(long, default_value_t = 15)]
    pub attributes: usize,
    /// Seed of the data; the same seed gives the same ids [default: another one each time].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Tenant, sent as X-Scope-OrgID.
    #[arg(long)]
    pub tenant: Option<String>,
    /// Open loop: requests that may be due but not sent yet. What is due beyond them is dropped, and reported.
    #[arg(long, default_value_t = 1_000)]
    pub max_waiting: usize,
    /// Seconds after which a request has failed.
    #[arg(long, default_value_t = 30)]
    pub timeout: u64,
    /// Threads of the generator; 0 = one per CPU.
    #[arg(long, default_value_t = 1)]
    pub shards: usize,
    /// Process whose CPU and memory are measured (of the same machine).
    #[arg(long)]
    pub pid: Option<u32>,
    /// Where traces are read back, for example http://127.0.0.1:3200.
    #[arg(long)]
    pub query_url: Option<QueryUrl>,
    /// After the load: read back this many traces, sampled from all, and look for missing and doubled spans.
    #[arg(long, default_value_t = 0)]
    pub verify: usize,
    /// Beside the load: trace reads per second, checked in the same way.
    #[arg(long, default_value_t = 0)]
    pub reads_per_second: u64,
    /// Send refused requests again, after the pause that the server asks for, until they are taken in.
    #[arg(long)]
    pub retry_refused: bool,
    /// After the load: wait up to this many seconds until the metrics of --query-url say that everything is in blocks,
    /// before traces are read back; 0 = don't wait.
    #[arg(long, default_value_t = 0)]
    pub settle: u64,
    /// Write ids and span counts of the traces that --verify samples into this file.
    #[arg(long)]
    pub sample_file: Option<PathBuf>,
    /// Print one line of JSON at the end instead of text.
    #[arg(long)]
    pub json: bool,
    /// No progress lines.
    #[arg(long)]
    pub quiet: bool,
}

impl Options {
    /// The OTLP receiver.
    pub fn target(&self) -> SocketAddr {
        self.target.unwrap_or_else(|| {
            let port = match self.protocol {
                Protocol::Http => 4318,
                Protocol::Grpc => 4317,
            };
            SocketAddr::from(([127, 0, 0, 1], port))
        })
    }

    /// Shape of the data.
    pub fn shape(&self) -> Shape {
        Shape {
            spans_per_request: self.spans_per_request,
            spans_per_trace: self.spans_per_trace,
            attributes_per_span: self.attributes,
        }
    }

    /// When the n-th request of all (from 0) is due, counted from the first; `None` in a closed loop.
    pub fn due(&self, n: u64) -> Option<Duration> {
        if self.rate == 0 {
            return None;
        }
        // The mean request has half of a pair. From the first each time, so that no rounding adds up.
        let spans = u128::from(n) * self.shape().spans_per_pair() as u128;
        let nanos = spans * 500_000_000 / u128::from(self.rate);
        Some(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ))
    }

    /// How long to send before measuring.
    pub fn warmup(&self) -> Duration {
        Duration::from_secs(self.warmup)
    }

    /// How long to measure.
    pub fn measure(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// After which a request has failed.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// Traces that are remembered, over all shards.
    pub fn sample(&self) -> usize {
        match (self.verify, self.reads_per_second) {
            (0, 0) => 0,
            (0, _) => limits::SAMPLE_FOR_READS,
            (verify, _) => verify,
        }
    }

    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), UsageError> {
        let between = |name: &str, value: usize, low: usize, high: usize| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(UsageError(format!(
                "--{name} must be {low} to {high}, not {value}"
            )))
        };
        between("connections", self.connections, 1, limits::MAX_CONNECTIONS)?;
        between(
            "spans-per-request",
            self.spans_per_request,
            1,
            limits::MAX_SPANS,
        )?;
        // A trace has a span in each of its two requests.
        let most = self.spans_per_request * 2;
        between("spans-per-trace", self.spans_per_trace, 2, most)?;
        between("attributes", self.attributes, 0, 1_000)?;
        between("max-waiting", self.max_waiting, 1, limits::MAX_WAITING)?;
        between("verify", self.verify, 0, limits::MAX_SAMPLE)?;
        between("shards", self.shards, 0, self.connections)?;
        if self.seconds == 0 {
            return Err(UsageError("--seconds must be at least 1".into()));
        }
        if self.timeout == 0 {
            return Err(UsageError("--timeout must be at least 1".into()));
        }
        if self.settle > limits::MAX_SETTLE_SECONDS {
            let most = limits::MAX_SETTLE_SECONDS;
            return Err(UsageError(format!("--settle must be at most {most}")));
        }
        if (self.sample() > 0 || self.settle > 0) && self.query_url.is_none() {
            return Err(UsageError(
                "--verify, --settle and --reads-per-second need --query-url".into(),
            ));
        }
        if self.sample_file.is_some() && self.verify == 0 {
            return Err(UsageError("--sample-file needs --verify".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words = std::iter::once("vivace-load").chain(line.split_whitespace());
        let options = Options::try_parse_from(words).map_err(|error| error.to_string())?;
        options.check().map_err(|error| error.to_string())?;
        Ok(options)
    }

    #[test]
    fn defaults_are_a_closed_loop_to_the_local_receiver() -> Result<(), String> {
        let options = parse("")?;
        assert_eq!(options.target(), SocketAddr::from(([127, 0, 0, 1], 4318)));
        assert_eq!(options.due(7), None);
        let grpc = parse("--protocol grpc")?;
        assert_eq!(grpc.target().port(), 4317);
        Ok(())
    }

    #[test]
    fn the_schedule_keeps_the_rate_without_drift() -> Result<(), String> {
        let options = parse("--rate 30000 --spans-per-request 500")?;
        assert_eq!(options.due(0), Some(Duration::ZERO));
        assert_eq!(options.due(60), Some(Duration::from_secs(1)));
        assert_eq!(options.due(60 * 86_400), Some(Duration::from_secs(86_400)));
        // Three traces of 31 spans do not fill two requests of 50: the pair has 93.
        let uneven = parse("--rate 93 --spans-per-request 50 --spans-per-trace 31")?;
        assert_eq!(uneven.due(2), Some(Duration::from_secs(1)));
        Ok(())
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_options_name() {
        for (line, part) in [
            ("--connections 0", "--connections must be 1"),
            ("--spans-per-trace 1", "--spans-per-trace must be 2 to 1000"),
            (
                "--spans-per-request 5 --spans-per-trace 11",
                "--spans-per-trace must be 2 to 10",
            ),
            ("--spans-per-request 0", "--spans-per-request"),
            ("--seconds 0", "--seconds"),
            ("--timeout 0", "--timeout"),
            ("--max-waiting 0", "--max-waiting"),
            ("--verify 10", "--query-url"),
            ("--settle 10", "--query-url"),
            ("--settle 100000", "--settle must be at most"),
            ("--sample-file x", "--verify"),
            ("--reads-per-second 10", "--query-url"),
            ("--shards 20", "--shards"),
            ("--query-url https://localhost:1", "only http://"),
            ("--target nonsense", "host:port"),
            ("--compression lz5", "lz5"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn query_urls_may_have_a_prefix() -> Result<(), UsageError> {
        let url: QueryUrl = "http://127.0.0.1:3200/tempo/".parse()?;
        assert_eq!((url.address.port(), url.prefix.as_str()), (3200, "/tempo"));
        let url: QueryUrl = "localhost:3200".parse()?;
        assert_eq!((url.address.port(), url.prefix.as_str()), (3200, ""));
        Ok(())
    }
}
