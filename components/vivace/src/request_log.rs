//! A line for each request of an HTTP listener (observability.md §4).

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, StatusCode};
use regex::Regex;
use tracing::Level;
use vivace_config::blocks::server::Server;
use vivace_config::types::Duration;
use vivace_shards::http::{AnswerLog, Answered};

/// Headers that may hold secrets are never logged.
const SECRETS: [&str; 5] = [
    "cookie",
    "x-csrf-token",
    "authorization",
    "x-grafana-id",
    "x-access-token",
];
/// Bytes of an answer that a warning quotes.
const EXCERPT_BYTES: usize = 1024;

/// Logs requests as the keys of a `server` block say.
pub struct RequestLog {
    at_info: bool,
    with_headers: bool,
    excluded: Vec<String>,
    source_ips: Option<SourceIps>,
}

/// Where the address of a client behind proxies is found.
struct SourceIps {
    /// All addresses of the header instead of the first.
    full: bool,
    own: Option<(HeaderName, Regex)>,
}

impl RequestLog {
    /// For one listener. The configuration was checked: a header name or expression that is none is left out.
    pub fn new(server: &Server) -> Self {
        let source_ips = server.log_source_ips_enabled.then(|| SourceIps {
            full: server.log_source_ips_full,
            own: HeaderName::try_from(server.log_source_ips_header.as_str())
                .ok()
                .zip(Regex::new(&server.log_source_ips_regex).ok()),
        });
        Self {
            at_info: server.log_request_at_info_level_enabled,
            with_headers: server.log_request_headers,
            excluded: names(&server.log_request_exclude_headers_list),
            source_ips,
        }
    }

    fn headers(&self, headers: &HeaderMap) -> Option<String> {
        let logged = headers.iter().filter(|(name, _)| {
            let name = name.as_str();
            !SECRETS.contains(&name) && !self.excluded.iter().any(|excluded| excluded == name)
        });
        let lines: Vec<String> = logged
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        self.with_headers.then(|| lines.join("; "))
    }
}

/// The names of a list with commas, in lower case.
fn names(list: &str) -> Vec<String> {
    list.split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect()
}

impl AnswerLog for RequestLog {
    fn wants_headers(&self) -> bool {
        self.with_headers || self.source_ips.is_some()
    }

    fn answered(&self, answered: &Answered<'_>) {
        let status = answered.response.status();
        let is_failure = status.is_server_error()
            && !matches!(
                status,
                StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE
            );
        let is_logged = if self.at_info {
            tracing::enabled!(Level::INFO)
        } else {
            tracing::enabled!(Level::DEBUG)
        };
        if !is_failure && !is_logged {
            return;
        }
        let target = answered
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        let took = Duration::from_nanos(answered.took.as_nanos() as i64);
        let mut line = format!("{} {target} ({}) {took}", answered.method, status.as_u16());
        let headers = self.headers(answered.headers);
        let ips = self
            .source_ips
            .as_ref()
            .map(|ips| ips.of(answered.headers, answered.peer));
        // Fields that are none are left out of the line.
        if is_failure {
            let body = answered.response.body().as_whole();
            let body = body.map_or(&[][..], |bytes| &bytes[..bytes.len().min(EXCERPT_BYTES)]);
            line.push_str(&format!(" Response: {:?}", String::from_utf8_lossy(body)));
            tracing::warn!(msg = line, sourceIPs = ips, headers);
        } else if self.at_info {
            tracing::info!(msg = line, sourceIPs = ips, headers);
        } else {
            tracing::debug!(msg = line, sourceIPs = ips, headers);
        }
    }
}

impl SourceIps {
    fn of(&self, headers: &HeaderMap, peer: SocketAddr) -> String {
        let peer = peer.ip().to_canonical().to_string();
        match self.forwarded(headers) {
            Some(ip) if ip != peer && !ip.is_empty() => format!("{ip}, {peer}"),
            _ => peer,
        }
    }

    fn forwarded(&self, headers: &HeaderMap) -> Option<String> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        if let Some((name, regex)) = &self.own {
            let found = regex.captures(text(name.as_str())?)?;
            return Some(found.get(1).or(found.get(0))?.as_str().to_owned());
        }
        if let Some(list) = text("x-forwarded-for") {
            let first = list.split(',').next().unwrap_or_default();
            return Some(if self.full { list } else { first }.trim().to_owned());
        }
        if let Some(ip) = text("x-real-ip") {
            return Some(ip.trim().to_owned());
        }
        let mut hops = text("forwarded")?.split([',', ';']).filter_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            key.eq_ignore_ascii_case("for")
                .then(|| value.trim_matches('"').to_owned())
        });
        if self.full {
            return Some(hops.collect::<Vec<_>>().join(", "));
        }
        hops.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn source_addresses_of_all_kinds_of_proxies() {
        let peer = SocketAddr::from(([10, 0, 0, 1], 1234));
        let plain = |full| SourceIps { full, own: None };
        let own = SourceIps {
            full: false,
            own: HeaderName::try_from("x-client")
                .ok()
                .zip(Regex::new("ip=([0-9.]+)").ok()),
        };
        for (ips, pairs, want) in [
            (&plain(false), &[][..], "10.0.0.1"),
            (
                &plain(false),
                &[("x-forwarded-for", "1.2.3.4, 5.6.7.8")],
                "1.2.3.4, 10.0.0.1",
            ),
            (
                &plain(true),
                &[("x-forwarded-for", "1.2.3.4, 5.6.7.8")],
                "1.2.3.4, 5.6.7.8, 10.0.0.1",
            ),
            (&plain(false), &[("x-real-ip", "10.0.0.1")], "10.0.0.1"),
            (
                &plain(false),
                &[("forwarded", "proto=http;for=\"1.1.1.1\"")],
                "1.1.1.1, 10.0.0.1",
            ),
            (&own, &[("x-client", "a ip=9.9.9.9")], "9.9.9.9, 10.0.0.1"),
            (&own, &[("x-forwarded-for", "1.2.3.4")], "10.0.0.1"),
        ] {
            assert_eq!(ips.of(&headers(pairs), peer), want);
        }
    }

    #[test]
    fn secrets_and_excluded_headers_are_not_logged() {
        let log = RequestLog::new(&Server {
            log_request_headers: true,
            log_request_exclude_headers_list: "X-Hidden, other".into(),
            ..Server::default()
        });
        let all = headers(&[
            ("accept", "*/*"),
            ("authorization", "Bearer x"),
            ("cookie", "a"),
            ("x-hidden", "b"),
        ]);
        assert_eq!(log.headers(&all).as_deref(), Some("accept: */*"));
        assert_eq!(
            RequestLog::new(&Server::default()).headers(&all).as_deref(),
            None
        );
    }
}
