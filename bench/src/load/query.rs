//! A connection to the query API, made when it is needed.

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue, InvalidHeaderValue};
use http::{HeaderMap, Request, StatusCode};
use vivace_shards::Class;
use vivace_shards::http::client::{Client, ClientOptions, Version};

use super::limits::MAX_ANSWER_BYTES;
use super::options::{Options, QueryUrl};
use super::send::tenant_header;

/// One connection. After a failure the caller disconnects, and the next request connects anew.
pub struct Query {
    url: QueryUrl,
    headers: HeaderMap,
    client: Option<Client>,
}

impl Query {
    /// Not connected yet.
    ///
    /// # Errors
    /// If the tenant cannot stand in a header.
    pub fn new(url: QueryUrl, options: &Options) -> Result<Self, InvalidHeaderValue> {
        let mut headers = tenant_header(options)?;
        headers.insert(ACCEPT, HeaderValue::from_static("application/protobuf"));
        Ok(Self {
            url,
            headers,
            client: None,
        })
    }

    /// Forgets the connection.
    pub fn disconnect(&mut self) {
        self.client = None;
    }

    /// Status and body, whatever the status; `path` stands behind the URL's own.
    pub async fn get(&mut self, path: &str) -> Result<(StatusCode, Bytes), String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        if self.client.is_none() {
            let options = ClientOptions {
                max_response_bytes: MAX_ANSWER_BYTES,
                class: Class::Query,
                ..ClientOptions::new(Version::Http1)
            };
            // Boxed: handshakes make large futures, and this one is part of others.
            let connected = Box::pin(Client::connect_with(self.url.address, options)).await;
            self.client = Some(connected.map_err(|error| failed(&error))?);
        }
        let Some(client) = &self.client else {
            return Err("not connected".into());
        };
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = format!("{}{path}", self.url.prefix)
            .parse()
            .map_err(|error: http::uri::InvalidUri| failed(&error))?;
        *request.headers_mut() = self.headers.clone();
        let response = client.send(request).await.map_err(|error| failed(&error))?;
        Ok((response.status(), response.into_body()))
    }
}
