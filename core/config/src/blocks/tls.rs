//! TLS as the different parts of Tempo's configuration write it (configuration.md §12).

use crate::block::{block, choice};
use crate::types::Secret;

choice! {
    /// The oldest TLS version that is spoken. Versions before 1.2 are accepted in files and served as 1.2.
    pub enum TlsVersion {
        Unset = "",
        Tls10 = "VersionTLS10",
        Tls11 = "VersionTLS11",
        Tls12 = "VersionTLS12",
        Tls13 = "VersionTLS13",
    }
}

choice! {
    /// What a server asks of a client's certificate.
    pub enum ClientAuth {
        Unset = "",
        None = "NoClientCert",
        Request = "RequestClientCert",
        RequireAny = "RequireAnyClientCert",
        VerifyIfGiven = "VerifyClientCertIfGiven",
        RequireAndVerify = "RequireAndVerifyClientCert",
    }
}

block! {
    /// TLS of a listener.
    pub struct ServerTls {
        /// Certificate chain, PEM, inline.
        cert: String;
        /// Private key, PEM, inline.
        key: Secret;
        /// Certificates that client certificates must descend from, PEM, inline.
        client_ca: String;
        /// File of the certificate chain.
        cert_file: String;
        /// File of the private key.
        key_file: String;
        /// What is asked of client certificates.
        client_auth_type: ClientAuth;
        /// File of the certificates that client certificates must descend from.
        client_ca_file: String;
    }
}

impl ServerTls {
    /// TLS is on as soon as there is a certificate.
    pub fn is_enabled(&self) -> bool {
        !self.cert.is_empty() || !self.cert_file.is_empty()
    }
}

block! {
    /// The TLS keys of a client, without the switch.
    pub struct ClientTls {
        /// File of the client certificate.
        tls_cert_path: String;
        /// File of the client's private key.
        tls_key_path: String;
        /// File of the certificates that the server's must descend from; empty = the system's.
        tls_ca_path: String;
        /// Name that the server's certificate must carry, if not the host's.
        tls_server_name: String;
        /// Accept any certificate.
        tls_insecure_skip_verify: bool;
        /// Cipher suites, with commas; empty = the library's.
        tls_cipher_suites: String;
        /// Oldest version.
        tls_min_version: TlsVersion;
    }
}

block! {
    /// TLS of a client that can be off.
    pub struct SwitchedTls {
        /// Speak TLS.
        tls_enabled: bool;
        [inline] client: ClientTls;
    }
}
