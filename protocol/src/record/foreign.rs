//! Records as an upstream distributor writes them (write-path.md §5): a protobuf `PushBytesRequest`.

use bytes::Bytes;
use prost::Message as _;

use super::RecordError;
use crate::tempopb::PushBytesRequest;

/// A record in the upstream format. It names neither tenant nor time: those are the log entry's key
/// and timestamp.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignRecord {
    pub traces: Vec<ForeignTrace>,
    pub skip_metrics_generation: bool,
}

/// One trace, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignTrace {
    /// As sent: 16 bytes, unless somebody broke it.
    pub id: Bytes,
    /// An encoded `Trace`, which is byte for byte an `ExportTraceServiceRequest`: feed it to the OTLP
    /// scanner. Shares the record's memory.
    pub otlp: Bytes,
}

impl ForeignRecord {
    /// Unknown fields are ignored, as upstream does.
    pub(super) fn decode(record: Bytes) -> Result<Self, RecordError> {
        let request = PushBytesRequest::decode(record)
            .map_err(|error| RecordError::NeitherFormat(error.to_string()))?;
        if request.traces.len() != request.ids.len() {
            return Err(RecordError::NeitherFormat(format!(
                "{} traces with {} ids",
                request.traces.len(),
                request.ids.len()
            )));
        }
        let traces = request
            .ids
            .into_iter()
            .zip(request.traces)
            .map(|(id, otlp)| ForeignTrace { id, otlp })
            .collect();
        Ok(Self {
            traces,
            skip_metrics_generation: request.skip_metrics_generation,
        })
    }
}
