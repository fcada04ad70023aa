//! The queries: all kinds that the language has, in the shapes that dashboards and people use.

/// What answers a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `/api/search`: 20 traces.
    Search,
    /// `/api/search` as a screen full of results: 200 traces, 20 spans each.
    Wide,
    /// `/api/metrics/query_range` with the step that the server chooses.
    Range,
    /// `/api/metrics/query`.
    Instant,
    /// `/api/v2/search/tags`; the text is the scope.
    Tags,
    /// `/api/v2/search/tag/…/values`; the text is the tag, and behind a blank a filter.
    Values,
}

impl Kind {
    /// What its figures are put together with.
    pub fn group(self) -> &'static str {
        match self {
            Self::Search | Self::Wide => "searches",
            Self::Range | Self::Instant => "metrics",
            Self::Tags | Self::Values => "tags",
        }
    }
}

/// One query.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// Short and unique.
    pub name: &'static str,
    /// Who answers.
    pub kind: Kind,
    /// `ORDER` and `TRACE` stand for ids that exist.
    pub text: &'static str,
    /// Whether there is something to be found in the data of this bench.
    pub finds: bool,
}

const fn of(kind: Kind, name: &'static str, text: &'static str) -> Query {
    Query {
        name,
        kind,
        text,
        finds: true,
    }
}

const fn miss(kind: Kind, name: &'static str, text: &'static str) -> Query {
    Query {
        finds: false,
        ..of(kind, name, text)
    }
}

use Kind::{Instant, Range, Search, Tags, Values, Wide};

/// All of them.
#[rustfmt::skip]
pub const QUERIES: &[Query] = &[
    // What everybody begins with.
    of(Search, "everything", "{}"),
    of(Search, "newest", "{} with (most_recent=true)"),
    of(Search, "service", r#"{ resource.service.name = "checkout" }"#),
    of(Search, "service and name", r#"{ resource.service.name = "checkout" && name = "GET /api/currencies/convert" }"#),
    of(Search, "error", "{ status = error }"),
    of(Search, "error of a service, newest", r#"{ status = error && resource.service.name = "payment" } with (most_recent=true)"#),
    of(Search, "kind", "{ kind = consumer }"),
    of(Search, "slow", "{ duration > 15s }"),
    of(Search, "slow database", r#"{ duration > 2s && span.db.system.name = "mysql" }"#),
    // Attributes by type, with and without a column of their own.
    of(Search, "int with column", "{ span.http.status_code = 503 }"),
    of(Search, "string with column", r#"{ span.http.route = "/api/orders/{id}/status" }"#),
    of(Search, "string", r#"{ span.db.collection.name = "refunds" }"#),
    of(Search, "int range", "{ span.messaging.batch.message_count > 90 && span.messaging.batch.message_count <= 95 }"),
    of(Search, "float", "{ span.cart.total > 499.5 }"),
    of(Search, "bool", "{ span.cache.hit = false }"),
    of(Search, "array element", r#"{ span.feature.flags = "dark" }"#),
    of(Search, "resource attribute", r#"{ resource.k8s.cluster.name = "prod-us-1" && resource.process.pid > 20000 }"#),
    of(Search, "unscoped", r#"{ .telemetry.sdk.language = "rust" && .http.method = "DELETE" }"#),
    of(Search, "instrumentation scope", r#"{ instrumentation:name = "io.opentelemetry.kafka" }"#),
    // One in a million, and none.
    of(Search, "id", r#"{ span.order.id = "ORDER" }"#),
    of(Search, "id, unscoped", r#"{ .order.id = "ORDER" }"#),
    of(Search, "trace by trace:id", r#"{ trace:id = "TRACE" }"#),
    miss(Search, "id that is not there", r#"{ span.order.id = "ord-none" }"#),
    miss(Search, "path that is not there", r#"{ span.url.path = "/no/such/path" }"#),
    miss(Search, "service that is not there", r#"{ resource.service.name = "legacy" && status = error }"#),
    // Regular expressions.
    of(Search, "regex of names", r#"{ name =~ "(PUT|PATCH) /api/(orders|users)/.*" }"#),
    of(Search, "regex of many values", r#"{ span.db.query.text =~ ".*user_id = 77[0-9]" }"#),
    miss(Search, "regex that is not there", r#"{ span.url.full =~ ".*no-such-part.*" }"#),
    of(Search, "not this regex", r#"{ resource.service.name !~ "front.*|cart|search" && status = error }"#),
    // Missing and present.
    of(Search, "has attribute", "{ span.rpc.grpc.status_code != nil }"),
    of(Search, "lacks attribute", "{ kind = server && span.http.route = nil }"),
    // Combined.
    of(Search, "and, or", r#"{ (span.http.status_code >= 500 || span.http.response.status_code >= 500) && resource.cloud.region = "us-east-1" }"#),
    of(Search, "arithmetic", "{ span.cart.total / span.cart.items > 480 }"),
    of(Search, "two fields compared", "{ span.thread.id > span.http.response.body.size }"),
    // Structure.
    of(Search, "child", r#"{ resource.service.name = "payment" && kind = server } > { span.db.operation.name = "INSERT" && status = error }"#),
    of(Search, "descendant", r#"{ resource.service.name = "partner-api" } >> { span.db.system.name = "mongodb" && status = error }"#),
    of(Search, "ancestor", r#"{ status = error && span.db.system.name = "redis" } << { resource.service.name = "mobile-gateway" && kind = server }"#),
    of(Search, "sibling", r#"{ kind = producer } ~ { span.db.system.name = "redis" && status = error }"#),
    of(Search, "not a child", "{ kind = client } !> { kind = server && status = error }"),
    of(Search, "union of descendants", r#"{ resource.service.name = "orders" && status = error } &>> { kind = producer && status = error }"#),
    of(Search, "both in a trace", r#"{ resource.service.name = "fraud-detection" && status = error } && { span.messaging.destination.name = "orders.paid" && status = error }"#),
    of(Search, "error below error", "{ nestedSetParent < 0 && status = error } >> { status = error && kind = internal }"),
    of(Wide, "error structure of a screen", "({ nestedSetParent < 0 } &>> { status = error }) || ({ nestedSetParent < 0 && status = error }) | select(status, resource.service.name, name, nestedSetParent, nestedSetLeft, nestedSetRight)"),
    // Aggregates and what is shown.
    of(Search, "count", "{ status = error } | count() > 6"),
    of(Search, "average", "{ span.db.system.name != nil } | avg(duration) > 4s"),
    of(Search, "largest", r#"{ resource.service.name = "inventory" } | max(span.db.response.returned_rows) > 990"#),
    of(Search, "by service", "{} | by(resource.service.name) | count() > 14"),
    of(Wide, "select", "{ status = error } | select(span.http.url, span.db.query.text, resource.k8s.pod.name, statusMessage)"),
    of(Wide, "exceptions of a screen", "{ status = error } | select(resource.service.name, event.exception.message, event.exception.type) with (most_recent=true)"),
    // Events, links, the trace.
    of(Search, "event attribute", r#"{ event.exception.type = "OutOfStock" }"#),
    of(Search, "event name", r#"{ event:name = "retry" && event.retry.attempt = 4 }"#),
    of(Search, "link attribute", "{ link.link.position >= 3 }"),
    of(Search, "root and length of trace", r#"{ rootServiceName = "partner-api" && traceDuration > 12s }"#),
    of(Search, "root span", r#"{ nestedSetParent < 0 && kind = internal && status = error }"#),
    // Metrics.
    of(Range, "rate", "{} | rate()"),
    of(Range, "rate by service", "{} | rate() by (resource.service.name)"),
    of(Range, "error rate by service", "{ status = error } | rate() by (resource.service.name)"),
    of(Range, "rate by two", "{ kind = server } | rate() by (resource.service.name, name)"),
    of(Range, "count by int", "{ span.http.status_code != nil } | count_over_time() by (span.http.status_code)"),
    of(Range, "count by many values", r#"{ resource.service.name = "cart" } | count_over_time() by (span.user.id)"#),
    of(Range, "quantiles", "{ kind = server } | quantile_over_time(duration, .5, .95, .99)"),
    of(Range, "quantiles by service", "{ kind = server } | quantile_over_time(duration, .95) by (resource.service.name)"),
    of(Range, "histogram", "{} | histogram_over_time(duration)"),
    of(Range, "average of attribute", "{ span.db.response.returned_rows != nil } | avg_over_time(span.db.response.returned_rows) by (span.db.collection.name)"),
    of(Range, "longest by name", r#"{ span.db.system.name = "postgresql" } | max_over_time(duration) by (name)"#),
    of(Range, "sum", "{ span.cart.total > 0 } | sum_over_time(span.cart.total)"),
    of(Range, "top five", "{} | rate() by (name) | topk(5)"),
    of(Range, "share of errors", "({ status = error } | rate()) / ({} | rate())"),
    of(Range, "compare", "{ nestedSetParent < 0 } | compare({ status = error })"),
    of(Range, "structure", r#"{ resource.service.name = "frontend" } >> { span.db.system.name != nil } | rate() by (span.db.collection.name)"#),
    of(Range, "root spans, sampled", "{ nestedSetParent < 0 } | rate() with (sample=true)"),
    of(Range, "events", r#"{ event:name = "exception" } | rate() by (event.exception.type)"#),
    of(Instant, "instant count", "{} | count_over_time()"),
    of(Instant, "instant rate by service", "{ status = error } | rate() by (resource.service.name)"),
    of(Instant, "instant quantile", "{ kind = server } | quantile_over_time(duration, .99) by (resource.service.name)"),
    // Tags.
    of(Tags, "tag names", ""),
    of(Tags, "tag names of resources", "resource"),
    of(Values, "values of the service", "resource.service.name"),
    of(Values, "values with column", "span.http.route"),
    of(Values, "values, many", "span.user.id"),
    of(Values, "values of name", "name"),
    of(Values, "values, filtered", "resource.service.name { status = error }"),
    of(Values, "values, filtered by service", r#"span.db.collection.name { resource.service.name = "orders" }"#),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_all_kinds_are_there() {
        let names: BTreeSet<&str> = QUERIES.iter().map(|query| query.name).collect();
        assert_eq!(names.len(), QUERIES.len());
        for kind in [Search, Wide, Range, Instant, Tags, Values] {
            assert!(QUERIES.iter().any(|query| query.kind == kind), "{kind:?}");
        }
    }
}
