//! zstd, tuned for what is compressed, with pauses.

use std::io;

use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective as Then;
use zstd::zstd_safe::{
    self, CCtx, CParameter, InBuffer, OutBuffer, ResetDirective, Strategy, compress_bound,
};

use crate::EncodeError;
use crate::limits::COMPRESSED_AT_ONCE;
use crate::pause::Pause;

/// Room that zstd always has for what it writes.
const ROOM: usize = 1 << 10;

/// Above this level zstd's own parameters are better.
const TUNED_LEVEL: i32 = 4;

/// What is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Values,
    /// Ids, and integers of all attributes, in which little repeats: a quick look is enough.
    Noise,
    /// Repetition levels, which many leaves take over: worth a long look.
    Repetition,
    /// Sorted texts. The nearest that begins alike is the best: a tiny table forgets all others, and a near place takes few bits.
    Dictionary,
}

impl What {
    fn parameters(self) -> &'static [CParameter] {
        use CParameter::{HashLog, MinMatch, SearchLog, WindowLog};
        match self {
            Self::Values => &[],
            Self::Noise => &[
                CParameter::Strategy(Strategy::ZSTD_fast),
                MinMatch(7),
                HashLog(14),
            ],
            Self::Repetition => &[
                CParameter::Strategy(Strategy::ZSTD_lazy),
                MinMatch(4),
                SearchLog(4),
            ],
            Self::Dictionary => &[
                CParameter::Strategy(Strategy::ZSTD_fast),
                MinMatch(5),
                WindowLog(15),
                HashLog(8),
            ],
        }
    }
}

/// Makes frames, with memory that is used again and again.
pub(crate) struct Compressor {
    context: CCtx<'static>,
}

impl Compressor {
    pub(crate) fn new(level: i32, what: What) -> Result<Self, EncodeError> {
        let context = CCtx::try_create().ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory));
        let mut context = context.map_err(EncodeError::Zstd)?;
        let mut set = |parameter| context.set_parameter(parameter).map_err(error);
        set(CParameter::CompressionLevel(level))?;
        if level <= TUNED_LEVEL {
            for parameter in what.parameters() {
                set(*parameter)?;
            }
        }
        Ok(Self { context })
    }

    /// Appends the bytes as one frame. With streams of `stream` bytes each, which the bytes end with, blocks end with
    /// them: each has statistics of its own. Pauses between slices.
    pub(crate) async fn frame<F: AsyncFn()>(
        &mut self,
        bytes: &[u8],
        stream: usize,
        out: &mut Vec<u8>,
        pause: &mut Pause<F>,
    ) -> Result<(), EncodeError> {
        out.reserve(compress_bound(bytes.len()));
        let context = &mut self.context;
        context.reset(ResetDirective::SessionOnly).map_err(error)?;
        let len = Some(bytes.len() as u64);
        context.set_pledged_src_size(len).map_err(error)?;
        let mut rest = bytes;
        loop {
            // What is left of the stream, or what stands before all of them.
            let of_stream = match stream {
                0 => rest.len(),
                _ => match rest.len() % stream {
                    0 => stream.min(rest.len()),
                    before => before,
                },
            };
            let (slice, behind) = rest.split_at(of_stream.min(COMPRESSED_AT_ONCE));
            let then = if behind.is_empty() {
                Then::ZSTD_e_end
            } else if stream > 0 && slice.len() == of_stream {
                Then::ZSTD_e_flush
            } else {
                Then::ZSTD_e_continue
            };
            self.feed(slice, then, out)?;
            pause.now().await;
            rest = behind;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn feed(&mut self, slice: &[u8], then: Then, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut input = InBuffer::around(slice);
        loop {
            out.reserve(ROOM);
            let done = out.len();
            let mut output = OutBuffer::around_pos(out, done);
            let left = self
                .context
                .compress_stream2(&mut output, &mut input, then)
                .map_err(error)?;
            let is_taken = input.pos() == slice.len();
            if is_taken && (left == 0 || then == Then::ZSTD_e_continue) {
                return Ok(());
            }
        }
    }
}

fn error(code: usize) -> EncodeError {
    EncodeError::Zstd(io::Error::other(zstd_safe::get_error_name(code)))
}
