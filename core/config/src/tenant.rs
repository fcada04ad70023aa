//! Tenant ids: from a header to one or several names (configuration.md §9). The texts are Tempo's, letter by letter.

/// The tenant of every request while `multitenancy_enabled` is off.
pub const SINGLE_TENANT: &str = "single-tenant";
/// The HTTP header of the tenant.
pub const HEADER: &str = "X-Scope-OrgID";
/// The gRPC metadata key of the tenant, and the HTTP header as HTTP/2 writes it.
pub const METADATA_KEY: &str = "x-scope-orgid";
/// Longest id, in bytes.
pub const MAX_TENANT_BYTES: usize = 150;
/// Most tenants of one query.
pub const MAX_QUERY_TENANTS: usize = 1000;

/// Why a header names no tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// No header, or nothing in it, or an empty part of `a|b`.
    #[error("no org id")]
    NoOrgId,
    /// Several tenants where only one may be.
    #[error("multiple org IDs present")]
    Multiple,
    #[error("tenant ID '{tenant}' contains unsupported character '{character}'")]
    UnsupportedCharacter { tenant: String, character: char },
    #[error("tenant ID is '.' or '..'")]
    UnsafePath,
    #[error("tenant ID is too long: max {MAX_TENANT_BYTES} characters")]
    TooLong,
    /// More than [`MAX_QUERY_TENANTS`] in one query.
    #[error("too many tenant IDs in one query: max {MAX_QUERY_TENANTS}")]
    TooMany,
}

impl TenantError {
    /// The same header fails again.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// Checks one id, without `|` and without a metadata suffix.
pub fn validate(id: &str) -> Result<(), TenantError> {
    if id.is_empty() {
        return Err(TenantError::NoOrgId);
    }
    let supported = |c: char| c.is_ascii_alphanumeric() || "!-_.*'()".contains(c);
    if let Some(character) = id.chars().find(|c| !supported(*c)) {
        return Err(TenantError::UnsupportedCharacter {
            tenant: id.to_string(),
            character,
        });
    }
    if id.len() > MAX_TENANT_BYTES {
        return Err(TenantError::TooLong);
    }
    if id == "." || id == ".." {
        return Err(TenantError::UnsafePath);
    }
    Ok(())
}

/// The id without its metadata: `a:product=x` is `a`.
fn without_metadata(part: &str) -> &str {
    part.split(':').next().unwrap_or(part)
}

/// The one tenant of an ingest request. `a|a` is one tenant.
pub fn parse_ingest(header: &str) -> Result<String, TenantError> {
    let mut found: Option<&str> = None;
    let mut several = false;
    for part in header.split('|') {
        let id = without_metadata(part);
        validate(id)?;
        several |= found.is_some_and(|first| first != id);
        found = Some(id);
    }
    if several {
        Err(TenantError::Multiple)
    } else {
        found.map(str::to_string).ok_or(TenantError::NoOrgId)
    }
}

/// The tenants of a query, sorted, each once. Without `allow_several` there may be only one.
pub fn parse_query(header: &str, allow_several: bool) -> Result<Vec<String>, TenantError> {
    let mut ids = Vec::new();
    for part in header.split('|') {
        let id = without_metadata(part);
        validate(id)?;
        ids.push(id.to_string());
        if ids.len() > MAX_QUERY_TENANTS {
            return Err(TenantError::TooMany);
        }
    }
    ids.sort();
    ids.dedup();
    if ids.len() > 1 && !allow_several {
        Err(TenantError::Multiple)
    } else {
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_of_an_ingest_request() {
        for (header, want) in [
            ("a", "a"),
            ("a|a", "a"),
            ("a:k=v", "a"),
            ("a:k=v|a", "a"),
            ("team-1_x.y!*'()", "team-1_x.y!*'()"),
            ("...", "..."),
        ] {
            assert_eq!(parse_ingest(header).as_deref(), Ok(want), "{header}");
        }
        let long = "x".repeat(151);
        for (header, want) in [
            ("", "no org id"),
            ("a|", "no org id"),
            (":k=v", "no org id"),
            ("a|b", "multiple org IDs present"),
            ("a/b", "tenant ID 'a/b' contains unsupported character '/'"),
            ("a b", "tenant ID 'a b' contains unsupported character ' '"),
            ("ä", "tenant ID 'ä' contains unsupported character 'ä'"),
            (".", "tenant ID is '.' or '..'"),
            ("..", "tenant ID is '.' or '..'"),
            (long.as_str(), "tenant ID is too long: max 150 characters"),
        ] {
            assert_eq!(
                parse_ingest(header).map_err(|error| error.to_string()),
                Err(want.to_string()),
                "{header}"
            );
        }
        assert_eq!(parse_ingest(&long[1..]).map(|id| id.len()), Ok(150));
    }

    #[test]
    fn several_tenants_of_a_query() {
        assert_eq!(
            parse_query("b|a|b:k=v", true),
            Ok(vec!["a".to_string(), "b".to_string()])
        );
        assert_eq!(parse_query("a|a", false), Ok(vec!["a".to_string()]));
        assert_eq!(parse_query("a|b", false), Err(TenantError::Multiple));
        assert_eq!(parse_query("a||b", true), Err(TenantError::NoOrgId));
        assert_eq!(parse_query("a|..", true), Err(TenantError::UnsafePath));
        let many = vec!["a"; MAX_QUERY_TENANTS + 1].join("|");
        assert_eq!(parse_query(&many, true), Err(TenantError::TooMany));
    }
}
