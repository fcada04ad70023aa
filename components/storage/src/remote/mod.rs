//! Stores over HTTP, through `object_store`. Every operation runs whole on the side runtime.

mod azure;
mod connector;
mod failure;
mod gcs;
mod gcs_emulator;
mod s3;
mod service;
mod upload;

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, TagSet,
};
use prometheus::IntCounter;
use vivace_config::blocks::object_stores::{AzureStore, GcsStore, S3Store};
use vivace_shards::side;

pub use service::Patience;
pub(crate) use upload::RemoteUpload;

use crate::error::Error;
use crate::info::{ObjectInfo, Objects};
use crate::limits::{GET_BYTES, MOST_HEDGES, MOST_LISTINGS, RANGE_BYTES};
use crate::metrics;
use failure::{BEYOND_END, Subject};

/// A store over HTTP. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Remote(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: Arc<str>,
    store: Arc<dyn ObjectStore>,
    /// In front of every key; empty or without a slash at its ends.
    prefix: String,
    /// What objects get besides their bytes.
    attributes: Attributes,
    tags: TagSet,
    upload: upload::Parts,
    hedge: Hedge,
    listings: u32,
    hedged: IntCounter,
}

/// When a read is sent once more.
#[derive(Clone, Copy, Debug)]
struct Hedge {
    /// Never, if none.
    after: Option<Duration>,
    /// Times it is sent, the first included.
    most: u32,
}

impl Hedge {
    fn new(after: vivace_config::types::Duration, most: u32) -> Self {
        let after = after.as_std();
        Self {
            after: (after > Duration::ZERO).then_some(after),
            most: most.clamp(1, MOST_HEDGES),
        }
    }
}

/// A store as its builder leaves it.
struct Made {
    name: String,
    store: Arc<dyn ObjectStore>,
    prefix: String,
    attributes: Attributes,
    tags: TagSet,
    part_bytes: u64,
    parts_in_flight: usize,
    hedge: Hedge,
    listings: u32,
}

impl Remote {
    pub(crate) fn s3(config: &S3Store, change: impl Fn(&mut Patience)) -> Result<Self, Error> {
        Self::new(s3::make(config, change))
    }

    pub(crate) fn gcs(config: &GcsStore, change: impl Fn(&mut Patience)) -> Result<Self, Error> {
        Self::new(gcs::make(config, change))
    }

    pub(crate) fn azure(
        config: &AzureStore,
        change: impl Fn(&mut Patience),
    ) -> Result<Self, Error> {
        Self::new(azure::make(config, change))
    }

    fn new(made: Result<Made, (String, String)>) -> Result<Self, Error> {
        let made = made.map_err(|(store, cause)| Error::Config {
            store: store.into(),
            cause,
        })?;
        let prefix = made.prefix.trim_matches('/').to_owned();
        if let Err(error) = Path::parse(&prefix) {
            return Err(Error::Config {
                store: made.name.into(),
                cause: format!("prefix {prefix:?}: {error}"),
            });
        }
        Ok(Self(Arc::new(Inner {
            name: made.name.into(),
            store: made.store,
            prefix,
            attributes: made.attributes,
            tags: made.tags,
            upload: upload::Parts::new(made.part_bytes, made.parts_in_flight),
            hedge: made.hedge,
            listings: made.listings.clamp(1, MOST_LISTINGS),
            hedged: metrics::hedged(),
        })))
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    fn subject(&self, operation: &'static str, key: &str) -> Subject {
        Subject {
            store: self.0.name.clone(),
            operation,
            key: key.to_owned(),
        }
    }

    /// The place of a key in the bucket. Keys are taken as they are, without encoding anything.
    fn path(&self, key: &str) -> Result<Path, Error> {
        let key = key.trim_end_matches('/');
        let full = match (self.0.prefix.as_str(), key) {
            ("", key) => key.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, key) => format!("{prefix}/{key}"),
        };
        Path::parse(&full).map_err(|_| Error::InvalidKey {
            store: self.0.name.clone(),
            key: key.to_owned(),
        })
    }

    /// Runs an operation on the side runtime.
    async fn run<T, F>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl FnOnce(Arc<dyn ObjectStore>, Path) -> F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = object_store::Result<T>> + Send + 'static,
    {
        let work = work(self.0.store.clone(), self.path(key)?);
        match side::spawn(work).await {
            Ok(done) => done.map_err(|error| self.subject(operation, key).error(error)),
            Err(error) => Err(self.subject(operation, key).unavailable(error.to_string())),
        }
    }

    fn put_options(&self) -> PutOptions {
        PutOptions {
            attributes: self.0.attributes.clone(),
            tags: self.0.tags.clone(),
            ..PutOptions::default()
        }
    }

    fn multipart_options(&self) -> PutMultipartOptions {
        PutMultipartOptions {
            attributes: self.0.attributes.clone(),
            tags: self.0.tags.clone(),
            ..PutMultipartOptions::default()
        }
    }

    pub(crate) async fn put(&self, key: &str, payload: PutPayload) -> Result<(), Error> {
        let options = self.put_options();
        let put = |store: Arc<dyn ObjectStore>, path: Path| async move {
            store.put_opts(&path, payload, options).await.map(|_| ())
        };
        self.run("write", key, put).await
    }

    pub(crate) fn upload(&self, key: &str) -> Result<RemoteUpload, Error> {
        self.path(key)?;
        Ok(RemoteUpload::new(self.clone(), key))
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Bytes, Error> {
        let bytes = self.hedged(|| self.get_once(key, None)).await?;
        let (bytes_read, limit) = (bytes.len() as u64, GET_BYTES);
        if bytes_read > limit {
            return Err(Error::TooLarge {
                store: self.0.name.clone(),
                key: key.to_owned(),
                bytes: bytes_read,
                limit,
            });
        }
        Ok(bytes)
    }

    pub(crate) async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let (store, asked) = (self.0.name.clone(), range.end.saturating_sub(range.start));
        let key_text = key.to_owned();
        if asked == 0 {
            return Ok(Bytes::new());
        }
        if asked > RANGE_BYTES {
            return Err(Error::TooLarge {
                store,
                key: key_text,
                bytes: asked,
                limit: RANGE_BYTES,
            });
        }
        let got = match self
            .hedged(|| self.get_once(key, Some(range.clone())))
            .await
        {
            Ok(bytes) if bytes.len() as u64 == asked => return Ok(bytes),
            Ok(bytes) => bytes.len() as u64,
            // The object ends before the range begins.
            Err(Error::Refused { cause, .. }) if cause.starts_with(BEYOND_END) => 0,
            Err(error) => return Err(error),
        };
        Err(Error::WrongLength {
            store,
            key: key_text,
            asked,
            got,
        })
    }

    async fn get_once(&self, key: &str, range: Option<Range<u64>>) -> Result<Bytes, Error> {
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let get = |store: Arc<dyn ObjectStore>, path: Path| async move {
            store.get_opts(&path, options).await?.bytes().await
        };
        self.run("read", key, get).await
    }

    /// Sends a read once more whenever the hedge's time passes without an answer; the first good answer counts, and of bad ones
    /// the last.
    async fn hedged<T, F: Future<Output = Result<T, Error>>>(
        &self,
        read: impl Fn() -> F,
    ) -> Result<T, Error> {
        let Some(after) = self.0.hedge.after.filter(|_| self.0.hedge.most > 1) else {
            return read().await;
        };
        let mut running = FuturesUnordered::from_iter([read()]);
        let mut sent = 1;
        loop {
            let next = running.next();
            let answer = if sent < self.0.hedge.most {
                let timer =
                    std::pin::pin!(side::spawn(async move { tokio::time::sleep(after).await }));
                match select(next, timer).await {
                    Either::Left((answer, _)) => answer,
                    Either::Right(_) => {
                        sent += 1;
                        self.0.hedged.inc();
                        running.push(read());
                        continue;
                    }
                }
            } else {
                next.await
            };
            match answer {
                Some(Err(error)) if !running.is_empty() && error.is_retryable() => {}
                Some(answer) => return answer,
                None => return read().await,
            }
        }
    }

    pub(crate) async fn head(&self, key: &str) -> Result<Option<ObjectInfo>, Error> {
        let head = |store: Arc<dyn ObjectStore>, path: Path| async move { store.head(&path).await };
        match self.run("look at", key, head).await {
            Ok(meta) => Ok(Some(info(&meta))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        let delete =
            |store: Arc<dyn ObjectStore>, path: Path| async move { store.delete(&path).await };
        match self.run("delete", key, delete).await {
            Err(error) if error.is_not_found() => Ok(()),
            done => done,
        }
    }

    pub(crate) async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let to = self.path(to)?;
        let copy =
            |store: Arc<dyn ObjectStore>, from: Path| async move { store.copy(&from, &to).await };
        self.run("copy", from, copy).await
    }

    pub(crate) async fn folders(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let list = |store: Arc<dyn ObjectStore>, path: Path| async move {
            store.list_with_delimiter(some(&path)).await
        };
        let listed = self.run("list", prefix, list).await?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        Ok(listed.common_prefixes.iter().filter_map(name).collect())
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Objects, Error> {
        self.list_between(prefix, None, None, |_| true).await
    }

    /// The objects under a folder that `wanted` picks by key, from `after` (exclusive) to `until` (exclusive), both below the folder.
    pub(crate) async fn list_between(
        &self,
        prefix: &str,
        after: Option<&str>,
        until: Option<&str>,
        wanted: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Objects, Error> {
        let below = |name: &str| self.path(&format!("{}/{name}", prefix.trim_end_matches('/')));
        let after = after.map(below).transpose()?;
        let until = until.map(below).transpose()?;
        let root = match self.0.prefix.as_str() {
            "" => 0,
            prefix => prefix.len() + 1,
        };
        let list = |store: Arc<dyn ObjectStore>, path: Path| async move {
            let mut objects = match &after {
                Some(after) => store.list_with_offset(some(&path), after),
                None => store.list(some(&path)),
            };
            let mut found = Vec::new();
            while let Some(object) = objects.try_next().await? {
                if until
                    .as_ref()
                    .is_some_and(|until| object.location >= *until)
                {
                    break;
                }
                // Every listed key begins with the prefix asked for.
                if let Some(key) = object.location.as_ref().get(root..)
                    && wanted(key)
                {
                    found.push((key.to_owned(), info(&object)));
                }
            }
            Ok(found)
        };
        let mut found = self.run("list", prefix, list).await?;
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// Listings of one tenant at once.
    pub(crate) fn listings(&self) -> u32 {
        self.0.listings
    }
}

fn some(path: &Path) -> Option<&Path> {
    (!path.is_root()).then_some(path)
}

fn info(meta: &ObjectMeta) -> ObjectInfo {
    ObjectInfo {
        size: meta.size,
        last_modified: meta.last_modified,
    }
}

fn metadata<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Attributes {
    let pair = |(name, value): (&String, &String)| {
        (Attribute::Metadata(name.clone().into()), value.clone())
    };
    pairs.into_iter().map(pair).collect()
}

/// The patience that a configuration asks for.
fn patience(attempts: u32, first_pause: Duration, longest_pause: Duration) -> Patience {
    use crate::limits::{
        ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, MOST_ATTEMPTS, RETRY_TIME, STALL_TIMEOUT,
    };
    Patience {
        attempts: attempts.clamp(1, MOST_ATTEMPTS),
        first_pause,
        longest_pause,
        attempt: ATTEMPT_TIMEOUT,
        connect: CONNECT_TIMEOUT,
        stall: STALL_TIMEOUT,
        total: RETRY_TIME,
    }
}

fn no_retries() -> object_store::RetryConfig {
    object_store::RetryConfig {
        max_retries: 0,
        ..object_store::RetryConfig::default()
    }
}
