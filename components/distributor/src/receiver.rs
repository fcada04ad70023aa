//! What the keys of one HTTP receiver ask for besides OTLP itself: path, encodings, headers of answers, requests from web pages.

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::time::Duration;
use vivace_shards::http::compression::Encoding;
use vivace_shards::http::{RequestContext, Response, response};

/// One OTLP/HTTP receiver, in the collector's terms.
#[derive(Clone, Debug)]
pub struct HttpReceiver {
    /// `traces_url_path`; with a slash in front.
    pub traces_path: String,
    /// `compression_algorithms`; `None` takes all.
    pub encodings: Option<Vec<Encoding>>,
    /// `read_timeout`: for a whole body; `None` asks for the usual least progress only.
    pub read_timeout: Option<Duration>,
    /// `response_headers`: go out with every answer.
    pub response_headers: Vec<(HeaderName, HeaderValue)>,
    /// `keep_alives_enabled`.
    pub keep_alive: bool,
    /// `cors`; `None`: requests of web pages get no special treatment.
    pub cors: Option<Cors>,
}

impl Default for HttpReceiver {
    fn default() -> Self {
        Self {
            traces_path: "/v1/traces".to_owned(),
            encodings: None,
            read_timeout: None,
            response_headers: Vec::new(),
            keep_alive: true,
            cors: None,
        }
    }
}

/// Which web pages may send spans, and what they may see.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    /// Origins; a `*` stands for any text, alone for any origin.
    pub origins: Vec<String>,
    /// Headers that requests may have besides the harmless ones; `*` for all.
    pub headers: Vec<String>,
    /// Headers of answers that pages may read.
    pub exposed: Vec<String>,
    /// For how many seconds a browser may remember the answer to its question; 0 leaves it to the browser.
    pub max_age: u32,
}

/// Headers that a request of a page may have unless `allowed_headers` says otherwise.
const USUAL_HEADERS: [&str; 4] = ["origin", "accept", "content-type", "x-requested-with"];
const METHODS: [Method; 3] = [Method::GET, Method::POST, Method::HEAD];

impl HttpReceiver {
    pub(crate) fn takes(&self, encoding: Encoding) -> bool {
        self.encodings
            .as_ref()
            .is_none_or(|taken| taken.contains(&encoding))
    }

    /// The answer to a browser's question whether a page may send its request, if this is one.
    pub(crate) fn preflight(&self, context: &RequestContext) -> Option<Response> {
        let cors = self.cors.as_ref()?;
        let asks = context.method == Method::OPTIONS
            && context
                .headers
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        asks.then(|| cors.preflight(&context.headers))
    }

    /// Adds to an answer what every answer of this receiver has.
    pub(crate) fn dress(&self, origin: Option<&HeaderValue>, response: &mut Response) {
        let headers = response.headers_mut();
        for (name, value) in &self.response_headers {
            headers.insert(name, value.clone());
        }
        if !self.keep_alive {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(cors) = &self.cors
            && !headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS)
        {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
            if cors.allow(origin, headers) && !cors.exposed.is_empty() {
                set(
                    headers,
                    header::ACCESS_CONTROL_EXPOSE_HEADERS,
                    &cors.exposed.join(", "),
                );
            }
        }
    }
}

impl Cors {
    fn preflight(&self, request: &HeaderMap) -> Response {
        let mut response = response::empty(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        for name in [
            header::ORIGIN,
            header::ACCESS_CONTROL_REQUEST_METHOD,
            header::ACCESS_CONTROL_REQUEST_HEADERS,
        ] {
            headers.append(header::VARY, HeaderValue::from(name));
        }
        let text = |name| request.get(name).and_then(|value| value.to_str().ok());
        let method = text(header::ACCESS_CONTROL_REQUEST_METHOD).unwrap_or_default();
        let asked = text(header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
        let origin = request.get(header::ORIGIN);
        if METHODS.iter().any(|known| known == method)
            && self.allow_headers(asked)
            && self.allow(origin, headers)
        {
            set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, method);
            if !asked.is_empty() {
                set(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
            }
            if self.max_age > 0 {
                set(
                    headers,
                    header::ACCESS_CONTROL_MAX_AGE,
                    &self.max_age.to_string(),
                );
            }
        }
        response
    }

    /// Says that this origin may read the answer, if it may.
    fn allow(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) -> bool {
        let Some(value) = origin else { return false };
        let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
        let Some(pattern) = self.origins.iter().find(|pattern| matches(pattern, &text)) else {
            return false;
        };
        let value = if pattern == "*" {
            HeaderValue::from_static("*")
        } else {
            value.clone()
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        true
    }

    fn allow_headers(&self, asked: &str) -> bool {
        let allowed = |name: &str| {
            if self.headers.is_empty() {
                USUAL_HEADERS
                    .iter()
                    .any(|usual| usual.eq_ignore_ascii_case(name))
            } else {
                let mut all = self.headers.iter();
                all.any(|one| one == "*" || one.eq_ignore_ascii_case(name))
            }
        };
        asked
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .all(|name| allowed(name) || name.eq_ignore_ascii_case("origin"))
    }
}

/// Whether an origin in lower case is one of a pattern with at most one `*`.
fn matches(pattern: &str, origin: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.split_once('*') {
        None => pattern == origin,
        Some((start, end)) => {
            origin.len() >= start.len() + end.len()
                && origin.starts_with(start)
                && origin.ends_with(end)
        }
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_match_by_one_star() {
        for (pattern, origin, want) in [
            ("*", "https://a.example", true),
            ("https://*.example", "https://a.example", true),
            ("https://*.example", "https://a.example.org", false),
            ("https://A.example", "https://a.example", true),
            ("ab*ba", "aba", false),
            ("https://a.example", "http://a.example", false),
        ] {
            assert_eq!(matches(pattern, origin), want, "{pattern} {origin}");
        }
    }

    #[test]
    fn headers_that_a_page_may_send() {
        let usual = Cors::default();
        assert!(usual.allow_headers("Content-Type, accept"));
        assert!(!usual.allow_headers("content-type,x-scope-orgid"));
        let own = Cors {
            headers: vec!["X-Scope-OrgID".into()],
            ..Cors::default()
        };
        assert!(own.allow_headers("x-scope-orgid") && !own.allow_headers("accept"));
    }
}
