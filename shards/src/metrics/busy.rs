//! Where the time of shards goes: each stage of the work counts the time in which a shard was busy with it, as
//! `vivace_stage_busy_seconds_total{stage="…"}`.
//!
//! A future is measured poll by poll, so waiting does not count. Shards are pinned, so busy time is CPU time for as long as nothing else runs
//! on their CPUs; where something does, its turns count too. What other threads or the kernel do for a stage does not count.
//! One measurement is two looks at the clock (40 ns): measure a request or a batch, never a span.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::computed::Computed;
use crate::time::Instant;

const NAME: &str = "vivace_stage_busy_seconds_total";
const HELP: &str = "Time in which shards were busy with a stage, waiting not counted.";

/// One counter: keep one per shard and stage.
#[derive(Debug)]
pub struct Busy {
    nanos: Arc<AtomicU64>,
}

/// All counters of a stage.
struct Stage {
    name: &'static str,
    cells: Vec<Arc<AtomicU64>>,
    /// Of counters that are gone.
    past: u64,
}

fn stages() -> MutexGuard<'static, Vec<Stage>> {
    static STAGES: OnceLock<Mutex<Vec<Stage>>> = OnceLock::new();
    let stages = STAGES.get_or_init(Mutex::default).lock();
    // Valid between any two statements, so a panic of a holder spoils nothing.
    stages.unwrap_or_else(PoisonError::into_inner)
}

impl Busy {
    /// Another counter of the stage.
    pub fn new(stage: &'static str) -> Self {
        super::registry();
        let nanos = Arc::new(AtomicU64::new(0));
        let mut stages = stages();
        match stages.iter_mut().find(|known| known.name == stage) {
            Some(known) => {
                known.tidy();
                known.cells.push(Arc::clone(&nanos));
            }
            None => stages.push(Stage {
                name: stage,
                cells: vec![Arc::clone(&nanos)],
                past: 0,
            }),
        }
        Self { nanos }
    }

    /// Counts a call.
    pub fn call<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.add(began.elapsed());
        done
    }

    /// Counts the polls of a future.
    pub async fn polls<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| self.call(|| work.as_mut().poll(cx))).await
    }

    fn add(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Relaxed);
    }
}

impl Stage {
    /// Counters that only we hold will not move again.
    fn tidy(&mut self) {
        let past = &mut self.past;
        self.cells.retain(|cell| {
            let alive = Arc::strong_count(cell) > 1;
            if !alive {
                *past += cell.load(Relaxed);
            }
            alive
        });
    }

    fn nanos(&self) -> u64 {
        let cells = self.cells.iter().map(|cell| cell.load(Relaxed));
        self.past + cells.sum::<u64>()
    }
}

/// Exports the stages of the process.
pub(super) struct BusyCollector {
    desc: Option<Desc>,
}

impl BusyCollector {
    pub fn new() -> Self {
        let labels = vec!["stage".to_owned()];
        // The name is valid; without it the registry takes this for another collector without one.
        let desc = Desc::new(NAME.to_owned(), HELP.to_owned(), labels, HashMap::new());
        Self { desc: desc.ok() }
    }
}

impl Collector for BusyCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.desc.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = Computed::counter(NAME, HELP);
        for stage in stages().iter() {
            family.push(&[("stage", stage.name)], stage.nanos() as f64 * 1e-9);
        }
        family.finish().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(stage: &str) -> u64 {
        let stages = stages();
        let known = stages.iter().find(|known| known.name == stage);
        known.map_or(0, Stage::nanos)
    }

    #[test]
    fn counters_of_a_stage_are_summed_and_outlive_their_shards() {
        let one = Busy::new("test_sum");
        one.add(Duration::from_millis(250));
        drop(one);
        let (two, three) = (Busy::new("test_sum"), Busy::new("test_sum"));
        two.add(Duration::from_millis(500));
        three.add(Duration::from_millis(750));
        assert_eq!(nanos("test_sum"), 1_500_000_000);
        drop((two, three));
        assert_eq!(nanos("test_sum"), 1_500_000_000);
        let line = r#"vivace_stage_busy_seconds_total{stage="test_sum"} 1.5"#;
        let text = super::super::render();
        assert!(text.lines().any(|one| one == line), "{text}");
    }

    #[test]
    fn waiting_is_not_counted() {
        let busy = Busy::new("test_wait");
        let pause = Duration::from_millis(50);
        let mut polled = 0;
        let future = std::future::poll_fn(|_| {
            polled += 1;
            match polled {
                1 => std::task::Poll::Pending,
                _ => std::task::Poll::Ready(polled),
            }
        });
        let mut future = pin!(busy.polls(future));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        std::thread::sleep(pause);
        assert!(future.as_mut().poll(&mut cx).is_ready());
        assert!(nanos("test_wait") < pause.as_nanos() as u64);
        assert_eq!(busy.call(|| 7), 7);
    }
}
