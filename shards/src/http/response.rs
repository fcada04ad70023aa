//! Answers: bodies, and the few that every server needs.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::metrics::Observation;
use super::rt::StreamControl;
use crate::BoxError;

/// An answer.
pub type Response = http::Response<ResponseBody>;

/// A source of frames that makes them when asked: back-pressure is not being asked.
pub trait FrameSource {
    /// The next frame, or `None` at the end. An error breaks off the answer.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>;
}

enum Source {
    Done,
    Whole(Bytes),
    /// Data, then trailers.
    Framed(Option<Bytes>, Option<HeaderMap>),
    Frames(Box<dyn FrameSource>),
}

/// The largest piece handed to HTTP/2 at once. What it is given it holds until the client takes it, however long that is; so
/// large answers wait here, where the stall is seen and ended.
const PIECE: usize = 64 * 1024;

/// The body of an answer. Dropping it before its end means that the client is gone.
pub struct ResponseBody {
    source: Source,
    /// Of a frame that was too large for one piece.
    rest: Bytes,
    observation: Option<Observation>,
    control: Option<Rc<StreamControl>>,
    /// Length announced for a body that is not sent (HEAD).
    announced: Option<u64>,
}

impl ResponseBody {
    fn new(source: Source) -> Self {
        Self {
            source,
            rest: Bytes::new(),
            observation: None,
            control: None,
            announced: None,
        }
    }

    /// A body without bytes.
    pub fn empty() -> Self {
        Self::new(Source::Done)
    }

    /// Data and then trailers (HTTP/2).
    pub fn with_trailers(data: Bytes, trailers: HeaderMap) -> Self {
        Self::new(Source::Framed(Some(data), Some(trailers)))
    }

    /// A body that is made while it is sent.
    pub fn frames(source: impl FrameSource + 'static) -> Self {
        Self::new(Source::Frames(Box::new(source)))
    }

    /// The bytes, if the body is whole.
    pub fn as_whole(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Whole(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn observe(&mut self, observation: Observation) {
        self.observation = Some(observation);
    }

    /// Ties the body to the stream that sends it, if somebody has to watch it.
    pub(crate) fn control(&mut self, control: Option<Rc<StreamControl>>) {
        self.control = control;
    }

    /// The same headers without the bytes, as HEAD wants it.
    pub(crate) fn without_bytes(mut self) -> Self {
        if let Source::Whole(bytes) = &self.source {
            self.announced = Some(bytes.len() as u64);
        }
        self.source = Source::Done;
        self
    }

    pub(crate) fn announced(&self) -> Option<u64> {
        self.announced
    }

    fn is_done(&self) -> bool {
        matches!(self.source, Source::Done) && self.rest.is_empty()
    }

    /// The next frame, cut to size where a stream is watched.
    fn next_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.rest.is_empty() {
            let piece = self.rest.split_to(PIECE.min(self.rest.len()));
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let polled = self.next(cx);
        if self.control.is_none() {
            return polled;
        }
        polled.map_ok(|frame| match frame.into_data() {
            Ok(mut data) if data.len() > PIECE => {
                self.rest = data.split_off(PIECE);
                Frame::data(data)
            }
            Ok(data) => Frame::data(data),
            Err(frame) => frame,
        })
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.source {
            Source::Done => Poll::Ready(None),
            Source::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Done;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Source::Framed(data, trailers) => {
                if let Some(data) = data.take().filter(|data| !data.is_empty()) {
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                let trailers = trailers.take();
                self.source = Source::Done;
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Source::Frames(source) => source.poll_frame(cx),
        }
    }
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseBody")
            .field("whole", &self.as_whole().map(Bytes::len))
            .finish_non_exhaustive()
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some(control) = &this.control {
            control.asked();
        }
        let polled = this.next_piece(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                if let Some(observation) = &mut this.observation {
                    observation.sent(bytes);
                }
                if bytes > 0
                    && let Some(control) = &this.control
                {
                    control.handed_out();
                }
                if let Some(trailers) = frame.trailers_ref()
                    && let Some(mut observation) = this.observation.take()
                {
                    observation.grpc_outcome(trailers);
                    observation.finished();
                }
            }
            Poll::Ready(Some(Err(_)) | None) => {
                if let Some(observation) = this.observation.take() {
                    observation.finished();
                }
            }
            Poll::Pending => {}
        }
        if this.is_done()
            && polled.is_ready()
            && let Some(observation) = this.observation.take()
        {
            // hyper may not ask again after the last piece of a whole body.
            observation.finished();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Done => SizeHint::with_exact(self.rest.len() as u64),
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Framed(..) | Source::Frames(_) => SizeHint::default(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(observation) = self.observation.take() {
            if self.is_done() {
                // An empty body is never asked for anything.
                observation.finished();
            } else {
                observation.cancelled();
            }
        }
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::empty()
        } else {
            Self::new(Source::Whole(bytes))
        }
    }
}

impl From<String> for ResponseBody {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for ResponseBody {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<&'static str> for ResponseBody {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

/// An answer of any content type.
pub fn with_type(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<ResponseBody>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A plain text answer.
pub fn text(status: StatusCode, body: impl Into<ResponseBody>) -> Response {
    with_type(status, "text/plain; charset=utf-8", body)
}

/// A plain text error in the manner of Tempo's helpers: the message, a line end, and `nosniff`.
pub fn error(status: StatusCode, message: &str) -> Response {
    let mut response = text(status, format!("{message}\n"));
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}

/// What an unknown path gets (http-api.md section 1).
pub fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "404 page not found")
}
