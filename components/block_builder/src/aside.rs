//! Records that this version cannot decode: kept as files, since the log is going to delete them.

use std::path::Path;

use bytes::Bytes;
use vivace_shards::disk::{self, OpenOptions};

use crate::error::Error;
use crate::limits::ASIDE_BYTES;

/// Name of the folder, beside the local blocks.
const FOLDER: &str = "undecodable";

pub(crate) struct Aside<'f> {
    pub folder: &'f Path,
    pub partition: u32,
    pub offset: u64,
}

impl Aside<'_> {
    /// Writes the payload to a file of its own, unless too much has been put aside already.
    pub async fn keep(&self, payload: Bytes, why: &str) -> Result<(), Error> {
        let folder = self.folder.join(FOLDER);
        let path = folder.join(format!("{:05}-{:020}.record", self.partition, self.offset));
        let failed = |what| {
            let path = path.clone();
            move |source| Error::Folder { what, path, source }
        };
        disk::create_dir_all(&folder)
            .await
            .map_err(failed("create the folder of"))?;
        let entries = disk::read_dir(&folder)
            .await
            .map_err(failed("list the folder of"))?;
        let kept: u64 = entries.iter().map(|entry| entry.len).sum();
        let room = kept + payload.len() as u64 <= ASIDE_BYTES;
        tracing::error!(
            partition = self.partition,
            offset = self.offset,
            bytes = payload.len(),
            file = %path.display(),
            kept = room,
            why,
            "a record of the ingest log cannot be decoded and goes into no block"
        );
        if !room {
            return Ok(());
        }
        let create = OpenOptions {
            write: true,
            create: true,
            truncate: true,
            ..OpenOptions::default()
        };
        let file = disk::open(&path, create).await.map_err(failed("create"))?;
        file.write_and_sync_at(0, vec![payload])
            .await
            .map_err(failed("write"))?;
        disk::sync_dir(&folder)
            .await
            .map_err(failed("sync the folder of"))
    }
}
