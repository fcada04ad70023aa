//! Who this is. Clients choose features by the version of Tempo, so that is what the version says;
//! Vivace's own version stands where Tempo has its branch.

/// The version of Tempo whose behaviour this process has.
pub const TEMPO_VERSION: &str = "3.1.0";
/// Vivace's own version.
pub const VIVACE_VERSION: &str = env!("CARGO_PKG_VERSION");
/// Commit of the build, when the build knew it.
pub const REVISION: &str = match option_env!("VIVACE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};
/// Time of the build, when the build knew it.
pub const BUILD_DATE: &str = match option_env!("VIVACE_BUILD_DATE") {
    Some(date) => date,
    None => "unknown",
};

/// Where Tempo names its branch.
pub fn branch() -> String {
    format!("vivace-{VIVACE_VERSION}")
}

/// The text of `-version` and `/status/version`.
pub fn text() -> String {
    format!(
        "tempo, version {TEMPO_VERSION} (branch: {}, revision: {REVISION})\n  build user:       vivace\n  build date:       {BUILD_DATE}\n  go version:       none (rust {})\n  platform:         {}/{}\n  tags:             unknown\n",
        branch(),
        rust_version(),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}

/// The Rust version this needs; the compiler's own is not known at run time.
pub fn rust_version() -> &'static str {
    env!("CARGO_PKG_RUST_VERSION")
}

/// The answer of `/api/status/buildinfo`.
pub fn build_info_json() -> String {
    format!(
        "{{\"version\":\"{TEMPO_VERSION}\",\"revision\":\"{REVISION}\",\"branch\":\"{}\",\"buildUser\":\"vivace\",\"buildDate\":\"{BUILD_DATE}\",\"goVersion\":\"rust{}\"}}\n",
        branch(),
        rust_version(),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn build_info_is_json() -> Result<(), serde_json::Error> {
        let value: serde_json::Value = serde_json::from_str(&super::build_info_json())?;
        assert_eq!(value["version"], super::TEMPO_VERSION);
        Ok(())
    }
}
