//! Every maximum of the load generator.

use std::time::Duration;

/// Connections of one generator.
pub const MAX_CONNECTIONS: usize = 10_000;
/// Requests that may be due but not sent yet.
pub const MAX_WAITING: usize = 1_000_000;
/// Traces of one generator that are remembered to be read back.
pub const MAX_SAMPLE: usize = 100_000;
/// Spans of one request or trace.
pub const MAX_SPANS: usize = 1_000_000;
/// Longest latency that is told apart from longer ones, in microseconds.
pub const MAX_LATENCY_MICROS: u64 = 300_000_000;
/// Bytes of the answer to a read.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Traces remembered when only reads beside the load were asked for.
pub const SAMPLE_FOR_READS: usize = 1_000;
/// Pause of a connection after its server refused a request or could not be reached.
pub const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(50);
/// Characters of a server's answer that are quoted in a report.
pub const MAX_QUOTE: usize = 300;
/// Between two looks at the server's metrics: what the time until all is in blocks is exact to.
pub const SETTLE_LOOK: Duration = Duration::from_millis(100);
/// Longest wait until all is in blocks, in seconds.
pub const MAX_SETTLE_SECONDS: u64 = 24 * 3600;
/// Longest pause before a refused request is sent again, whatever the server asked for.
pub const MAX_RETRY_PAUSE: Duration = Duration::from_secs(30);
/// Times that a refused request is sent again before it counts as failed.
pub const MAX_RETRIES: u32 = 1_000;
