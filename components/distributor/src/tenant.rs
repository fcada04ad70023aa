//! Whose request it is: `X-Scope-OrgID`, as header or as gRPC metadata (write-path.md §2.1, http-api.md §14.1, configuration.md §9).

use crate::refusal::Refusal;
use http::HeaderMap;
use vivace_shards::grpc::Code;

/// HTTP header and gRPC metadata key.
pub const HEADER: &str = "x-scope-orgid";

/// The tenant of every request when there is only one.
pub const SINGLE_TENANT: &str = "single-tenant";

/// The tenant that the headers name.
pub(crate) fn of_request(headers: &HeaderMap, multitenancy: bool) -> Result<String, Refusal> {
    if !multitenancy {
        return Ok(SINGLE_TENANT.to_owned());
    }
    let mut tenant: Option<&str> = None;
    for value in headers.get_all(HEADER) {
        let value = value
            .to_str()
            .map_err(|_| Refusal::invalid("tenant ID is not text"))?;
        let id = one_of(value)?;
        if tenant.is_some_and(|known| known != id) {
            return Err(Refusal::invalid("multiple org IDs present"));
        }
        tenant = Some(id);
    }
    // A missing header is answered as something that may mend itself: agents are started before they are configured.
    let missing = || Refusal::new(Code::Unavailable, "no org id");
    tenant.map(str::to_owned).ok_or_else(missing)
}

/// The one tenant of a header's value, in which several equal ones may stand.
fn one_of(value: &str) -> Result<&str, Refusal> {
    let mut tenant: Option<&str> = None;
    for part in value.split('|') {
        let id = vivace_config::tenant::validate(part)
            .map_err(|error| Refusal::invalid(error.to_string()))?;
        if tenant.is_some_and(|known| known != id) {
            return Err(Refusal::invalid("multiple org IDs present"));
        }
        tenant = Some(id);
    }
    tenant.ok_or_else(|| Refusal::invalid("no org id"))
}
