//! The same suite against real servers: S3 (moto), Google Cloud Storage (fake-gcs-server) and Azure (Azurite), then with a proxy
//! before each that does harm.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use support::proxy::{Harm, Proxy};
use support::servers::{Server, set_hedging, set_prefix};
use support::{Result, noise, on_shard, suite};
use vivace_config::blocks::object_stores::StoreKind;
use vivace_config::types::millis;
use vivace_storage::{Error, Patience, Storage};

/// Blocks of the tenant that has many.
const MANY: usize = 10_000;

fn hasty(patience: &mut Patience) {
    patience.attempts = 3;
    patience.first_pause = Duration::from_millis(20);
    patience.longest_pause = Duration::from_millis(40);
    patience.attempt = Duration::from_secs(2);
}

/// Metas that the first poll reads; the others it knows already, since emulators need some milliseconds for each.
const UNKNOWN: usize = 500;

async fn suite(server: &Server) -> Result {
    let config = server.config(server.address);
    let storage = Storage::open(&config)?;
    let began = Instant::now();
    let done = |what: &str| println!("{}: {what} after {:?}", storage.name(), began.elapsed());
    suite::objects(&storage).await?;
    done("objects");
    let mut within = config.clone();
    set_prefix(&mut within, "/some/where/");
    let inside = Storage::open(&within)?;
    suite::prefixes(&storage, &inside, "some/where").await?;
    done("prefixes");
    suite::polls(&storage, &config, "many", MANY, UNKNOWN).await?;
    done("polls");
    harm(server).await?;
    done("harm");
    no_bucket(server).await
}

/// How a store's protocol writes, and deletes: method and a part of the path.
fn methods(kind: StoreKind, key: &str) -> (&'static str, (&'static str, String)) {
    match kind {
        // Emulators of it write through the JSON interface.
        StoreKind::Gcs => ("POST", ("DELETE", key.to_owned())),
        // Deletes come in batches.
        StoreKind::Azure => ("PUT", ("POST", "comp=batch".to_owned())),
        _ => ("PUT", ("DELETE", key.to_owned())),
    }
}

async fn harm(server: &Server) -> Result {
    let proxy = Proxy::start(server.address)?;
    let config = server.config(proxy.address);
    let storage = Storage::open_with(&config, hasty)?;
    let bytes = noise(300_000, 3);
    let key = "harm/object";
    let (write, (delete, deleted)) = methods(server.kind, key);

    // A write is tried again: refused, done without an answer.
    proxy.harm(write, key, Harm::Status(503), 1);
    proxy.harm(write, key, Harm::LostAnswer, 1);
    storage.put(key, bytes.clone()).await?;
    assert_eq!(proxy.calm(), 0);

    // So is a read: refused, too many, cut in the middle, shorter than it must be.
    for harm in [
        Harm::Status(500),
        Harm::Status(429),
        Harm::Cut,
        Harm::LostAnswer,
    ] {
        proxy.harm("GET", key, harm, 2);
        assert!(storage.get(key).await? == bytes);
        assert_eq!(proxy.calm(), 0);
    }
    for harm in [Harm::Half, Harm::Cut] {
        proxy.harm("GET", key, harm, 2);
        let range = storage.get_range(key, 1_000..200_000).await?;
        assert!(range == bytes.slice(1_000..200_000));
        assert_eq!(proxy.calm(), 0);
    }

    // An answer that does not come is not waited for.
    proxy.harm("GET", key, Harm::Late(Duration::from_secs(20)), 1);
    let began = Instant::now();
    assert!(storage.get(key).await? == bytes);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );

    // In the end it fails, and says so.
    proxy.harm("GET", key, Harm::Status(503), 3);
    let error = storage.get(key).await.unwrap_err();
    let text = error.to_string();
    assert!(error.is_retryable(), "{text}");
    for part in [&*storage.name(), key, "503", "3 attempts"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(proxy.calm(), 0);
    proxy.harm("GET", key, Harm::Half, 3);
    let error = storage.get_range(key, 0..100).await.unwrap_err();
    assert!(error.to_string().contains("answer of 50 bytes"), "{error}");
    proxy.calm();
    proxy.harm("GET", key, Harm::Status(403), 1);
    let error = storage.get(key).await.unwrap_err();
    assert!(matches!(error, Error::Permission { .. }), "{error}");
    assert_eq!(proxy.calm(), 0);
    proxy.harm(write, key, Harm::Status(400), 1);
    let refused = storage.put(key, bytes.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::Refused { .. }), "{refused}");
    assert!(!refused.is_retryable());

    // Deleting again what was deleted without an answer.
    proxy.harm(delete, &deleted, Harm::LostAnswer, 1);
    storage.delete(key).await?;
    assert_eq!(proxy.calm(), 0);

    harmed_uploads(&storage, &proxy, write).await?;
    hedging(server, &proxy).await
}

async fn harmed_uploads(storage: &Storage, proxy: &Proxy, write: &'static str) -> Result {
    let key = "harm/upload";
    let bytes = noise(18 << 20, 4);
    proxy.harm(write, key, Harm::Status(503), 2);
    proxy.harm(write, key, Harm::LostAnswer, 1);
    let mut upload = storage.upload(key)?;
    upload.write(bytes.clone()).await?;
    upload.finish().await?;
    assert_eq!(proxy.calm(), 0);
    assert!(storage.get(key).await? == bytes);
    storage.delete(key).await?;

    // No part gets through: nothing is there, and it can be done again.
    proxy.harm(write, key, Harm::Status(503), usize::MAX);
    let mut upload = storage.upload(key)?;
    let error = match upload.write(bytes.clone()).await {
        Ok(()) => upload.finish().await.unwrap_err(),
        Err(error) => {
            // It cannot go on.
            assert!(upload.write(Bytes::from_static(b"x")).await.is_err());
            assert!(upload.finish().await.is_err());
            error
        }
    };
    assert!(error.is_retryable(), "{error}");
    proxy.calm();
    assert_eq!(storage.head(key).await?, None);
    let mut upload = storage.upload(key)?;
    upload.write(bytes.clone()).await?;
    upload.finish().await?;
    assert!(storage.get(key).await? == bytes);
    storage.delete(key).await?;
    Ok(())
}

async fn hedging(server: &Server, proxy: &Proxy) -> Result {
    let mut config = server.config(proxy.address);
    set_hedging(&mut config, millis(200));
    let storage = Storage::open(&config)?;
    let key = "harm/hedged";
    storage.put(key, Bytes::from_static(b"quick")).await?;
    proxy.harm("GET", key, Harm::Late(Duration::from_secs(15)), 1);
    let began = Instant::now();
    assert_eq!(storage.get_range(key, 0..5).await?, "quick");
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    let text = vivace_shards::metrics::render();
    let hedged = text
        .lines()
        .find_map(|line| line.strip_prefix("tempodb_backend_hedged_roundtrips_total "));
    assert_ne!(hedged.ok_or("no such metric")?, "0");
    let observed = |operation: &str, status: &str| {
        let labels = format!(r#"{{operation="{operation}",status_code="{status}",le="0.005"}}"#);
        text.contains(&format!(
            "tempodb_backend_request_duration_seconds_bucket{labels}"
        ))
    };
    assert!(observed("GET", "200") && observed("GET", "503") && observed("GET", "error"));
    storage.delete(key).await?;
    Ok(())
}

async fn no_bucket(server: &Server) -> Result {
    let mut config = server.config(server.address);
    for bucket in [
        &mut config.s3.bucket,
        &mut config.gcs.bucket_name,
        &mut config.azure.container_name,
    ] {
        *bucket = "nowhere".into();
    }
    let storage = Storage::open_with(&config, hasty)?;
    let error = storage.tenants().await.unwrap_err();
    // This emulator answers 500, since it lacks the folder.
    let is_told = server.kind == StoreKind::Gcs || matches!(error, Error::Config { .. });
    assert!(is_told, "{error}");
    Ok(())
}

fn run(server: Option<Server>) {
    let Some(server) = server.map(Arc::new) else {
        return;
    };
    on_shard(move || {
        let server = Arc::clone(&server);
        async move { suite(&server).await }
    });
}

#[test]
fn s3() -> Result {
    run(Server::s3(MANY)?);
    Ok(())
}

#[test]
fn gcs() -> Result {
    run(Server::gcs(MANY)?);
    Ok(())
}

#[test]
fn azure() -> Result {
    run(Server::azure(MANY)?);
    Ok(())
}
