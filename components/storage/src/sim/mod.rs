//! The simulated store: in the simulator, it stands behind [`crate::Storage`] whatever the configuration names.
//!
//! Every process of a simulation has one, which crashes of the process do not touch. Each operation takes at least one wait and is a
//! point at which the process may crash (see [`vivace_shards::sim::io_step`]); the operation has then happened or not, by seed.
//! An upload is there as a whole once it is finished, and not at all before.
//!
//! Retries are below what is simulated: a fault is what remains after them, and reaches the caller.

mod fault;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use vivace_shards::sim::{self, Durable};
use vivace_shards::{rand, time};

pub use fault::{Effect, Fault, Faults, Operation};

use crate::error::Error;
use crate::info::{ObjectInfo, Objects};

struct Object {
    bytes: Bytes,
    last_modified: DateTime<Utc>,
}

/// A simulated store. Tests get hold of it with `sim.durable(process, SimStore::new)`.
#[derive(Default)]
pub struct SimStore {
    objects: RefCell<BTreeMap<String, Object>>,
    faults: RefCell<Faults>,
    injected: RefCell<Vec<Fault>>,
}

impl Durable for SimStore {
    /// The store is another machine.
    fn on_crash(&self, _: &mut dyn FnMut(u64) -> u64) {}
}

/// The current simulated process's store; none on real shards and outside of shards.
pub(crate) fn current() -> Option<Rc<SimStore>> {
    sim::durable(SimStore::new)
}

fn name() -> Arc<str> {
    "simulated store".into()
}

fn gone(operation: Operation, key: &str) -> Error {
    failure(operation, key, "the simulated process is gone")
}

fn failure(operation: Operation, key: &str, cause: &str) -> Error {
    Error::Unavailable {
        store: name(),
        operation: operation.verb(),
        key: key.to_owned(),
        cause: cause.to_owned(),
    }
}

/// The store's time; the simulated clock says it outside of shards, too, as the start of the world.
fn now() -> DateTime<Utc> {
    let nanos = i64::try_from(time::unix_nanos()).unwrap_or(i64::MAX);
    DateTime::from_timestamp_nanos(nanos)
}

impl SimStore {
    /// An empty store without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// All objects by key.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        let objects = self.objects.borrow();
        let entry = |(key, object): (&String, &Object)| (key.clone(), object.bytes.clone());
        objects.iter().map(entry).collect()
    }

    /// Puts an object behind everybody's back.
    pub fn insert(&self, key: &str, bytes: impl Into<Bytes>) {
        let object = Object {
            bytes: bytes.into(),
            last_modified: now(),
        };
        self.objects.borrow_mut().insert(key.to_owned(), object);
    }

    /// Removes an object behind everybody's back. False if there was none.
    pub fn remove(&self, key: &str) -> bool {
        self.objects.borrow_mut().remove(key).is_some()
    }

    /// Faults that happen by seed from now on, instead of those set before.
    pub fn set_faults(&self, faults: Faults) {
        *self.faults.borrow_mut() = faults;
    }

    /// Lets a certain fault happen from now on.
    pub fn inject(&self, fault: Fault) {
        self.injected.borrow_mut().push(fault);
    }

    fn strike(&self, operation: Operation, key: &str) -> Option<Effect> {
        let injected = fault::strike(&mut self.injected.borrow_mut(), operation, key);
        injected.or_else(|| self.faults.borrow().strike(rand::below))
    }

    /// One operation that happens whole or not at all. `action` may run twice.
    async fn perform<T>(
        &self,
        operation: Operation,
        key: &str,
        action: impl Fn(&mut BTreeMap<String, Object>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let effect = self.strike(operation, key);
        if let Some(Effect::Late(delay)) = effect {
            time::sleep(delay).await;
        }
        let run = || action(&mut self.objects.borrow_mut());
        if sim::io_step().await {
            if rand::below(2) == 0 {
                // Nobody will ever hear of how it went.
                let _ = run();
            }
            sim::crash_now().await;
            return pending().await;
        }
        match effect {
            Some(Effect::Refused) => Err(failure(operation, key, "503 Service Unavailable")),
            Some(Effect::LostAnswer) => {
                // Done, but nobody hears of it.
                let _ = run();
                Err(failure(operation, key, "the connection was cut"))
            }
            Some(Effect::Repeated) => {
                let first = run();
                // As a client does that lost the first answer.
                run().or(first)
            }
            Some(Effect::Late(_)) | None => run(),
        }
    }
}

async fn perform<T>(
    operation: Operation,
    key: &str,
    action: impl Fn(&mut BTreeMap<String, Object>) -> Result<T, Error>,
) -> Result<T, Error> {
    let store = current().ok_or_else(|| gone(operation, key))?;
    store.perform(operation, key, action).await
}

fn find<'a>(objects: &'a BTreeMap<String, Object>, key: &str) -> Result<&'a Object, Error> {
    objects.get(key).ok_or_else(|| Error::NotFound {
        store: name(),
        key: key.to_owned(),
    })
}

fn info(object: &Object) -> ObjectInfo {
    ObjectInfo {
        size: object.bytes.len() as u64,
        last_modified: object.last_modified,
    }
}

pub(crate) async fn put(key: &str, bytes: Bytes) -> Result<(), Error> {
    let action = |objects: &mut BTreeMap<String, Object>| {
        let (bytes, last_modified) = (bytes.clone(), now());
        let object = Object {
            bytes,
            last_modified,
        };
        objects.insert(key.to_owned(), object);
        Ok(())
    };
    perform(Operation::Put, key, action).await
}

pub(crate) async fn get(key: &str) -> Result<Bytes, Error> {
    let action = |objects: &mut BTreeMap<String, Object>| Ok(find(objects, key)?.bytes.clone());
    perform(Operation::Get, key, action).await
}

pub(crate) async fn get_range(key: &str, range: Range<u64>) -> Result<Bytes, Error> {
    let action = |objects: &mut BTreeMap<String, Object>| {
        let bytes = &find(objects, key)?.bytes;
        let len = bytes.len() as u64;
        let (start, end) = (range.start.min(len), range.end.min(len));
        let asked = range.end.saturating_sub(range.start);
        let got = end.saturating_sub(start);
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        if got == asked {
            return Ok(bytes.slice(place(start)..place(start + got)));
        }
        Err(Error::WrongLength {
            store: name(),
            key: key.to_owned(),
            asked,
            got,
        })
    };
    perform(Operation::Get, key, action).await
}

pub(crate) async fn head(key: &str) -> Result<Option<ObjectInfo>, Error> {
    let action = |objects: &mut BTreeMap<String, Object>| Ok(objects.get(key).map(info));
    perform(Operation::Head, key, action).await
}

pub(crate) async fn delete(key: &str) -> Result<(), Error> {
    let action = |objects: &mut BTreeMap<String, Object>| {
        objects.remove(key);
        Ok(())
    };
    perform(Operation::Delete, key, action).await
}

pub(crate) async fn copy(from: &str, to: &str) -> Result<(), Error> {
    let action = |objects: &mut BTreeMap<String, Object>| {
        let (bytes, last_modified) = (find(objects, from)?.bytes.clone(), now());
        let object = Object {
            bytes,
            last_modified,
        };
        objects.insert(to.to_owned(), object);
        Ok(())
    };
    perform(Operation::Copy, from, action).await
}

/// All objects whose keys begin with `prefix`, which is empty or ends with a slash.
pub(crate) async fn list(prefix: &str) -> Result<Objects, Error> {
    let action = |objects: &mut BTreeMap<String, Object>| {
        let from = objects.range(prefix.to_owned()..);
        let under = from.take_while(|(key, _)| key.starts_with(prefix));
        let listed = under.map(|(key, object)| (key.clone(), info(object)));
        Ok(listed.collect())
    };
    perform(Operation::List, prefix, action).await
}

/// The names between `prefix` and the next slash.
pub(crate) async fn folders(prefix: &str) -> Result<Vec<String>, Error> {
    let objects = list(prefix).await?;
    let folder = |(key, _): &(String, ObjectInfo)| {
        let (name, _) = key.strip_prefix(prefix)?.split_once('/')?;
        Some(name.to_owned())
    };
    let names: BTreeSet<String> = objects.iter().filter_map(folder).collect();
    Ok(names.into_iter().collect())
}

/// What is uploaded piece by piece.
pub(crate) struct SimUpload {
    key: String,
    written: BytesMut,
}

impl SimUpload {
    pub(crate) fn new(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            written: BytesMut::new(),
        }
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        let key = self.key.as_str();
        perform(Operation::Write, key, |_| Ok(())).await?;
        self.written.extend_from_slice(&bytes);
        Ok(())
    }

    pub(crate) async fn finish(self) -> Result<(), Error> {
        put(&self.key, self.written.freeze()).await
    }
}
