//! Request bodies: read with a limit, a rule of minimum progress, and a charge to the memory budget.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body as _;
use hyper::body::Incoming;

use super::charged::{ChargedBuf, Refused};
use crate::memory::Kind;
use crate::time::{Instant, sleep_until};

/// How slowly a client may send: at least `bytes` in each `interval` that is spent waiting for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinimumProgress {
    /// Bytes per interval.
    pub bytes: usize,
    /// The interval.
    pub interval: Duration,
}

impl Default for MinimumProgress {
    /// 1 KiB in 10 s.
    fn default() -> Self {
        Self {
            bytes: 1024,
            interval: Duration::from_secs(10),
        }
    }
}

/// Why a body could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed.
    #[error("http: request body too large")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The client sent less than the minimum.
    #[error("request body was sent too slowly")]
    Timeout,
    /// The client went away, or broke off the body.
    #[error("client disconnected while sending the request body: {0}")]
    Disconnected(String),
    /// The framing of the body is broken (chunk sizes, HTTP/2 frames).
    #[error("malformed request body: {0}")]
    Malformed(String),
    /// The shard's memory budget is used up.
    #[error("memory budget used up while reading the request body")]
    OverBudget,
}

impl BodyError {
    /// Whether the same request can succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::OverBudget | Self::Timeout | Self::Disconnected(_) => true,
            Self::TooLarge { .. } | Self::Malformed(_) => false,
        }
    }

    /// The HTTP status that says so when an API has no rule of its own.
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::TooLarge { .. } => http::StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => http::StatusCode::REQUEST_TIMEOUT,
            Self::Disconnected(_) | Self::Malformed(_) => http::StatusCode::BAD_REQUEST,
            Self::OverBudget => http::StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    Incoming(Box<Incoming>),
}

/// A request's body.
#[derive(Debug)]
pub struct Body {
    source: Source,
    progress: Option<MinimumProgress>,
    /// Shared with the request's metrics.
    received: Rc<Cell<u64>>,
    /// Of the current interval: time spent waiting, bytes received.
    waited: Duration,
    arrived: usize,
    trailers: Option<HeaderMap>,
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::new(Source::Whole(Some(bytes)), None)
    }
}

impl Body {
    fn new(source: Source, progress: Option<MinimumProgress>) -> Self {
        Self {
            source,
            progress,
            received: Rc::default(),
            waited: Duration::ZERO,
            arrived: 0,
            trailers: None,
        }
    }

    pub(crate) fn incoming(incoming: Incoming, progress: MinimumProgress) -> Self {
        Self::new(Source::Incoming(Box::new(incoming)), Some(progress))
    }

    /// A body without bytes.
    pub fn empty() -> Self {
        Self::from(Bytes::new())
    }

    /// The body's length in bytes if it is known beforehand.
    pub fn content_length(&self) -> Option<u64> {
        match &self.source {
            Source::Whole(bytes) => Some(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Incoming(incoming) => incoming.size_hint().exact(),
        }
    }

    /// Lets the client be silent for any time: for streams whose messages come when they come.
    pub fn without_minimum_progress(mut self) -> Self {
        self.progress = None;
        self
    }

    /// The trailers, once the end has been reached.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// Bytes received so far.
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    pub(crate) fn counter(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.received)
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match &mut self.source {
            Source::Whole(bytes) => {
                Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty()).map(Ok))
            }
            Source::Incoming(incoming) => loop {
                return match Pin::new(&mut **incoming).poll_frame(cx) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(None) => Poll::Ready(None),
                    Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(classify(&error)))),
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) if !data.is_empty() => Poll::Ready(Some(Ok(data))),
                        Ok(_) => continue,
                        Err(frame) => {
                            self.trailers = frame.into_trailers().ok();
                            continue;
                        }
                    },
                };
            },
        }
    }

    /// The next piece, or `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        // The usual case, data that is here already, needs no clock.
        if let Some(ready) = poll_fn(|cx| match self.poll_data(cx) {
            Poll::Ready(item) => Poll::Ready(Some(item)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
        {
            return self.count(ready.transpose()?);
        }
        let Some(progress) = self.progress else {
            let item = poll_fn(|cx| self.poll_data(cx)).await.transpose()?;
            return self.count(item);
        };
        let mut from = Instant::now();
        let mut sleep = sleep_until(from + progress.interval.saturating_sub(self.waited));
        loop {
            let item = poll_fn(|cx| {
                if let Poll::Ready(item) = self.poll_data(cx) {
                    return Poll::Ready(Some(item));
                }
                Pin::new(&mut sleep).poll(cx).map(|()| None)
            })
            .await;
            if let Some(item) = item {
                self.waited += from.elapsed();
                return self.count(item.transpose()?);
            }
            if self.arrived < progress.bytes {
                return Err(BodyError::Timeout);
            }
            self.waited = Duration::ZERO;
            self.arrived = 0;
            from = Instant::now();
            sleep.reset(from + progress.interval);
        }
    }

    fn count(&mut self, data: Option<Bytes>) -> Result<Option<Bytes>, BodyError> {
        if let Some(data) = &data {
            self.received.set(self.received.get() + data.len() as u64);
            self.arrived = self.arrived.saturating_add(data.len());
            if let Some(progress) = self.progress
                && self.waited >= progress.interval
            {
                if self.arrived < progress.bytes {
                    return Err(BodyError::Timeout);
                }
                self.waited = Duration::ZERO;
                self.arrived = 0;
            }
        }
        Ok(data)
    }

    /// The whole body, at most `limit` bytes, charged to the shard's budget as ingest data while it is held.
    pub async fn collect(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        self.collect_as(limit, Kind::Ingest).await
    }

    /// Like [`Body::collect`], charged as `kind`.
    pub async fn collect_as(&mut self, limit: usize, kind: Kind) -> Result<Bytes, BodyError> {
        let refused = |refused| match refused {
            Refused::TooLarge => BodyError::TooLarge { limit },
            Refused::OverBudget => BodyError::OverBudget,
        };
        let expected = self.content_length();
        if expected.is_some_and(|length| length > limit as u64) {
            return Err(BodyError::TooLarge { limit });
        }
        if expected == Some(0) {
            return Ok(Bytes::new());
        }
        if let Source::Whole(bytes) = &mut self.source {
            return Ok(bytes.take().unwrap_or_default());
        }
        // Within the limit, so within usize.
        let expected = expected.map(|length| length as usize);
        let mut buffer = ChargedBuf::new(limit, expected, kind).map_err(refused)?;
        while let Some(data) = self.chunk().await? {
            buffer.extend(&data).map_err(refused)?;
        }
        Ok(buffer.freeze())
    }
}

/// hyper's error as what it means to a handler.
fn classify(error: &hyper::Error) -> BodyError {
    use std::error::Error as _;
    let mut text = error.to_string();
    if let Some(source) = error.source() {
        text = format!("{text}: {source}");
        if let Some(io) = source.downcast_ref::<std::io::Error>() {
            // hyper reports broken chunked framing as invalid input or data, everything else of the socket under its own kind.
            return match io.kind() {
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
                    BodyError::Malformed(text)
                }
                _ => BodyError::Disconnected(text),
            };
        }
    }
    if error.is_parse() {
        BodyError::Malformed(text)
    } else {
        BodyError::Disconnected(text)
    }
}
