//! Google Cloud Storage.

use std::sync::Arc;
use std::time::Duration;

use object_store::Attribute;
use object_store::gcp::GoogleCloudStorageBuilder;
use vivace_config::blocks::object_stores::GcsStore;
use vivace_config::blocks::tls::ClientTls;

use super::connector::Connector;
use super::failure::chain;
use super::{Hedge, Made, Patience, metadata, no_retries, patience};
use crate::credentials;
use crate::limits::PARTS_IN_FLIGHT;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The store, or its name and what is wrong with its configuration.
pub(super) fn make(
    config: &GcsStore,
    change: impl Fn(&mut Patience),
) -> Result<Made, (String, String)> {
    let name = format!("gcs bucket {}", config.bucket_name);
    build(config, name.clone(), change).map_err(|cause| (name, cause))
}

fn build(config: &GcsStore, name: String, change: impl Fn(&mut Patience)) -> Result<Made, String> {
    let attempts = config.max_retries.saturating_add(1);
    let mut patience = patience(attempts, FIRST_PAUSE, LONGEST_PAUSE);
    change(&mut patience);
    let tls = ClientTls {
        tls_insecure_skip_verify: config.insecure,
        ..ClientTls::default()
    };
    let mut connector = Connector::new(Some(&tls), patience)?;
    // Google itself answers nothing without credentials, so this is an emulator.
    let emulator = config.insecure && !config.endpoint.is_empty();
    if emulator {
        connector = connector.for_gcs_emulator();
    }
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&config.bucket_name)
        .with_client_options(connector.options())
        .with_retry(no_retries())
        .with_http_connector(connector);
    if let Some(url) = base_url(&config.endpoint, config.insecure) {
        builder = builder.with_base_url(&url);
    }
    if config.insecure {
        // A token that is not sent keeps it from looking for credentials.
        builder = builder.with_bearer_token("").with_skip_signature(true);
    } else if let Some(path) = credentials::variable(&["GOOGLE_APPLICATION_CREDENTIALS"]) {
        builder = builder.with_application_credentials(path);
    }
    let mut attributes = metadata(&config.object_metadata);
    if !config.object_cache_control.is_empty() {
        let control = config.object_cache_control.clone().into();
        attributes.insert(Attribute::CacheControl, control);
    }
    Ok(Made {
        name,
        store: Arc::new(builder.build().map_err(|error| chain(&error))?),
        prefix: config.prefix.clone(),
        attributes,
        tags: Default::default(),
        part_bytes: config.chunk_buffer_size,
        parts_in_flight: PARTS_IN_FLIGHT,
        hedge: Hedge::new(config.hedge_requests_at, config.hedge_requests_up_to),
        // Emulators cannot begin a listing in the middle.
        listings: match emulator {
            true => 1,
            false => config.list_blocks_concurrency,
        },
    })
}

/// Scheme and host of an endpoint, which may name the path of the JSON interface (`/storage/v1/`): ours is the XML one at the root.
fn base_url(endpoint: &str, insecure: bool) -> Option<String> {
    if endpoint.is_empty() {
        return None;
    }
    let usual = if insecure { "http" } else { "https" };
    let (scheme, rest) = endpoint.split_once("://").unwrap_or((usual, endpoint));
    let host = rest.split('/').next().unwrap_or(rest);
    Some(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_emulators() {
        let url = |endpoint, insecure| base_url(endpoint, insecure).unwrap_or_default();
        assert_eq!(url("", true), "");
        assert_eq!(url("gcs:4443", true), "http://gcs:4443");
        assert_eq!(url("gcs:4443", false), "https://gcs:4443");
        assert_eq!(
            url("https://gcs:4443/storage/v1/", true),
            "https://gcs:4443"
        );
    }
}
