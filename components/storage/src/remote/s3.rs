//! Amazon S3 and its like.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{Attribute, TagSet};
use vivace_config::blocks::object_stores::{S3Store, Sse, SseKind};

use super::connector::Connector;
use super::failure::chain;
use super::{Hedge, Made, Patience, metadata, no_retries, patience};
use crate::credentials::{self, AwsKeys};
use crate::limits::PARTS_IN_FLIGHT;

const DEFAULT_REGION: &str = "us-east-1";

/// The store, or its name and what is wrong with its configuration.
pub(super) fn make(
    config: &S3Store,
    change: impl Fn(&mut Patience),
) -> Result<Made, (String, String)> {
    let name = format!("s3 bucket {}", config.bucket);
    build(config, name.clone(), change).map_err(|cause| (name, cause))
}

fn build(config: &S3Store, name: String, change: impl Fn(&mut Patience)) -> Result<Made, String> {
    let mut patience = patience(
        config.retry_max_attempts,
        config.retry_backoff_initial.as_std(),
        config.retry_backoff_max.as_std(),
    );
    change(&mut patience);
    let connector = Connector::new(Some(&config.tls), patience)?;
    let place = Place::of(config)?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&place.region)
        .with_virtual_hosted_style_request(place.bucket_in_host)
        .with_client_options(connector.options())
        .with_retry(no_retries())
        // One request an object, as every store of this kind understands it.
        .with_disable_bulk_delete(true)
        .with_http_connector(connector);
    if let Some(url) = &place.url {
        builder = builder.with_endpoint(url);
    }
    builder = with_credentials(builder, config)?;
    builder = with_encryption(builder, &config.sse)?;
    let mut attributes = metadata(&config.metadata);
    if !config.storage_class.is_empty() {
        let class = config.storage_class.clone().into();
        attributes.insert(Attribute::StorageClass, class);
    }
    let mut tags = TagSet::default();
    for (key, value) in &config.tags {
        tags.push(key, value);
    }
    Ok(Made {
        name,
        store: Arc::new(builder.build().map_err(|error| chain(&error))?),
        prefix: config.prefix.clone(),
        attributes,
        tags,
        part_bytes: config.part_size,
        parts_in_flight: PARTS_IN_FLIGHT,
        hedge: Hedge::new(config.hedge_requests_at, config.hedge_requests_up_to),
        listings: config.list_blocks_concurrency,
    })
}

/// Where a bucket is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    region: String,
    /// None: that of the region at Amazon.
    url: Option<String>,
    bucket_in_host: bool,
}

impl Place {
    fn of(config: &S3Store) -> Result<Self, String> {
        let endpoint = config.endpoint.trim_end_matches('/');
        if endpoint.contains("://") || endpoint.contains('/') {
            return Err(format!(
                "endpoint {:?} must be a host, with a port where needed; `insecure` says whether it speaks plain HTTP",
                config.endpoint
            ));
        }
        let at_amazon = is_amazon(endpoint);
        let region = [config.region.as_str(), region_of(endpoint)]
            .into_iter()
            .find(|region| !region.is_empty())
            .map(str::to_owned)
            .or_else(|| credentials::variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
            .unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let bucket_in_host = match (config.bucket_lookup_type, config.forcepathstyle) {
            (_, true) | (2, _) => false,
            (1, _) => true,
            // A name with dots does not match a certificate of all buckets.
            (0, _) => {
                let fits = config.insecure || !config.bucket.contains('.');
                fits && (at_amazon || endpoint.ends_with(".aliyuncs.com"))
            }
            (other, _) => {
                return Err(format!(
                    "bucket_lookup_type {other}: 0 (by host), 1 (bucket in the host name) and 2 (in the path) are known"
                ));
            }
        };
        let host = match (at_amazon, config.enable_dual_stack) {
            (true, true) => format!("s3.dualstack.{region}.amazonaws.com"),
            (true, false) if endpoint.is_empty() || endpoint == "s3.amazonaws.com" => {
                format!("s3.{region}.amazonaws.com")
            }
            _ => endpoint.to_owned(),
        };
        let scheme = if config.insecure { "http" } else { "https" };
        let url = match bucket_in_host {
            true => format!("{scheme}://{}.{host}", config.bucket),
            false => format!("{scheme}://{host}"),
        };
        Ok(Self {
            region,
            url: Some(url),
            bucket_in_host,
        })
    }
}

fn is_amazon(endpoint: &str) -> bool {
    let host = endpoint.split(':').next().unwrap_or(endpoint);
    host.is_empty() || host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

/// The region in `s3.eu-west-1.amazonaws.com` and its forms; empty if there is none.
fn region_of(endpoint: &str) -> &str {
    let host = endpoint.split(':').next().unwrap_or(endpoint);
    let Some(host) = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"))
    else {
        return "";
    };
    let host = host
        .strip_prefix("s3.dualstack.")
        .or_else(|| host.strip_prefix("s3-fips."))
        .or_else(|| host.strip_prefix("s3."))
        .or_else(|| host.strip_prefix("s3-"))
        .unwrap_or("");
    if host.contains('.') { "" } else { host }
}

fn with_credentials(
    mut builder: AmazonS3Builder,
    config: &S3Store,
) -> Result<AmazonS3Builder, String> {
    let keys = match (config.access_key.is_empty(), config.secret_key.is_empty()) {
        (true, true) => credentials::aws_keys()?,
        (false, false) => Some(AwsKeys {
            access_key: config.access_key.clone(),
            secret_key: config.secret_key.reveal().to_owned(),
            session_token: config.session_token.reveal().to_owned(),
        }),
        _ => return Err("access_key and secret_key must be set together".to_owned()),
    };
    if let Some(keys) = keys {
        builder = builder
            .with_access_key_id(keys.access_key)
            .with_secret_access_key(keys.secret_key);
        if !keys.session_token.is_empty() {
            builder = builder.with_token(keys.session_token);
        }
        return Ok(builder);
    }
    use AmazonS3ConfigKey as Key;
    for (variable, key) in [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", Key::WebIdentityTokenFile),
        ("AWS_ROLE_ARN", Key::RoleArn),
        ("AWS_ROLE_SESSION_NAME", Key::RoleSessionName),
        ("AWS_ENDPOINT_URL_STS", Key::StsEndpoint),
        (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            Key::ContainerCredentialsRelativeUri,
        ),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            Key::ContainerCredentialsFullUri,
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            Key::ContainerAuthorizationTokenFile,
        ),
        ("AWS_METADATA_ENDPOINT", Key::MetadataEndpoint),
    ] {
        if let Some(value) = credentials::variable(&[variable]) {
            builder = builder.with_config(key, value);
        }
    }
    Ok(builder)
}

fn with_encryption(builder: AmazonS3Builder, sse: &Sse) -> Result<AmazonS3Builder, String> {
    let set = |builder: AmazonS3Builder, key: &str, value: &str| {
        let key: AmazonS3ConfigKey = key.parse().map_err(|error| chain(&error))?;
        Ok::<_, String>(builder.with_config(key, value))
    };
    match sse.kind {
        SseKind::Unset => Ok(builder),
        SseKind::S3 => set(builder, "aws_server_side_encryption", "AES256"),
        SseKind::Kms => {
            let builder = set(builder, "aws_server_side_encryption", "aws:kms")?;
            match sse.kms_key_id.as_str() {
                "" => Ok(builder),
                id => set(builder, "aws_sse_kms_key_id", id),
            }
        }
        SseKind::Customer => {
            let key = sse.encryption_key.reveal();
            if key.len() != 32 {
                return Err(format!(
                    "sse.encryption_key has {} bytes, it must have 32",
                    key.len()
                ));
            }
            Ok(builder.with_ssec_encryption(BASE64_STANDARD.encode(key)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivace_config::types::Secret;

    fn place(change: impl Fn(&mut S3Store)) -> (String, String, bool) {
        let mut config = S3Store {
            bucket: "b".into(),
            ..S3Store::default()
        };
        change(&mut config);
        let place = Place::of(&config).unwrap();
        (place.url.unwrap(), place.region, place.bucket_in_host)
    }

    fn expect(url: &str, region: &str, bucket_in_host: bool) -> (String, String, bool) {
        (url.to_owned(), region.to_owned(), bucket_in_host)
    }

    #[test]
    fn where_buckets_are() {
        assert_eq!(
            place(|c| c.endpoint = "minio:9000".into()),
            expect("https://minio:9000", "us-east-1", false)
        );
        assert_eq!(
            place(|c| {
                c.endpoint = "minio:9000".into();
                c.insecure = true;
                c.bucket_lookup_type = 1;
                c.region = "r".into();
            }),
            expect("http://b.minio:9000", "r", true)
        );
        assert_eq!(
            place(|c| c.endpoint = "s3.eu-west-1.amazonaws.com".into()),
            expect("https://b.s3.eu-west-1.amazonaws.com", "eu-west-1", true)
        );
        assert_eq!(
            place(|c| {
                c.endpoint = "s3.dualstack.us-west-2.amazonaws.com".into();
                c.forcepathstyle = true;
            }),
            expect(
                "https://s3.dualstack.us-west-2.amazonaws.com",
                "us-west-2",
                false
            )
        );
        assert_eq!(
            place(|c| c.region = "eu-central-1".into()),
            expect(
                "https://b.s3.eu-central-1.amazonaws.com",
                "eu-central-1",
                true
            )
        );
        assert_eq!(
            place(|c| {
                c.bucket = "a.b".into();
                c.enable_dual_stack = true;
                c.region = "r".into();
            }),
            expect("https://s3.dualstack.r.amazonaws.com", "r", false)
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |change: fn(&mut S3Store)| {
            let mut config = S3Store {
                bucket: "b".into(),
                access_key: "a".into(),
                secret_key: Secret::new("s"),
                ..S3Store::default()
            };
            change(&mut config);
            make(&config, |_| {}).err().unwrap().1
        };
        assert!(refused(|c| c.endpoint = "http://minio".into()).contains("must be a host"));
        assert!(refused(|c| c.bucket_lookup_type = 3).contains("bucket_lookup_type 3"));
        let key = refused(|c| {
            c.sse.kind = SseKind::Customer;
            c.sse.encryption_key = Secret::new("short");
        });
        assert_eq!(key, "sse.encryption_key has 5 bytes, it must have 32");
        assert!(refused(|c| c.tls.tls_ca_path = "/nowhere/ca".into()).contains("/nowhere/ca"));
        assert!(refused(|c| c.access_key.clear()).contains("together"));
    }
}
