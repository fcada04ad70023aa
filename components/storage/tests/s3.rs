//! What only S3 has: encryption, classes and tags of objects, and TLS.

mod support;

use std::sync::Arc;

use bytes::Bytes;
use support::proxy::Proxy;
use support::servers::Server;
use support::{Result, noise, on_shard};
use vivace_config::blocks::object_stores::{S3Store, SseKind};
use vivace_config::types::Secret;
use vivace_storage::{Error, Storage};

/// Writes, copies and reads through a proxy; returns the heads of the requests.
async fn heads(server: &Server, change: impl Fn(&mut S3Store)) -> Result<Vec<String>> {
    let proxy = Proxy::start(server.address)?;
    let mut config = server.config(proxy.address);
    change(&mut config.s3);
    let storage = Storage::open(&config)?;
    storage.put("small", Bytes::from_static(b"x")).await?;
    let mut upload = storage.upload("large")?;
    upload.write(noise(9 << 20, 1)).await?;
    upload.finish().await?;
    assert_eq!(storage.get("small").await?, "x");
    storage.copy("small", "copy").await?;
    Ok(proxy.seen())
}

fn with<'a>(heads: &'a [String], line: &str) -> Vec<&'a str> {
    let lines = heads.iter().map(String::as_str);
    lines.filter(|head| head.starts_with(line)).collect()
}

async fn properties_of_objects(server: &Server) -> Result {
    let seen = heads(server, |s3| {
        s3.storage_class = "STANDARD_IA".into();
        s3.tags.insert("team".into(), "a b".into());
        s3.metadata.insert("owner".into(), "me".into());
        s3.sse.kind = SseKind::Kms;
        s3.sse.kms_key_id = "the-key".into();
    })
    .await?;
    let small = with(&seen, "PUT /traces/small ");
    let begun = with(&seen, "POST /traces/large?uploads");
    for head in [small[0], begun[0]] {
        let head = head.to_ascii_lowercase();
        for line in [
            "x-amz-storage-class: standard_ia",
            "x-amz-tagging: team=a+b",
            "x-amz-meta-owner: me",
            "x-amz-server-side-encryption: aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id: the-key",
        ] {
            assert!(head.contains(line), "{line} in {head}");
        }
    }
    assert_eq!(with(&seen, "PUT /traces/large?partNumber=").len(), 2);

    let seen = heads(server, |s3| {
        s3.sse.kind = SseKind::Customer;
        s3.sse.encryption_key = Secret::new("0123456789abcdef0123456789abcdef");
    })
    .await?;
    // The store keeps no such key: it is needed to read, too.
    for line in [
        "PUT /traces/small ",
        "GET /traces/small ",
        "PUT /traces/copy ",
    ] {
        let head = with(&seen, line)[0].to_ascii_lowercase();
        assert!(
            head.contains("x-amz-server-side-encryption-customer-key: mdey"),
            "{head}"
        );
    }
    let seen = heads(server, |s3| s3.sse.kind = SseKind::S3).await?;
    let head = with(&seen, "PUT /traces/small ")[0].to_ascii_lowercase();
    assert!(
        head.contains("x-amz-server-side-encryption: aes256"),
        "{head}"
    );
    Ok(())
}

#[test]
fn objects_get_the_properties_that_are_configured() -> Result {
    let Some(server) = Server::s3(1)?.map(Arc::new) else {
        return Ok(());
    };
    on_shard(move || {
        let server = Arc::clone(&server);
        async move { properties_of_objects(&server).await }
    });
    Ok(())
}

#[test]
fn certificates_are_checked() -> Result {
    let folder = tempfile::tempdir()?;
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let certificate = folder.path().join("certificate.pem");
    let key = folder.path().join("key.pem");
    std::fs::write(&certificate, certified.cert.pem())?;
    std::fs::write(&key, certified.signing_key.serialize_pem())?;
    let Some(server) = Server::s3_over_tls([&certificate, &key])?.map(Arc::new) else {
        return Ok(());
    };
    on_shard(move || {
        let (server, certificate) = (Arc::clone(&server), certificate.clone());
        async move {
            let mut config = server.config(server.address);
            config.s3.insecure = false;
            config.s3.retry_max_attempts = 1;
            let unknown = Storage::open(&config)?.tenants().await.unwrap_err();
            assert!(matches!(unknown, Error::Unavailable { .. }), "{unknown}");
            assert!(
                unknown.to_string().to_lowercase().contains("certificate"),
                "{unknown}"
            );

            config.s3.tls.tls_insecure_skip_verify = true;
            assert!(Storage::open(&config)?.tenants().await?.is_empty());

            config.s3.tls.tls_insecure_skip_verify = false;
            config.s3.tls.tls_ca_path = certificate.to_str().unwrap().to_owned();
            let storage = Storage::open(&config)?;
            storage
                .put("t/object", Bytes::from_static(b"secret"))
                .await?;
            assert_eq!(storage.get("t/object").await?, "secret");
            Ok(())
        }
    });
    Ok(())
}
