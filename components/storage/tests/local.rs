//! The suite on a folder, and what is special about one.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use support::{Result, meta, on_shard, scratch, suite};
use vivace_config::blocks::object_stores::StoreKind;
use vivace_config::blocks::storage::TraceStorage;
use vivace_storage::{Error, Storage};

fn config(folder: &Path) -> TraceStorage {
    let mut config = TraceStorage {
        backend: StoreKind::Local,
        ..TraceStorage::default()
    };
    config.local.path = folder.join("bucket").to_str().unwrap().to_owned();
    config
}

fn on_folder<F, Fut>(test: F)
where
    F: Fn(Storage, Arc<tempfile::TempDir>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result> + 'static,
{
    within(tempfile::tempdir().unwrap(), test);
}

fn within<F, Fut>(folder: tempfile::TempDir, test: F)
where
    F: Fn(Storage, Arc<tempfile::TempDir>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result> + 'static,
{
    let folder = Arc::new(folder);
    on_shard(move || {
        let storage = Storage::open(&config(folder.path())).unwrap();
        test(storage, Arc::clone(&folder))
    });
}

/// All names below a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.display().to_string());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

#[test]
fn objects() {
    on_folder(|storage, folder| async move {
        assert!(
            storage.tenants().await?.is_empty(),
            "the folder is not there yet"
        );
        suite::objects(&storage).await?;
        let left = names(folder.path());
        assert!(
            !left.iter().any(|name| name.contains("unfinished")),
            "{left:?}"
        );
        Ok(())
    });
}

#[test]
fn ten_thousand_blocks() {
    within(scratch().unwrap(), |storage, folder| async move {
        // Synced for good one by one, they would take a minute on some disks.
        for n in 0..10_000 {
            let meta = meta("many", n, 10_000);
            let block = folder
                .path()
                .join("bucket/many")
                .join(meta.block_id.to_string());
            std::fs::create_dir_all(&block)?;
            std::fs::write(block.join("meta.json"), meta.to_json())?;
        }
        suite::polls(&storage, &config(folder.path()), "many", 10_000, 10_000).await
    });
}

#[test]
fn folders_are_for_their_owner() {
    on_folder(|storage, folder| async move {
        storage.put("t/b/object", Bytes::from_static(b"x")).await?;
        for path in ["bucket", "bucket/t", "bucket/t/b"] {
            let mode = std::fs::metadata(folder.path().join(path))?
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o700, "{path}");
        }
        Ok(())
    });
}

#[test]
fn what_a_crash_left_is_no_object() {
    on_folder(|storage, folder| async move {
        storage.put("t/one", Bytes::from_static(b"x")).await?;
        let left = folder.path().join("bucket/t/.unfinished-1-0");
        std::fs::write(&left, "half")?;
        assert_eq!(storage.list("").await?.len(), 1);
        // A folder is no object either.
        assert!(storage.get("t").await.unwrap_err().is_not_found());
        assert_eq!(storage.head("t").await?, None);
        assert!(storage.get("t/one/two").await.is_err());
        Ok(())
    });
}

#[test]
fn a_place_that_cannot_be_is_told() {
    on_folder(|_, folder| async move {
        std::fs::write(folder.path().join("bucket"), "a file")?;
        let storage = Storage::open(&config(folder.path()))?;
        let error = storage.put("a/b", Bytes::new()).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains("local store"), "{error}");
        Ok(())
    });
}

#[test]
fn a_future_that_is_dropped_leaves_nothing() {
    on_folder(|storage, folder| async move {
        for _ in 0..20 {
            let mut upload = storage.upload("t/object")?;
            upload.write(Bytes::from_static(b"x")).await?;
            let given_up = {
                let mut write = std::pin::pin!(upload.write(Bytes::from_static(b"y")));
                futures_util::poll!(write.as_mut()).is_pending()
            };
            if given_up {
                // The call has taken the file along.
                assert!(upload.finish().await.is_err());
            }
        }
        let began = std::time::Instant::now();
        while names(folder.path())
            .iter()
            .any(|name| name.contains("unfinished"))
        {
            assert!(began.elapsed().as_secs() < 10);
            vivace_shards::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(storage.list("").await?.is_empty());
        Ok(())
    });
}
