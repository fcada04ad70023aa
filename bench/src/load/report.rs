//! What was measured, as text or as one line of JSON.

use serde::{Deserialize, Serialize};

use super::options::{Options, Protocol};
use super::outcome::{Latencies, Outcome, Reads};
use super::process::Process;
use super::settle::Settled;
use super::shared::{Mark, Marks};

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct Quantiles {
    pub count: u64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl From<&Latencies> for Quantiles {
    fn from(latencies: &Latencies) -> Self {
        Self {
            count: latencies.count(),
            mean: latencies.mean(),
            p50: latencies.quantile(0.5),
            p90: latencies.quantile(0.9),
            p99: latencies.quantile(0.99),
            p999: latencies.quantile(0.999),
            max: latencies.max(),
        }
    }
}

/// What a process used while it was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time in seconds.
    pub cpu_seconds: f64,
    /// CPU time for each acknowledged span (for a read: each read) in microseconds.
    pub cpu_us_per_item: f64,
    /// CPUs kept busy.
    pub cores: f64,
    /// Resident MiB at the end.
    pub rss_mib: f64,
    /// Largest resident MiB since the process started.
    pub peak_rss_mib: f64,
}

impl Usage {
    fn between(
        from: Option<Process>,
        to: Option<Process>,
        items: u64,
        seconds: f64,
    ) -> Option<Self> {
        const MIB: f64 = 1_048_576.0;
        let (from, to) = (from?, to?);
        let cpu = to.cpu.saturating_sub(from.cpu).as_secs_f64();
        Some(Self {
            cpu_seconds: cpu,
            cpu_us_per_item: cpu * 1e6 / items.max(1) as f64,
            cores: cpu / seconds.max(1e-9),
            rss_mib: to.rss as f64 / MIB,
            peak_rss_mib: to.peak_rss as f64 / MIB,
        })
    }
}

/// Traces that were read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in Reads")]
pub struct ReadReport {
    pub latency_ms: Quantiles,
    pub missing_spans: u64,
    pub doubled_spans: u64,
    pub foreign_spans: u64,
    pub failed: u64,
    pub server: Option<Usage>,
    pub first_problem: Option<String>,
}

impl ReadReport {
    fn new(reads: &Reads, server: Option<Usage>) -> Option<Self> {
        (reads.latency.count() + reads.failed > 0).then(|| Self {
            latency_ms: (&reads.latency).into(),
            missing_spans: reads.missing,
            doubled_spans: reads.doubled,
            foreign_spans: reads.strangers,
            failed: reads.failed,
            server,
            first_problem: reads.first_problem.clone(),
        })
    }
}

/// The whole report. Counts are of requests that were due after the warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in Outcome and Options")]
pub struct Report {
    pub protocol: Protocol,
    pub connections: usize,
    pub spans_per_request: usize,
    pub spans_per_trace: usize,
    pub attributes: usize,
    /// Spans per second asked for; 0 in a closed loop.
    pub rate: u64,
    /// From the end of the warm-up to the last answer.
    pub seconds: f64,
    /// Acknowledged in that time.
    pub spans_per_second: f64,
    pub spans: u64,
    pub requests: u64,
    pub rejected_spans: u64,
    pub refused: u64,
    pub failed: u64,
    pub dropped: u64,
    pub bytes_per_span: f64,
    /// From when a request was due (closed loop: sent) to its acknowledgement.
    pub ack_ms: Quantiles,
    /// From when a request was due to when it was sent: what the generator itself was late.
    pub waited_ms: Quantiles,
    pub server: Option<Usage>,
    pub generator: Option<Usage>,
    /// The wait until everything was in blocks.
    pub settled: Option<Settled>,
    /// From the end of the warm-up until everything was in blocks, by spans acknowledged.
    pub server_until_settled: Option<Usage>,
    /// From the last acknowledgement until everything was in blocks, by spans that went into blocks in that time.
    pub server_settling: Option<Usage>,
    /// Traces read while the load went on.
    pub reads_beside: Option<ReadReport>,
    /// Traces read after the load.
    pub reads_after: Option<ReadReport>,
    pub first_failure: Option<String>,
}

impl Report {
    /// From what all shards measured; `None` when measuring never began.
    pub fn new(
        options: &Options,
        outcome: &Outcome,
        marks: &Marks,
        settled: Option<Settled>,
    ) -> Option<Self> {
        let (begin, end) = (marks.begin?, marks.end?);
        let seconds = (end.at - begin.at).as_secs_f64();
        let spans = end.spans - begin.spans;
        let usage =
            |of: fn(&Mark) -> Option<Process>| Usage::between(of(&begin), of(&end), spans, seconds);
        let between = |from: Mark, to: Mark, items: u64| {
            let seconds = (to.at - from.at).as_secs_f64();
            Usage::between(from.server, to.server, items, seconds)
        };
        let reads = outcome.after.latency.count();
        let reading_from = marks.settled.unwrap_or(end);
        let reading = marks
            .verified
            .and_then(|verified| between(reading_from, verified, reads));
        let built = settled.as_ref().map_or(0, |settled| {
            (settled.after.spans_in_blocks - settled.before.spans_in_blocks) as u64
        });
        Some(Self {
            protocol: options.protocol,
            connections: options.connections,
            spans_per_request: options.spans_per_request,
            spans_per_trace: options.spans_per_trace,
            attributes: options.attributes,
            rate: options.rate,
            seconds,
            spans_per_second: spans as f64 / seconds.max(1e-9),
            spans: outcome.spans,
            requests: outcome.requests,
            rejected_spans: outcome.rejected_spans,
            refused: outcome.refused,
            failed: outcome.failed,
            dropped: outcome.dropped,
            bytes_per_span: outcome.bytes as f64 / outcome.spans.max(1) as f64,
            ack_ms: (&outcome.latency).into(),
            waited_ms: (&outcome.waited).into(),
            server: usage(|mark| mark.server),
            generator: usage(|mark| mark.generator),
            server_until_settled: marks
                .settled
                .and_then(|settled| between(begin, settled, spans)),
            server_settling: marks
                .settled
                .and_then(|settled| between(end, settled, built)),
            settled,
            reads_beside: ReadReport::new(&outcome.beside, None),
            reads_after: ReadReport::new(&outcome.after, reading),
            first_failure: outcome.first_failure.clone(),
        })
    }

    /// Whether something was acknowledged, came into blocks if that was waited for, and was as it should be when it was read back.
    pub fn is_good(&self) -> bool {
        let mut reads = self.reads_beside.iter().chain(&self.reads_after);
        let settled = self.settled.iter().all(|settled| settled.failed.is_none());
        self.spans > 0 && settled && reads.all(|read| read.first_problem.is_none())
    }

    /// One line of JSON.
    ///
    /// # Errors
    /// Never in practice: all keys are strings, and JSON writes what is not a number as null.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Text for a person.
    pub fn text(&self) -> String {
        let quantiles = |q: &Quantiles| {
            format!(
                "p50 {:.2}  p90 {:.2}  p99 {:.2}  p99.9 {:.2}  max {:.2} ms",
                q.p50, q.p90, q.p99, q.p999, q.max
            )
        };
        let mut text = format!(
            "acknowledged  {} spans in {} requests, {:.0} spans/s, {:.0} B a span\n\
             not           {} refused, {} failed, {} dropped by the generator, {} spans rejected\n\
             ack           {}\n\
             waited        {}\n",
            self.spans,
            self.requests,
            self.spans_per_second,
            self.bytes_per_span,
            self.refused,
            self.failed,
            self.dropped,
            self.rejected_spans,
            quantiles(&self.ack_ms),
            quantiles(&self.waited_ms),
        );
        for (name, usage) in [("server", &self.server), ("generator", &self.generator)] {
            if let Some(usage) = usage {
                text.push_str(&format!(
                    "{name:14}{:.3} us CPU a span, {:.2} cores, RSS {:.1} MiB, peak {:.1} MiB\n",
                    usage.cpu_us_per_item, usage.cores, usage.rss_mib, usage.peak_rss_mib
                ));
            }
        }
        if let Some(settled) = &self.settled {
            text.push_str(&settled.text());
        }
        for (name, usage) in [
            ("until blocks", &self.server_until_settled),
            ("settling", &self.server_settling),
        ] {
            if let Some(usage) = usage {
                text.push_str(&format!(
                    "{name:14}{:.3} us CPU a span, peak {:.1} MiB\n",
                    usage.cpu_us_per_item, usage.peak_rss_mib
                ));
            }
        }
        for (name, reads) in [
            ("reads beside", &self.reads_beside),
            ("reads after", &self.reads_after),
        ] {
            if let Some(reads) = reads {
                text.push_str(&format!(
                    "{name:14}{} traces, {}; {} spans missing, {} doubled, {} foreign, {} reads failed\n",
                    reads.latency_ms.count,
                    quantiles(&reads.latency_ms),
                    reads.missing_spans,
                    reads.doubled_spans,
                    reads.foreign_spans,
                    reads.failed
                ));
                if let Some(problem) = &reads.first_problem {
                    text.push_str(&format!("first problem {problem}\n"));
                }
            }
        }
        if let Some(failure) = &self.first_failure {
            text.push_str(&format!("first failure {failure}\n"));
        }
        text
    }
}
