//! Answers in the form that the client asked for (http-api.md §2, §4.2).

use bytes::Bytes;
use http::StatusCode;
use prost::Message as _;
use vivace_protocol::tempopb::TraceByIdResponse;
use vivace_protocol::trace::{
    Combined, to_json_llm_pausing, to_json_v1_pausing, to_json_v2_pausing,
};
use vivace_shards::http::{Response, charged_bytes, response};
use vivace_shards::memory::Charge;

use crate::accept::Form;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/protobuf";
const LLM: &str = "application/vnd.grafana.llm";
const LLM_JSON: &str = "application/vnd.grafana.llm+json";

/// A `Trace`; 404 when there is none, 422 when it is larger than the limit: v1 knows no partial answers.
pub async fn v1(combined: Combined, form: Form) -> Response {
    if combined.is_empty() {
        return response::empty(StatusCode::NOT_FOUND);
    }
    if let Some(text) = combined.too_large_error() {
        return response::text(StatusCode::UNPROCESSABLE_ENTITY, text);
    }
    let (kind, body) = match form {
        Form::Protobuf => (PROTOBUF, combined.trace.encode_to_vec()),
        Form::Json => (JSON, json_v1(&combined).await),
        Form::Llm => (LLM, json_v1(&combined).await),
    };
    response::with_type(StatusCode::OK, kind, body)
}

async fn json_v1(combined: &Combined) -> Vec<u8> {
    to_json_v1_pausing(&combined.trace, vivace_shards::breathe)
        .await
        .into_bytes()
}

/// A `TraceByIDResponse`; 200 also when nothing was found.
pub async fn v2(answer: TraceByIdResponse, form: Form) -> Response {
    let (kind, body) = match form {
        Form::Protobuf => (PROTOBUF, answer.encode_to_vec()),
        Form::Json => {
            let text = to_json_v2_pausing(&answer, vivace_shards::breathe).await;
            (JSON, text.into_bytes())
        }
        Form::Llm => {
            let text = to_json_llm_pausing(&answer, vivace_shards::breathe).await;
            (LLM_JSON, text.into_bytes())
        }
    };
    response::with_type(StatusCode::OK, kind, body)
}

/// A search, or names of tags: what is not protobuf is the same JSON.
pub async fn plain<M: prost::Message>(
    message: &M,
    json: impl AsyncFn(&M) -> String,
    form: Form,
) -> Response {
    let (kind, body) = body(message, json, form).await;
    response::with_type(StatusCode::OK, kind, body)
}

/// `plain`, charged until it is sent.
pub async fn charged<M: prost::Message>(
    message: &M,
    json: impl AsyncFn(&M) -> String,
    form: Form,
    charge: Charge,
) -> Response {
    let (kind, body) = body(message, json, form).await;
    response::with_type(StatusCode::OK, kind, bytes(body, charge))
}

async fn body<M: prost::Message>(
    message: &M,
    json: impl AsyncFn(&M) -> String,
    form: Form,
) -> (&'static str, Vec<u8>) {
    match form {
        Form::Protobuf => (PROTOBUF, message.encode_to_vec()),
        Form::Json => (JSON, json(message).await.into_bytes()),
        Form::Llm => (LLM_JSON, json(message).await.into_bytes()),
    }
}

/// A metrics query: JSON, whatever was asked for. Charged until it is sent.
pub fn json(text: String, charge: Charge) -> Response {
    response::with_type(StatusCode::OK, JSON, bytes(text.into_bytes(), charge))
}

/// Of what an answer took while it was made, its bytes are left.
fn bytes(body: Vec<u8>, mut charge: Charge) -> Bytes {
    charge.shrink_to(body.capacity() as u64);
    charged_bytes(body, charge)
}
