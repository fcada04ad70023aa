//! OTLP/HTTP: `POST /v1/traces` (http-api.md §14.1).

use crate::answer::Accepted;
use crate::metrics::Transport;
use crate::receiver::HttpReceiver;
use crate::refusal::Refusal;
use crate::service::{Arrival, Service};
use crate::tenant;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use vivace_protocol::otlp::json_to_protobuf;
use vivace_shards::grpc::Code;
use vivace_shards::http::compression::{DecodeError, Encoding, decompress};
use vivace_shards::http::{BodyError, Methods, RequestContext, Response, Router, response};
use vivace_shards::memory::{Kind, try_charge};
use vivace_shards::side;
use vivace_shards::time::{Instant, timeout};

/// JSON up to this size is translated on the shard (some 50 us); more of it would hold up everybody else there.
const JSON_ON_SHARD: usize = 32 << 10;

/// Keeps spans away from the metrics generator, whatever its value.
const NO_METRICS: &str = "no-generate-metrics";

/// The two forms of OTLP/HTTP bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Protobuf,
    Json,
}

impl Form {
    /// Of a content type without its parameters.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media = value.split(';').next().unwrap_or_default().trim();
        if media.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if media.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

pub(crate) fn skips_metrics(headers: &HeaderMap) -> bool {
    headers.contains_key(NO_METRICS)
}

/// The routes of the OTLP/HTTP listener.
pub fn router(service: &Service) -> Router {
    add_routes(Router::new(), service)
}

/// Adds the OTLP/HTTP route to a router.
pub fn add_routes(router: Router, service: &Service) -> Router {
    let (traces, others) = (service.clone(), service.clone());
    let path = service.inner.config.http.traces_path.clone();
    let dressed = |service: &Service, origin: Option<HeaderValue>, mut response: Response| {
        let receiver = &service.inner.config.http;
        receiver.dress(origin.as_ref(), &mut response);
        response
    };
    router
        .route(
            Methods::Any,
            &path,
            "v1_traces",
            async move |context: RequestContext| {
                let origin = context.headers.get(header::ORIGIN).cloned();
                let response = match traces.inner.config.http.preflight(&context) {
                    Some(answer) => answer,
                    None => handle(&traces, context).await,
                };
                dressed(&traces, origin, response)
            },
        )
        .fallback(async move |context: RequestContext| {
            let origin = context.headers.get(header::ORIGIN).cloned();
            dressed(&others, origin, response::not_found())
        })
}

async fn handle(service: &Service, mut context: RequestContext) -> Response {
    let at = Instant::now();
    if context.method != Method::POST {
        return plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "405 method not allowed, supported: [POST]",
        );
    }
    let Some(form) = Form::of(&context.headers) else {
        return plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "415 unsupported media type, supported: [application/json, application/x-protobuf]",
        );
    };
    match export(service, &mut context, form, at).await {
        Ok(accepted) => answer(
            StatusCode::OK,
            form,
            || accepted.to_protobuf(),
            || accepted.to_json(),
        ),
        Err(refusal) => refused(form, &refusal),
    }
}

async fn export(
    service: &Service,
    context: &mut RequestContext,
    form: Form,
    at: Instant,
) -> Result<Accepted, Refusal> {
    let receiver = &service.inner.config.http;
    let encoding = encoding_of(&context.headers, receiver)?;
    let tenant = tenant::of_request(&context.headers, service.inner.config.multitenancy)?;
    service.has_room(&tenant)?;
    let limit = service.inner.config.http_max_body_bytes;
    let reading = context.body.collect(limit);
    let body = match receiver.read_timeout {
        Some(bound) => timeout(bound, reading)
            .await
            .unwrap_or(Err(BodyError::Timeout)),
        None => reading.await,
    };
    let body = body.map_err(|error| match error {
        BodyError::TooLarge { .. } | BodyError::Malformed(_) => Refusal::invalid(error.to_string()),
        BodyError::OverBudget => service.out_of_memory(&tenant),
        BodyError::Timeout => Refusal::new(Code::DeadlineExceeded, error.to_string()),
        BodyError::Disconnected(_) => Refusal::new(Code::Cancelled, error.to_string()),
    })?;
    let body = decompress(encoding, body, limit)
        .await
        .map_err(|error| match error {
            // The same words as for a body that is too large as it comes.
            DecodeError::TooLarge { limit } => {
                Refusal::invalid(BodyError::TooLarge { limit }.to_string())
            }
            DecodeError::Corrupt { .. } => Refusal::invalid(error.to_string()),
            DecodeError::OverBudget => service.out_of_memory(&tenant),
        })?;
    let (request, _charge) = match form {
        Form::Protobuf => (body, None),
        Form::Json => {
            let charge = try_charge(body.len() as u64, Kind::Ingest)
                .map_err(|_| service.out_of_memory(&tenant))?;
            (from_json(body).await?, Some(charge))
        }
    };
    let arrival = Arrival {
        transport: Transport::Http,
        at,
        skip_metrics_generation: skips_metrics(&context.headers),
    };
    service.export(&tenant, request, arrival).await
}

async fn from_json(body: Bytes) -> Result<Bytes, Refusal> {
    let translated = if body.len() <= JSON_ON_SHARD {
        json_to_protobuf(&body)
    } else {
        let off_shard = side::blocking(move || json_to_protobuf(&body)).await;
        off_shard.map_err(|error| Refusal::new(Code::Unavailable, error.to_string()))?
    };
    translated
        .map(Bytes::from)
        .map_err(|error| Refusal::invalid(error.to_string()))
}

fn encoding_of(headers: &HeaderMap, receiver: &HttpReceiver) -> Result<Encoding, Refusal> {
    let name = match headers.get(header::CONTENT_ENCODING) {
        Some(value) => value.to_str().unwrap_or("?"),
        None => "",
    };
    Encoding::parse(name)
        .filter(|encoding| receiver.takes(*encoding))
        .ok_or_else(|| Refusal::invalid(format!("unsupported Content-Encoding: {name}")))
}

fn answer(
    status: StatusCode,
    form: Form,
    protobuf: impl FnOnce() -> Vec<u8>,
    json: impl FnOnce() -> String,
) -> Response {
    let body = match form {
        Form::Protobuf => Bytes::from(protobuf()),
        Form::Json => Bytes::from(json()),
    };
    response::with_type(status, form.content_type(), body)
}

fn refused(form: Form, refusal: &Refusal) -> Response {
    // Invariant: the statuses are constants between 400 and 503.
    let status =
        StatusCode::from_u16(refusal.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, form, || refusal.to_protobuf(), || refusal.to_json());
    if let Some(seconds) = refusal.retry_after_seconds() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What the receiver answers before it knows in which form the client speaks.
fn plain(status: StatusCode, text: &'static str) -> Response {
    response::text(status, text)
}
