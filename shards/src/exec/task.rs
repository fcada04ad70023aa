//! Spawning, and the handle of a spawned task.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_task::{Runnable, ScheduleInfo, WithInfo};

use super::queues::Class;
use crate::context::{self, Shard};

/// What the executor knows about a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    pub(crate) class: Class,
    /// Where it was spawned.
    pub(crate) site: &'static Location<'static>,
}

/// A task's handle and result. Dropping it cancels the task; [`Task::detach`] lets it run on.
#[must_use = "dropping a Task cancels it; call detach() to let it run on"]
pub struct Task<T> {
    inner: Option<async_task::FallibleTask<T, Meta>>,
    meta: Meta,
}

impl<T> Task<T> {
    /// Lets the task run to its end without anyone waiting for it.
    pub fn detach(mut self) {
        if let Some(task) = self.inner.take() {
            task.detach();
        }
    }

    /// Stops the task; resolves when it is gone, with its result if it had one already.
    pub async fn cancel(mut self) -> Option<T> {
        match self.inner.take() {
            Some(task) => task.cancel().await,
            None => None,
        }
    }

    /// Like awaiting the task, but `None` instead of a panic if the task panicked.
    pub async fn fallible(mut self) -> Option<T> {
        match self.inner.take() {
            Some(task) => task.await,
            None => None,
        }
    }

    /// Whether the task has finished, panicked or been cancelled.
    pub fn is_finished(&self) -> bool {
        self.inner.as_ref().is_none_or(|task| task.is_finished())
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    /// Resolves with the task's result.
    ///
    /// # Panics
    /// If the task panicked: whoever depends on it cannot go on either.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let meta = self.meta;
        let Some(task) = self.inner.as_mut() else {
            panic!("a Task spawned at {} was polled after its end", meta.site);
        };
        match Pin::new(task).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => {
                self.inner = None;
                match result {
                    Some(value) => Poll::Ready(value),
                    None => panic!("the task spawned at {} panicked", meta.site),
                }
            }
        }
    }
}

/// Starts a task on the current shard.
///
/// # Panics
/// Outside of a shard.
#[track_caller]
pub fn spawn<T: 'static>(class: Class, fut: impl Future<Output = T> + 'static) -> Task<T> {
    let shard = context::current();
    spawn_on(&shard, class, Location::caller(), fut)
}

/// Takes the task out of the registry when its future is dropped, in whatever way.
struct Registered {
    shard: Rc<Shard>,
    key: usize,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.shard.registry.remove(self.key);
    }
}

pub(crate) fn spawn_on<T: 'static>(
    shard: &Rc<Shard>,
    class: Class,
    site: &'static Location<'static>,
    fut: impl Future<Output = T> + 'static,
) -> Task<T> {
    let meta = Meta { class, site };
    let key = shard.registry.reserve();
    let registered = Registered {
        shard: shard.clone(),
        key,
    };
    let inbox = Arc::clone(&shard.inbox);
    let schedule = move |runnable: Runnable<Meta>, info: ScheduleInfo| {
        // On the shard's own thread the task goes straight into the run queue.
        let gave_way = info.woken_while_running;
        if let Some(runnable) = context::push_if_current(&inbox, runnable, gave_way) {
            inbox.push(runnable);
        }
    };
    let (runnable, task) = async_task::Builder::new().metadata(meta).spawn_local(
        move |_| async move {
            let _registered = registered;
            fut.await
        },
        WithInfo(schedule),
    );
    shard.registry.fill(key, runnable.waker());
    shard.stats.spawned(class);
    runnable.schedule();
    Task {
        inner: Some(task.fallible()),
        meta,
    }
}
