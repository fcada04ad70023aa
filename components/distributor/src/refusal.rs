//! A request that was not taken in: a gRPC code, a text and perhaps a hint when to come again; as gRPC status and as HTTP answer
//! (http-api.md §14.1).

use crate::limits::MAX_MESSAGE_BYTES;
use prost::Message;
use std::time::Duration;
use vivace_shards::grpc::{Code, RpcStatus, Status};

/// Why a whole request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub code: Code,
    pub message: String,
    /// When the client should try again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message.push('…');
        }
        Self {
            code,
            message,
            retry_after: None,
        }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub fn with_retry(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// Whether the same request can succeed later.
    pub fn is_retryable(&self) -> bool {
        !matches!(self.code, Code::InvalidArgument | Code::Internal)
    }

    /// The `Retry-After` header: whole seconds, rounded up.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after
            .map(|after| after.as_millis().div_ceil(1000) as u64)
    }

    /// The status of the HTTP answer.
    pub fn http_status(&self) -> u16 {
        match self.code {
            Code::InvalidArgument => 400,
            Code::Unauthenticated => 401,
            Code::PermissionDenied => 403,
            Code::Unimplemented => 404,
            Code::ResourceExhausted => 429,
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => 503,
            _ => 500,
        }
    }

    /// The status of the gRPC answer.
    pub fn to_grpc(&self) -> Status {
        let status = Status::new(self.code, self.message.as_str());
        match self.retry_after {
            Some(after) => status.with_retry(after),
            None => status,
        }
    }

    /// A `google.rpc.Status` in protobuf.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let details = self.to_grpc().details;
        if !details.is_empty() {
            return details.into();
        }
        RpcStatus {
            code: self.code.number(),
            message: self.message.clone(),
            details: Vec::new(),
        }
        .encode_to_vec()
    }

    /// A `google.rpc.Status` in protobuf's JSON.
    pub fn to_json(&self) -> String {
        let message = serde_json::Value::from(self.message.as_str());
        let mut out = format!("{{\"code\":{}, \"message\":{message}", self.code.number());
        if let Some(after) = self.retry_after {
            let delay = json_duration(after);
            out.push_str(&format!(
                ", \"details\":[{{\"@type\":\"{RETRY_INFO}\", \"retryDelay\":\"{delay}\"}}]"
            ));
        }
        out.push('}');
        out
    }
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// Seconds with no, three, six or nine decimals.
fn json_duration(duration: Duration) -> String {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    match nanos {
        0 => format!("{seconds}s"),
        n if n.is_multiple_of(1_000_000) => format!("{seconds}.{:03}s", n / 1_000_000),
        n if n.is_multiple_of(1_000) => format!("{seconds}.{:06}s", n / 1_000),
        n => format!("{seconds}.{n:09}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_protobuf() {
        let refusal = Refusal::new(Code::ResourceExhausted, "a \"b\"")
            .with_retry(Some(Duration::from_secs(5)));
        assert_eq!(
            refusal.to_json(),
            r#"{"code":8, "message":"a \"b\"", "details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo", "retryDelay":"5s"}]}"#
        );
        let status = RpcStatus::decode(refusal.to_protobuf().as_slice()).unwrap();
        assert_eq!(
            (status.code, status.message.as_str(), status.details.len()),
            (8, "a \"b\"", 1)
        );
        assert_eq!(status.details[0].type_url, RETRY_INFO);
        assert_eq!(status.details[0].value, [0x0a, 2, 0x08, 5]);
        assert_eq!(
            Refusal::invalid("x").to_json(),
            r#"{"code":3, "message":"x"}"#
        );
        assert_eq!(
            Refusal::invalid("x").to_protobuf(),
            [0x08, 3, 0x12, 1, b'x']
        );
    }

    #[test]
    fn durations() {
        for (millis_and_nanos, text) in [
            ((500, 0), "0.500s"),
            ((0, 1), "0.000000001s"),
            ((1000, 2_000), "1.000002s"),
        ] {
            let (millis, nanos) = millis_and_nanos;
            assert_eq!(
                json_duration(Duration::from_millis(millis) + Duration::from_nanos(nanos)),
                text
            );
        }
        let half = Refusal::invalid("").with_retry(Some(Duration::from_millis(1500)));
        assert_eq!(half.retry_after_seconds(), Some(2));
    }

    #[test]
    fn long_messages_are_cut_on_a_character() {
        let refusal = Refusal::invalid("ä".repeat(5000));
        assert!(refusal.message.len() < MAX_MESSAGE_BYTES + 4);
    }
}
