//! What all shards of a process share: the directory's lock, and what `log.meta` says. Whichever
//! shard comes first opens the log, the others wait for it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vivace_shards::mailbox::{Reply, oneshot};
use vivace_shards::time::unix_nanos;
use vivace_shards::{disk, rand, shard_count};

use crate::Config;
use crate::dir;
use crate::error::Error;
use crate::meta::{self, Meta};

/// One for each log and process: made before the shards start, given to each of them in
/// [`crate::Deps`]. The directory stays locked until the last clone is gone.
#[derive(Clone, Default)]
pub struct Shared {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
enum State {
    #[default]
    New,
    /// At most one waiter for each shard.
    Opening(Vec<Reply<Result<Opened, Error>>>),
    Done(Result<Opened, Error>),
}

#[derive(Clone)]
struct Opened {
    meta: Meta,
    /// Held for its drop.
    _lock: Arc<disk::Lock>,
}

impl Shared {
    pub fn new() -> Shared {
        Shared::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is valid between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the log, or waits until another shard has.
    pub(crate) async fn open(&self, config: &Config) -> Result<Meta, Error> {
        let promise = match &mut *self.state() {
            State::Done(result) => return result.as_ref().map(|o| o.meta).map_err(Error::clone),
            State::Opening(waiters) => {
                let (reply, promise) = oneshot();
                waiters.push(reply);
                Some(promise)
            }
            state @ State::New => {
                *state = State::Opening(Vec::new());
                None
            }
        };
        let opened = match promise {
            Some(promise) => promise.await.unwrap_or(Err(Error::Closed)),
            None => {
                let opened = open(config).await;
                let before = std::mem::replace(&mut *self.state(), State::Done(opened.clone()));
                if let State::Opening(waiters) = before {
                    for waiter in waiters {
                        // A shard that is gone needs no answer.
                        let _ = waiter.send(opened.clone());
                    }
                }
                opened
            }
        };
        opened.map(|opened| opened.meta)
    }
}

async fn open(config: &Config) -> Result<Opened, Error> {
    config.validate()?;
    let root = config.path.as_path();
    disk::create_dir_all(root)
        .await
        .map_err(dir::failed("create", root))?;
    let lock_path = root.join(dir::LOCK);
    let lock = match disk::lock(&lock_path).await {
        Ok(lock) => lock,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            return Err(Error::Locked {
                path: root.to_path_buf(),
            });
        }
        Err(error) => return Err(dir::failed("lock", &lock_path)(error)),
    };
    // What is found here must stay: the last process may have failed to sync it.
    disk::sync_dir(root)
        .await
        .map_err(dir::failed("sync", root))?;
    let entries = disk::read_dir(root)
        .await
        .map_err(dir::failed("list", root))?;
    let meta = if entries.iter().any(|entry| entry.name == meta::FILE) {
        read_meta(root).await?
    } else if entries.iter().any(|entry| dir::is_partition(&entry.name)) {
        return Err(Error::Damaged {
            file: root.join(meta::FILE),
            what: "it is missing, but there are partitions beside it".to_owned(),
        });
    } else {
        create(config).await?
    };
    if config.partitions != 0 && config.partitions != meta.partitions {
        tracing::warn!(
            configured = config.partitions,
            partitions = meta.partitions,
            "ingest log: the number of partitions was fixed at the first start and is kept"
        );
    }
    Ok(Opened {
        meta,
        _lock: Arc::new(lock),
    })
}

async fn read_meta(root: &Path) -> Result<Meta, Error> {
    let path = root.join(meta::FILE);
    let options = disk::OpenOptions {
        read: true,
        ..Default::default()
    };
    let content = async {
        let file = disk::open(&path, options).await?;
        file.read_at(0, MAX_META_BYTES).await
    };
    let content = content.await.map_err(dir::failed("read", &path))?;
    Meta::decode(&content, &path)
}

async fn create(config: &Config) -> Result<Meta, Error> {
    let root = config.path.as_path();
    let meta = Meta {
        partitions: match config.partitions {
            0 => shard_count().max(1) as u32,
            partitions => partitions,
        },
        created_unix_nano: unix_nanos(),
        salt: rand::u64(),
    };
    dir::write_atomically(root, meta::FILE, meta.encode().into_bytes()).await?;
    if let Some(parent) = root.parent().filter(|p| !p.as_os_str().is_empty()) {
        disk::sync_dir(parent)
            .await
            .map_err(dir::failed("sync", parent))?;
    }
    Ok(meta)
}

/// More than any version of the file has.
const MAX_META_BYTES: usize = 64 << 10;
