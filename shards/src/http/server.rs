//! The accept loop of one listener.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::connection;
use super::metrics;
use super::options::ServerOptions;
use super::router::Router;
use crate::net::{TcpListener, TcpStream};
use crate::{shutdown, spawn, time};

/// The wait after a failed accept (no file descriptors, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Failed accepts in a row after which the listener is given up.
const ACCEPT_FAILURES: u32 = 3000;

/// Why a server ended before its signal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listener does not accept any more.
    #[error("{name} listener failed: {source}")]
    Listener {
        /// The server's name.
        name: &'static str,
        /// What accept said last.
        source: std::io::Error,
    },
}

impl Error {
    /// Listening again may help.
    pub fn is_retryable(&self) -> bool {
        true
    }
}

enum Event {
    Stop,
    Accepted(std::io::Result<(TcpStream, std::net::SocketAddr)>),
    Ended,
}

/// Counts a connection as open for as long as it lives.
struct Open(prometheus::IntGauge);

impl Open {
    fn new(name: &str) -> Self {
        let gauge = metrics::connections(name);
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Accepts and serves connections until `signal`, then stops accepting, tells clients to go (GOAWAY, `Connection: close`),
/// waits for running requests at most `drain_timeout`, and cuts what is left. Dropping it cuts everything.
pub async fn serve(
    listener: TcpListener,
    router: Rc<Router>,
    options: ServerOptions,
    signal: shutdown::Signal,
) -> Result<(), Error> {
    let options = Rc::new(options);
    let of_process = options.max_connections.saturating_mul(crate::shard_count());
    let limit = i64::try_from(of_process).unwrap_or(i64::MAX);
    metrics::connections_limit(options.name).set(limit);
    let mut stop = signal.wait();
    let mut connections = FuturesUnordered::new();
    let mut failures = 0u32;
    loop {
        let event = {
            let room = connections.len() < options.connection_limit();
            let mut accept = pin!(async {
                if failures > 0 {
                    time::sleep(ACCEPT_PAUSE).await;
                }
                listener.accept().await
            });
            poll_fn(|cx| {
                if Pin::new(&mut stop).poll(cx).is_ready() {
                    return Poll::Ready(Event::Stop);
                }
                if let Poll::Ready(Some(_)) = connections.poll_next_unpin(cx) {
                    return Poll::Ready(Event::Ended);
                }
                if room && let Poll::Ready(accepted) = accept.as_mut().poll(cx) {
                    return Poll::Ready(Event::Accepted(accepted));
                }
                Poll::Pending
            })
            .await
        };
        match event {
            Event::Stop => break,
            Event::Ended => {}
            Event::Accepted(Ok((stream, peer))) => {
                failures = 0;
                let open = Open::new(options.name);
                let served = connection::serve(
                    stream,
                    peer,
                    Rc::clone(&router),
                    Rc::clone(&options),
                    signal.clone(),
                );
                let task = spawn(options.class, async move {
                    let _open = open;
                    // Handlers' panics are caught closer; one that gets here comes from a protocol library fed by a client.
                    if AssertUnwindSafe(served).catch_unwind().await.is_err() {
                        tracing::error!(%peer, "serving a connection panicked");
                        metrics::panics().with_label_values(&["connection"]).inc();
                    }
                });
                connections.push(task.fallible());
            }
            Event::Accepted(Err(error)) => {
                failures += 1;
                if failures >= ACCEPT_FAILURES {
                    return Err(Error::Listener {
                        name: options.name,
                        source: error,
                    });
                }
                if failures.is_power_of_two() {
                    tracing::warn!(%error, server = options.name, failures, "cannot accept a connection");
                }
            }
        }
    }
    drop(listener);
    if let Some(server) = router.grpc() {
        server.stopping();
    }
    let drained = async { while connections.next().await.is_some() {} };
    if time::timeout(options.drain_timeout, drained).await.is_err() {
        tracing::warn!(
            server = options.name,
            connections = connections.len(),
            "cutting connections that did not end in time"
        );
        let cut = metrics::connections_cut().with_label_values(&[options.name, "drain_timeout"]);
        cut.inc_by(connections.len() as u64);
    }
    Ok(())
}
