//! `tempopb.StreamingQuerier`: answers in pieces while jobs run, then the whole answer (http-api.md §13.1).

mod packets;
mod progress;
mod series;

use std::rc::Rc;

use bytes::Bytes;
use prost::Message;
use vivace_protocol::tempopb::{
    QueryInstantRequest, QueryRangeRequest, SearchRequest, SearchTagValuesRequest,
    SearchTagsRequest,
};
use vivace_shards::Class;
use vivace_shards::grpc::{Call, Code, Sender, Server, Status};

use crate::api::Api;
use crate::error::QueryError;
use crate::execute::TagsOf;
use crate::params::{Asked, RawMetrics, RawSearch, RawTags};

const SECOND: u64 = 1_000_000_000;
const MILLI: u64 = 1_000_000;

/// Adds the methods.
pub fn add(api: &Rc<Api>, server: Server) -> Server {
    let server = server.run_in(Class::Query);
    let server = method(api, server, "Search", async |api, tenants, request, to| {
        api.stream_search(tenants, search(request), to).await
    });
    let server = method(
        api,
        server,
        "SearchTags",
        async |api, tenants, request, to| {
            let of = TagsOf::Names { v1: true };
            api.stream_tags(tenants, names(request), of, to).await
        },
    );
    let server = method(
        api,
        server,
        "SearchTagsV2",
        async |api, tenants, request, to| {
            let of = TagsOf::Names { v1: false };
            api.stream_tags(tenants, names(request), of, to).await
        },
    );
    let server = method(
        api,
        server,
        "SearchTagValues",
        async |api, tenants, request, to| {
            let of = TagsOf::Values { v1: true };
            api.stream_tags(tenants, values(request), of, to).await
        },
    );
    let server = method(
        api,
        server,
        "SearchTagValuesV2",
        async |api, tenants, request, to| {
            let of = TagsOf::Values { v1: false };
            api.stream_tags(tenants, values(request), of, to).await
        },
    );
    let server = method(
        api,
        server,
        "MetricsQueryRange",
        async |api, tenants, request, to| api.stream_range(tenants, range(request), to).await,
    );
    method(
        api,
        server,
        "MetricsQueryInstant",
        async |api, tenants, request, to| api.stream_instant(tenants, instant(request), to).await,
    )
}

/// One method: tenant, message, bound of time, status.
fn method<M: Message + Default>(
    api: &Rc<Api>,
    server: Server,
    name: &str,
    run: impl AsyncFn(&Api, &[String], M, &Sender) -> Result<(), QueryError> + 'static,
) -> Server {
    let api = Rc::clone(api);
    let path = format!("/tempopb.StreamingQuerier/{name}");
    server.server_streaming(&path, async move |call: Call, sender: Sender| {
        let refusal = |refusal| QueryError::Tenant(refusal).grpc();
        let tenants = api
            .deps
            .tenants
            .of_request(&call.metadata)
            .map_err(refusal)?;
        let message = M::decode(call.message).map_err(|error| {
            Status::new(
                Code::Internal,
                format!("grpc: error unmarshalling request: {error}"),
            )
        })?;
        let work = run(&api, &tenants, message, &sender);
        api.in_time(work).await.map_err(|error| error.grpc())
    })
}

/// Unix seconds; 0 is not given.
fn seconds(start: u32, end: u32) -> Asked {
    let given = |seconds: u32| (seconds > 0).then(|| u64::from(seconds) * SECOND);
    Asked {
        start: given(start),
        end: given(end),
        since: None,
    }
}

fn nanoseconds(start: u64, end: u64) -> Asked {
    let given = |nanos: u64| (nanos > 0).then_some(nanos);
    Asked {
        start: given(start),
        end: given(end),
        since: None,
    }
}

fn search(request: SearchRequest) -> RawSearch {
    RawSearch {
        query: request.query,
        tags: request.tags.into_iter().collect(),
        min_duration: u64::from(request.min_duration_ms) * MILLI,
        max_duration: u64::from(request.max_duration_ms) * MILLI,
        limit: Some(request.limit),
        spans_per_set: (request.spans_per_span_set > 0).then_some(request.spans_per_span_set),
        time: seconds(request.start, request.end),
    }
}

fn names(request: SearchTagsRequest) -> RawTags {
    RawTags {
        scope: request.scope,
        name: String::new(),
        query: request.query,
        time: seconds(request.start, request.end),
        limit: request.max_tags_per_scope,
        stale: request.stale_values_threshold,
    }
}

fn values(request: SearchTagValuesRequest) -> RawTags {
    RawTags {
        scope: String::new(),
        name: request.tag_name,
        query: request.query,
        time: seconds(request.start, request.end),
        limit: request.max_tag_values,
        stale: request.stale_value_threshold,
    }
}

fn range(request: QueryRangeRequest) -> RawMetrics {
    RawMetrics {
        query: request.query,
        time: nanoseconds(request.start, request.end),
        step: (request.step > 0).then_some(request.step),
        exemplars: request.exemplars,
        max_series: request.max_series,
        instant: request.instant.unwrap_or(false),
    }
}

fn instant(request: QueryInstantRequest) -> RawMetrics {
    RawMetrics {
        query: request.query,
        time: nanoseconds(request.start, request.end),
        instant: true,
        ..RawMetrics::default()
    }
}

/// A message on the wire.
fn wire(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
