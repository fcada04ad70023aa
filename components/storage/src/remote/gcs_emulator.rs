//! Google's store as fake-gcs-server has it: it reads, lists and deletes through the XML interface that `object_store` speaks, but
//! writes and copies only through the JSON one. Writes are translated here.
//!
//! The parts of an upload become objects beside its target, which are composed in the end.

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpService,
};
use serde_json::{Value, json};
use uuid::Uuid;
use vivace_shards::rand;

/// Objects that can be composed at once.
const COMPOSED: usize = 32;

#[derive(Debug)]
pub(super) struct JsonWrites {
    client: HttpClient,
}

/// Why a translated request makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("fake-gcs-server: {0}")]
struct Malformed(&'static str);

fn malformed(what: &'static str) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, Malformed(what))
}

/// What a request is about: `/<bucket>/<object>?<query>`, percent-encoded.
struct Target<'a> {
    uri: &'a Uri,
    bucket: &'a str,
    object: &'a str,
}

impl<'a> Target<'a> {
    fn of(uri: &'a Uri) -> Option<Self> {
        let (bucket, object) = uri.path().strip_prefix('/')?.split_once('/')?;
        let some = !bucket.is_empty() && !object.is_empty();
        some.then_some(Self {
            uri,
            bucket,
            object,
        })
    }

    fn query(&self, name: &str) -> Option<&'a str> {
        let pairs = self.uri.query()?.split('&');
        pairs
            .filter_map(|pair| pair.split_once('=').or(Some((pair, ""))))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    fn at(&self, path: &str) -> Result<Uri, HttpError> {
        let path = PathAndQuery::try_from(path).map_err(|_| malformed("not a path"))?;
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).map_err(|_| malformed("not an address"))
    }

    /// Where an object is written.
    fn media(&self, object: &str) -> Result<Uri, HttpError> {
        let bucket = self.bucket;
        self.at(&format!(
            "/upload/storage/v1/b/{bucket}/o?uploadType=media&name={object}"
        ))
    }

    fn object(&self, object: &str, action: &str) -> Result<Uri, HttpError> {
        self.at(&format!("/storage/v1/b/{}/o/{object}{action}", self.bucket))
    }

    /// The name of a part, or, with an empty number, what the names of all begin with.
    fn part(&self, upload: &str, number: &str) -> String {
        format!("{}%2Epart%2D{upload}%2D{number}", self.object)
    }
}

impl JsonWrites {
    pub(super) fn new(client: HttpClient) -> Self {
        Self { client }
    }

    async fn send(
        &self,
        method: Method,
        uri: Uri,
        headers: &HeaderMap,
        body: HttpRequestBody,
    ) -> Result<HttpResponse, HttpError> {
        let length = body.content_length();
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        if let Some(kind) = headers.get(CONTENT_TYPE) {
            request.headers_mut().insert(CONTENT_TYPE, kind.clone());
        }
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
        self.client.execute(request).await
    }

    async fn json(
        &self,
        method: Method,
        uri: Uri,
        body: Option<Value>,
    ) -> Result<HttpResponse, HttpError> {
        let mut headers = HeaderMap::new();
        let kind = http::HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, kind);
        let body = body.map_or_else(HttpRequestBody::empty, |body| body.to_string().into());
        self.send(method, uri, &headers, body).await
    }

    /// Composes the parts, some at a time, into one object, and removes them.
    async fn complete(&self, target: &Target<'_>, upload: &str) -> Result<HttpResponse, HttpError> {
        let parts = match self.parts(target, upload).await? {
            Ok(parts) => parts,
            Err(answer) => return Ok(answer),
        };
        let destination = decoded(target.object);
        let mut composed = false;
        let mut left = parts.as_slice();
        while !left.is_empty() {
            let room = COMPOSED - usize::from(composed);
            let (now, later) = left.split_at(room.min(left.len()));
            let so_far = composed.then(|| destination.clone());
            let sources = so_far.iter().chain(now);
            let sources: Vec<Value> = sources.map(|name| json!({ "name": name })).collect();
            let body = json!({ "sourceObjects": sources, "destination": {} });
            let uri = target.object(target.object, "/compose")?;
            let answer = self.json(Method::POST, uri, Some(body)).await?;
            if !answer.status().is_success() {
                return Ok(answer);
            }
            composed = true;
            left = later;
        }
        if !composed {
            return answer(StatusCode::NOT_FOUND, "no such upload");
        }
        self.remove(target, &parts).await?;
        let xml = "<CompleteMultipartUploadResult><ETag>\"composed\"</ETag></CompleteMultipartUploadResult>";
        answer(StatusCode::OK, xml)
    }

    /// The names of an upload's parts, in order; or an answer that says why not.
    async fn parts(
        &self,
        target: &Target<'_>,
        upload: &str,
    ) -> Result<Result<Vec<String>, HttpResponse>, HttpError> {
        let prefix = target.part(upload, "");
        let bucket = target.bucket;
        let uri = target.at(&format!("/storage/v1/b/{bucket}/o?prefix={prefix}"))?;
        let answer = self.json(Method::GET, uri, None).await?;
        if !answer.status().is_success() {
            return Ok(Err(answer));
        }
        let listed = answer.into_body().bytes().await?;
        let listed: Value =
            serde_json::from_slice(&listed).map_err(|_| malformed("a listing that is no JSON"))?;
        let items = listed["items"].as_array().into_iter().flatten();
        let names = items.filter_map(|item| item["name"].as_str());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(Ok(names))
    }

    async fn remove(&self, target: &Target<'_>, names: &[String]) -> Result<(), HttpError> {
        for name in names {
            let uri = target.object(&encoded(name), "")?;
            self.json(Method::DELETE, uri, None).await?;
        }
        Ok(())
    }

    async fn write(
        &self,
        target: &Target<'_>,
        request: &HttpRequest,
        object: &str,
    ) -> Result<HttpResponse, HttpError> {
        let (uri, body) = (target.media(object)?, request.body().clone());
        let written = self.send(Method::POST, uri, request.headers(), body);
        let mut written = written.await?;
        // The XML interface has it in a header.
        let tag = http::HeaderValue::from_static("\"written\"");
        written.headers_mut().insert(ETAG, tag);
        Ok(written)
    }
}

#[async_trait]
impl HttpService for JsonWrites {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri = request.uri().clone();
        let Some(target) = Target::of(&uri) else {
            return self.client.execute(request).await;
        };
        let upload = target.query("uploadId");
        let source = request.headers().get("x-goog-copy-source");
        match (request.method().as_str(), upload, source) {
            ("PUT", None, Some(source)) => {
                let source = source.to_str().ok().and_then(|text| text.split_once('/'));
                let (_, source) = source.ok_or_else(|| malformed("copied from nowhere"))?;
                let to = format!("/rewriteTo/b/{}/o/{}", target.bucket, target.object);
                self.json(Method::POST, target.object(source, &to)?, None)
                    .await
            }
            ("PUT", None, None) => self.write(&target, &request, target.object).await,
            ("PUT", Some(upload), _) => {
                let number: u32 = target
                    .query("partNumber")
                    .and_then(|number| number.parse().ok())
                    .ok_or_else(|| malformed("a part without a number"))?;
                let part = target.part(upload, &format!("{number:05}"));
                self.write(&target, &request, &part).await
            }
            ("POST", None, _) if target.query("uploads").is_some() => {
                let mut id = [0; 16];
                rand::fill(&mut id);
                let id = Uuid::from_bytes(id).simple();
                let xml = format!(
                    "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                );
                answer(StatusCode::OK, xml)
            }
            ("POST", Some(upload), _) => self.complete(&target, upload).await,
            ("DELETE", Some(upload), _) => {
                if let Ok(parts) = self.parts(&target, upload).await? {
                    self.remove(&target, &parts).await?;
                }
                answer(StatusCode::NO_CONTENT, "")
            }
            _ => self.client.execute(request).await,
        }
    }
}

fn answer(status: StatusCode, body: impl Into<Bytes>) -> Result<HttpResponse, HttpError> {
    let mut answer = HttpResponse::new(body.into().into());
    *answer.status_mut() = status;
    Ok(answer)
}

fn encoded(name: &str) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            // Writing to a text never fails.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The reverse of [`encoded`]; what is not encoded stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.as_bytes();
    while let Some((&byte, rest)) = left.split_first() {
        let hex = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                left = rest.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                left = rest;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_and_decoded() {
        for name in ["a/b-1.2", "é%", "100%", ""] {
            assert_eq!(decoded(&encoded(name)), name);
        }
        assert_eq!(encoded("a/é"), "a%2F%C3%A9");
        assert_eq!(decoded("a%2"), "a%2");
        assert_eq!(decoded("%zz%41"), "%zzA");
    }

    #[test]
    fn what_requests_are_about() {
        let uri: Uri = "http://h:1/b/o%2Fp?partNumber=3&uploadId=x"
            .parse()
            .unwrap();
        let target = Target::of(&uri).unwrap();
        assert_eq!((target.bucket, target.object), ("b", "o%2Fp"));
        assert_eq!(target.query("uploadId"), Some("x"));
        assert_eq!(target.query("uploads"), None);
        assert_eq!(
            target.media(&target.part("x", "00003")).unwrap(),
            "http://h:1/upload/storage/v1/b/b/o?uploadType=media&name=o%2Fp%2Epart%2Dx%2D00003"
        );
        let uri: Uri = "http://h:1/b?list-type=2".parse().unwrap();
        assert!(Target::of(&uri).is_none());
    }
}
