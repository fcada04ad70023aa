//! What the jobs of a query leave to its last one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use vivace_model::TraceId;
use vivace_querier::{Error, FoundMemory};
use vivace_shards::event::Event;

/// Traces that the jobs of a query leave to its last job, which sees all of their spans at once.
pub(super) struct Apart {
    /// Jobs that have not answered yet.
    waiting: Cell<usize>,
    ids: RefCell<Vec<TraceId>>,
    memory: RefCell<FoundMemory>,
    all_answered: Event,
}

impl Apart {
    pub fn new(jobs: usize) -> Rc<Self> {
        let apart = Self {
            waiting: Cell::new(jobs),
            ids: RefCell::default(),
            memory: RefCell::default(),
            all_answered: Event::default(),
        };
        if jobs == 0 {
            apart.all_answered.set();
        }
        Rc::new(apart)
    }

    /// A job has ended, and left these.
    pub fn answered(&self, ids: Vec<TraceId>) -> Result<(), Error> {
        self.memory.borrow_mut().grows(size_of_val(&ids[..]))?;
        self.ids.borrow_mut().extend(ids);
        self.waiting.set(self.waiting.get().saturating_sub(1));
        if self.waiting.get() == 0 {
            self.all_answered.set();
        }
        Ok(())
    }

    /// Waits until all other jobs have ended.
    pub async fn all(&self) -> Vec<TraceId> {
        while self.waiting.get() > 0 {
            self.all_answered.wait().await;
        }
        self.ids.borrow().clone()
    }
}
