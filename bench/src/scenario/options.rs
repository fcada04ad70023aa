//! Command line of the scenarios.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::server::External;

/// One scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// An empty server: from start to ready, and its memory when idle.
    Start,
    /// Fixed rate over OTLP/HTTP, then traces by id.
    RateHttp,
    /// Fixed rate over OTLP/gRPC, then traces by id.
    RateGrpc,
    /// As fast as answers come back, OTLP/HTTP.
    FullHttp,
    /// As fast as answers come back, OTLP/gRPC.
    FullGrpc,
    /// Half the fixed rate with trace reads beside it.
    Mixed,
    /// A filled log: killed, started, ready again.
    Replay,
    /// The criterion benches.
    Criterion,
}

impl Scenario {
    /// As on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Measures a server end to end: by default its own vivace process on free loopback ports with data in a temporary folder.
#[derive(Debug, Clone, Parser)]
#[command(name = "vivace-bench", version)]
pub struct Options {
    /// Only these (comma-separated); all if not given.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Scenario>,
    /// Times that each scenario is run.
    #[arg(long, default_value_t = 3)]
    pub repeat: usize,
    /// Seconds measured in each ingest scenario.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// Seconds of warm-up before.
    #[arg(long, default_value_t = 2)]
    pub warmup: u64,
    /// Spans per second of the fixed rate.
    #[arg(long, default_value_t = 30_000)]
    pub rate: u64,
    /// Spans in the log before the replay.
    #[arg(long, default_value_t = 1_000_000)]
    pub replay_spans: u64,
    /// Connections of the load generator.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Shards of the server; 0 = one per CPU.
    #[arg(long, default_value_t = 0)]
    pub shards: usize,
    /// Where the server's data goes (a folder on the disk to be measured); a temporary folder if not given.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Write the table into this file; what stands below its marker line is kept.
    #[arg(long)]
    pub results: Option<PathBuf>,
    /// What to name as the commit [default: asked from git].
    #[arg(long)]
    pub commit: Option<String>,
    /// Another Tempo-compatible server: its OTLP/HTTP address. Scenarios that start servers are left out.
    #[arg(long, requires_all = ["external_grpc", "external_query", "external_pid"])]
    pub external_http: Option<SocketAddr>,
    /// Its OTLP/gRPC address.
    #[arg(long)]
    pub external_grpc: Option<SocketAddr>,
    /// Its query API, such as http://127.0.0.1:3200.
    #[arg(long)]
    pub external_query: Option<String>,
    /// Its process on this machine.
    #[arg(long)]
    pub external_pid: Option<u32>,
}

impl Options {
    /// The other server, if there is one.
    pub fn external(&self) -> Option<External> {
        Some(External {
            otlp_http: self.external_http?,
            otlp_grpc: self.external_grpc?,
            query: self.external_query.clone()?,
            pid: self.external_pid?,
        })
    }

    /// What is to be run.
    pub fn scenarios(&self) -> Vec<Scenario> {
        let asked = match &self.only[..] {
            [] => Scenario::value_variants(),
            only => only,
        };
        let own = [Scenario::Start, Scenario::Replay, Scenario::Criterion];
        let possible = |scenario: &&Scenario| self.external().is_none() || !own.contains(scenario);
        asked.iter().filter(possible).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_that_start_servers_need_a_server_of_our_own() {
        let own = Options::parse_from(["vivace-bench"]);
        assert_eq!(own.scenarios().len(), Scenario::value_variants().len());
        let some = Options::parse_from(["vivace-bench", "--only", "start,full-grpc"]);
        assert_eq!(some.scenarios(), [Scenario::Start, Scenario::FullGrpc]);
        let line = "vivace-bench --external-http 127.0.0.1:1 --external-grpc 127.0.0.1:2 --external-query http://127.0.0.1:3 --external-pid 4";
        let other = Options::parse_from(line.split_whitespace());
        assert_eq!(other.external().map(|other| other.pid), Some(4));
        assert!(!other.scenarios().contains(&Scenario::Start));
        assert!(other.scenarios().contains(&Scenario::Mixed));
        assert!(
            Options::try_parse_from(["vivace-bench", "--external-http", "127.0.0.1:1"]).is_err()
        );
    }
}
