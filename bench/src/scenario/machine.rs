//! What the figures were measured on.

use std::fs;
use std::process::Command;

/// Machine, kernel, commit, date.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "names say it")]
pub struct Machine {
    pub cpu: String,
    pub cpus: usize,
    pub memory_gib: f64,
    pub kernel: String,
    pub commit: String,
    pub date: String,
    /// Processes that wanted a CPU over the last minute before the run: other work spoils latencies.
    pub load_before: String,
}

impl Machine {
    /// This one.
    pub fn this(commit: Option<&str>) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, key: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(key))
                .map_or_else(
                    || "?".into(),
                    |value| value.trim_matches([':', ' ', '\t']).to_owned(),
                )
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let memory: f64 = memory.trim_end_matches(" kB").parse().unwrap_or(0.0);
        Self {
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: memory / 1_048_576.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            commit: commit.map_or_else(this_commit, str::to_owned),
            date: output("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default(),
            load_before: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

fn this_commit() -> String {
    let Some(commit) = output("git", &["rev-parse", "--short", "HEAD"]) else {
        return "unknown".into();
    };
    match output("git", &["status", "--porcelain", "--untracked-files=no"]).as_deref() {
        Some("") => commit,
        _ => format!("{commit} with changes"),
    }
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
