//! The object stores that blocks lie in (configuration.md §7.1), used by `storage.trace` and by user-configurable
//! overrides.

use std::collections::BTreeMap;

use super::tls::{ClientTls, TlsVersion};
use crate::block::{block, choice};
use crate::types::{Duration, Secret, millis, secs};

choice! {
    /// Which store.
    pub enum StoreKind {
        Unset = "",
        Local = "local",
        S3 = "s3",
        Gcs = "gcs",
        Azure = "azure",
    }
}

block! {
    /// A folder.
    pub struct LocalStore {
        /// The folder.
        path: String;
    }
}

block! {
    /// Google Cloud Storage. Credentials are the application default.
    pub struct GcsStore {
        /// Bucket.
        bucket_name: String;
        /// Path in the bucket.
        prefix: String;
        /// Bytes of an upload's part.
        chunk_buffer_size: u64 = 10_485_760;
        /// Other address, for tests.
        endpoint: String;
        /// A read is sent again when there is no answer after this time; 0 = never.
        hedge_requests_at: Duration;
        /// Most times that a read is sent.
        hedge_requests_up_to: u32 = 2;
        /// Speak plain HTTP, without credentials.
        insecure: bool;
        /// Cache-Control of objects.
        object_cache_control: String;
        /// Metadata of objects.
        object_metadata: BTreeMap<String, String>;
        /// Listings at once.
        list_blocks_concurrency: u32 = 3;
        /// Most tries after the first.
        max_retries: u32 = 3;
    }
}

choice! {
    /// How the store encrypts objects.
    pub enum SseKind {
        Unset = "",
        S3 = "SSE-S3",
        Kms = "SSE-KMS",
        Customer = "SSE-C",
    }
}

block! {
    /// Encryption by the store.
    pub struct Sse {
        /// Which kind.
        kind("type"): SseKind;
        /// Key of SSE-KMS.
        kms_key_id: String;
        /// Context of SSE-KMS, JSON.
        kms_encryption_context: String;
        /// Key of SSE-C, 32 bytes.
        encryption_key: Secret;
    }
}

block! {
    /// Amazon S3 and its like.
    pub struct S3Store {
        [inline] tls: ClientTls = ClientTls { tls_min_version: TlsVersion::Tls12, ..ClientTls::default() };
        /// Bucket.
        bucket: String;
        /// Path in the bucket.
        prefix: String;
        /// Host and port, without a scheme.
        endpoint: String;
        /// Region; empty = from the endpoint, or us-east-1.
        region: String;
        /// Access key; empty = environment, shared file, instance or web identity.
        access_key: String;
        /// Secret key.
        secret_key: Secret;
        /// Session token.
        session_token: Secret;
        /// Speak plain HTTP.
        insecure: bool;
        /// Bytes of an upload's part; 0 = chosen by size.
        part_size: u64;
        /// A read is sent again when there is no answer after this time; 0 = never.
        hedge_requests_at: Duration;
        /// Most times that a read is sent.
        hedge_requests_up_to: u32 = 2;
        /// Sign with version 2.
        signature_v2: bool;
        /// Bucket in the path, not in the host name.
        forcepathstyle: bool;
        /// Use addresses that speak IPv6 too.
        enable_dual_stack: bool;
        /// 0 = by host, 1 = bucket in the host name, 2 = bucket in the path.
        bucket_lookup_type: u32;
        /// Most tries.
        retry_max_attempts: u32 = 10;
        /// First pause between tries.
        retry_backoff_initial: Duration = millis(200);
        /// Longest pause between tries.
        retry_backoff_max: Duration = secs(1);
        /// Tags of objects.
        tags: BTreeMap<String, String>;
        /// Storage class of objects.
        storage_class: String;
        /// Metadata of objects.
        metadata: BTreeMap<String, String>;
        /// Deprecated: credentials of the environment are always tried.
        native_aws_auth_enabled: bool;
        /// Listings at once.
        list_blocks_concurrency: u32 = 3;
        sse: Sse;
    }
}

block! {
    /// Azure Blob Storage.
    pub struct AzureStore {
        /// Account; empty = AZURE_STORAGE_ACCOUNT.
        storage_account_name: String;
        /// Key of the account; empty = AZURE_STORAGE_KEY.
        storage_account_key: Secret;
        /// Use the machine's identity.
        use_managed_identity: bool;
        /// Use a federated token.
        use_federated_token: bool;
        /// Which of the machine's identities.
        user_assigned_id: String;
        /// Container.
        container_name: String;
        /// Path in the container.
        prefix: String;
        /// Host after the account's name; one that does not start with `blob.` is an emulator: plain HTTP, account in
        /// the path.
        endpoint_suffix: String = "blob.core.windows.net".into();
        /// Parts of an upload at once.
        max_buffers: u32 = 4;
        /// Bytes of an upload's part.
        buffer_size: u64 = 3_145_728;
        /// A read is sent again when there is no answer after this time; 0 = never.
        hedge_requests_at: Duration;
        /// Most times that a read is sent.
        hedge_requests_up_to: u32 = 2;
    }
}
