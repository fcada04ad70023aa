//! Streams of messages: the one a client sends, the one a handler sends.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame as BodyFrame;
use tokio::sync::mpsc;

use super::frame::{self, FrameDecoder, Outgoing};
use super::status::{Code, Status};
use crate::BoxError;
use crate::http::compression::{self, Encoding};
use crate::http::{Body, FrameSource};

/// Messages of an answer that lie between its handler and the connection.
pub(super) const SEND_AHEAD: usize = 4;

/// The messages a client sends (or, on the client, the server).
pub struct Messages {
    body: Body,
    decoder: FrameDecoder,
    encoding: Encoding,
    limit: usize,
}

impl Messages {
    pub(super) fn new(body: Body, encoding: Encoding, limit: usize) -> Self {
        Self {
            body,
            decoder: FrameDecoder::new(limit),
            encoding,
            limit,
        }
    }

    /// The next message, decompressed, or `None` at the end of the stream.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                if !frame.compressed {
                    return Ok(Some(frame.payload));
                }
                if self.encoding == Encoding::Identity {
                    return Err(Status::new(
                        Code::Internal,
                        "grpc: compressed flag set with identity or empty encoding",
                    ));
                }
                let message = compression::decompress(self.encoding, frame.payload, self.limit);
                return Ok(Some(message.await?));
            }
            match self.body.chunk().await? {
                Some(chunk) => self.decoder.push(chunk),
                None if self.decoder.at_boundary() => return Ok(None),
                None => return Err(Status::new(Code::Internal, "unexpected EOF")),
            }
        }
    }

    /// The only message of a stream that must have one.
    pub(super) async fn only(&mut self) -> Result<Bytes, Status> {
        let Some(message) = self.next().await? else {
            return Err(Status::new(
                Code::Internal,
                "cardinality violation: received no request message from non-client-streaming RPC",
            ));
        };
        if self.next().await?.is_some() {
            return Err(Status::new(
                Code::Internal,
                "cardinality violation: received multiple request messages for non-client-streaming RPC",
            ));
        }
        Ok(message)
    }

    /// Lets the sender be silent for any time.
    pub(super) fn unhurried(mut self) -> Self {
        self.body = self.body.without_minimum_progress();
        self
    }

    pub(super) fn body(&self) -> &Body {
        &self.body
    }
}

/// The client has gone, or the call has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receiver of the stream is gone")]
pub struct Gone;

impl From<Gone> for Status {
    fn from(_: Gone) -> Self {
        Self::new(Code::Cancelled, "context canceled")
    }
}

/// Where a handler puts the messages of its answer.
#[derive(Clone)]
pub struct Sender {
    frames: mpsc::Sender<Result<Bytes, Status>>,
    how: Outgoing,
}

impl Sender {
    pub(super) fn new(frames: mpsc::Sender<Result<Bytes, Status>>, how: Outgoing) -> Self {
        Self { frames, how }
    }

    /// Sends a message; waits while the client is behind.
    pub async fn send(&self, message: Bytes) -> Result<(), Gone> {
        // A message that cannot be encoded ends the call with that status.
        let frame = frame::encode(message, self.how).await;
        self.frames.send(frame).await.map_err(|_| Gone)
    }

    /// Resolves when the client has gone.
    pub async fn gone(&self) {
        self.frames.closed().await;
    }
}

type Outcome = Pin<Box<dyn Future<Output = Result<(), Status>>>>;

/// The body of a streamed answer: frames as the handler makes them, then its outcome in the trailers.
pub(super) struct StreamBody {
    frames: mpsc::Receiver<Result<Bytes, Status>>,
    /// The handler's task. Dropping it cancels the handler.
    handler: Option<Outcome>,
    first: Option<Bytes>,
    outcome: Option<Result<(), Status>>,
    done: bool,
}

/// How a streamed answer begins.
pub(super) enum Begin {
    /// With a message.
    Message(StreamBody),
    /// It has none.
    Ended(Result<(), Status>),
}

enum Step {
    Frame(Bytes),
    End(Result<(), Status>),
}

impl StreamBody {
    /// Waits until the first message or the end, so that an error without messages can be sent as headers alone.
    pub(super) async fn begin(
        frames: mpsc::Receiver<Result<Bytes, Status>>,
        handler: Outcome,
    ) -> Begin {
        let mut body = Self {
            frames,
            handler: Some(handler),
            first: None,
            outcome: None,
            done: false,
        };
        match poll_fn(|cx| body.step(cx)).await {
            Step::Frame(frame) => {
                body.first = Some(frame);
                Begin::Message(body)
            }
            Step::End(outcome) => Begin::Ended(outcome),
        }
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if let Some(frame) = self.first.take() {
            return Poll::Ready(Step::Frame(frame));
        }
        if let Some(handler) = &mut self.handler
            && let Poll::Ready(outcome) = handler.as_mut().poll(cx)
        {
            self.handler = None;
            self.outcome = Some(outcome);
            // What the handler has sent still goes out; nothing more comes.
            self.frames.close();
        }
        match self.frames.poll_recv(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Step::Frame(frame)),
            Poll::Ready(Some(Err(status))) => {
                self.handler = None;
                Poll::Ready(Step::End(Err(status)))
            }
            Poll::Ready(None) => match self.outcome.take() {
                Some(outcome) => Poll::Ready(Step::End(outcome)),
                // All senders are dropped but the handler runs on; its task wakes us.
                None => Poll::Pending,
            },
            Poll::Pending => Poll::Pending,
        }
    }
}

impl FrameSource for StreamBody {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, BoxError>>> {
        if self.done {
            return Poll::Ready(None);
        }
        self.step(cx).map(|step| {
            Some(Ok(match step {
                Step::Frame(frame) => BodyFrame::data(frame),
                Step::End(outcome) => {
                    self.done = true;
                    BodyFrame::trailers(trailers(outcome))
                }
            }))
        })
    }
}

/// The trailers that end a call.
pub(super) fn trailers(outcome: Result<(), Status>) -> HeaderMap {
    let status = outcome
        .err()
        .unwrap_or_else(|| Status::new(Code::Ok, String::new()));
    let mut trailers = HeaderMap::new();
    status.write_to(&mut trailers);
    trailers
}
