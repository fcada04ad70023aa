//! A small tokio runtime beside the shards, for libraries that need one and for calls that block.
//!
//! The whole operation is spawned there and awaited from the shard. In the simulator there is no
//! other thread: the future runs as a background task, a blocking call runs in place.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::context;
use crate::exec::Class;
use crate::limits::{SIDE_BLOCKING_THREADS, SIDE_KEEP_ALIVE, SIDE_WORKERS};
use crate::runtime::affinity;

/// Why a side operation gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The side runtime could not be started.
    #[error("the side runtime cannot be started: {0}")]
    Start(String),
    /// The operation panicked.
    #[error("an operation on the side runtime panicked: {0}")]
    Panicked(String),
    /// The side runtime was stopping.
    #[error("the side runtime has cancelled the operation")]
    Cancelled,
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Cancelled)
    }
}

/// Runs `fut` on the side runtime. Dropping the returned future aborts it.
pub async fn spawn<T: Send + 'static>(
    fut: impl Future<Output = T> + Send + 'static,
) -> Result<T, Error> {
    if in_sim() {
        let task = crate::exec::spawn(Class::Background, fut);
        return task.fallible().await.ok_or_else(panicked_in_sim);
    }
    Joined(handle()?.spawn(fut)).await
}

/// Runs a blocking call on a thread of the side runtime. A call that has begun runs to its end
/// even if the returned future is dropped.
pub async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    if in_sim() {
        let task = crate::exec::spawn(Class::Background, async move { f() });
        return task.fallible().await.ok_or_else(panicked_in_sim);
    }
    Joined(handle()?.spawn_blocking(f)).await
}

/// The side runtime, for libraries that want to be given one.
///
/// # Errors
/// [`Error::Start`] if its threads cannot be made.
pub fn handle() -> Result<Handle, Error> {
    static SIDE: OnceLock<Result<Runtime, Error>> = OnceLock::new();
    let side = SIDE.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(SIDE_WORKERS)
            .max_blocking_threads(SIDE_BLOCKING_THREADS)
            .thread_keep_alive(SIDE_KEEP_ALIVE)
            .thread_name("side")
            .on_thread_start(affinity::stand_back)
            .enable_all()
            .build()
            .map_err(|e| Error::Start(e.to_string()))
    });
    match side {
        Ok(runtime) => Ok(runtime.handle().clone()),
        Err(e) => Err(e.clone()),
    }
}

fn in_sim() -> bool {
    context::try_current().is_some_and(|shard| shard.is_sim())
}

fn panicked_in_sim() -> Error {
    Error::Panicked("see the simulation's poison reason".to_owned())
}

/// A join handle that aborts its task when dropped.
struct Joined<T>(JoinHandle<T>);

impl<T> Future for Joined<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(|e| {
            if e.is_panic() {
                Error::Panicked(crate::exec::panic_text(e.into_panic().as_ref()))
            } else {
                Error::Cancelled
            }
        })
    }
}

impl<T> Drop for Joined<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
