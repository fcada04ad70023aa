//! One tenant's part of a section, made into a block in a local file.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use uuid::Uuid;
use vivace_block_writer::{Built, Options, Sink, WriteError, write_block};
use vivace_model::SpanBatch;
use vivace_shards::disk::{self, File, OpenOptions};

use crate::config::BlockOptions;
use crate::error::Error;
use crate::limits::WRITE_BYTES;

/// A finished block that is not uploaded yet: `data.parquet` in a file, the small objects in memory. The file goes
/// when [`LocalBlock::remove`] is called, or at the next start.
pub(crate) struct LocalBlock {
    pub path: PathBuf,
    pub file: File,
    pub built: Built,
}

impl LocalBlock {
    pub async fn remove(self) {
        // The next start sweeps the folder; nothing depends on this one.
        let _ = disk::remove_file(&self.path).await;
    }
}

/// Writes the block's rows to `folder/<block>.parquet`.
pub(crate) async fn build(
    folder: &Path,
    tenant: &str,
    block: Uuid,
    batches: &[SpanBatch],
    options: BlockOptions,
) -> Result<LocalBlock, Error> {
    let path = folder.join(format!("{block}.parquet"));
    let create = OpenOptions {
        read: true,
        write: true,
        create: true,
        truncate: true,
        ..OpenOptions::default()
    };
    let file = disk::open(&path, create)
        .await
        .map_err(|source| Error::Folder {
            what: "create",
            path: path.clone(),
            source,
        })?;
    let mut sink = Local {
        file: &file,
        end: 0,
        waiting: Vec::new(),
        waiting_bytes: 0,
    };
    let options = Options {
        format: options.format,
        tenant: tenant.to_owned(),
        block_id: block,
        dedicated: options.dedicated,
        row_group_bytes: options.row_group_bytes,
        zstd_level: options.zstd_level,
        bloom_false_positive: options.bloom_false_positive,
        bloom_shard_bytes: options.bloom_shard_bytes,
    };
    let built = write_block(batches, &options, &mut sink, vivace_shards::breathe).await;
    let built = match built {
        Ok(built) => sink.flush().await.map(|()| built).map_err(WriteError::Sink),
        failed => failed,
    };
    match built {
        Ok(built) => Ok(LocalBlock { path, file, built }),
        Err(error) => {
            let _ = disk::remove_file(&path).await;
            Err(match error {
                WriteError::Sink(source) => Error::Folder {
                    what: "write",
                    path,
                    source,
                },
                other => Error::Build {
                    tenant: tenant.to_owned(),
                    block,
                    why: other.to_string(),
                },
            })
        }
    }
}

/// Appends to the local file, many pages in one write. It need not be synced: until the upload is over, the log has
/// everything.
struct Local<'f> {
    file: &'f File,
    end: u64,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
}

impl Local<'_> {
    async fn flush(&mut self) -> std::io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let buffers = std::mem::take(&mut self.waiting);
        self.file.write_at(self.end, buffers).await?;
        self.end += std::mem::take(&mut self.waiting_bytes) as u64;
        Ok(())
    }
}

impl Sink for Local<'_> {
    type Error = std::io::Error;

    async fn append(&mut self, bytes: Bytes) -> Result<(), Self::Error> {
        self.waiting_bytes += bytes.len();
        self.waiting.push(bytes);
        if self.waiting_bytes >= WRITE_BYTES {
            self.flush().await?;
        }
        Ok(())
    }
}
