//! A request that was taken in, wholly or in part: OTLP's `ExportTraceServiceResponse`.

use crate::limits::MAX_MESSAGE_BYTES;
use prost::Message;
use vivace_protocol::tempopb::{ExportTracePartialSuccess, ExportTraceServiceResponse};

/// Spans that were left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Spans of the request that were not stored.
    pub rejected_spans: u64,
    /// The reasons, for a person. Empty when nothing was rejected.
    pub message: String,
}

impl Accepted {
    /// Counts spans as rejected and adds the reason to the message.
    pub fn reject(&mut self, spans: u64, reason: &str) {
        if spans == 0 {
            return;
        }
        self.rejected_spans += spans;
        if !self.message.is_empty() {
            self.message.push_str("; ");
        }
        let room = MAX_MESSAGE_BYTES.saturating_sub(self.message.len());
        let reason = &reason[..reason.floor_char_boundary(room)];
        self.message
            .push_str(&format!("{spans} spans rejected: {reason}"));
    }

    /// In protobuf. Full success is `0a 00`: a partial success that says nothing.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let partial_success = ExportTracePartialSuccess {
            rejected_spans: i64::try_from(self.rejected_spans).unwrap_or(i64::MAX),
            error_message: self.message.clone(),
        };
        ExportTraceServiceResponse {
            partial_success: Some(partial_success),
        }
        .encode_to_vec()
    }

    /// In protobuf's JSON: 64-bit numbers are strings.
    pub fn to_json(&self) -> String {
        let mut fields = Vec::new();
        if self.rejected_spans > 0 {
            fields.push(format!("\"rejectedSpans\":\"{}\"", self.rejected_spans));
        }
        if !self.message.is_empty() {
            fields.push(format!(
                "\"errorMessage\":{}",
                serde_json::Value::from(self.message.as_str())
            ));
        }
        format!("{{\"partialSuccess\":{{{}}}}}", fields.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_and_partial() {
        let full = Accepted::default();
        assert_eq!(
            (full.to_protobuf(), full.to_json()),
            (vec![0x0a, 0], r#"{"partialSuccess":{}}"#.into())
        );
        let partial = Accepted {
            rejected_spans: 300,
            message: "x".into(),
        };
        assert_eq!(
            partial.to_protobuf(),
            [0x0a, 6, 0x08, 0xac, 0x02, 0x12, 1, b'x']
        );
        assert_eq!(
            partial.to_json(),
            r#"{"partialSuccess":{"rejectedSpans":"300","errorMessage":"x"}}"#
        );
    }
}
