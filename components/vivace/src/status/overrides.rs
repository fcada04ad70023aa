//! `/status/overrides…` and `/status/runtime_config`: who has which limits.

use std::time::{SystemTime, UNIX_EPOCH};

use http::StatusCode;
use vivace_config::{Field, LimitSource, Secrets, yaml};
use vivace_shards::http::{RequestContext, Response, response};

use crate::node::Node;

/// The tenants that have limits of their own.
pub fn tenants(node: &Node, request: &RequestContext) -> Response {
    let limits = node.limits.current();
    let mut names: Vec<&str> = limits.tenants().map(|(name, _)| name).collect();
    names.sort_unstable();
    if wants_json(request) {
        let tenants: Vec<String> = names
            .iter()
            .map(|name| {
                format!(
                    "{{\"name\":{},\"has_runtime_overrides\":true,\"has_user_configurable_overrides\":false}}",
                    json_text(name)
                )
            })
            .collect();
        let body = format!(
            "{{\"now\":{},\"tenants\":[{}]}}\n",
            json_text(&now()),
            tenants.join(",")
        );
        return response::with_type(StatusCode::OK, "application/json", body);
    }
    let rows: String = names
        .iter()
        .map(|name| {
            let name = html_text(name);
            format!("<tr><td><a href=\"/status/overrides/{name}\">{name}</a></td></tr>\n")
        })
        .collect();
    let rows = if rows.is_empty() {
        "<tr><td>none: everybody has the defaults</td></tr>\n".to_owned()
    } else {
        rows
    };
    page(
        "Tenants with overrides",
        &format!("<table>\n{rows}</table>"),
    )
}

/// The limits of one tenant.
pub fn tenant(node: &Node, request: &RequestContext) -> Response {
    let name = request.params.get("tenant").unwrap_or_default();
    let resolver = node.limits.current();
    let limits = resolver.limits(name);
    let text = yaml::print(&limits.limits.write(Secrets::Masked));
    let inherited = limits.source != LimitSource::Tenant;
    if wants_json(request) {
        let body = format!(
            "{{\"now\":{},\"tenant\":{},\"user_configurable_overrides\":null,\"runtime_overrides\":{},\"using_default_or_wildcard_runtime_overrides\":{inherited}}}\n",
            json_text(&now()),
            json_text(name),
            json_text(&text),
        );
        return response::with_type(StatusCode::OK, "application/json", body);
    }
    let source = match limits.source {
        LimitSource::Tenant => "an entry of its own",
        LimitSource::Wildcard => "the entry of *",
        LimitSource::Defaults => "the defaults",
    };
    let body = format!("<p>From {source}.</p>\n<pre>{}</pre>", html_text(&text));
    page(&format!("Limits of {}", html_text(name)), &body)
}

/// The page `/status/runtime_config`.
pub fn runtime_config(node: &Node) -> String {
    let resolver = node.limits.current();
    let mut tenants: Vec<_> = resolver.tenants().collect();
    tenants.sort_by_key(|(name, _)| *name);
    let overrides = tenants
        .into_iter()
        .map(|(name, limits)| (name.to_owned(), limits.limits.write(Secrets::Masked)));
    let document = yaml::Node::map([
        (
            "defaults".to_owned(),
            resolver.defaults().limits.write(Secrets::Masked),
        ),
        ("overrides".to_owned(), yaml::Node::map(overrides)),
    ]);
    format!(
        "---\n{}---\nuser_configurable_overrides: {{}}\n",
        yaml::print(&document)
    )
}

fn wants_json(request: &RequestContext) -> bool {
    request
        .header("accept")
        .is_some_and(|accept| accept.contains("application/json"))
}

fn now() -> String {
    let nanos = vivace_shards::time::unix_nanos();
    let now: SystemTime = UNIX_EPOCH + std::time::Duration::from_nanos(nanos);
    humantime::format_rfc3339_nanos(now).to_string()
}

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body><h1>{title}</h1>\n{body}\n</body></html>\n"
    );
    response::with_type(StatusCode::OK, "text/html; charset=utf-8", html)
}

fn html_text(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn json_text(text: &str) -> String {
    crate::logging::json_string(text)
}
