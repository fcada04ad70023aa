//! Statuses: codes, messages, details, and how they travel in headers.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use prost::Message;

use super::proto::{Any, ProtoDuration, RETRY_INFO_URL, RetryInfo, RpcStatus};
use crate::http::BodyError;
use crate::http::compression::DecodeError;

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(super) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub(super) const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// How long a client is told to wait when this server is short of memory.
const BUDGET_RETRY: Duration = Duration::from_secs(1);

/// gRPC's status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are gRPC's own")]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Code {
    const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The code of a number; unknown numbers are `Unknown`, as gRPC asks.
    pub fn from_number(number: i64) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|index| Self::ALL.get(index).copied())
            .unwrap_or(Self::Unknown)
    }

    /// The number on the wire.
    pub fn number(self) -> i32 {
        i32::from(self as u8)
    }
}

/// The outcome of a call that did not simply succeed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code:?}: {message}")]
pub struct Status {
    /// The code.
    pub code: Code,
    /// The message.
    pub message: String,
    /// An encoded `google.rpc.Status`, or empty.
    pub details: Bytes,
    /// Trailers besides the status. Boxed, as they are rare and results should be small.
    metadata: Option<Box<HeaderMap>>,
}

impl Status {
    /// A status without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Bytes::new(),
            metadata: None,
        }
    }

    /// Trailers that came, or go, with the status.
    pub fn metadata(&self) -> Option<&HeaderMap> {
        self.metadata.as_deref()
    }

    /// Adds to the trailers that go with the status.
    pub fn metadata_mut(&mut self) -> &mut HeaderMap {
        self.metadata.get_or_insert_default()
    }

    /// Says when to try again, in a `RetryInfo` detail.
    pub fn with_retry(mut self, delay: Duration) -> Self {
        let info = RetryInfo {
            retry_delay: Some(ProtoDuration {
                seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
                // Under a billion.
                nanos: delay.subsec_nanos() as i32,
            }),
        };
        let status = RpcStatus {
            code: self.code.number(),
            message: self.message.clone(),
            details: vec![Any {
                type_url: RETRY_INFO_URL.to_owned(),
                value: info.encode_to_vec(),
            }],
        };
        self.details = status.encode_to_vec().into();
        self
    }

    /// The delay of a `RetryInfo` detail.
    pub fn retry_delay(&self) -> Option<Duration> {
        let status = RpcStatus::decode(self.details.clone()).ok()?;
        let any = status
            .details
            .iter()
            .find(|any| any.type_url == RETRY_INFO_URL)?;
        let delay = RetryInfo::decode(any.value.as_slice()).ok()?.retry_delay?;
        let seconds = Duration::from_secs(u64::try_from(delay.seconds).ok()?);
        Some(seconds + Duration::from_nanos(u64::try_from(delay.nanos).ok()?))
    }

    /// Whether the same call can succeed later.
    pub fn is_retryable(&self) -> bool {
        match self.code {
            Code::Unavailable | Code::DeadlineExceeded | Code::Aborted => true,
            Code::ResourceExhausted => self.retry_delay().is_some(),
            _ => false,
        }
    }

    /// Memory is short: try again soon.
    pub(super) fn over_budget() -> Self {
        Self::new(Code::ResourceExhausted, "memory budget used up").with_retry(BUDGET_RETRY)
    }

    pub(super) fn deadline_exceeded() -> Self {
        Self::new(Code::DeadlineExceeded, "context deadline exceeded")
    }

    /// Writes the status into headers or trailers.
    pub(super) fn write_to(&self, headers: &mut HeaderMap) {
        for (name, value) in self.metadata.iter().flat_map(|metadata| metadata.iter()) {
            headers.append(name.clone(), value.clone());
        }
        headers.insert(GRPC_STATUS, HeaderValue::from(self.code.number()));
        if !self.message.is_empty()
            && let Ok(value) = HeaderValue::try_from(percent_encode(&self.message))
        {
            headers.insert(GRPC_MESSAGE, value);
        }
        if !self.details.is_empty()
            && let Ok(value) = HeaderValue::try_from(base64::encode(&self.details))
        {
            headers.insert(GRPC_DETAILS, value);
        }
    }

    /// The status in headers or trailers: `None` if there is none, `Some(Ok)` for OK.
    pub(super) fn read_from(headers: &HeaderMap) -> Option<Result<(), Self>> {
        let number = headers.get(GRPC_STATUS)?;
        let number = number.to_str().ok().and_then(|text| text.parse().ok());
        let code = Code::from_number(number.unwrap_or(i64::from(Code::Unknown.number())));
        if code == Code::Ok {
            return Some(Ok(()));
        }
        let message = headers
            .get(GRPC_MESSAGE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .map(|text| crate::http::percent_decode(&text).into_owned())
            .unwrap_or_default();
        let details = headers
            .get(GRPC_DETAILS)
            .and_then(|value| base64::decode(value.as_bytes()))
            .unwrap_or_default();
        let mut metadata = headers.clone();
        for name in [GRPC_STATUS, GRPC_MESSAGE, GRPC_DETAILS] {
            metadata.remove(name);
        }
        Some(Err(Self {
            code,
            message,
            details: details.into(),
            metadata: (!metadata.is_empty()).then(|| Box::new(metadata)),
        }))
    }

    /// What an HTTP status without a gRPC one means (the mapping of gRPC's specification).
    pub(super) fn from_http(status: StatusCode) -> Self {
        let code = match status.as_u16() {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502 | 503 | 504 => Code::Unavailable,
            _ => Code::Unknown,
        };
        Self::new(code, format!("unexpected HTTP status code {status}"))
    }
}

impl From<BodyError> for Status {
    fn from(error: BodyError) -> Self {
        let code = match error {
            BodyError::OverBudget => return Self::over_budget(),
            BodyError::TooLarge { .. } => Code::ResourceExhausted,
            BodyError::Timeout => Code::DeadlineExceeded,
            BodyError::Disconnected(_) => Code::Cancelled,
            BodyError::Malformed(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<DecodeError> for Status {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::OverBudget => Self::over_budget(),
            DecodeError::TooLarge { limit } => Self::new(
                Code::ResourceExhausted,
                format!("grpc: received message after decompression larger than max {limit}"),
            ),
            DecodeError::Corrupt { .. } => Self::new(
                Code::Internal,
                format!("grpc: failed to decompress the received message: {error}"),
            ),
        }
    }
}

/// `grpc-message` encoding: everything but visible ASCII and space, and `%` itself, as `%XX`.
fn percent_encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

/// Base64 as binary metadata has it: written without padding, read with or without.
mod base64 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub(super) fn encode(bytes: &[u8]) -> String {
        let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
        for group in bytes.chunks(3) {
            let word = group.iter().enumerate().fold(0u32, |word, (i, byte)| {
                word | u32::from(*byte) << (16 - 8 * i)
            });
            for i in 0..=group.len() {
                let index = (word >> (18 - 6 * i)) & 63;
                out.push(char::from(ALPHABET[index as usize]));
            }
        }
        out
    }

    pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
        let end = text
            .iter()
            .rposition(|byte| *byte != b'=')
            .map_or(0, |i| i + 1);
        let text = &text[..end];
        if text.len() % 4 == 1 {
            return None;
        }
        let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
        for group in text.chunks(4) {
            let mut word = 0u32;
            for (i, byte) in group.iter().enumerate() {
                let value = ALPHABET.iter().position(|known| known == byte)?;
                word |= (value as u32) << (18 - 6 * i);
            }
            let [_, bytes @ ..] = word.to_be_bytes();
            out.extend_from_slice(&bytes[..group.len() - 1]);
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_status_survives_headers(
            code in 1i64..17,
            message in "\\PC{0,40}",
            details in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut status = Status::new(Code::from_number(code), message);
            status.details = details.into();
            let mut headers = HeaderMap::new();
            status.write_to(&mut headers);
            prop_assert_eq!(Status::read_from(&headers), Some(Err(status)));
        }

        #[test]
        fn details_of_any_form_are_taken(text in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = base64::decode(&text);
        }
    }

    #[test]
    fn padding_is_optional() {
        for text in [&b"AQI="[..], b"AQI"] {
            assert_eq!(base64::decode(text), Some(vec![1, 2]));
        }
        assert_eq!(base64::encode(&[1, 2]), "AQI");
    }

    #[test]
    fn retry_info() {
        let status = Status::new(Code::ResourceExhausted, "slow down");
        assert!(!status.is_retryable());
        let status = status.with_retry(Duration::from_millis(1500));
        assert_eq!(status.retry_delay(), Some(Duration::from_millis(1500)));
        assert!(status.is_retryable());
    }

    #[test]
    fn odd_codes() {
        assert_eq!(Code::from_number(-1), Code::Unknown);
        assert_eq!(Code::from_number(17), Code::Unknown);
        assert_eq!(Code::from_number(8), Code::ResourceExhausted);
        assert_eq!(Status::read_from(&HeaderMap::new()), None);
    }
}
