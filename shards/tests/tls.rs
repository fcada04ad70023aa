//! TLS: ALPN for both HTTP versions, and every kind of client authentication.

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use support::{TestServer, on_a_shard};
use vivace_shards::http::client::{Client, ClientOptions, Error, Version};
use vivace_shards::http::response::text;
use vivace_shards::http::{Methods, RequestContext, Router, ServerOptions};
use vivace_shards::tls::{ClientAuth, ClientTls, MinVersion, Pem, Protocol, ServerTls};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> Pem {
        Pem::Inline(self.0.pem())
    }

    fn issue(&self, name: &str) -> (Pem, Pem) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        (Pem::Inline(cert.pem()), Pem::Inline(key.serialize_pem()))
    }
}

fn routes() -> Router {
    Router::new().route(
        Methods::Any,
        "/version",
        "version",
        async |context: RequestContext| text(StatusCode::OK, format!("{:?}", context.version)),
    )
}

fn server(authority: &Authority, client_auth: ClientAuth, protocol: Protocol) -> TestServer {
    let (cert, key) = authority.issue("localhost");
    let tls = ServerTls {
        cert,
        key,
        client_ca: Some(authority.pem()),
        client_auth,
        protocol,
    };
    let options = ServerOptions {
        tls: Some(tls.build().unwrap()),
        header_timeout: Duration::from_secs(2),
        ..ServerOptions::default()
    };
    TestServer::start(options, routes)
}

/// Asks for the version over a connection with these settings.
fn ask(server: &TestServer, version: Version, tls: &ClientTls) -> Result<String, String> {
    let address = server.address;
    let config = tls.build().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    on_a_shard(move || {
        let config = config.clone();
        let tell = tell.clone();
        async move {
            let mut options = ClientOptions::new(version);
            let name = ServerName::try_from("localhost").unwrap();
            options.tls = Some((config, name));
            let result: Result<Bytes, Error> = async {
                let client = Client::connect_with(address, options).await?;
                let mut request = Request::new(Bytes::new());
                *request.uri_mut() = "/version".parse().unwrap();
                Ok(client.send(request).await?.into_body())
            }
            .await;
            let result = result.map_err(|error| error.to_string());
            tell.send(result.map(|body| String::from_utf8_lossy(&body).into_owned()))
                .unwrap();
        }
    });
    told.recv().unwrap()
}

#[test]
fn both_versions_by_alpn() {
    let authority = Authority::new();
    let server = server(&authority, ClientAuth::None, Protocol::default());
    let trusting = ClientTls {
        ca: Some(authority.pem()),
        ..ClientTls::default()
    };
    assert_eq!(ask(&server, Version::Http2, &trusting).unwrap(), "HTTP/2.0");
    assert_eq!(ask(&server, Version::Http1, &trusting).unwrap(), "HTTP/1.1");
    let stranger = ClientTls {
        ca: Some(Authority::new().pem()),
        ..ClientTls::default()
    };
    assert!(ask(&server, Version::Http2, &stranger).is_err());
    let careless = ClientTls {
        insecure_skip_verify: true,
        ..ClientTls::default()
    };
    assert_eq!(ask(&server, Version::Http2, &careless).unwrap(), "HTTP/2.0");
    // Clear text to a TLS port ends the connection, and only that.
    assert!(
        !server
            .exchange(b"GET /version HTTP/1.1\r\n\r\n")
            .contains("HTTP/1.1")
    );
    assert!(ask(&server, Version::Http1, &trusting).is_ok());
}

#[test]
fn client_certificates() {
    let authority = Authority::new();
    let client = |pair: Option<(Pem, Pem)>| {
        let (cert, key) = pair.unzip();
        ClientTls {
            ca: Some(authority.pem()),
            cert,
            key,
            ..ClientTls::default()
        }
    };
    let none = client(None);
    let good = client(Some(authority.issue("client")));
    let foreign = client(Some(Authority::new().issue("client")));
    for (auth, expected) in [
        (ClientAuth::None, [true, true, true]),
        (ClientAuth::Request, [true, true, true]),
        (ClientAuth::RequireAny, [false, true, true]),
        (ClientAuth::VerifyIfGiven, [true, true, false]),
        (ClientAuth::RequireAndVerify, [false, true, false]),
    ] {
        let server = server(&authority, auth, Protocol::default());
        for (tls, expected) in [&none, &good, &foreign].into_iter().zip(expected) {
            let result = ask(&server, Version::Http2, tls);
            assert_eq!(result.is_ok(), expected, "{auth:?}: {result:?}");
        }
    }
}

#[test]
fn versions_and_suites() {
    let authority = Authority::new();
    let client = |protocol| ClientTls {
        ca: Some(authority.pem()),
        protocol,
        ..ClientTls::default()
    };
    let only_12 = Protocol {
        min_version: MinVersion::Tls12,
        cipher_suites: vec!["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".to_owned()],
    };
    let only_13 = Protocol {
        min_version: MinVersion::Tls13,
        ..Protocol::default()
    };
    let both = server(&authority, ClientAuth::None, only_12);
    assert!(ask(&both, Version::Http2, &client(Protocol::default())).is_ok());
    let new = server(&authority, ClientAuth::None, only_13.clone());
    assert!(ask(&new, Version::Http2, &client(only_13)).is_ok());
}
