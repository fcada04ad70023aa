//! Starting the shards' threads, and ending them.

use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::thread;

use super::config::Config;
use super::driver::Driver;
use super::run::{Error, Run};
use super::{affinity, root, watchdog};
use crate::BoxError;
use crate::context::{self, Parts, Shard};
use crate::exec::{self, Class, Inbox, Shares};
use crate::limits::{MAX_SHARDS, SHUTDOWN_GRACE};
use crate::rand::Rng;
use crate::time::{self, Clock};
use crate::{disk, memory};

pub(super) fn run_shards<F, Fut>(config: Config, main: Arc<F>) -> Result<(), Error>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), BoxError>> + 'static,
{
    let cpus = affinity::allowed_cpus();
    let count = config.shard_count();
    if count > MAX_SHARDS {
        return Err(Error::Config(format!(
            "{count} shards, at most {MAX_SHARDS} are possible"
        )));
    }
    let pin = config.pin && count <= cpus.len();
    if pin {
        affinity::reserve_for_shards(count);
    }

    let mut inboxes = Vec::with_capacity(count);
    let mut bells = Vec::with_capacity(count);
    for shard in 0..count {
        let (ours, theirs) = bell().map_err(|source| Error::Start { shard, source })?;
        inboxes.push(Arc::new(Inbox::new(Some(theirs))));
        bells.push(ours);
    }
    let run = Run::new(inboxes);

    let mut threads = Vec::with_capacity(count);
    for (id, bell) in bells.into_iter().enumerate() {
        let start = Start {
            id,
            count,
            cpu: pin.then(|| cpus[id]),
            config: config.clone(),
            run: Arc::clone(&run),
            bell,
        };
        let main = Arc::clone(&main);
        let spawned = thread::Builder::new()
            .name(format!("shard-{id}"))
            .spawn(move || start.run_thread(main.as_ref()));
        match spawned {
            Ok(handle) => threads.push(handle),
            Err(source) => {
                run.fail(Error::Start { shard: id, source });
                // The shards that were never started will not return.
                (id..count).for_each(|_| run.main_returned());
                break;
            }
        }
    }
    watchdog::watch(&run);
    for (shard, handle) in threads.into_iter().enumerate() {
        if let Err(panic) = handle.join() {
            let reason = exec::panic_text(panic.as_ref());
            run.fail(Error::Panicked { shard, reason });
        }
    }
    run.take_result()
}

/// The two ends of a bell: the shard's, and everyone else's.
fn bell() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((ours, theirs))
}

struct Start {
    id: usize,
    count: usize,
    cpu: Option<usize>,
    config: Config,
    run: Arc<Run>,
    bell: UnixStream,
}

impl Start {
    fn run_thread<F, Fut>(self, main: &F)
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<(), BoxError>> + 'static,
    {
        // Whatever happens on this thread, the others must learn that this shard has ended.
        let returned = Returned(Arc::clone(&self.run));
        if let Some(cpu) = self.cpu
            && !affinity::bind(&[cpu])
        {
            tracing::warn!(
                shard = self.id,
                cpu,
                "the system refuses to bind the shard to its CPU"
            );
        }
        let run = Arc::clone(&self.run);
        let shard = self.id;
        let mut driver = match Driver::build(self.config.driver) {
            Ok(driver) => driver,
            Err(source) => return run.fail(Error::Start { shard, source }),
        };
        tracing::info!(shard, cpu = ?self.cpu, driver = driver.kind().name(), "shard started");
        let shard = Shard::new(Parts {
            id: self.id,
            count: self.count,
            driver: driver.kind(),
            shares: Shares(self.config.class_shares),
            inbox: Arc::clone(&run.inboxes()[self.id]),
            clock: Clock::Real,
            rng: Rng::from_entropy(),
            run: Arc::clone(&run),
            sim: None,
        });
        memory::install(&shard, self.config.memory_limit_bytes);
        if let Err(source) = disk::install(&shard, self.config.disk) {
            return run.fail(Error::Start {
                shard: self.id,
                source,
            });
        }
        let _entered = context::enter(shard.clone());
        spawn_main(&shard, main(), returned);
        let work = || {
            driver.block_on(async {
                let outcome = root::root(shard.clone(), self.bell).await;
                // Inside the driver, so that sockets can be taken out of it when they are dropped.
                exec::cancel_all(&shard);
                shard.clear_locals();
                outcome
            })
        };
        // Panics of tasks do not get here. If the scheduler or the driver panics, this shard's
        // `main` will never return, and the others must not wait for it.
        let failure = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(())) => return,
            Ok(Err(source)) => Error::Start {
                shard: self.id,
                source,
            },
            Err(panic) => Error::Panicked {
                shard: self.id,
                reason: format!("the shard itself: {}", exec::panic_text(panic.as_ref())),
            },
        };
        run.fail(failure);
        run.end();
    }
}

/// Tells the run, when dropped, that a shard's `main` will not go on.
pub(crate) struct Returned(pub(crate) Arc<Run>);

impl Drop for Returned {
    fn drop(&mut self) {
        self.0.main_returned();
    }
}

/// Spawns a shard's `main`. After a failure elsewhere it gets a grace period, then it is dropped.
pub(crate) fn spawn_main<Fut>(shard: &std::rc::Rc<Shard>, main: Fut, returned: Returned)
where
    Fut: Future<Output = Result<(), BoxError>> + 'static,
{
    let run = Arc::clone(&shard.run);
    let id = shard.id;
    let guarded = async move {
        let _returned = returned;
        let overdue = async {
            run.failed().wait().await;
            time::sleep(SHUTDOWN_GRACE).await;
        };
        match first(main, overdue).await {
            First::Left(Ok(())) => {}
            First::Left(Err(source)) => run.fail(Error::Main { shard: id, source }),
            First::Right(()) => tracing::warn!(shard = id, "shard did not stop in time"),
        }
    };
    exec::spawn_on(shard, Class::Ingest, Location::caller(), guarded).detach();
}

enum First<A, B> {
    Left(A),
    Right(B),
}

/// Whichever is ready first; the left one if both are.
async fn first<A: Future, B: Future>(a: A, b: B) -> First<A::Output, B::Output> {
    let mut a = std::pin::pin!(a);
    let mut b = std::pin::pin!(b);
    std::future::poll_fn(|cx| {
        if let std::task::Poll::Ready(left) = a.as_mut().poll(cx) {
            return std::task::Poll::Ready(First::Left(left));
        }
        b.as_mut().poll(cx).map(First::Right)
    })
    .await
}
