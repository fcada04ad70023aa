//! TLS configuration for servers and clients, from the keys of Tempo's YAML (configuration.md section 12) to rustls.
//!
//! Files are read when a configuration is built, at start, before there is traffic: plain blocking reads. TLS 1.2 and 1.3
//! are spoken; older versions, which Tempo's settings can name, are not, and a `min_version` of 1.0 or 1.1 means 1.2.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
};

/// Where a PEM text comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// A file.
    File(PathBuf),
    /// The text itself.
    Inline(String),
}

impl std::fmt::Debug for Pem {
    /// Says where from, never what: it may be a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline(_) => f.write_str("Inline(..)"),
        }
    }
}

/// What a server asks of its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// `NoClientCert`.
    #[default]
    None,
    /// `RequestClientCert`: asked for, neither needed nor checked.
    Request,
    /// `RequireAnyClientCert`: needed, not checked against an authority.
    RequireAny,
    /// `VerifyClientCertIfGiven`.
    VerifyIfGiven,
    /// `RequireAndVerifyClientCert`.
    RequireAndVerify,
}

impl ClientAuth {
    /// The type of a `client_auth_type` value. Empty means none.
    pub fn parse(value: &str) -> Result<Self, Error> {
        Ok(match value {
            "" | "NoClientCert" => Self::None,
            "RequestClientCert" => Self::Request,
            "RequireAnyClientCert" => Self::RequireAny,
            "VerifyClientCertIfGiven" => Self::VerifyIfGiven,
            "RequireAndVerifyClientCert" => Self::RequireAndVerify,
            other => return Err(Error::ClientAuth(other.to_owned())),
        })
    }
}

/// The lowest version spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl MinVersion {
    /// The version of a `tls_min_version` (`VersionTLS12`) or collector (`1.2`) value.
    pub fn parse(value: &str) -> Result<Self, Error> {
        Ok(match value {
            "" | "VersionTLS12" | "1.2" => Self::Tls12,
            "VersionTLS13" | "1.3" => Self::Tls13,
            "VersionTLS10" | "1.0" | "VersionTLS11" | "1.1" => {
                tracing::warn!(value, "TLS before 1.2 is not spoken; the minimum is 1.2");
                Self::Tls12
            }
            other => return Err(Error::Version(other.to_owned())),
        })
    }

    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static ALL: [&SupportedProtocolVersion; 2] =
            [&rustls::version::TLS13, &rustls::version::TLS12];
        match self {
            Self::Tls12 => &ALL,
            Self::Tls13 => &ALL[..1],
        }
    }
}

/// Why a TLS configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A PEM text that cannot be read or holds nothing of its kind.
    #[error("cannot read the TLS {what} {source_name}: {reason}")]
    Pem {
        /// `certificate`, `key`, …
        what: &'static str,
        /// The file's name, or `inline`.
        source_name: String,
        /// Why not.
        reason: String,
    },
    /// A certificate without its key, or the other way round.
    #[error("TLS needs both a certificate and a key: the {0} is missing")]
    Missing(&'static str),
    /// Clients shall be verified, by nobody.
    #[error("client_auth_type verifies client certificates, but client_ca is missing")]
    NoClientCa,
    /// Not a client auth type.
    #[error("unknown client_auth_type {0:?}")]
    ClientAuth(String),
    /// Not a version.
    #[error("unknown TLS version {0:?}")]
    Version(String),
    /// Not a cipher suite.
    #[error("unknown TLS cipher suite {0:?}")]
    CipherSuite(String),
    /// The named suites cannot be used with the versions.
    #[error("none of the configured TLS cipher suites is supported")]
    NoCipherSuite,
    /// rustls refused it (key and certificate that do not fit, for example).
    #[error("TLS configuration refused: {0}")]
    Refused(#[from] rustls::Error),
    /// The client authorities cannot be used.
    #[error("TLS client authorities refused: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

impl Error {
    /// A configuration does not get better by itself.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// Versions and suites, the same on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// The lowest version spoken.
    pub min_version: MinVersion,
    /// Names as Go has them, for TLS 1.2; empty for all that are safe. Those of TLS 1.3 are always on.
    pub cipher_suites: Vec<String>,
}

/// A server's settings.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// The certificate chain.
    pub cert: Pem,
    /// Its key.
    pub key: Pem,
    /// Who vouches for clients.
    pub client_ca: Option<Pem>,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
    /// Versions and suites.
    pub protocol: Protocol,
}

/// A client's settings.
#[derive(Clone, Debug, Default)]
pub struct ClientTls {
    /// Who vouches for servers. Without one no server is trusted: a root store of the system is not looked for.
    pub ca: Option<Pem>,
    /// The client's own certificate chain.
    pub cert: Option<Pem>,
    /// Its key.
    pub key: Option<Pem>,
    /// Trusts any server.
    pub insecure_skip_verify: bool,
    /// Versions and suites.
    pub protocol: Protocol,
}

impl ServerTls {
    /// The rustls configuration, with ALPN for HTTP/2 and HTTP/1.1.
    pub fn build(&self) -> Result<Arc<ServerConfig>, Error> {
        let provider = self.protocol.provider()?;
        let algorithms = provider.signature_verification_algorithms;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.protocol.min_version.versions())?;
        let any = |mandatory| {
            Arc::new(AnyClient {
                mandatory,
                algorithms,
            })
        };
        let builder = match self.client_auth {
            ClientAuth::None => builder.with_no_client_auth(),
            ClientAuth::Request => builder.with_client_cert_verifier(any(false)),
            ClientAuth::RequireAny => builder.with_client_cert_verifier(any(true)),
            ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify => {
                let ca = self.client_ca.as_ref().ok_or(Error::NoClientCa)?;
                let roots = Arc::new(roots(ca, "client CA")?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = if self.client_auth == ClientAuth::VerifyIfGiven {
                    verifier.allow_unauthenticated()
                } else {
                    verifier
                };
                builder.with_client_cert_verifier(verifier.build()?)
            }
        };
        let mut config =
            builder.with_single_cert(certificates(&self.cert, "certificate")?, key(&self.key)?)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ClientTls {
    /// The rustls configuration; the protocol (ALPN) is chosen by who connects.
    pub fn build(&self) -> Result<Arc<ClientConfig>, Error> {
        let provider = self.protocol.provider()?;
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.protocol.min_version.versions())?;
        let builder = if self.insecure_skip_verify {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyServer { algorithms }))
        } else {
            let roots = match &self.ca {
                Some(ca) => roots(ca, "CA")?,
                None => RootCertStore::empty(),
            };
            builder.with_root_certificates(roots)
        };
        let config = match (&self.cert, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(private)) => {
                builder.with_client_auth_cert(certificates(cert, "certificate")?, key(private)?)?
            }
            (Some(_), None) => return Err(Error::Missing("key")),
            (None, Some(_)) => return Err(Error::Missing("certificate")),
        };
        Ok(Arc::new(config))
    }
}

/// Suites that Go knows and rustls, for good reasons, does not: named in old configurations, left out here.
const RETIRED_SUITES: [&str; 13] = [
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_FALLBACK_SCSV",
];
/// Prefixes of further CBC suites.
const RETIRED_PREFIXES: [&str; 2] = ["TLS_ECDHE_ECDSA_WITH_AES_", "TLS_ECDHE_RSA_WITH_AES_"];

impl Protocol {
    fn provider(&self) -> Result<Arc<CryptoProvider>, Error> {
        let mut provider = ring::default_provider();
        if self.cipher_suites.is_empty() {
            return Ok(Arc::new(provider));
        }
        let mut wanted = Vec::new();
        for name in self.cipher_suites.iter().map(|name| name.trim()) {
            // Go has two spellings of the ChaCha20 suites.
            let full = match name.strip_suffix("_CHACHA20_POLY1305") {
                Some(start) => format!("{start}_CHACHA20_POLY1305_SHA256"),
                None => name.to_owned(),
            };
            // rustls' debug names are the standard ones, but for TLS 1.3's.
            let known = provider
                .cipher_suites
                .iter()
                .find(|suite| format!("{:?}", suite.suite()).replace("TLS13_", "TLS_") == full);
            if let Some(suite) = known {
                wanted.push(suite.suite());
                continue;
            }
            let retired = RETIRED_SUITES.contains(&name)
                || (name.ends_with("_CBC_SHA")
                    && RETIRED_PREFIXES
                        .iter()
                        .any(|prefix| name.starts_with(prefix)));
            if !retired {
                return Err(Error::CipherSuite(name.to_owned()));
            }
            tracing::warn!(
                name,
                "this TLS cipher suite is not supported and is left out"
            );
        }
        provider
            .cipher_suites
            .retain(|suite| suite.tls13().is_some() || wanted.contains(&suite.suite()));
        let usable = provider
            .cipher_suites
            .iter()
            .any(|suite| wanted.contains(&suite.suite()) || self.min_version == MinVersion::Tls13);
        if !usable {
            return Err(Error::NoCipherSuite);
        }
        Ok(Arc::new(provider))
    }
}

impl Pem {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Inline(_) => "inline".to_owned(),
        }
    }

    fn refused(&self, what: &'static str, reason: &dyn std::fmt::Display) -> Error {
        Error::Pem {
            what,
            source_name: self.name(),
            reason: reason.to_string(),
        }
    }

    fn text(&self, what: &'static str) -> Result<Vec<u8>, Error> {
        match self {
            Self::File(path) => std::fs::read(path).map_err(|error| self.refused(what, &error)),
            Self::Inline(text) => Ok(text.clone().into_bytes()),
        }
    }
}

fn certificates(pem: &Pem, what: &'static str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = pem.text(what)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|error| pem.refused(what, &error))?;
    if certificates.is_empty() {
        return Err(pem.refused(what, &"there is no certificate in it"));
    }
    Ok(certificates)
}

fn key(pem: &Pem) -> Result<PrivateKeyDer<'static>, Error> {
    let text = pem.text("key")?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| pem.refused("key", &error))
}

fn roots(pem: &Pem, what: &'static str) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem, what)? {
        store
            .add(certificate)
            .map_err(|error| pem.refused(what, &error))?;
    }
    Ok(store)
}

/// Takes any client certificate, as long as the client has its key.
#[derive(Debug)]
struct AnyClient {
    mandatory: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Takes any server certificate: `tls_insecure_skip_verify`.
#[derive(Debug)]
struct AnyServer {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(names: &[&str]) -> Protocol {
        Protocol {
            min_version: MinVersion::Tls12,
            cipher_suites: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn suites_by_their_names_in_go() {
        let suites = |names: &[&str]| protocol(names).provider().map(|p| p.cipher_suites.len());
        let all = suites(&[]).unwrap();
        assert_eq!(all, 9);
        assert_eq!(
            suites(&["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]).unwrap(),
            4
        );
        assert_eq!(
            suites(&["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"]).unwrap(),
            4
        );
        assert_eq!(
            suites(&[
                "TLS_AES_128_GCM_SHA256",
                "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"
            ])
            .unwrap(),
            3
        );
        let refused = suites(&["TLS_RSA_WITH_AES_128_CBC_SHA"]);
        assert!(matches!(refused, Err(Error::NoCipherSuite)));
        assert!(matches!(
            suites(&["TLS_NONSENSE"]),
            Err(Error::CipherSuite(_))
        ));
    }

    #[test]
    fn names_of_settings() {
        assert_eq!(ClientAuth::parse("").unwrap(), ClientAuth::None);
        assert_eq!(
            ClientAuth::parse("VerifyClientCertIfGiven").unwrap(),
            ClientAuth::VerifyIfGiven
        );
        assert!(ClientAuth::parse("verify").is_err());
        assert_eq!(
            MinVersion::parse("VersionTLS10").unwrap(),
            MinVersion::Tls12
        );
        assert_eq!(MinVersion::parse("1.3").unwrap(), MinVersion::Tls13);
        assert!(MinVersion::parse("SSL3").is_err());
    }

    #[test]
    fn broken_files_say_what_and_where() {
        let server = |cert: Pem| ServerTls {
            cert,
            key: Pem::Inline("secret".to_owned()),
            client_ca: None,
            client_auth: ClientAuth::None,
            protocol: Protocol::default(),
        };
        let error = server(Pem::File("/nowhere/tls.crt".into()))
            .build()
            .unwrap_err();
        assert!(error.to_string().contains("/nowhere/tls.crt"), "{error}");
        let settings = server(Pem::Inline("no pem".to_owned()));
        let error = settings.build().unwrap_err();
        assert!(error.to_string().contains("certificate inline"), "{error}");
        assert!(!format!("{settings:?}").contains("secret"));
        let mut settings = settings;
        settings.client_auth = ClientAuth::RequireAndVerify;
        assert!(matches!(settings.build(), Err(Error::NoClientCa)));
    }
}
