//! Command line of the scenarios.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::moto::python;
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
    /// As fast as answers come back over OTLP/HTTP, until everything is in blocks; then traces from there.
    Blocks,
    /// The same over OTLP/gRPC.
    BlocksGrpc,
    /// The same over OTLP/HTTP at the fixed rate, for a minute at least.
    BlocksRateHttp,
    /// The same over OTLP/gRPC at the fixed rate.
    BlocksRateGrpc,
    /// Two hours at 2,000 spans/s as fast as answers come back, in 1 GiB of memory. Runs only when it is named.
    TwoHours,
    /// Traces by id from an S3 server with cold caches. Without --only it runs where there is a Python with moto.
    #[value(name = "cold-s3")]
    ColdS3,
    /// As fast as answers come back on 1, 2 and as many shards as there are CPUs, until everything is in blocks.
    Shards,
    /// Peak memory at full speed, for few and for many spans.
    Memory,
    /// What a span takes in the bucket, by file and by column.
    Storage,
    /// Traces by id among a thousand blocks, warm and cold.
    ManyBlocks,
    /// Ingest at half of full speed with and without queries beside it, while blocks are made.
    Fair,
    /// Queries of all kinds over blocks and live data, warm and cold.
    Queries,
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
    /// Spans that become blocks; in `shards` so many for each shard.
    #[arg(long, default_value_t = 2_000_000)]
    pub block_spans: u64,
    /// Spans of the memory scenario (comma-separated), each sent to a server of its own.
    #[arg(long, value_delimiter = ',', default_value = "600000,5000000")]
    pub memory_spans: Vec<u64>,
    /// Spans of the storage scenario.
    #[arg(long, default_value_t = 1_000_000)]
    pub storage_spans: u64,
    /// Blocks of the many-blocks scenario.
    #[arg(long, default_value_t = 1_000)]
    pub many_blocks: u64,
    /// Spans per second of the fair scenario; 0 = half of what full speed is.
    #[arg(long, default_value_t = 0)]
    pub mixed_rate: u64,
    /// Spans of the two hours.
    #[arg(long, default_value_t = 14_400_000)]
    pub two_hours_spans: u64,
    /// Spans in S3.
    #[arg(long, default_value_t = 500_000)]
    pub cold_spans: u64,
    /// Traces read from S3, each by a server that has just started.
    #[arg(long, default_value_t = 200)]
    pub cold_reads: usize,
    /// Spans in blocks that are queried; a twentieth of that comes on top as live data.
    #[arg(long, default_value_t = 1_000_000)]
    pub query_spans: u64,
    /// Numbers of blocks that these spans are in (comma-separated): the queries run over each.
    #[arg(long, value_delimiter = ',', default_value = "4")]
    pub query_blocks: Vec<u64>,
    /// Bytes after which a section of the log ends and cuts traces: more blocks than these then (0 = blocks end between traces).
    #[arg(long, default_value_t = 0)]
    pub query_section_bytes: u64,
    /// Runs of a query at least; quick ones run for a second.
    #[arg(long, default_value_t = 15)]
    pub query_runs: usize,
    /// Minutes that these spans are spread over.
    #[arg(long, default_value_t = 60)]
    pub query_minutes: u64,
    /// Seconds before the first query to a server of somebody else that was loaded here.
    #[arg(long, default_value_t = 60)]
    pub query_wait: u64,
    /// Query API of a Tempo-compatible server that has data already: only the queries run, and none of them cold.
    #[arg(long)]
    pub query_url: Option<String>,
    /// Its process on this machine, for its CPU.
    #[arg(long, requires = "query_url")]
    pub query_pid: Option<u32>,
    /// A Python with moto[server], the S3 server of cold-s3 [default: that in the folder VIVACE_TEST_STORES].
    #[arg(long)]
    pub moto_python: Option<PathBuf>,
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
    /// Its bucket, where that is a folder of this machine.
    #[arg(long, requires = "external_http")]
    pub external_bucket: Option<PathBuf>,
}

impl Options {
    /// The other server, if there is one.
    pub fn external(&self) -> Option<External> {
        Some(External {
            otlp_http: self.external_http?,
            otlp_grpc: self.external_grpc?,
            query: self.external_query.clone()?,
            pid: self.external_pid?,
            bucket: self.external_bucket.clone(),
        })
    }

    /// What is to be run.
    pub fn scenarios(&self) -> Vec<Scenario> {
        let usual = |scenario: &&Scenario| match scenario {
            Scenario::TwoHours => false,
            Scenario::ColdS3 => python(self.moto_python.as_deref()).is_some(),
            _ => true,
        };
        if self.query_url.is_some() {
            return vec![Scenario::Queries];
        }
        let asked: Vec<Scenario> = match &self.only[..] {
            [] => Scenario::value_variants()
                .iter()
                .filter(usual)
                .copied()
                .collect(),
            only => only.to_vec(),
        };
        let own = [
            Scenario::Start,
            Scenario::Replay,
            Scenario::ColdS3,
            Scenario::Criterion,
            Scenario::Shards,
            Scenario::ManyBlocks,
        ];
        let possible = |scenario: &Scenario| self.external().is_none() || !own.contains(scenario);
        asked.into_iter().filter(possible).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_that_start_servers_need_a_server_of_our_own() {
        let own = Options::parse_from(["vivace-bench"]);
        assert!(own.scenarios().contains(&Scenario::Blocks));
        assert!(!own.scenarios().contains(&Scenario::TwoHours));
        let python = Options::parse_from(["vivace-bench", "--moto-python", "/usr/bin/python3"]);
        assert!(python.scenarios().contains(&Scenario::ColdS3));
        let long = Options::parse_from(["vivace-bench", "--only", "two-hours"]);
        assert_eq!(long.scenarios(), [Scenario::TwoHours]);
        let some = Options::parse_from(["vivace-bench", "--only", "start,full-grpc"]);
        assert_eq!(some.scenarios(), [Scenario::Start, Scenario::FullGrpc]);
        let line = "vivace-bench --external-http 127.0.0.1:1 --external-grpc 127.0.0.1:2 --external-query http://127.0.0.1:3 --external-pid 4";
        let other = Options::parse_from(line.split_whitespace());
        assert_eq!(other.external().map(|other| other.pid), Some(4));
        for own in [Scenario::Start, Scenario::ColdS3, Scenario::Shards] {
            assert!(!other.scenarios().contains(&own));
        }
        assert!(other.scenarios().contains(&Scenario::Blocks));
        assert!(other.scenarios().contains(&Scenario::Mixed));
        let asked = Options::parse_from(["vivace-bench", "--query-url", "http://127.0.0.1:3"]);
        assert_eq!(asked.scenarios(), [Scenario::Queries]);
        assert!(
            Options::try_parse_from(["vivace-bench", "--external-http", "127.0.0.1:1"]).is_err()
        );
    }
}
