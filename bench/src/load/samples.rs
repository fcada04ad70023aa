//! What a server's `/metrics` says about blocks and the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The consumer group whose commits follow the upload of blocks.
const GROUP: &str = "live-store";

/// Stages of ingest of which the server tells how long its shards were busy with them, in the order of a span's way.
pub const STAGES: [&str; 6] = ["scan", "index", "log", "cut", "write", "upload"];
const STAGE_SECONDS: &str = "vivace_stage_busy_seconds_total";

/// Values by sample: the metric with its labels, written as in the text format.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples(BTreeMap<String, f64>);

/// What stands in reports of it. Values of metrics that the server does not have are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct Stored {
    pub log_disk_bytes: f64,
    pub log_segments: f64,
    /// Bytes of records that were ever written to the log.
    pub log_bytes_written: f64,
    pub partitions: usize,
    pub spans_in_blocks: f64,
    /// Blocks uploaded by this process.
    pub blocks: f64,
    /// Time in which shards were busy with each of [`STAGES`].
    pub stage_seconds: [f64; STAGES.len()],
}

impl Samples {
    /// From the text format; what is no sample is skipped.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// The metric over all its labels; 0 when there is none.
    pub fn sum(&self, metric: &str) -> f64 {
        self.of(metric).map(|(_, value)| value).sum()
    }

    /// Labels (without brackets) and values of a metric.
    fn of<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = (&'a str, f64)> + 'a {
        let from = self.0.range(metric.to_owned()..);
        let same = from.take_while(move |(name, _)| name.starts_with(metric));
        same.filter_map(move |(name, value)| {
            let labels = name.strip_prefix(metric)?;
            match labels {
                "" => Some(("", *value)),
                _ => Some((labels.strip_prefix('{')?.strip_suffix('}')?, *value)),
            }
        })
    }

    /// Whether everything acknowledged is in uploaded blocks; `None` when the server does not tell.
    pub fn all_in_blocks(&self) -> Option<bool> {
        let ends: BTreeMap<&str, f64> = self
            .of("vivace_ingest_log_end_offset")
            .filter_map(|(labels, end)| Some((label(labels, "partition")?, end)))
            .collect();
        if ends.is_empty() {
            return None;
        }
        let committed: BTreeMap<&str, f64> = self
            .of("vivace_ingest_log_committed_offset")
            .filter(|(labels, _)| label(labels, "group") == Some(GROUP))
            .filter_map(|(labels, offset)| Some((label(labels, "partition")?, offset)))
            .collect();
        let mut ends = ends.iter();
        Some(ends.all(|(partition, end)| *end == 0.0 || committed.get(partition) == Some(end)))
    }

    fn stage_seconds(&self, stage: &str) -> f64 {
        let all = self.of(STAGE_SECONDS);
        let mut values = all.filter(|(labels, _)| label(labels, "stage") == Some(stage));
        values.next().map_or(0.0, |(_, value)| value)
    }

    /// For reports.
    pub fn stored(&self) -> Stored {
        Stored {
            log_disk_bytes: self.sum("vivace_ingest_log_disk_bytes"),
            log_segments: self.sum("vivace_ingest_log_segments"),
            log_bytes_written: self.sum("vivace_ingest_log_bytes_total"),
            partitions: self.of("vivace_ingest_log_end_offset").count(),
            spans_in_blocks: self.sum("vivace_block_builder_spans_total"),
            blocks: self.sum("tempo_live_store_local_blocks_flushed_total"),
            stage_seconds: STAGES.map(|stage| self.stage_seconds(stage)),
        }
    }
}

/// The value of one label; none of those looked for here has escapes.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split(',').find_map(|pair| {
        let value = pair.strip_prefix(name)?.strip_prefix("=\"")?;
        value.strip_suffix('"')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP x y\n\
        vivace_ingest_log_end_offset{partition=\"0\"} 12\n\
        vivace_ingest_log_end_offset{partition=\"1\"} 0\n\
        vivace_ingest_log_committed_offset{group=\"live-store\",partition=\"0\"} 11\n\
        vivace_ingest_log_committed_offset{group=\"live-store-section\",partition=\"0\"} 12\n\
        vivace_ingest_log_segments 3\n\
        vivace_ingest_log_segments_more 5\n";

    #[test]
    fn the_groups_offset_decides() {
        let behind = Samples::parse(TEXT);
        assert_eq!(behind.all_in_blocks(), Some(false));
        let done = Samples::parse(&TEXT.replace("} 11", "} 12"));
        assert_eq!(done.all_in_blocks(), Some(true));
        let other = Samples::parse("tempo_build_info 1\n");
        assert_eq!(other.all_in_blocks(), None);
        // A partition with records that nobody ever committed.
        let begun = Samples::parse(&TEXT.replace("} 11", "} 12").replace("\"1\"} 0", "\"1\"} 4"));
        assert_eq!(begun.all_in_blocks(), Some(false));
    }

    #[test]
    fn metrics_are_summed_over_labels_and_not_over_names() {
        let samples = Samples::parse(TEXT);
        assert_eq!(samples.sum("vivace_ingest_log_segments"), 3.0);
        assert_eq!(samples.sum("vivace_ingest_log_end_offset"), 12.0);
        assert_eq!(samples.sum("vivace_ingest_log"), 0.0);
        let stored = samples.stored();
        assert_eq!((stored.partitions, stored.log_segments), (2, 3.0));
        let text =
            format!("{STAGE_SECONDS}{{stage=\"log\"}} 1.5\n{STAGE_SECONDS}{{stage=\"own\"}} 9\n");
        let stages = Samples::parse(&text).stored().stage_seconds;
        assert_eq!(stages, [0.0, 0.0, 1.5, 0.0, 0.0, 0.0]);
    }
}
