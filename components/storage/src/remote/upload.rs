//! An object that is uploaded piece by piece: small ones in one request, others in parts.

use std::collections::VecDeque;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, PutPayload};
use std::sync::Arc;
use tokio::task::JoinHandle;
use vivace_shards::side;

use super::Remote;
use crate::error::Error;
use crate::limits::{
    LEAST_PART_BYTES, MOST_PART_BYTES, PART_BYTES, PARTS_BEFORE_GROWTH, PARTS_IN_FLIGHT,
};

/// How uploads are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    bytes: usize,
    in_flight: usize,
}

impl Parts {
    /// `bytes` 0: our choice.
    pub(super) fn new(bytes: u64, in_flight: usize) -> Self {
        let bytes = match usize::try_from(bytes) {
            Ok(0) => PART_BYTES,
            Ok(bytes) => bytes.clamp(LEAST_PART_BYTES, MOST_PART_BYTES),
            Err(_) => MOST_PART_BYTES,
        };
        let in_flight = in_flight.clamp(1, PARTS_IN_FLIGHT);
        Self { bytes, in_flight }
    }

    /// Bytes of the part with this number. Parts grow late, so that the 10,000 of an upload hold large blocks, and some stores want
    /// equal ones.
    fn length(self, number: usize) -> usize {
        let factor = 1 + number / PARTS_BEFORE_GROWTH;
        self.bytes.saturating_mul(factor).min(MOST_PART_BYTES)
    }
}

type Part = JoinHandle<object_store::Result<()>>;

pub(crate) struct RemoteUpload {
    remote: Remote,
    key: String,
    /// Written, but not yet sent.
    pending: Vec<Bytes>,
    pending_bytes: usize,
    begun: Option<Begun>,
    /// Parts begun so far.
    parts: usize,
    failed: bool,
}

struct Begun {
    upload: Box<dyn MultipartUpload>,
    in_flight: VecDeque<Part>,
}

impl RemoteUpload {
    pub(super) fn new(remote: Remote, key: &str) -> Self {
        Self {
            remote,
            key: key.to_owned(),
            pending: Vec::new(),
            pending_bytes: 0,
            begun: None,
            parts: 0,
            failed: false,
        }
    }

    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        self.check()?;
        // Set until this call has succeeded: one that fails, or is given up, leaves an upload that cannot go on.
        self.failed = true;
        loop {
            let room = self.remote.0.upload.length(self.parts) - self.pending_bytes;
            if bytes.len() <= room {
                self.keep(bytes);
                break;
            }
            // Only now is it certain that more follows: an object of exactly one part is a small one.
            self.keep(bytes.split_to(room));
            self.send_part().await?;
        }
        self.failed = false;
        Ok(())
    }

    fn keep(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.pending_bytes += bytes.len();
            self.pending.push(bytes);
        }
    }

    fn take_pending(&mut self) -> PutPayload {
        self.pending_bytes = 0;
        std::mem::take(&mut self.pending).into_iter().collect()
    }

    fn check(&self) -> Result<(), Error> {
        match self.failed {
            false => Ok(()),
            true => Err(self.error("an earlier write has failed")),
        }
    }

    fn error(&self, cause: impl Into<String>) -> Error {
        self.remote.subject("upload", &self.key).unavailable(cause)
    }

    fn store_error(&self, error: object_store::Error) -> Error {
        match self.remote.subject("upload", &self.key).error(error) {
            // The store has forgotten the upload, or a lost answer said that it is complete: all of it again.
            Error::NotFound { .. } => self.error("the store does not know the upload any more"),
            error => error,
        }
    }

    async fn send_part(&mut self) -> Result<(), Error> {
        let side = side::handle().map_err(|error| self.error(error.to_string()))?;
        let mut begun = match self.begun.take() {
            Some(begun) => begun,
            None => self.begin().await?,
        };
        while begun.in_flight.len() >= self.remote.0.upload.in_flight {
            if let Some(part) = begun.in_flight.pop_front() {
                let done = part.await;
                if let Err(error) = self.part_done(done) {
                    self.begun = Some(begun);
                    return Err(error);
                }
            }
        }
        let part = begun.upload.put_part(self.take_pending());
        begun.in_flight.push_back(side.spawn(part));
        self.parts += 1;
        self.begun = Some(begun);
        Ok(())
    }

    fn part_done(
        &self,
        done: Result<object_store::Result<()>, tokio::task::JoinError>,
    ) -> Result<(), Error> {
        match done {
            Ok(done) => done.map_err(|error| self.store_error(error)),
            Err(error) => Err(self.error(error.to_string())),
        }
    }

    async fn begin(&self) -> Result<Begun, Error> {
        let options = self.remote.multipart_options();
        let begin = |store: Arc<dyn ObjectStore>, path: Path| async move {
            store.put_multipart_opts(&path, options).await
        };
        Ok(Begun {
            upload: self.remote.run("upload", &self.key, begin).await?,
            in_flight: VecDeque::new(),
        })
    }

    pub(crate) async fn finish(mut self) -> Result<(), Error> {
        self.check()?;
        if self.begun.is_none() {
            let payload = self.take_pending();
            return self.remote.put(&self.key, payload).await;
        }
        if self.pending_bytes > 0 {
            self.send_part().await?;
        }
        let Some(begun) = self.begun.as_mut() else {
            return Err(self.error("an earlier write has failed"));
        };
        // Taken one by one, so that a future that is dropped here still leaves an upload to abort.
        while let Some(part) = begun.in_flight.front_mut() {
            let done = part.await;
            begun.in_flight.pop_front();
            match done {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(self.store_error(error)),
                Err(error) => return Err(self.error(error.to_string())),
            }
        }
        let Some(Begun { mut upload, .. }) = self.begun.take() else {
            return Err(self.error("an earlier write has failed"));
        };
        // From here on the store decides: an answer that is lost may mean that the object is there. Only a clear no is cleaned up.
        let complete = async move {
            match upload.complete().await {
                Ok(_) => Ok(()),
                Err(error) => {
                    // The error that counts is the first; a store collects by itself what it cannot be told.
                    let _ = upload.abort().await;
                    Err(error)
                }
            }
        };
        match side::spawn(complete).await {
            Ok(done) => done.map_err(|error| self.store_error(error)),
            Err(error) => Err(self.error(error.to_string())),
        }
    }
}

impl Drop for RemoteUpload {
    /// Tells the store to forget the parts.
    fn drop(&mut self) {
        let Some(Begun {
            mut upload,
            in_flight,
        }) = self.begun.take()
        else {
            return;
        };
        for part in &in_flight {
            part.abort();
        }
        let (key, store) = (std::mem::take(&mut self.key), self.remote.name().clone());
        let abort = async move {
            // A part that is still on its way would come after the end.
            for part in in_flight {
                let _ = part.await;
            }
            if let Err(error) = upload.abort().await {
                tracing::warn!(%store, key, %error, "parts of an abandoned upload may be left");
            }
        };
        if let Ok(side) = side::handle() {
            side.spawn(abort);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_within_what_stores_take() {
        assert_eq!(Parts::new(0, 9).length(0), PART_BYTES);
        assert_eq!(Parts::new(1, 1).length(999), LEAST_PART_BYTES);
        assert_eq!(Parts::new(u64::MAX, 1).length(9_999), MOST_PART_BYTES);
        assert_eq!(Parts::new(0, 9).length(1_000), 2 * PART_BYTES);
        let total: usize = (0..10_000).map(|n| Parts::new(0, 1).length(n)).sum();
        assert!(total > 100 << 30, "the largest block of the default limits");
        assert_eq!(Parts::new(0, 9).in_flight, PARTS_IN_FLIGHT);
    }
}
