//! Where batches go: the owner of their partition, which stores them durably.

use futures_util::future::LocalBoxFuture;
use std::rc::Rc;
use vivace_model::SpanBatch;

/// One partition's part of a request.
#[derive(Clone, Debug)]
pub struct Push {
    pub partition: u32,
    pub tenant: Rc<str>,
    pub batch: SpanBatch,
    /// When the request was received.
    pub received_unix_nano: u64,
    /// The client asked that no metrics be generated from these spans.
    pub skip_metrics_generation: bool,
}

/// What became of a push that did not fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Bytes of the record that was written.
    pub record_bytes: u64,
    /// Spans that were filtered out, by discard reason. They are counted where they were filtered.
    pub discarded: Vec<(&'static str, u64)>,
}

/// Why a push failed. Nothing of the batch may have been stored, or all of it: a client that tries again can store it twice, and readers
/// take one of the two.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// Too much is going on (queue full, memory, index full): slow down and come again.
    #[error("{0}")]
    Busy(String),
    /// It does not work at the moment (starting, stopping, disk full): come again.
    #[error("{0}")]
    Unavailable(String),
    /// It took too long.
    #[error("{0}")]
    Timeout(String),
    /// The record exceeds what the log takes: a smaller request may pass, this one never.
    #[error("{0}")]
    TooLarge(String),
    /// Something is wrong that a retry does not help.
    #[error("{0}")]
    Other(String),
}

impl PushError {
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Busy(_) | Self::Unavailable(_) | Self::Timeout(_)
        )
    }

    /// The label of `tempo_distributor_produce_failures_total`.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Busy(_) => "buffer-full",
            Self::Timeout(_) => "timeout",
            Self::TooLarge(_) => "record-too-large",
            Self::Unavailable(_) | Self::Other(_) => "other",
        }
    }
}

/// The way to the partitions. In one process it is a mailbox to the shard that owns the partition.
pub trait PartitionSink {
    /// How many partitions there are: a trace goes to the partition that its id says.
    fn partitions(&self) -> u32;

    /// Resolves once the batch is durable and can be found.
    fn push(&self, push: Push) -> LocalBoxFuture<'_, Result<Pushed, PushError>>;
}
