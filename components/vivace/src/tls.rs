//! From the TLS keys of listeners to rustls (configuration.md §12).

use std::sync::Arc;

use vivace_config::blocks::receivers::ReceiverTls;
use vivace_config::blocks::server::Server;
use vivace_config::blocks::tls::ServerTls;
use vivace_shards::tls::{self, ClientAuth, MinVersion, Pem, Protocol};

pub use vivace_shards::tls::Error as TlsError;

use crate::listeners::{ListenError, Tls};

/// TLS of the server's HTTP or gRPC listener; `None` when it has no certificate.
pub fn server(name: &'static str, tls: &ServerTls, server: &Server) -> Result<Tls, ListenError> {
    if !tls.is_enabled() {
        return Ok(None);
    }
    let build = || -> Result<Tls, TlsError> {
        let settings = tls::ServerTls {
            cert: pem(&tls.cert, &tls.cert_file).ok_or(TlsError::Missing("certificate"))?,
            key: pem(tls.key.reveal(), &tls.key_file).ok_or(TlsError::Missing("key"))?,
            client_ca: pem(&tls.client_ca, &tls.client_ca_file),
            client_auth: ClientAuth::parse(tls.client_auth_type.as_str())?,
            protocol: Protocol {
                min_version: MinVersion::parse(server.tls_min_version.as_str())?,
                cipher_suites: names(server.tls_cipher_suites.split(',')),
            },
        };
        Ok(Some(settings.build()?))
    };
    build().map_err(|source| ListenError::Tls { name, source })
}

/// TLS of a receiver. A client CA makes client certificates mandatory, as in the collector.
pub fn receiver(name: &'static str, tls: Option<&ReceiverTls>) -> Result<Tls, ListenError> {
    let Some(tls) = tls else { return Ok(None) };
    let build = || -> Result<Arc<rustls::ServerConfig>, TlsError> {
        let client_ca = pem("", &tls.client_ca_file);
        let settings = tls::ServerTls {
            cert: pem(&tls.cert_pem, &tls.cert_file).ok_or(TlsError::Missing("certificate"))?,
            key: pem(tls.key_pem.reveal(), &tls.key_file).ok_or(TlsError::Missing("key"))?,
            client_auth: match client_ca {
                Some(_) => ClientAuth::RequireAndVerify,
                None => ClientAuth::None,
            },
            client_ca,
            protocol: Protocol {
                min_version: MinVersion::parse(tls.min_version.as_str())?,
                cipher_suites: names(tls.cipher_suites.iter().map(String::as_str)),
            },
        };
        settings.build()
    };
    build()
        .map(Some)
        .map_err(|source| ListenError::Tls { name, source })
}

fn pem(inline: &str, file: &str) -> Option<Pem> {
    if !inline.is_empty() {
        Some(Pem::Inline(inline.to_owned()))
    } else if !file.is_empty() {
        Some(Pem::File(file.into()))
    } else {
        None
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
