//! Azure Blob Storage.

use std::sync::Arc;
use std::time::Duration;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use vivace_config::blocks::object_stores::AzureStore;

use super::connector::Connector;
use super::failure::chain;
use super::{Hedge, Made, Patience, no_retries, patience};
use crate::credentials;

/// Tempo leaves retries to the library of the store; these are about that one's.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Listings of one tenant at once.
const LISTINGS: u32 = 3;

/// The store, or its name and what is wrong with its configuration.
pub(super) fn make(
    config: &AzureStore,
    change: impl Fn(&mut Patience),
) -> Result<Made, (String, String)> {
    let name = format!("azure container {}", config.container_name);
    build(config, name.clone(), change).map_err(|cause| (name, cause))
}

fn build(
    config: &AzureStore,
    name: String,
    change: impl Fn(&mut Patience),
) -> Result<Made, String> {
    let mut patience = patience(ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE);
    change(&mut patience);
    let connector = Connector::new(None, patience)?;
    let account = or_variable(&config.storage_account_name, "AZURE_STORAGE_ACCOUNT")
        .ok_or("storage_account_name is empty, and so is AZURE_STORAGE_ACCOUNT")?;
    let place = Place::of(&config.endpoint_suffix, &account);
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(&account)
        .with_container_name(&config.container_name)
        .with_endpoint(place.url)
        .with_client_options(connector.options())
        .with_retry(no_retries())
        .with_http_connector(connector);
    if config.use_federated_token {
        builder = builder.with_credential_type("workload_identity");
        for (variable, key) in [
            (
                "AZURE_FEDERATED_TOKEN_FILE",
                AzureConfigKey::FederatedTokenFile,
            ),
            ("AZURE_CLIENT_ID", AzureConfigKey::ClientId),
            ("AZURE_TENANT_ID", AzureConfigKey::AuthorityId),
            ("AZURE_AUTHORITY_HOST", AzureConfigKey::AuthorityHost),
        ] {
            if let Some(value) = credentials::variable(&[variable]) {
                builder = builder.with_config(key, value);
            }
        }
    } else if config.use_managed_identity {
        builder = builder.with_credential_type("managed_identity");
        if !config.user_assigned_id.is_empty() {
            builder = builder.with_client_id(&config.user_assigned_id);
        }
    } else {
        let key = or_variable(config.storage_account_key.reveal(), "AZURE_STORAGE_KEY").ok_or(
            "storage_account_key is empty, and so is AZURE_STORAGE_KEY; else use_managed_identity or use_federated_token must be set",
        )?;
        builder = builder
            .with_access_key(key)
            .with_credential_type("access_key");
    }
    Ok(Made {
        name,
        store: Arc::new(builder.build().map_err(|error| chain(&error))?),
        prefix: config.prefix.clone(),
        attributes: Default::default(),
        tags: Default::default(),
        part_bytes: config.buffer_size,
        // One more is being filled.
        parts_in_flight: usize::try_from(config.max_buffers).unwrap_or(usize::MAX),
        hedge: Hedge::new(config.hedge_requests_at, config.hedge_requests_up_to),
        // Emulators cannot begin a listing in the middle.
        listings: if place.emulator { 1 } else { LISTINGS },
    })
}

struct Place {
    url: String,
    emulator: bool,
}

impl Place {
    fn of(endpoint_suffix: &str, account: &str) -> Self {
        let emulator = !endpoint_suffix.starts_with("blob.");
        let url = match emulator {
            true => format!("http://{endpoint_suffix}/{account}"),
            false => format!("https://{account}.{endpoint_suffix}"),
        };
        Self { url, emulator }
    }
}

fn or_variable(value: &str, variable: &str) -> Option<String> {
    match value {
        "" => credentials::variable(&[variable]),
        value => Some(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulators_have_the_account_in_the_path() {
        let url = |suffix| Place::of(suffix, "a").url;
        assert_eq!(
            url("blob.core.windows.net"),
            "https://a.blob.core.windows.net"
        );
        assert_eq!(url("azurite:10000"), "http://azurite:10000/a");
        assert!(Place::of("azurite:10000", "a").emulator);
    }

    #[test]
    fn what_is_missing_is_named() {
        let config = AzureStore {
            container_name: "c".into(),
            storage_account_name: "a".into(),
            ..AzureStore::default()
        };
        let (name, cause) = make(&config, |_| {}).err().unwrap();
        assert_eq!(name, "azure container c");
        assert!(cause.contains("storage_account_key is empty"), "{cause}");
    }
}
