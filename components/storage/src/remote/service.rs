//! One HTTP request to a store: attempts with back-off and jitter until one succeeds, time runs out, or the store says no.
//!
//! Answers are read whole before they are handed on, so that a connection that is cut in the middle, or an answer of another length
//! than it says, is one more reason for another attempt. `object_store` above does no retries of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::response::Parts;
use http::{HeaderMap, Method, StatusCode};
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use vivace_shards::rand;

use super::failure::{Failure, chain};
use crate::limits::{ERROR_TEXT_BYTES, RANGE_BYTES, SLOWEST_BYTES_PER_SECOND};
use crate::metrics::Requests;

/// How patient a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Attempts of one request, the first included.
    pub attempts: u32,
    /// Longest pause before the second attempt; the next ones are twice as long each.
    pub first_pause: Duration,
    /// Longest pause at all. Each is a random time up to its limit, at least half of it.
    pub longest_pause: Duration,
    /// For one attempt; long bodies get more time.
    pub attempt: Duration,
    /// For a connection.
    pub connect: Duration,
    /// For the next piece of an answer.
    pub stall: Duration,
    /// From the first attempt on; none begins later.
    pub total: Duration,
}

impl Patience {
    /// The pause after so many attempts: random, but never so short that a store in trouble hears from all at once.
    fn pause(&self, attempts: u32) -> Duration {
        let factor = 1_u32 << attempts.saturating_sub(1).min(16);
        let most = self
            .first_pause
            .saturating_mul(factor)
            .min(self.longest_pause);
        let half = most / 2;
        let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        half + Duration::from_nanos(rand::below(nanos.saturating_add(1)))
    }
}

pub(super) struct Service {
    client: HttpClient,
    patience: Patience,
    /// None for credentials.
    requests: Option<Requests>,
    at_once: Arc<Semaphore>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    pub(super) fn new(
        client: HttpClient,
        patience: Patience,
        requests: Option<Requests>,
        at_once: Arc<Semaphore>,
    ) -> Self {
        Self {
            client,
            patience,
            requests,
            at_once,
        }
    }

    /// One attempt: the answer, or what was wrong with it.
    async fn attempt(&self, request: HttpRequest) -> Result<(Parts, Bytes), Broken> {
        let _turn = self.at_once.acquire().await;
        let method = request.method().clone();
        let sent = request.body().content_length() as u64;
        let started = Instant::now();
        let limit =
            self.patience.attempt + Duration::from_secs(sent.div_ceil(SLOWEST_BYTES_PER_SECOND));
        let outcome = match timeout(limit, self.exchange(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Broken::again(format!("no answer within {limit:?}"))),
        };
        if let Some(requests) = &self.requests {
            let status = outcome.as_ref().ok().map(|(parts, _)| parts.status);
            requests.observe(&method, status, started.elapsed());
        }
        outcome
    }

    async fn exchange(&self, request: HttpRequest) -> Result<(Parts, Bytes), Broken> {
        let is_head = request.method() == Method::HEAD;
        let answer = self.client.execute(request).await;
        let (parts, body) = answer
            .map_err(|error| Broken::again(chain(&error)))?
            .into_parts();
        if is_head {
            return Ok((parts, Bytes::new()));
        }
        let announced = announced(&parts.headers);
        let too_long = |bytes| Broken {
            failure: Some(Failure::TooLong {
                bytes,
                limit: RANGE_BYTES,
            }),
            text: String::new(),
        };
        if let Some(bytes) = announced.filter(|bytes| *bytes > RANGE_BYTES) {
            return Err(too_long(bytes));
        }
        let mut pieces = body.bytes_stream();
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| Broken::again(chain(&error)))?;
            if first.is_empty() {
                // An answer in one piece is not copied.
                first = piece;
                continue;
            }
            if all.is_empty() {
                let len = announced.unwrap_or(0).max(first.len() as u64);
                all.reserve(usize::try_from(len).unwrap_or(0));
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&piece);
            if all.len() as u64 > RANGE_BYTES {
                return Err(too_long(all.len() as u64));
            }
        }
        let bytes = if all.is_empty() { first } else { all.freeze() };
        check_length(&parts, announced, bytes.len() as u64)?;
        Ok((parts, bytes))
    }
}

/// An attempt that gave no answer.
struct Broken {
    /// None: worth another attempt.
    failure: Option<Failure>,
    text: String,
}

impl Broken {
    fn again(text: String) -> Self {
        Self {
            failure: None,
            text,
        }
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn check_length(parts: &Parts, announced: Option<u64>, got: u64) -> Result<(), Broken> {
    let said = match parts.status {
        StatusCode::PARTIAL_CONTENT => range_length(&parts.headers).or(announced),
        _ => announced,
    };
    match said {
        Some(said) if said != got => Err(Broken::again(format!(
            "answer of {got} bytes that says it has {said}"
        ))),
        _ => Ok(()),
    }
}

/// Whether a range was asked for that begins behind the end. Azurite answers it with an empty one, others with 416.
fn is_beyond_end(request: &HeaderMap, answer: &Parts) -> bool {
    if answer.status != StatusCode::PARTIAL_CONTENT {
        return false;
    }
    let start = || -> Option<u64> {
        let range = request.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
        range.split_once('-')?.0.parse().ok()
    };
    let size = || -> Option<u64> {
        let range = answer.headers.get(CONTENT_RANGE)?.to_str().ok()?;
        range.rsplit_once('/')?.1.trim().parse().ok()
    };
    matches!((start(), size()), (Some(start), Some(size)) if start >= size)
}

/// The length that `Content-Range: bytes 3-6/10` announces.
fn range_length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, _) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    last.checked_sub(first)?.checked_add(1)
}

/// What to do with a complete answer.
enum Verdict {
    Deliver,
    Again(String),
    Fail(Failure),
}

fn judge(method: &Method, status: StatusCode, body: &[u8]) -> Verdict {
    let text = || excerpt(body);
    // Some stores begin to answer before they have done it (copies, ends of uploads), and then put the failure into the body.
    let is_failure = |body: &[u8]| {
        let body = String::from_utf8_lossy(body);
        body.contains("<Code>InternalError</Code>") || body.contains("<Code>SlowDown</Code>")
    };
    match status.as_u16() {
        200..=299 if method != Method::GET && body.len() < 64 << 10 && is_failure(body) => {
            Verdict::Again(format!("HTTP {status}: {}", text()))
        }
        200..=299 => Verdict::Deliver,
        408 | 429 | 500..=599 => Verdict::Again(format!("HTTP {status}: {}", text())),
        404 => {
            let body = String::from_utf8_lossy(body);
            let absent = ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"];
            match absent.iter().any(|what| body.contains(what)) {
                true => Verdict::Fail(Failure::NoBucket {
                    status: 404,
                    text: text(),
                }),
                false => Verdict::Deliver,
            }
        }
        // `object_store` tells these apart.
        304 | 401 | 403 | 409 | 412 => Verdict::Deliver,
        status => Verdict::Fail(Failure::Refused {
            status,
            text: text(),
        }),
    }
}

/// A body's beginning, on one line.
fn excerpt(body: &[u8]) -> String {
    let some = body.get(..ERROR_TEXT_BYTES).unwrap_or(body);
    let text = String::from_utf8_lossy(some);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let started = Instant::now();
        let mut attempts = 0;
        let fail = |failure| Err(HttpError::new(HttpErrorKind::Unknown, failure));
        loop {
            attempts += 1;
            let last = match self.attempt(request.clone()).await {
                Ok((parts, _)) if is_beyond_end(request.headers(), &parts) => {
                    return fail(Failure::Refused {
                        status: 416,
                        text: "the range begins behind the end".to_owned(),
                    });
                }
                Ok((parts, bytes)) => match judge(request.method(), parts.status, &bytes) {
                    Verdict::Deliver => {
                        return Ok(HttpResponse::from_parts(parts, bytes.into()));
                    }
                    Verdict::Again(text) => text,
                    Verdict::Fail(failure) => return fail(failure),
                },
                Err(Broken {
                    failure: Some(failure),
                    ..
                }) => return fail(failure),
                Err(Broken { text, .. }) => text,
            };
            let pause = self.patience.pause(attempts);
            let within = started.elapsed();
            if attempts >= self.patience.attempts || within + pause > self.patience.total {
                return fail(Failure::Exhausted {
                    attempts,
                    within,
                    last,
                });
            }
            // Neither key nor query: both may hold secrets.
            tracing::debug!(method = %request.method(), attempts, error = %last, "a request to the store is tried again");
            sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        Patience {
            attempts: 10,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(1),
            attempt: Duration::from_secs(1),
            connect: Duration::from_secs(1),
            stall: Duration::from_secs(1),
            total: Duration::from_secs(10),
        }
    }

    #[test]
    fn pauses_double_up_to_their_limit_and_are_random() {
        let patience = patience();
        for (attempts, most) in [(1, 200), (2, 400), (3, 800), (4, 1000), (40, 1000)] {
            let pauses: Vec<Duration> = (0..50).map(|_| patience.pause(attempts)).collect();
            let (least, most) = (Duration::from_millis(most / 2), Duration::from_millis(most));
            assert!(pauses.iter().all(|pause| (least..=most).contains(pause)));
            assert!(pauses.iter().any(|pause| pause != &pauses[0]));
        }
    }

    #[test]
    fn what_an_answer_means() {
        let judge = |method: Method, status: u16, body: &str| match judge(
            &method,
            StatusCode::from_u16(status).unwrap(),
            body.as_bytes(),
        ) {
            Verdict::Deliver => "deliver".to_owned(),
            Verdict::Again(text) => format!("again: {text}"),
            Verdict::Fail(failure) => format!("fail: {failure}"),
        };
        assert_eq!(judge(Method::GET, 200, "<Code>SlowDown</Code>"), "deliver");
        assert_eq!(
            judge(Method::PUT, 200, "<Code>SlowDown</Code>"),
            "again: HTTP 200 OK: <Code>SlowDown</Code>"
        );
        assert_eq!(
            judge(Method::GET, 503, "a\n  b"),
            "again: HTTP 503 Service Unavailable: a b"
        );
        assert_eq!(judge(Method::GET, 404, "<Code>NoSuchKey</Code>"), "deliver");
        assert!(judge(Method::PUT, 404, "<Code>NoSuchBucket</Code>").starts_with("fail: HTTP 404"));
        assert_eq!(judge(Method::GET, 403, ""), "deliver");
        assert_eq!(judge(Method::PUT, 400, "no"), "fail: HTTP 400: no");
        assert_eq!(judge(Method::GET, 301, ""), "fail: HTTP 301: ");
    }

    #[test]
    fn lengths_of_answers() {
        let check = |status: u16, headers: &[(&str, &str)], got: u64| {
            let mut answer = http::Response::builder().status(status);
            for (name, value) in headers {
                answer = answer.header(*name, *value);
            }
            let (parts, ()) = answer.body(()).unwrap().into_parts();
            check_length(&parts, announced(&parts.headers), got)
                .map_err(|broken| broken.text)
                .err()
        };
        let range = ("content-range", "bytes 3-6/10");
        assert_eq!(check(206, &[range], 4), None);
        assert_eq!(
            check(206, &[range, ("content-length", "2")], 2).as_deref(),
            Some("answer of 2 bytes that says it has 4")
        );
        assert_eq!(check(200, &[("content-length", "4")], 4), None);
        assert!(check(200, &[("content-length", "5")], 4).is_some());
        assert_eq!(check(200, &[], 4), None);
        assert_eq!(check(206, &[("content-range", "bytes 6-3/10")], 9), None);
    }
}
