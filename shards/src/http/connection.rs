//! One connection: TLS, then hyper, under the watch of [`super::guard`].

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use futures_util::future::{self, Either};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::Body;
use super::guard::{Activity, Guarded, Verdict};
use super::metrics;
use super::options::ServerOptions;
use super::router::{self, Router};
use super::rt::{ShardExecutor, ShardTimer};
use crate::net::TcpStream;
use crate::time::{self, Instant};
use crate::{memory, rand, shutdown};

/// What a connection holds besides its requests: its task, and hyper's buffers in both directions. Charged, never refused:
/// a full server must still answer that it is.
const CONNECTION_BYTES: u64 = 24 * 1024;

/// Serves one connection to its end.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Rc<Router>,
    options: Rc<ServerOptions>,
    signal: shutdown::Signal,
) {
    let _charge = memory::charge(CONNECTION_BYTES, memory::Kind::Ingest);
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "cannot set TCP_NODELAY");
    }
    let Some(tls) = options.tls.clone() else {
        return drive(stream, peer, router, options, signal).await;
    };
    let handshake = tokio_rustls::TlsAcceptor::from(tls).accept(stream);
    // A stopping server waits for requests, and here there is none yet.
    let unless_stopping = future::select(handshake, signal.wait());
    let handshake = match time::timeout(options.header_timeout, unless_stopping).await {
        Ok(Either::Left((result, _))) => Ok(result),
        Ok(Either::Right(_)) => return,
        Err(elapsed) => Err(elapsed),
    };
    match handshake {
        Ok(Ok(stream)) => drive(stream, peer, router, options, signal).await,
        Ok(Err(error)) => {
            tracing::debug!(%error, %peer, server = options.name, "TLS handshake failed");
            cut(&options, "tls_handshake");
        }
        Err(time::Elapsed) => cut(&options, "tls_timeout"),
    }
}

fn cut(options: &ServerOptions, reason: &str) {
    metrics::connections_cut()
        .with_label_values(&[options.name, reason])
        .inc();
}

fn builder(options: &ServerOptions) -> auto::Builder<ShardExecutor> {
    let mut builder = auto::Builder::new(ShardExecutor {
        class: options.class,
        write_timeout: options.write_timeout,
    });
    // Timeouts of HTTP/1 heads and idle connections are ours: hyper's cannot tell one from the other.
    builder
        .http1()
        .header_read_timeout(None)
        .max_buf_size(options.header_bytes())
        .http2()
        .timer(ShardTimer)
        .max_concurrent_streams(options.h2.max_concurrent_streams)
        .initial_stream_window_size(options.h2.stream_window)
        .initial_connection_window_size(options.h2.connection_window)
        .max_frame_size(options.h2.max_frame)
        .max_send_buf_size(options.h2.send_buffer)
        .max_header_list_size(u32::try_from(options.header_bytes()).unwrap_or(u32::MAX))
        .keep_alive_interval(options.h2.keep_alive_interval)
        .keep_alive_timeout(options.h2.keep_alive_timeout);
    match (options.http1, options.http2) {
        (true, false) => builder.http1_only(),
        (false, true) => builder.http2_only(),
        (true, true) | (false, false) => builder,
    }
}

async fn drive<S>(
    stream: S,
    peer: SocketAddr,
    router: Rc<Router>,
    options: Rc<ServerOptions>,
    signal: shutdown::Signal,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let activity = Activity::new();
    let service = service_fn({
        let activity = Rc::clone(&activity);
        let options = Rc::clone(&options);
        move |request: http::Request<Incoming>| {
            let progress = options.body_progress;
            let incoming = router::Incoming {
                request: request.map(|body| Body::incoming(body, progress)),
                peer,
                open: activity.request(),
                class: options.class,
            };
            let router = Rc::clone(&router);
            async move { Ok::<_, Infallible>(router.dispatch(incoming).await) }
        }
    });
    let builder = builder(&options);
    let socket = TokioIo::new(Guarded::new(stream, Rc::clone(&activity)));
    let mut connection = pin!(builder.serve_connection(socket, service));
    let patience = options.patience();
    let mut stop = signal.wait();
    let mut stopping = false;
    // Since when the connection is asked to end.
    let mut farewell: Option<Instant> = None;
    let retire_at = options
        .max_age
        .map(|age| Instant::now() + age.mul_f64(0.9 + rand::below(201) as f64 / 1000.0));
    let mut cut_at: Option<Instant> = None;
    let mut alarm = time::sleep(patience.header);
    let stalled = poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                if let Err(error) = result {
                    tracing::debug!(error = %Chain(&*error), %peer, server = options.name, "connection ended");
                }
                return Poll::Ready(false);
            }
            if !stopping && Pin::new(&mut stop).poll(cx).is_ready() {
                stopping = true;
                if farewell.replace(Instant::now()).is_none() {
                    connection.as_mut().graceful_shutdown();
                }
                continue;
            }
            let now = Instant::now();
            if farewell.is_none() && retire_at.is_some_and(|at| now >= at) {
                farewell = Some(now);
                cut_at = options.max_age_grace.map(|grace| now + grace);
                connection.as_mut().graceful_shutdown();
                continue;
            }
            if cut_at.is_some_and(|at| now >= at) {
                return Poll::Ready(true);
            }
            let mut next = match (activity.verdict(now, &patience), farewell) {
                (Verdict::Wait(next), _) => next,
                (Verdict::Stalled, _) => return Poll::Ready(true),
                (Verdict::Idle, None) => {
                    farewell = Some(now);
                    connection.as_mut().graceful_shutdown();
                    continue;
                }
                (Verdict::Idle, Some(since)) => {
                    let deadline = since + patience.header;
                    if now >= deadline {
                        return Poll::Ready(true);
                    }
                    deadline
                }
            };
            let age = if farewell.is_none() { retire_at } else { cut_at };
            if let Some(at) = age {
                next = next.min(at);
            }
            // The alarm is moved only when it is too late: most of the time it rings, finds that nothing is wrong and is set anew.
            if next < alarm.deadline() || alarm.deadline() <= now {
                alarm.reset(next);
            }
            if Pin::new(&mut alarm).poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
    if stalled {
        tracing::debug!(%peer, server = options.name, "connection cut: its client is too slow");
        cut(&options, "stalled");
    }
}

/// An error with its causes, in one line.
pub(crate) struct Chain<'e>(pub(crate) &'e (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
