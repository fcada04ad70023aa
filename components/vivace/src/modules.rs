//! The state of every module on every shard: what `/ready` and `/status/services` answer from.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// Life of a module, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Known, not started.
    New,
    /// Starting, for example replaying the log.
    Starting,
    /// Serving.
    Running,
    /// Asked to stop, finishing what it has.
    Stopping,
    /// Stopped as asked.
    Terminated,
    /// Gave up; the process ends.
    Failed,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::New => "New",
            State::Starting => "Starting",
            State::Running => "Running",
            State::Stopping => "Stopping",
            State::Terminated => "Terminated",
            State::Failed => "Failed",
        }
    }
}

/// Modules of the single binary, in the order in which they start.
pub const MODULES: [&str; 7] = [
    "server",
    "overrides",
    "store",
    "ingest-log",
    "live-store",
    "query-frontend",
    "distributor",
];

#[derive(Debug, Default)]
struct Table {
    states: BTreeMap<(&'static str, usize), State>,
    failure: Option<(String, String)>,
    stopping: bool,
}

/// Shared by all shards; touched only at start, stop and by probes.
#[derive(Debug)]
pub struct Modules {
    shards: usize,
    table: Mutex<Table>,
}

impl Modules {
    /// All modules are New on all shards.
    pub fn new(shards: usize) -> Self {
        let states = MODULES
            .iter()
            .flat_map(|module| (0..shards).map(move |shard| ((*module, shard), State::New)))
            .collect();
        Self {
            shards,
            table: Mutex::new(Table {
                states,
                ..Table::default()
            }),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        // A panic while the lock was held leaves a table that is still true.
        change(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says where a module of one shard is. Returns true when the module just became this on all shards.
    pub fn set(&self, module: &'static str, shard: usize, state: State) -> bool {
        self.with(|table| {
            table.states.insert((module, shard), state);
            (0..self.shards).all(|other| table.states.get(&(module, other)) == Some(&state))
        })
    }

    /// A module gave up; the first failure is the one that is told.
    pub fn fail(&self, module: &str, why: &str) {
        self.with(|table| {
            table
                .failure
                .get_or_insert_with(|| (module.to_owned(), why.to_owned()));
        });
    }

    /// The first failure: module and reason.
    pub fn failure(&self) -> Option<(String, String)> {
        self.with(|table| table.failure.clone())
    }

    /// From now on `/ready` answers 503 `Application is stopping`.
    pub fn stopping(&self) {
        self.with(|table| table.stopping = true);
    }

    /// `Ok` with the body of a ready answer, `Err` with the body of a 503 (observability.md §5.1).
    pub fn readiness(&self) -> Result<&'static str, String> {
        self.with(|table| {
            if table.stopping {
                return Err("Application is stopping".to_owned());
            }
            if let Some((module, why)) = &table.failure {
                return Err(format!("{module} failed: {why}\n"));
            }
            let mut counts: BTreeMap<State, usize> = BTreeMap::new();
            for module in MODULES {
                *counts.entry(self.state_of(table, module)).or_default() += 1;
            }
            counts.remove(&State::Running);
            if counts.is_empty() {
                return Ok("ready\n");
            }
            let mut text = "Some services are not Running:\n".to_owned();
            for (state, count) in counts {
                let _infallible = writeln!(text, "{}: {count}", state.name());
            }
            Err(text)
        })
    }

    /// The state of a module is that of the shard that is furthest from Running.
    fn state_of(&self, table: &Table, module: &'static str) -> State {
        let states =
            (0..self.shards).filter_map(|shard| table.states.get(&(module, shard)).copied());
        let mut worst = State::Running;
        for state in states {
            worst = match (worst, state) {
                (State::Failed, _) | (_, State::Failed) => State::Failed,
                (State::Running, other) => other,
                (known, State::Running) => known,
                (known, other) => known.min(other),
            };
        }
        worst
    }

    /// The table of `/status/services`.
    pub fn table(&self) -> String {
        self.with(|table| {
            let rows = MODULES.iter().map(|module| {
                let failure = match &table.failure {
                    Some((failed, why)) if failed == module => why.clone(),
                    _ => String::new(),
                };
                [
                    (*module).to_owned(),
                    self.state_of(table, module).name().to_owned(),
                    failure,
                ]
            });
            super::status::ascii_table(["SERVICE NAME", "STATUS", "FAILURE CASE"], rows)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_module_runs_on_every_shard() {
        let modules = Modules::new(2);
        assert_eq!(
            modules.readiness(),
            Err("Some services are not Running:\nNew: 7\n".to_owned())
        );
        for module in MODULES {
            assert!(!modules.set(module, 0, State::Running));
            if module != "live-store" {
                assert!(modules.set(module, 1, State::Running));
            }
        }
        modules.set("live-store", 1, State::Starting);
        assert_eq!(
            modules.readiness(),
            Err("Some services are not Running:\nStarting: 1\n".to_owned())
        );
        modules.set("live-store", 1, State::Running);
        assert_eq!(modules.readiness(), Ok("ready\n"));
        modules.stopping();
        assert_eq!(
            modules.readiness(),
            Err("Application is stopping".to_owned())
        );
    }

    #[test]
    fn a_failure_is_told() {
        let modules = Modules::new(1);
        modules.fail("ingest-log", "disk is gone");
        assert_eq!(
            modules.readiness(),
            Err("ingest-log failed: disk is gone\n".to_owned())
        );
        assert!(modules.table().contains("disk is gone"));
    }
}
