//! `metrics_generator.storage.remote_write`: Prometheus remote write.

use std::collections::BTreeMap;

use crate::block::{block, choice};
use crate::types::{Any, PromDuration, Secret};

const SECOND: u64 = 1000;

block! {
    /// A user and a password.
    pub struct BasicAuth {
        /// User name.
        username: String;
        /// File of it.
        username_file: String;
        /// Password.
        password: Secret;
        /// File of it.
        password_file: String;
    }
}

block! {
    /// The Authorization header.
    pub struct Authorization {
        /// Its first word.
        kind("type"): String = "Bearer".into();
        /// The rest.
        credentials: Secret;
        /// File of the rest.
        credentials_file: String;
    }
}

block! {
    /// Amazon's signature.
    pub struct SigV4 {
        /// Region.
        region: String;
        /// Access key.
        access_key: String;
        /// Secret key.
        secret_key: Secret;
        /// Profile of the shared file.
        profile: String;
        /// Role to take.
        role_arn: String;
        /// External id of that role.
        external_id: String;
        /// Use FIPS endpoints.
        use_fips_sts_endpoint: bool;
        /// Name of the service that is signed for.
        service_name: String;
    }
}

block! {
    /// TLS in Prometheus' spelling.
    pub struct PrometheusTls {
        /// Authorities, PEM, inline.
        ca: String;
        /// File of them.
        ca_file: String;
        /// Client certificate, PEM, inline.
        cert: String;
        /// File of it.
        cert_file: String;
        /// Its key, PEM, inline.
        key: Secret;
        /// File of it.
        key_file: String;
        /// Name that the server's certificate must carry.
        server_name: String;
        /// Accept any certificate.
        insecure_skip_verify: bool;
        /// Oldest version: TLS10 to TLS13.
        min_version: String;
        /// Newest version.
        max_version: String;
    }
}

block! {
    /// OAuth 2.
    pub struct Oauth2 {
        /// Client.
        client_id: String;
        /// Its secret.
        client_secret: Secret;
        /// File of the secret.
        client_secret_file: String;
        /// Scopes.
        scopes: Vec<String>;
        /// Where tokens come from.
        token_url: String;
        /// Further parameters.
        endpoint_params: BTreeMap<String, String>;
        tls_config: PrometheusTls;
        /// Proxy.
        proxy_url: String;
        /// Hosts without a proxy.
        no_proxy: String;
        /// Take the proxy from the environment.
        proxy_from_environment: bool;
        /// Headers of requests to the proxy.
        proxy_connect_header: Any;
        /// Name of the client's certificate key for JWT grants.
        client_certificate_key_id: String;
        /// The key.
        client_certificate_key: Secret;
        /// File of the key.
        client_certificate_key_file: String;
        /// Kind of grant.
        grant_type: String;
        /// Algorithm of signatures.
        signature_algorithm: String;
        /// Issuer.
        iss: String;
        /// Audience.
        audience: String;
        /// Further claims.
        claims: Any;
    }
}

choice! {
    /// What relabelling does.
    pub enum RelabelAction {
        Replace = "replace",
        Keep = "keep",
        Drop = "drop",
        KeepEqual = "keepequal",
        DropEqual = "dropequal",
        HashMod = "hashmod",
        LabelMap = "labelmap",
        LabelDrop = "labeldrop",
        LabelKeep = "labelkeep",
        Lowercase = "lowercase",
        Uppercase = "uppercase",
    }
}

block! {
    /// One step of relabelling.
    pub struct Relabel {
        /// Labels whose values are joined.
        source_labels: Vec<String>;
        /// What is put between them.
        separator: String = ";".into();
        /// Regular expression that the joined text must match as a whole.
        regex: String = "(.*)".into();
        /// For hashmod.
        modulus: u64;
        /// Label that is set.
        target_label: String;
        /// What it is set to.
        replacement: String = "$1".into();
        /// What is done.
        action: RelabelAction;
    }
}

block! {
    /// The queue of samples.
    pub struct QueueConfig {
        /// Samples of each queue.
        capacity: u32 = 10_000;
        /// Most queues.
        max_shards: u32 = 50;
        /// Least queues.
        min_shards: u32 = 1;
        /// Most samples of a request.
        max_samples_per_send: u32 = 2000;
        /// Longest wait until a request is full.
        batch_send_deadline: PromDuration = PromDuration::from_millis(5 * SECOND);
        /// First pause between tries.
        min_backoff: PromDuration = PromDuration::from_millis(30);
        /// Longest pause between tries.
        max_backoff: PromDuration = PromDuration::from_millis(5 * SECOND);
        /// Try again on 429.
        retry_on_http_429: bool;
        /// Older samples are dropped; 0 = none are.
        sample_age_limit: PromDuration;
    }
}

block! {
    /// Types and units of metrics.
    pub struct MetadataConfig {
        /// Send them.
        send: bool = true;
        /// Pause between two times.
        send_interval: PromDuration = PromDuration::from_millis(60 * SECOND);
        /// Most metrics of a request.
        max_samples_per_send: u32 = 2000;
    }
}

block! {
    /// One receiver of metrics.
    pub struct RemoteWrite {
        /// Its address.
        url: String;
        /// Longest time of a request.
        remote_timeout: PromDuration = PromDuration::from_millis(30 * SECOND);
        /// Further headers.
        headers: BTreeMap<String, Secret>;
        /// Relabelling before sending.
        write_relabel_configs: Vec<Relabel>;
        /// Name, for metrics and logs.
        name: String;
        /// Send exemplars.
        send_exemplars: bool;
        /// Send native histograms.
        send_native_histograms: bool;
        /// Turn classic histograms into native ones.
        convert_classic_histograms_to_nhcb: bool;
        /// Use each address of the name in turn.
        round_robin_dns: bool;
        basic_auth: Option<BasicAuth>;
        authorization: Option<Authorization>;
        oauth2: Option<Oauth2>;
        sigv4: Option<SigV4>;
        /// Not supported.
        azuread: Any;
        /// Not supported.
        google_iam: Any;
        /// Deprecated: use `authorization`.
        bearer_token: Secret;
        /// Deprecated: use `authorization`.
        bearer_token_file: String;
        tls_config: PrometheusTls;
        /// Proxy.
        proxy_url: String;
        /// Hosts without a proxy.
        no_proxy: String;
        /// Take the proxy from the environment.
        proxy_from_environment: bool;
        /// Headers of requests to the proxy.
        proxy_connect_header: Any;
        /// Follow redirects.
        follow_redirects: bool = true;
        /// Speak HTTP/2.
        enable_http2: bool = true;
        /// Sent in the header of the content type.
        protobuf_message: String = "prometheus.WriteRequest".into();
        /// Further headers of the HTTP client.
        http_headers: Any;
        queue_config: QueueConfig;
        metadata_config: MetadataConfig;
    }
}
