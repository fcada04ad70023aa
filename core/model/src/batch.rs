//! A finished batch.

use bytes::Bytes;

use crate::generated::vivace as fb;
use crate::verify::{self, VerifyError};
use crate::view::View;

/// Spans as columns in one flatbuffer (`schema/span_batch.fbs`), sorted by trace id, then start; never empty.
/// Immutable, cheap to clone, may cross threads.
#[derive(Clone)]
pub struct SpanBatch {
    /// Only `verify` and the builder make one, so these bytes always pass `verify`.
    bytes: Bytes,
}

impl SpanBatch {
    /// Checks every offset, index, type, order and text, so that reading needs no checks. Call it once, where bytes
    /// come in from a log or a peer. Never panics, whatever the bytes are. Needs memory for nested values only.
    pub fn verify(bytes: Bytes) -> Result<Self, VerifyError> {
        verify::verify(&bytes)?;
        Ok(Self { bytes })
    }

    pub(crate) fn from_builder(bytes: Bytes) -> Self {
        debug_assert!(
            verify::verify(&bytes).is_ok(),
            "{:?}",
            verify::verify(&bytes)
        );
        Self { bytes }
    }

    /// What goes into a log; `verify` takes it back.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// For reading. Finding the columns costs a little: keep the view while reading one batch.
    #[allow(unsafe_code, reason = "flatbuffers access without verifying again")]
    pub fn view(&self) -> View<'_> {
        // SAFETY: `bytes` passed the flatbuffers verifier (in `verify`), or were written by the flatbuffers builder
        // as this very table (`from_builder`), and are immutable since.
        let table = unsafe { fb::root_as_span_batch_unchecked(&self.bytes) };
        View::new(&table)
    }
}

impl std::fmt::Debug for SpanBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let view = self.view();
        f.debug_struct("SpanBatch")
            .field("spans", &view.span_count())
            .field("traces", &view.trace_count())
            .field("bytes", &self.bytes.len())
            .finish()
    }
}
