//! `overrides` (configuration.md §8, §10).

use super::object_stores::{AzureStore, GcsStore, LocalStore, S3Store, StoreKind};
use super::tenant_limits::Limits;
use crate::block::block;
use crate::types::{Duration, mins, secs};

block! {
    /// Where limits lie that tenants set for themselves.
    pub struct UserOverridesClient {
        /// Which store.
        backend: StoreKind;
        /// Check at start that the bucket keeps versions.
        confirm_versioning: bool = true;
        local: LocalStore;
        gcs: GcsStore;
        s3: S3Store;
        azure: AzureStore;
    }
}

block! {
    /// The API of limits that tenants set for themselves.
    pub struct UserOverridesApi {
        /// Refuse limits of tenants that have some in the file.
        check_for_conflicting_runtime_overrides: bool;
    }
}

block! {
    /// Limits that tenants set for themselves.
    pub struct UserOverrides {
        /// Allow them.
        enabled: bool;
        /// Pause between two reads.
        poll_interval: Duration = mins(1);
        client: UserOverridesClient;
        api: UserOverridesApi;
    }
}

block! {
    /// Limits: for all tenants, by tenant, and those that tenants set for themselves.
    pub struct Overrides {
        /// Limits of tenants without an entry of their own.
        defaults: Limits;
        /// File with the limits of tenants.
        per_tenant_override_config: String;
        /// Pause between two reads of it.
        per_tenant_override_period: Duration = secs(10);
        user_configurable_overrides: UserOverrides;
        /// Allow the old, flat names of limits.
        enable_legacy_overrides: bool;
    }
}
