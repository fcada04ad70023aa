//! A file that is written piece by piece.

use std::io;

use bytes::Bytes;
use vivace_shards::side;

use super::Local;
use super::files::Unfinished;
use crate::error::Error;

pub(crate) struct LocalUpload {
    local: Local,
    key: String,
    /// Made at the first write. Taken while a call is under way, so that one that is given up ends the upload.
    file: Option<Unfinished>,
    begun: bool,
}

impl LocalUpload {
    pub(super) fn new(local: Local, key: &str) -> Self {
        Self {
            local,
            key: key.to_owned(),
            file: None,
            begun: false,
        }
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.file = Some(self.run(move |file| file.write(&bytes)).await?);
        Ok(())
    }

    pub(crate) async fn finish(mut self) -> Result<(), Error> {
        let target = self.local.path(&self.key);
        let file = self.run(|_| Ok(())).await?;
        let publish = move |_: &std::path::Path| file.publish(&target);
        self.local.blocking("write", &self.key, publish).await
    }

    async fn run(
        &mut self,
        action: impl FnOnce(&mut Unfinished) -> io::Result<()> + Send + 'static,
    ) -> Result<Unfinished, Error> {
        let (file, begun) = (self.file.take(), std::mem::replace(&mut self.begun, true));
        let place = self.local.place.clone();
        let act = move |target: &std::path::Path| {
            let mut file = match (file, begun) {
                (Some(file), _) => file,
                (None, false) => Unfinished::create(&place, target)?,
                (None, true) => return Err(io::Error::other("an earlier write has failed")),
            };
            action(&mut file)?;
            Ok(file)
        };
        self.local.blocking("write", &self.key, act).await
    }
}

impl Drop for LocalUpload {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // Removing it blocks; without the side runtime there is no shard that could suffer.
            match side::handle() {
                Ok(side) => drop(side.spawn_blocking(move || drop(file))),
                Err(_) => drop(file),
            }
        }
    }
}
