//! CPU time and memory of a process, from /proc.

use std::time::Duration;

/// What a process has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Process {
    /// User and system time so far.
    pub cpu: Duration,
    /// Resident bytes now.
    pub rss: u64,
    /// Largest resident bytes so far.
    pub peak_rss: u64,
}

/// One thread of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its name, at most 15 bytes of it.
    pub name: String,
    /// User and system time so far.
    pub cpu: Duration,
    /// Time in which it could have run but had no CPU, where the kernel tells.
    pub waited: Option<Duration>,
}

/// Length of a tick in /proc/PID/stat: USER_HZ is 100 on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

impl Process {
    /// Reads /proc; `None` when there is no such process.
    pub fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        Self::parse(&stat, &status)
    }

    /// The threads that are alive.
    pub fn threads(pid: u32) -> Vec<Thread> {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
        let tasks = tasks.into_iter().flatten().flatten();
        let threads = tasks.filter_map(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
            let name = stat.split_once('(')?.1.rsplit_once(')')?.0.to_owned();
            let waited = std::fs::read_to_string(task.path().join("schedstat"));
            Some(Thread {
                name,
                cpu: cpu(&stat)?,
                waited: waited.ok().and_then(|text| waited_in(&text)),
            })
        });
        threads.collect()
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        let kib = |key: &str| {
            status.lines().find_map(|line| {
                let value = line.strip_prefix(key)?.trim().trim_end_matches(" kB");
                value.trim().parse::<u64>().ok()
            })
        };
        Some(Self {
            cpu: cpu(stat)?,
            rss: kib("VmRSS:")? * 1024,
            peak_rss: kib("VmHWM:")? * 1024,
        })
    }
}

/// The second number of a schedstat file, in nanoseconds.
fn waited_in(schedstat: &str) -> Option<Duration> {
    let nanos = schedstat.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// User and system time in a line of a stat file.
fn cpu(stat: &str) -> Option<Duration> {
    // The command may hold blanks and brackets, so count from the last bracket: 11 and 12 are utime and stime.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some(TICK * ticks(11)?.saturating_add(ticks(12)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_brackets_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let expected = Process {
            cpu: Duration::from_secs(2),
            rss: 1 << 20,
            peak_rss: 2 << 20,
        };
        assert_eq!(Process::parse(stat, status), Some(expected));
        assert_eq!(Process::parse("", status), None);
        assert_eq!(Process::parse(stat, ""), None);
    }

    #[test]
    fn time_without_a_cpu_is_the_second_number() {
        let waited = waited_in("123 4567 8\n");
        assert_eq!(waited, Some(Duration::from_nanos(4567)));
        assert_eq!(waited_in("123"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let me = Process::read(std::process::id()).expect("this process");
        assert!(me.rss > 0 && me.peak_rss >= me.rss);
        assert_eq!(Process::read(u32::MAX), None);
        let named = std::thread::Builder::new().name("some (name)".into());
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let runs = std::sync::Arc::new(std::sync::Barrier::new(2));
        let running = runs.clone();
        let thread = named.spawn(move || {
            running.wait();
            told.recv()
        });
        let thread = thread.expect("a thread");
        runs.wait();
        let threads = Process::threads(std::process::id());
        assert!(
            threads.iter().any(|thread| thread.name == "some (name)"),
            "{threads:?}"
        );
        drop(tell);
        assert!(thread.join().is_ok());
    }
}
