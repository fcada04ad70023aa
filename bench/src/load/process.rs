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

/// Length of a tick in /proc/PID/stat: USER_HZ is 100 on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

impl Process {
    /// Reads /proc; `None` when there is no such process.
    pub fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        Self::parse(&stat, &status)
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The command may hold blanks and brackets, so count from the last bracket: 11 and 12 are utime and stime.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
        let kib = |key: &str| {
            status.lines().find_map(|line| {
                let value = line.strip_prefix(key)?.trim().trim_end_matches(" kB");
                value.trim().parse::<u64>().ok()
            })
        };
        Some(Self {
            cpu: TICK * ticks(11)?.saturating_add(ticks(12)?),
            rss: kib("VmRSS:")? * 1024,
            peak_rss: kib("VmHWM:")? * 1024,
        })
    }
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
    fn this_process_can_be_read() {
        let me = Process::read(std::process::id()).expect("this process");
        assert!(me.rss > 0 && me.peak_rss >= me.rss);
        assert_eq!(Process::read(u32::MAX), None);
    }
}
