//! What every store must do alike. Steps of the suite have tenants of their own, and clean up.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use vivace_block::keys::{self, BlockObject};
use vivace_config::blocks::storage::TraceStorage;
use vivace_storage::{Blocklist, Error, Poller, Storage};

use super::{Result, block_id, meta, noise};

/// Everything that needs no more than some objects.
pub async fn objects(storage: &Storage) -> Result {
    simple_objects(storage).await?;
    uploads(storage).await?;
    listings(storage).await?;
    bad_keys(storage).await?;
    life_of_a_block(storage).await
}

async fn simple_objects(storage: &Storage) -> Result {
    // All that a tenant's name may hold.
    let folder = "a!-_.*'()Z9";
    let key = &format!("{folder}/object");
    assert_eq!(storage.head(key).await?, None);
    assert!(matches!(
        storage.get(key).await.unwrap_err(),
        Error::NotFound { key: named, .. } if named == *key
    ));
    let missing = storage.get_range(key, 0..1).await.unwrap_err();
    assert!(
        missing.is_not_found() && !missing.is_retryable(),
        "{missing}"
    );
    storage.delete(key).await?;

    let bytes = noise(100_000, 1);
    storage.put(key, bytes.clone()).await?;
    assert_eq!(storage.get(key).await?, bytes);
    for range in [0..1, 0..100_000, 99_990..100_000, 5..5, 1_000..70_000] {
        let expected = bytes.slice(range.start as usize..range.end as usize);
        assert_eq!(storage.get_range(key, range).await?, expected);
    }
    for (range, there) in [(99_990..100_010, 10), (100_000..100_001, 0)] {
        match storage.get_range(key, range.clone()).await.unwrap_err() {
            Error::WrongLength { asked, got, .. } => {
                assert_eq!((asked, got), (range.end - range.start, there));
            }
            other => panic!("{other}"),
        }
    }
    let info = storage.head(key).await?.ok_or("it is there")?;
    assert_eq!(info.size, 100_000);

    let copy = &format!("{folder}/copy");
    storage.copy(key, copy).await?;
    assert_eq!(storage.get(copy).await?, bytes);
    assert!(
        storage
            .copy("nobody/nothing", copy)
            .await
            .unwrap_err()
            .is_not_found()
    );

    // Replaced, by an empty one.
    storage.put(key, Bytes::new()).await?;
    assert_eq!(storage.get(key).await?, Bytes::new());
    assert_eq!(storage.head(key).await?.ok_or("it is there")?.size, 0);
    for key in [key, copy] {
        storage.delete(key).await?;
        assert_eq!(storage.head(key).await?, None);
        storage.delete(key).await?;
    }
    Ok(())
}

async fn uploads(storage: &Storage) -> Result {
    // Nothing; less than a part; parts of 8 MiB or what the store's default is, with the last one short; exactly two of 8 MiB.
    for (n, (len, piece)) in [
        (0, 1),
        (700_000, 100_000),
        (20_000_003, 900_001),
        (16 << 20, 16 << 20),
    ]
    .into_iter()
    .enumerate()
    {
        let key = &format!("uploads/{n}");
        let bytes = noise(len, n as u64 + 7);
        let mut upload = storage.upload(key)?;
        for at in (0..len).step_by(piece) {
            upload.write(bytes.slice(at..len.min(at + piece))).await?;
        }
        assert_eq!(storage.head(key).await?, None, "visible before its end");
        upload.finish().await?;
        let info = storage.head(key).await?.ok_or("it is there")?;
        assert_eq!(info.size, len as u64);
        assert!(storage.get(key).await? == bytes, "other bytes");
        storage.delete(key).await?;
    }
    let key = "uploads/given-up";
    for len in [10, 20_000_000] {
        let mut upload = storage.upload(key)?;
        upload.write(noise(len, 1)).await?;
        upload.abort();
        assert_eq!(storage.head(key).await?, None);
    }
    // What was there stays until the upload has ended.
    storage.put(key, Bytes::from_static(b"old")).await?;
    let mut upload = storage.upload(key)?;
    upload.write(Bytes::from_static(b"new")).await?;
    assert_eq!(storage.get(key).await?, "old");
    upload.finish().await?;
    assert_eq!(storage.get(key).await?, "new");
    storage.delete(key).await?;
    Ok(())
}

async fn listings(storage: &Storage) -> Result {
    for key in ["l/b/x/1", "l/b/2", "l/a", "l/c/3", "lb/4"] {
        storage.put(key, Bytes::from_static(b"12")).await?;
    }
    assert_eq!(storage.list_folders("l/").await?, ["b", "c"]);
    let folders = storage.list_folders("").await?;
    assert!(folders.iter().any(|name| name == "l") && folders.iter().any(|name| name == "lb"));
    let listed = storage.list("l/").await?;
    let keys: Vec<&str> = listed.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["l/a", "l/b/2", "l/b/x/1", "l/c/3"]);
    assert!(listed.iter().all(|(_, info)| info.size == 2));
    assert!(storage.list("nothing/").await?.is_empty());
    assert!(storage.list_folders("nothing/").await?.is_empty());
    for (key, _) in listed {
        storage.delete(&key).await?;
    }
    storage.delete("lb/4").await?;
    Ok(())
}

async fn bad_keys(storage: &Storage) -> Result {
    for key in ["/a", "a//b", "../a", "a/../../b", "a/./b", "a\nb"] {
        let error = storage.put(key, Bytes::new()).await.unwrap_err();
        assert!(matches!(error, Error::InvalidKey { .. }), "{error}");
        assert!(storage.get(key).await.is_err());
        assert!(storage.upload(key).is_err());
        assert!(storage.list(key).await.is_err());
    }
    Ok(())
}

async fn put_block(storage: &Storage, tenant: &str, n: usize, count: usize) -> Result {
    let block = block_id(n, count);
    let key = |object| keys::block_object(tenant, block, object);
    for object in [BlockObject::Data, BlockObject::Bloom(0), BlockObject::Index] {
        let bytes = Bytes::from_static(b"content");
        storage.put(&key(object), bytes).await?;
    }
    let meta = meta(tenant, n, count).to_json();
    Ok(storage.put(&key(BlockObject::Meta), meta).await?)
}

async fn life_of_a_block(storage: &Storage) -> Result {
    let tenant = "life";
    for n in 0..4 {
        put_block(storage, tenant, n, 4).await?;
    }
    // Neither a folder of something else nor one without a meta is a block.
    let no_meta = format!("{tenant}/{}/data.parquet", block_id(1, 3));
    for key in ["life/trash/meta.json", "life/index.pb.zst", &no_meta] {
        storage.put(key, Bytes::from_static(b"x")).await?;
    }
    assert!(storage.tenants().await?.iter().any(|name| name == tenant));
    let ids = storage.block_ids(tenant).await?;
    let all: Vec<_> = (0..4).map(|n| block_id(n, 4)).collect();
    assert_eq!((ids.live, ids.compacted.len()), (all.clone(), 0));

    let block = all[2];
    assert_eq!(storage.read_meta(tenant, block).await?, meta(tenant, 2, 4));
    assert_eq!(storage.find_compacted_meta(tenant, block).await?, None);
    storage.mark_compacted(tenant, block).await?;
    storage.mark_compacted(tenant, block).await?;
    assert_eq!(storage.find_meta(tenant, block).await?, None);
    let compacted = storage.find_compacted_meta(tenant, block).await?;
    assert_eq!(compacted, Some(meta(tenant, 2, 4)));
    let ids = storage.block_ids(tenant).await?;
    assert_eq!(ids.live, [all[0], all[1], all[3]]);
    assert_eq!(ids.compacted.len(), 1);
    let age = (chrono::DateTime::UNIX_EPOCH
        + chrono::TimeDelta::nanoseconds(vivace_shards::time::unix_nanos() as i64))
        - ids.compacted[0].1;
    assert!((-5..60).contains(&age.num_seconds()), "{age}");

    storage.delete_block(tenant, block).await?;
    storage.delete_block(tenant, all[0]).await?;
    storage.delete_block(tenant, all[0]).await?;
    assert_eq!(storage.block_ids(tenant).await?.live, [all[1], all[3]]);
    let folder = keys::block_folder(tenant, all[0]);
    assert!(storage.list(&folder).await?.is_empty());
    let gone = storage.mark_compacted(tenant, all[0]).await.unwrap_err();
    assert!(gone.is_not_found(), "{gone}");

    let bad = keys::block_object(tenant, all[1], BlockObject::Meta);
    storage.put(&bad, Bytes::from_static(b"{}")).await?;
    let error = storage.read_meta(tenant, all[1]).await.unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt { key, .. } if *key == bad),
        "{error}"
    );
    for (key, _) in storage.list("life/").await? {
        storage.delete(&key).await?;
    }
    Ok(())
}

/// Puts the metas of a tenant's blocks.
pub async fn put_metas(storage: &Storage, tenant: &str, count: usize) -> Result {
    let puts = (0..count).map(|n| async move {
        let key = keys::block_object(tenant, block_id(n, count), BlockObject::Meta);
        storage.put(&key, meta(tenant, n, count).to_json()).await
    });
    let () = stream::iter(puts)
        .buffer_unordered(64)
        .try_collect()
        .await?;
    Ok(())
}

/// Polls a tenant of `count` blocks of which `unknown` are not in the list yet, from the store and from both forms of its index.
pub async fn polls(
    storage: &Storage,
    config: &TraceStorage,
    tenant: &str,
    count: usize,
    unknown: usize,
) -> Result {
    let list = Arc::new(Blocklist::new());
    // As if a poll had found them before.
    for n in unknown..count {
        list.add(meta(tenant, n, count));
    }
    let poller = Poller::new(storage.clone(), Arc::clone(&list), config, true);
    assert!(!list.is_complete());
    let began = std::time::Instant::now();
    let report = poller.poll_once().await?;
    println!(
        "{}: {count} blocks listed, {unknown} metas read, indexes written in {:?}",
        storage.name(),
        began.elapsed()
    );
    assert!(report.failed.is_empty() && list.is_complete(), "{report:?}");
    let blocks = list.snapshot(tenant);
    assert_eq!(blocks.live.len(), count);
    // Newest end first.
    for (n, found) in (0..count).rev().zip(&blocks.live) {
        assert_eq!(**found, meta(tenant, n, count));
    }

    // Somebody compacts one, deletes another.
    let (compacted, deleted) = (block_id(0, count), block_id(1, count));
    storage.mark_compacted(tenant, compacted).await?;
    storage.delete_block(tenant, deleted).await?;
    poller.poll_once().await?;
    let blocks = list.snapshot(tenant);
    assert_eq!((blocks.live.len(), blocks.compacted.len()), (count - 2, 1));
    assert_eq!(blocks.compacted[0].meta.block_id, compacted);

    // Others read what was written; without the first form, the second.
    for missing in [None, Some(keys::tenant_index_protobuf(tenant))] {
        if let Some(key) = missing {
            storage.delete(&key).await?;
        }
        let others = Arc::new(Blocklist::new());
        let mut config = config.clone();
        config.blocklist_poll_fallback = false;
        let reader = Poller::new(storage.clone(), Arc::clone(&others), &config, false);
        let began = std::time::Instant::now();
        reader.poll_once().await?;
        println!("{}: index read in {:?}", storage.name(), began.elapsed());
        assert_eq!(others.snapshot(tenant), blocks);
    }
    Ok(())
}

/// Another prefix is another world.
pub async fn prefixes(outside: &Storage, inside: &Storage, prefix: &str) -> Result {
    put_block(inside, "p", 0, 2).await?;
    put_block(outside, "p", 1, 2).await?;
    assert_eq!(inside.tenants().await?, ["p"]);
    assert_eq!(inside.block_ids("p").await?.live, [block_id(0, 2)]);
    assert_eq!(outside.block_ids("p").await?.live, [block_id(1, 2)]);
    let key = format!("p/{}/meta.json", block_id(0, 2));
    assert_eq!(
        outside.get(&format!("{prefix}/{key}")).await?,
        inside.get(&key).await?
    );
    let listed = inside.list("").await?;
    assert_eq!(listed.len(), 4, "{listed:?}");
    assert!(listed.iter().any(|(one, _)| *one == key));
    inside.mark_compacted("p", block_id(0, 2)).await?;
    inside.delete_block("p", block_id(0, 2)).await?;
    assert!(inside.list("").await?.is_empty());
    outside.delete_block("p", block_id(1, 2)).await?;
    Ok(())
}
