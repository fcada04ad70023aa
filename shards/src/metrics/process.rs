//! The `process_*` metrics that every Prometheus client has, from `/proc/self`.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, IntGauge};

/// Reads `/proc/self` each time the metrics are rendered. What cannot be read keeps its last value.
pub(super) struct ProcessCollector {
    cpu_seconds: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    resident: IntGauge,
    virtual_memory: IntGauge,
    start_time: Gauge,
    threads: IntGauge,
}

impl ProcessCollector {
    pub(super) fn new() -> Self {
        // Invariant: constant valid names build.
        let gauge = |name: &str, help: &str| {
            IntGauge::new(name, help).expect("a valid constant name builds")
        };
        let collector = Self {
            cpu_seconds: Counter::new(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            )
            .expect("a valid constant name builds"),
            open_fds: gauge("process_open_fds", "Number of open file descriptors."),
            max_fds: gauge(
                "process_max_fds",
                "Maximum number of open file descriptors.",
            ),
            resident: gauge(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
            ),
            virtual_memory: gauge(
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
            ),
            start_time: Gauge::new(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
            )
            .expect("a valid constant name builds"),
            threads: gauge("process_threads", "Number of OS threads in the process."),
        };
        if let (Some(stat), Some(booted)) = (Stat::read(), boot_time()) {
            let started = booted + stat.start_ticks as f64 / ticks_per_second();
            collector.start_time.set(started);
        }
        collector
    }

    fn refresh(&self) {
        if let Some(stat) = Stat::read() {
            // The kernel's sum of user and system time never goes back; `max` keeps the counter's promise all the same.
            let seconds = stat.cpu_ticks as f64 / ticks_per_second();
            let more = (seconds - self.cpu_seconds.get()).max(0.0);
            self.cpu_seconds.inc_by(more);
            self.threads.set(stat.threads);
            self.virtual_memory.set(stat.virtual_bytes);
            self.resident
                .set(stat.resident_pages.saturating_mul(page_size()));
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // The listing itself holds one descriptor.
            let open = i64::try_from(entries.count()).unwrap_or(i64::MAX);
            self.open_fds.set(open.saturating_sub(1));
        }
        if let Some(limit) = max_open_files() {
            self.max_fds.set(limit);
        }
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        let mut descs = self.cpu_seconds.desc();
        descs.extend(self.open_fds.desc());
        descs.extend(self.max_fds.desc());
        descs.extend(self.resident.desc());
        descs.extend(self.virtual_memory.desc());
        descs.extend(self.start_time.desc());
        descs.extend(self.threads.desc());
        descs
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.refresh();
        let mut families = self.cpu_seconds.collect();
        families.extend(self.open_fds.collect());
        families.extend(self.max_fds.collect());
        families.extend(self.resident.collect());
        families.extend(self.virtual_memory.collect());
        families.extend(self.start_time.collect());
        families.extend(self.threads.collect());
        families
    }
}

/// The fields of `/proc/self/stat` that are used here.
struct Stat {
    cpu_ticks: u64,
    threads: i64,
    start_ticks: u64,
    virtual_bytes: i64,
    resident_pages: i64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// The second field is the program's name in parentheses, which may hold anything; the numbers follow its last `)`.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // `fields[0]` is the third field of proc_pid_stat(5).
        let field = |number: usize| fields.get(number - 3).copied();
        let user: u64 = field(14)?.parse().ok()?;
        let system: u64 = field(15)?.parse().ok()?;
        Some(Self {
            cpu_ticks: user.saturating_add(system),
            threads: field(20)?.parse().ok()?,
            start_ticks: field(22)?.parse().ok()?,
            virtual_bytes: field(23)?.parse().ok()?,
            resident_pages: field(24)?.parse().ok()?,
        })
    }
}

/// Seconds since the epoch at which the machine was started.
fn boot_time() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

/// The soft limit on open files; none when unlimited.
fn max_open_files() -> Option<i64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[allow(
    unsafe_code,
    reason = "sysconf is a libc call without a safe wrapper in std"
)]
fn sysconf(name: libc::c_int) -> Option<i64> {
    // SAFETY: sysconf takes a number, touches no memory of ours, and answers -1 for unknown names.
    let value = unsafe { libc::sysconf(name) };
    (value > 0).then_some(value)
}

fn ticks_per_second() -> f64 {
    sysconf(libc::_SC_CLK_TCK).unwrap_or(100) as f64
}

fn page_size() -> i64 {
    sysconf(libc::_SC_PAGESIZE).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_fields() {
        let text = "7 (a) b (c) S 1 7 7 0 -1 4194560 10 0 0 0 30 12 0 0 20 0 5 0 900 4096 3 18446744073709551615";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(
            (stat.cpu_ticks, stat.threads, stat.start_ticks),
            (42, 5, 900)
        );
        assert_eq!((stat.virtual_bytes, stat.resident_pages), (4096, 3));
        assert!(Stat::parse("7 (x").is_none());
        assert!(Stat::parse("7 (x) S 1").is_none());
    }
}
