//! The methods of a gRPC server, and a call's way through one.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::{mpsc, watch};

use super::call::Call;
use super::frame::{self, Outgoing};
use super::health::{self, Health};
use super::reflection::{self, Descriptors};
use super::status::{Code, Status};
use super::stream::{Begin, Messages, SEND_AHEAD, Sender, StreamBody, trailers};
use super::timeout;
use crate::http::compression::Encoding;
use crate::http::metrics::{GRPC_METHOD, Observation, RouteMetrics, StatusLabel};
use crate::http::run::{self, HandlerPanicked};
use crate::http::{Body, OpenRequest, Response, ResponseBody, current_stream};
use crate::time::{self, Instant};
use crate::{Class, spawn};

/// gRPC's usual limit of a received message.
const DEFAULT_MAX_RECV_BYTES: usize = 4 * 1024 * 1024;

pub(super) const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
pub(super) const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
pub(super) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
pub(super) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
/// The encodings of messages that are taken and given.
pub(super) const ENCODINGS: HeaderValue = HeaderValue::from_static("gzip,zstd,snappy,identity");

/// Whether a request is a gRPC one.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The encoding of messages under a `grpc-encoding` value, if it is one of [`ENCODINGS`].
pub(super) fn message_encoding(value: Option<&HeaderValue>) -> Result<Encoding, Status> {
    let name = match value {
        Some(value) => value.to_str().unwrap_or("?"),
        None => return Ok(Encoding::Identity),
    };
    match name {
        "identity" => Ok(Encoding::Identity),
        "gzip" => Ok(Encoding::Gzip),
        "zstd" => Ok(Encoding::Zstd),
        "snappy" => Ok(Encoding::Snappy),
        other => Err(Status::new(
            Code::Unimplemented,
            format!("grpc: Decompressor is not installed for grpc-encoding {other:?}"),
        )),
    }
}

type Unary = Rc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Result<Bytes, Status>>>>>;
type Streaming =
    Rc<dyn Fn(Call, Messages, Sender) -> Pin<Box<dyn Future<Output = Result<(), Status>>>>>;

enum Handler {
    Unary(Unary),
    /// A stream of answers to one message.
    ServerStream(Streaming),
    /// Streams both ways.
    Streaming(Streaming),
}

struct MethodEntry {
    path: Rc<str>,
    handler: Handler,
    class: Option<Class>,
    metrics: RouteMetrics,
}

/// A set of methods; see [`crate::http::Router::mount_grpc`].
pub struct Server {
    methods: HashMap<Rc<str>, MethodEntry>,
    max_recv_bytes: usize,
    max_send_bytes: usize,
    class: Option<Class>,
    unknown: RouteMetrics,
    stopping: watch::Sender<bool>,
    /// Services that reflection lists; filled as methods are added.
    services: Rc<RefCell<BTreeSet<String>>>,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A server without methods, for messages of at most 4 MiB.
    pub fn new() -> Self {
        Self {
            methods: HashMap::new(),
            max_recv_bytes: DEFAULT_MAX_RECV_BYTES,
            max_send_bytes: usize::MAX,
            class: None,
            unknown: RouteMetrics::new("other"),
            stopping: watch::Sender::new(false),
            services: Rc::default(),
        }
    }

    /// The largest message taken, as sent and after decompression.
    pub fn max_recv_message_bytes(mut self, bytes: usize) -> Self {
        self.max_recv_bytes = bytes;
        self
    }

    /// The largest message sent, before compression; a larger one ends its call with ResourceExhausted. Any, unless told.
    pub fn max_send_message_bytes(mut self, bytes: usize) -> Self {
        self.max_send_bytes = bytes;
        self
    }

    /// The class of the methods that are added from here on, if it is not the HTTP server's.
    pub fn run_in(mut self, class: Class) -> Self {
        self.class = Some(class);
        self
    }

    fn add(mut self, path: &str, handler: Handler) -> Self {
        let path: Rc<str> = Rc::from(path);
        if let Some((service, _)) = split_method(&path) {
            self.services.borrow_mut().insert(service.to_owned());
        }
        let entry = MethodEntry {
            path: Rc::clone(&path),
            handler,
            class: self.class,
            metrics: RouteMetrics::new(&path),
        };
        self.methods.insert(path, entry);
        self
    }

    /// Adds a unary method: one message in, one out. `path` is `/package.Service/Method`.
    pub fn unary<H>(self, path: &str, handler: H) -> Self
    where
        H: AsyncFn(Call) -> Result<Bytes, Status> + 'static,
    {
        let handler = Rc::new(handler);
        let handler: Unary = Rc::new(move |call| {
            let handler = Rc::clone(&handler);
            Box::pin(async move { handler(call).await })
        });
        self.add(path, Handler::Unary(handler))
    }

    /// Adds a method that answers one message with a stream.
    pub fn server_streaming<H>(self, path: &str, handler: H) -> Self
    where
        H: AsyncFn(Call, Sender) -> Result<(), Status> + 'static,
    {
        let handler = Rc::new(handler);
        let handler: Streaming = Rc::new(move |call, _, sender| {
            let handler = Rc::clone(&handler);
            Box::pin(async move { handler(call, sender).await })
        });
        self.add(path, Handler::ServerStream(handler))
    }

    /// Adds a method with a stream each way. The answer's headers go out with its first message.
    pub fn streaming<H>(self, path: &str, handler: H) -> Self
    where
        H: AsyncFn(Call, Messages, Sender) -> Result<(), Status> + 'static,
    {
        let handler = Rc::new(handler);
        let handler: Streaming = Rc::new(move |call, messages, sender| {
            let handler = Rc::clone(&handler);
            Box::pin(async move { handler(call, messages, sender).await })
        });
        self.add(path, Handler::Streaming(handler))
    }

    /// Adds `grpc.health.v1.Health`. Its streams end when the server stops.
    pub fn health(self, health: Health) -> Self {
        let stopping = self.stopping.subscribe();
        health::add(self, health, stopping)
    }

    /// Adds reflection (v1 and v1alpha) over an encoded `FileDescriptorSet`. It lists the methods added before and after it.
    ///
    /// # Errors
    /// If the set cannot be decoded.
    pub fn reflection(self, file_descriptor_set: &[u8]) -> Result<Self, prost::DecodeError> {
        let descriptors = Descriptors::parse(file_descriptor_set)?;
        let services = Rc::clone(&self.services);
        Ok(reflection::add(self, Rc::new(descriptors), services))
    }

    /// The listener has stopped: streams without an end of their own should end.
    pub(crate) fn stopping(&self) {
        self.stopping.send_replace(true);
    }

    fn unknown_method(&self, path: &str) -> Status {
        let message = match split_method(path) {
            None => format!("malformed method name: {path:?}"),
            Some((service, method)) => {
                if self.services.borrow().contains(service) {
                    format!("unknown method {method} for service {service}")
                } else {
                    format!("unknown service {service}")
                }
            }
        };
        Status::new(Code::Unimplemented, message)
    }

    pub(crate) async fn handle(
        self: Rc<Self>,
        request: http::Request<Body>,
        peer: SocketAddr,
        open: OpenRequest,
        class: Class,
    ) -> Response {
        let (parts, body) = request.into_parts();
        let entry = self.methods.get(parts.uri.path());
        let metrics = entry.map_or(&self.unknown, |entry| &entry.metrics);
        let mut observation = metrics.begin(GRPC_METHOD);
        observation.cancelled_as(StatusLabel::CANCEL);
        observation.hold(open);
        observation.received(body.counter());
        if parts.method != Method::POST {
            observation.status(StatusLabel::ERROR);
            return answer(
                crate::http::response::empty(StatusCode::METHOD_NOT_ALLOWED),
                observation,
            );
        }
        let Some(entry) = entry else {
            let status = self.unknown_method(parts.uri.path());
            return answer(trailers_only(&status), observation);
        };
        let (encoding, deadline) = match (
            message_encoding(parts.headers.get(GRPC_ENCODING)),
            deadline(&parts.headers),
        ) {
            (Ok(encoding), Ok(deadline)) => (encoding, deadline),
            (Err(status), _) | (_, Err(status)) => {
                return answer(trailers_only(&status), observation);
            }
        };
        let call = Call {
            method: Rc::clone(&entry.path),
            metadata: parts.headers,
            message: Bytes::new(),
            deadline,
            peer,
        };
        let messages = Messages::new(body, encoding, self.max_recv_bytes);
        let how = Outgoing {
            encoding,
            max_bytes: self.max_send_bytes,
        };
        let response = match &entry.handler {
            Handler::Unary(handler) => unary(entry, handler, call, messages, how, class).await,
            Handler::ServerStream(handler) => {
                stream(entry, handler, call, messages, how, class, true).await
            }
            Handler::Streaming(handler) => {
                stream(entry, handler, call, messages, how, class, false).await
            }
        };
        answer(response, observation)
    }
}

/// `/package.Service/Method` in two.
fn split_method(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix('/')?.rsplit_once('/')
}

fn deadline(headers: &HeaderMap) -> Result<Option<Instant>, Status> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else {
        return Ok(None);
    };
    let timeout = timeout::parse(value.to_str().unwrap_or_default())?;
    Ok(Some(Instant::now().saturating_add(timeout)))
}

/// Ties the answer to its metrics and to the stream that sends it.
fn answer(mut response: Response, mut observation: Observation) -> Response {
    observation.grpc_outcome(response.headers());
    let body = response.body_mut();
    body.observe(observation);
    body.control(current_stream());
    response
}

fn headers(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert(GRPC_ACCEPT_ENCODING, ENCODINGS);
}

fn trailers_only(status: &Status) -> Response {
    let mut response = Response::new(ResponseBody::empty());
    headers(&mut response);
    status.write_to(response.headers_mut());
    response
}

fn with_encoding(mut response: Response, encoding: Encoding) -> Response {
    headers(&mut response);
    if encoding != Encoding::Identity {
        let value = HeaderValue::from_static(encoding.name());
        response.headers_mut().insert(GRPC_ENCODING, value);
    }
    response
}

/// Ends `fut` at the deadline.
async fn within<T>(
    deadline: Option<Instant>,
    fut: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    match deadline {
        None => fut.await,
        Some(deadline) => {
            let left = deadline - Instant::now();
            time::timeout(left, fut)
                .await
                .unwrap_or_else(|_| Err(Status::deadline_exceeded()))
        }
    }
}

fn panicked(entry: &MethodEntry) -> Status {
    run::count_panic(entry.metrics.label());
    Status::new(Code::Internal, "internal server error")
}

/// Messages of answers are compressed as those of the request were: what a client sends it can read.
async fn unary(
    entry: &MethodEntry,
    handler: &Unary,
    mut call: Call,
    mut messages: Messages,
    how: Outgoing,
    class: Class,
) -> Response {
    let deadline = call.deadline;
    let result = within(deadline, async {
        call.message = messages.only().await?;
        let handled = run::run(handler(call), entry.class.unwrap_or(class), class);
        let message = handled
            .await
            .unwrap_or_else(|HandlerPanicked| Err(panicked(entry)))?;
        frame::encode(message, how).await
    })
    .await;
    match result {
        Ok(frame) => {
            let body = ResponseBody::with_trailers(frame, trailers(Ok(())));
            with_encoding(Response::new(body), how.encoding)
        }
        Err(status) => trailers_only(&status),
    }
}

async fn stream(
    entry: &MethodEntry,
    handler: &Streaming,
    mut call: Call,
    messages: Messages,
    how: Outgoing,
    class: Class,
    read_first: bool,
) -> Response {
    let deadline = call.deadline;
    let mut messages = messages;
    if read_first {
        match within(deadline, messages.only()).await {
            Ok(message) => call.message = message,
            Err(status) => return trailers_only(&status),
        }
    } else {
        messages = messages.unhurried();
    }
    let (frames, received) = mpsc::channel(SEND_AHEAD);
    let handled = handler(call, messages, Sender::new(frames, how));
    let task_class = entry.class.unwrap_or(class);
    let task = spawn(task_class, async move {
        run::run(within(deadline, handled), task_class, task_class).await
    });
    let route = entry.metrics.label().to_owned();
    let outcome = Box::pin(async move {
        match task.fallible().await {
            Some(Ok(outcome)) => outcome,
            Some(Err(HandlerPanicked)) => {
                run::count_panic(&route);
                Err(Status::new(Code::Internal, "internal server error"))
            }
            None => Err(Status::new(Code::Unavailable, "server is stopping")),
        }
    });
    match StreamBody::begin(received, outcome).await {
        Begin::Message(body) => {
            with_encoding(Response::new(ResponseBody::frames(body)), how.encoding)
        }
        Begin::Ended(outcome) => {
            let status = outcome.err();
            trailers_only(&status.unwrap_or_else(|| Status::new(Code::Ok, String::new())))
        }
    }
}
