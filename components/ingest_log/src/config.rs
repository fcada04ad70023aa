use std::path::PathBuf;
use std::time::Duration;

use crate::Error;
use crate::frame::frame_bytes;
use crate::limits::{MAX_COMMIT_DELAY, MAX_PARTITIONS, MAX_PAYLOAD_BYTES};

/// Settings of the embedded log.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The log's directory; made when it is missing.
    pub path: PathBuf,
    /// Partitions of a new log; 0 = one for each shard. A log that exists keeps its count.
    pub partitions: u32,
    /// Bytes of a segment, reserved on the disk beforehand. A partition holds at least two: the
    /// one it writes and the one it writes next.
    pub segment_bytes: u64,
    /// Larger records are refused.
    pub max_record_bytes: u64,
    /// A write takes at most this much of what is waiting (and always one record).
    pub max_group_bytes: u64,
    /// What may wait for the disk in one partition, before appends are refused as `Busy`.
    pub max_pending_bytes: u64,
    /// Deliberate wait for more records before a group is written, at most 5 ms. Zero is right for
    /// most disks: whatever arrives during one sync shares the next.
    pub commit_delay: Duration,
    /// Space that a new segment has to leave free.
    pub min_free_bytes: u64,
    /// No segment is begun that would make the whole log larger, and appends are refused until consumer groups have
    /// committed and retention has made room; 0 = no limit. Each partition has its equal part, and at least three segments.
    pub max_bytes: u64,
    /// Segments are deleted, oldest first, while the whole log is larger; 0 = never for that reason.
    pub retention_bytes: u64,
    /// Segments are deleted when their newest record is older; zero = never for that reason.
    pub retention_age: Duration,
    /// Consumer groups whose committed offset holds back both of the above.
    pub pin_groups: Vec<String>,
    /// Above this size of the whole log even pinned segments are deleted; 0 = never: the log
    /// refuses appends when the disk is full instead.
    pub hard_max_bytes: u64,
    /// How often retention looks. Often, so that few segments go at once: the file system's journal holds up syncs while it frees
    /// their blocks, and a segment that goes when the next one is needed becomes that one.
    pub retention_interval: Duration,
    /// Bytes a second that each shard reads after a start to verify older segments; 0 = only what
    /// is read anyway is verified.
    pub scrub_bytes_per_second: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            path: PathBuf::from("./data/log"),
            partitions: 0,
            segment_bytes: 64 << 20,
            max_record_bytes: 32 << 20,
            max_group_bytes: 8 << 20,
            max_pending_bytes: 64 << 20,
            commit_delay: Duration::ZERO,
            min_free_bytes: 64 << 20,
            max_bytes: 0,
            retention_bytes: 0,
            retention_age: Duration::from_secs(24 * 3600),
            pin_groups: Vec::new(),
            hard_max_bytes: 0,
            retention_interval: Duration::from_secs(1),
            scrub_bytes_per_second: 64 << 20,
        }
    }
}

impl Config {
    /// Says which setting is wrong, and why.
    pub fn validate(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Config(text));
        if self.path.as_os_str().is_empty() {
            return wrong("path is empty".into());
        }
        if self.partitions > MAX_PARTITIONS {
            return wrong(format!(
                "partitions is {}; at most {MAX_PARTITIONS}",
                self.partitions
            ));
        }
        if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&self.segment_bytes) {
            return wrong(format!(
                "segment_bytes is {}; between {MIN_SEGMENT_BYTES} and {MAX_SEGMENT_BYTES}",
                self.segment_bytes
            ));
        }
        if self.max_record_bytes == 0 || self.max_record_bytes > MAX_PAYLOAD_BYTES {
            return wrong(format!(
                "max_record_bytes is {}; between 1 and {MAX_PAYLOAD_BYTES}",
                self.max_record_bytes
            ));
        }
        if self.max_pending_bytes < frame_bytes(self.max_record_bytes) {
            return wrong(format!(
                "max_pending_bytes is {}; it has to hold one record of max_record_bytes ({}) \
                 and its frame",
                self.max_pending_bytes, self.max_record_bytes
            ));
        }
        if self.commit_delay > MAX_COMMIT_DELAY {
            return wrong(format!(
                "commit_delay is {:?}; at most {MAX_COMMIT_DELAY:?}",
                self.commit_delay
            ));
        }
        if self.retention_interval.is_zero() {
            return wrong("retention_interval is zero".into());
        }
        Ok(())
    }
}

/// Smaller segments would be mostly frames' edges and files.
const MIN_SEGMENT_BYTES: u64 = 4 << 10;
/// Positions in a segment fit 32 bits (the index holds them so).
const MAX_SEGMENT_BYTES: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        Config::default().validate().unwrap();
    }

    #[test]
    fn each_bound_is_checked() {
        let base = Config::default;
        let wrong = [
            Config {
                path: PathBuf::new(),
                ..base()
            },
            Config {
                partitions: MAX_PARTITIONS + 1,
                ..base()
            },
            Config {
                segment_bytes: 100,
                ..base()
            },
            Config {
                segment_bytes: 2 << 30,
                ..base()
            },
            Config {
                max_record_bytes: 0,
                ..base()
            },
            Config {
                max_record_bytes: MAX_PAYLOAD_BYTES + 1,
                ..base()
            },
            Config {
                max_pending_bytes: 64 << 20,
                max_record_bytes: 64 << 20,
                ..base()
            },
            Config {
                commit_delay: Duration::from_millis(6),
                ..base()
            },
            Config {
                retention_interval: Duration::ZERO,
                ..base()
            },
        ];
        for config in wrong {
            let error = config.validate().unwrap_err();
            assert!(!error.is_retryable(), "{error}");
        }
    }
}
