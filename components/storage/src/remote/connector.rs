//! The HTTP client below a store.

use std::sync::{Arc, Once};

use object_store::client::{ClientConfigKey, HttpClient, HttpConnector};
use object_store::{ClientOptions, Error as StoreError};
use tokio::sync::Semaphore;
use vivace_config::blocks::tls::{ClientTls, TlsVersion};

use super::failure::chain;
use super::gcs_emulator::JsonWrites;
use super::service::{Patience, Service};
use crate::limits::{CREDENTIAL_ATTEMPTS, REQUESTS_AT_ONCE};
use crate::metrics::Requests;

/// Makes clients that retry, count and check (see [`Service`]): one for the store, others for credentials.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    client: reqwest::Client,
    patience: Patience,
    at_once: Arc<Semaphore>,
    gcs_emulator: bool,
}

impl Connector {
    pub(super) fn new(tls: Option<&ClientTls>, patience: Patience) -> Result<Self, String> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Fails if the process has one already, which serves as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let mut builder = reqwest::Client::builder()
            .connect_timeout(patience.connect)
            .read_timeout(patience.stall)
            // Many requests at once are quicker over many connections.
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .tls_version_min(reqwest::tls::Version::TLS_1_2)
            .user_agent(concat!("vivace/", env!("CARGO_PKG_VERSION")));
        if let Some(tls) = tls {
            builder = with_tls(builder, tls)?;
        }
        Ok(Self {
            client: builder.build().map_err(|error| chain(&error))?,
            patience,
            at_once: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)),
            gcs_emulator: false,
        })
    }

    /// For a store that writes through Google's JSON interface only.
    pub(super) fn for_gcs_emulator(self) -> Self {
        Self {
            gcs_emulator: true,
            ..self
        }
    }

    /// The options that builders of stores get, which hand them back in [`HttpConnector::connect`].
    pub(super) fn options(&self) -> ClientOptions {
        ClientOptions::new()
            .with_allow_http(true)
            .with_connect_timeout(self.patience.connect)
    }
}

fn with_tls(
    mut builder: reqwest::ClientBuilder,
    tls: &ClientTls,
) -> Result<reqwest::ClientBuilder, String> {
    let read =
        |path: &str| std::fs::read(path).map_err(|error| format!("cannot read {path}: {error}"));
    if !tls.tls_ca_path.is_empty() {
        let certificates = reqwest::Certificate::from_pem_bundle(&read(&tls.tls_ca_path)?)
            .map_err(|error| format!("{}: {}", tls.tls_ca_path, chain(&error)))?;
        builder = builder.tls_certs_only(certificates);
    }
    if !tls.tls_cert_path.is_empty() || !tls.tls_key_path.is_empty() {
        let mut pem = read(&tls.tls_cert_path)?;
        pem.push(b'\n');
        pem.extend(read(&tls.tls_key_path)?);
        let identity = reqwest::Identity::from_pem(&pem).map_err(|error| {
            let (cert, key) = (&tls.tls_cert_path, &tls.tls_key_path);
            format!("{cert} and {key}: {}", chain(&error))
        })?;
        builder = builder.identity(identity);
    }
    if tls.tls_insecure_skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if tls.tls_min_version == TlsVersion::Tls13 {
        builder = builder.tls_version_min(reqwest::tls::Version::TLS_1_3);
    }
    Ok(builder)
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> Result<HttpClient, StoreError> {
        let key = ClientConfigKey::ConnectTimeout;
        // Builders shorten it for the machine's own service of credentials, which answers at once or is not there.
        let for_store = options.get_config_value(&key) == self.options().get_config_value(&key);
        let mut patience = self.patience.clone();
        if !for_store {
            patience.attempts = patience.attempts.min(CREDENTIAL_ATTEMPTS);
        }
        let requests = for_store.then(Requests::new);
        let mut client = HttpClient::new(self.client.clone());
        if self.gcs_emulator {
            client = HttpClient::new(JsonWrites::new(client));
        }
        let service = Service::new(client, patience, requests, self.at_once.clone());
        Ok(HttpClient::new(service))
    }
}
