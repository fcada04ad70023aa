//! Whose request it is: `X-Scope-OrgID`, as header or as gRPC metadata (write-path.md §2.1, http-api.md §14.1).

use crate::refusal::Refusal;
use http::HeaderMap;
use vivace_config::tenant::{METADATA_KEY, SINGLE_TENANT, TenantError, parse_ingest};
use vivace_shards::grpc::Code;

/// The tenant that the headers name. The header may be repeated if it names one tenant each time.
pub(crate) fn of_request(headers: &HeaderMap, multitenancy: bool) -> Result<String, Refusal> {
    if !multitenancy {
        return Ok(SINGLE_TENANT.to_owned());
    }
    let invalid = |error: TenantError| Refusal::invalid(error.to_string());
    let mut tenant: Option<String> = None;
    for value in headers.get_all(METADATA_KEY) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let id = parse_ingest(&value).map_err(invalid)?;
        if tenant.as_ref().is_some_and(|known| *known != id) {
            return Err(invalid(TenantError::Multiple));
        }
        tenant = Some(id);
    }
    // A missing header is answered as something that may mend itself: upstream does, and clients buffer instead of dropping.
    tenant.ok_or_else(|| Refusal::new(Code::Unavailable, TenantError::NoOrgId.to_string()))
}
