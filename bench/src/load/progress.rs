//! A line on standard error every second.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use vivace_shards::time::{self, Instant};

use super::options::Options;
use super::shared::{Mark, Shared};

/// Marks the beginning of measuring, and prints a line every second until the load is done.
pub async fn watch(shared: Arc<Shared>, options: Options) {
    let origin = shared.origin();
    let measured_from = origin + options.warmup();
    let mut measuring = false;
    let mut last = shared.mark();
    let mut next = origin;
    while !shared.is_load_done() {
        if !measuring && Instant::now() >= measured_from {
            measuring = true;
            shared.begin();
        }
        if Instant::now() >= next + Duration::from_secs(1) {
            next += Duration::from_secs(1);
            let now = shared.mark();
            if !options.quiet {
                eprintln!("{}", line(&shared, origin, &last, &now, measuring));
            }
            last = now;
        }
        let wake = next + Duration::from_secs(1);
        let wake = if measuring {
            wake
        } else {
            wake.min(measured_from)
        };
        // In short steps, so that the end is not waited for.
        time::sleep_until(wake.min(Instant::now() + Duration::from_millis(20))).await;
    }
}

fn line(shared: &Shared, origin: Instant, last: &Mark, now: &Mark, measuring: bool) -> String {
    let seconds = (now.at - last.at).as_secs_f64();
    let spans = now.spans - last.spans;
    let recent = shared.take_recent();
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let mut text = format!(
        "{:4.0} s{} {:7.0} spans/s  ack p50 {:.2} p99 {:.2} max {:.2} ms  waiting {} refused {} failed {} dropped {}",
        (now.at - origin).as_secs_f64(),
        if measuring { "" } else { " (warm-up)" },
        spans as f64 / seconds,
        recent.quantile(0.5),
        recent.quantile(0.99),
        recent.max(),
        shared.waiting.load(Ordering::Relaxed),
        count(&shared.refused),
        count(&shared.failed),
        count(&shared.dropped),
    );
    if let (Some(before), Some(after)) = (last.server, now.server) {
        let cpu = after.cpu.saturating_sub(before.cpu);
        text.push_str(&format!(
            "  server {:.2} cores {:.2} us/span {:.0} MiB",
            cpu.as_secs_f64() / seconds,
            cpu.as_secs_f64() * 1e6 / spans.max(1) as f64,
            after.rss as f64 / 1_048_576.0
        ));
    }
    text
}
