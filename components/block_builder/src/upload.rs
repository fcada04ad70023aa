//! A local block, object by object into the bucket; the meta comes last and makes it visible (block-format.md §1.3).

use vivace_block::BlockMeta;
use vivace_block::keys::{BlockObject, block_object};

use crate::build::LocalBlock;
use crate::limits::UPLOAD_CHUNK_BYTES;
use crate::source::{BoxError, Bucket};

/// Writes every object of the block; a block that is there already is overwritten with the same bytes.
pub(crate) async fn upload(bucket: &dyn Bucket, local: &LocalBlock) -> Result<(), BoxError> {
    let meta: &BlockMeta = &local.built.meta;
    let key = |object| block_object(&meta.tenant_id, meta.block_id, object);
    let data = key(BlockObject::Data);
    let mut stream = bucket.upload(&data).await?;
    let mut sent = 0;
    while sent < meta.size {
        let wanted = (meta.size - sent).min(UPLOAD_CHUNK_BYTES as u64) as usize;
        let chunk = local.file.read_at(sent, wanted).await?;
        if chunk.len() < wanted {
            let path = local.path.display();
            return Err(format!("{path} has become shorter than {} bytes", meta.size).into());
        }
        sent += chunk.len() as u64;
        stream.write(chunk).await?;
    }
    stream.finish().await?;
    for (number, shard) in (0..).zip(&local.built.blooms) {
        bucket
            .put(&key(BlockObject::Bloom(number)), shard.clone())
            .await?;
    }
    bucket
        .put(&key(BlockObject::Index), local.built.index.clone())
        .await?;
    bucket.put(&key(BlockObject::Meta), meta.to_json()).await
}
