//! Who may run a job next: tenants in turn, a tenant's queries in turn, a bounded number at once on a shard.
//!
//! A query takes a place, and through it asks for one permit after the other. Places wait; permits run. Dropping either gives it
//! back at once.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use vivace_shards::time::Instant;

use crate::metrics::QueueMetrics;

/// The tenant has as many jobs waiting as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull;

/// The jobs of one shard.
#[derive(Clone)]
pub struct Queue(Rc<Inner>);

struct Inner {
    max_running: usize,
    /// Of one tenant; 0: any number.
    max_outstanding: usize,
    metrics: QueueMetrics,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    next_query: u64,
    queries: HashMap<u64, Query>,
    tenants: HashMap<Rc<str>, Tenant>,
    /// Tenants that have a query which waits, each once.
    turns: VecDeque<Rc<str>>,
}

#[derive(Default)]
struct Tenant {
    queries: usize,
    /// Jobs that have not begun.
    outstanding: usize,
    /// Queries that wait for a permit, each once.
    turns: VecDeque<u64>,
}

struct Query {
    tenant: Rc<str>,
    outstanding: usize,
    asks: Asks,
}

enum Asks {
    Nothing,
    Waits(Waker, Instant),
    /// A permit lies ready; it counts as running.
    Granted,
}

/// A query's place in the queue.
pub struct Place {
    queue: Queue,
    query: u64,
}

/// Lets one job run.
#[must_use = "the permit is given back as soon as this is dropped"]
pub struct Permit(Queue);

impl Queue {
    /// `max_running` jobs at once; of each tenant `max_outstanding` may wait (0: any number).
    pub fn new(max_running: usize, max_outstanding: usize, metrics: QueueMetrics) -> Self {
        Self(Rc::new(Inner {
            max_running: max_running.max(1),
            max_outstanding,
            metrics,
            state: RefCell::default(),
        }))
    }

    /// A place for a query that has so many jobs waiting. A tenant's only query always gets one: its jobs wait in the query itself.
    pub fn enter(&self, tenant: &str, jobs: usize) -> Result<Place, QueueFull> {
        let mut state = self.0.state.borrow_mut();
        let state = &mut *state;
        let name: Rc<str> = Rc::from(tenant);
        let known = state.tenants.entry(Rc::clone(&name)).or_default();
        let limit = self.0.max_outstanding;
        if limit > 0 && known.queries > 0 && known.outstanding.saturating_add(jobs) > limit {
            self.0.metrics.discarded(tenant);
            return Err(QueueFull);
        }
        known.queries += 1;
        known.outstanding += jobs;
        self.0.metrics.length(tenant, known.outstanding);
        let query = state.next_query;
        state.next_query += 1;
        state.queries.insert(
            query,
            Query {
                tenant: name,
                outstanding: jobs,
                asks: Asks::Nothing,
            },
        );
        Ok(Place {
            queue: self.clone(),
            query,
        })
    }

    /// Gives permits out while there are any, to whoever's turn it is.
    fn grant(&self, state: &mut State) {
        while state.running < self.0.max_running {
            let Some(tenant) = state.turns.pop_front() else {
                return;
            };
            let Some(known) = state.tenants.get_mut(&tenant) else {
                continue;
            };
            let query = known.turns.pop_front();
            if !known.turns.is_empty() {
                state.turns.push_back(tenant);
            }
            let Some(query) = query.and_then(|query| state.queries.get_mut(&query)) else {
                continue;
            };
            if let Asks::Waits(waker, since) = std::mem::replace(&mut query.asks, Asks::Granted) {
                self.0.metrics.waited(since.elapsed());
                waker.wake();
            }
            state.running += 1;
        }
    }

    fn give_back(&self) {
        let mut state = self.0.state.borrow_mut();
        state.running = state.running.saturating_sub(1);
        self.grant(&mut state);
    }
}

impl Place {
    /// Asks for a permit. Whoever has asked must go on asking, or drop the place.
    pub fn poll_permit(&self, context: &mut Context<'_>) -> Poll<Permit> {
        let mut state = self.queue.0.state.borrow_mut();
        let state = &mut *state;
        let Some(query) = state.queries.get_mut(&self.query) else {
            return Poll::Pending;
        };
        match &mut query.asks {
            Asks::Waits(waker, _) => {
                waker.clone_from(context.waker());
                return Poll::Pending;
            }
            Asks::Granted => {}
            Asks::Nothing => {
                query.asks = Asks::Waits(context.waker().clone(), Instant::now());
                let tenant = Rc::clone(&query.tenant);
                if let Some(known) = state.tenants.get_mut(&tenant) {
                    if known.turns.is_empty() {
                        state.turns.push_back(tenant);
                    }
                    known.turns.push_back(self.query);
                }
                self.queue.grant(state);
            }
        }
        match state.queries.get_mut(&self.query) {
            Some(query) if matches!(query.asks, Asks::Granted) => {
                query.asks = Asks::Nothing;
                Poll::Ready(Permit(self.queue.clone()))
            }
            _ => Poll::Pending,
        }
    }

    /// Asks no more, and gives back what it was given meanwhile.
    pub fn withdraw(&self) {
        let mut state = self.queue.0.state.borrow_mut();
        let state = &mut *state;
        let Some(query) = state.queries.get_mut(&self.query) else {
            return;
        };
        let tenant = Rc::clone(&query.tenant);
        match std::mem::replace(&mut query.asks, Asks::Nothing) {
            Asks::Nothing => {}
            Asks::Waits(..) => state.forget_turn(&tenant, self.query),
            Asks::Granted => {
                state.running = state.running.saturating_sub(1);
                self.queue.grant(state);
            }
        }
    }

    /// So many jobs wait now.
    pub fn outstanding(&self, jobs: usize) {
        let mut state = self.queue.0.state.borrow_mut();
        let state = &mut *state;
        let Some(query) = state.queries.get_mut(&self.query) else {
            return;
        };
        let before = std::mem::replace(&mut query.outstanding, jobs);
        if let Some(known) = state.tenants.get_mut(&query.tenant) {
            known.outstanding = known.outstanding.saturating_sub(before) + jobs;
            self.queue
                .0
                .metrics
                .length(&query.tenant, known.outstanding);
        }
    }
}

impl State {
    fn forget_turn(&mut self, tenant: &Rc<str>, query: u64) {
        if let Some(known) = self.tenants.get_mut(tenant) {
            known.turns.retain(|waiting| *waiting != query);
            if known.turns.is_empty() {
                self.turns.retain(|waiting| waiting != tenant);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.withdraw();
        self.outstanding(0);
        let mut state = self.queue.0.state.borrow_mut();
        let state = &mut *state;
        let Some(query) = state.queries.remove(&self.query) else {
            return;
        };
        if let Some(known) = state.tenants.get_mut(&query.tenant) {
            known.queries -= 1;
            if known.queries == 0 {
                state.tenants.remove(&query.tenant);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.give_back();
    }
}
