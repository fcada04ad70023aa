//! `/status` and `/status/{endpoint}`.

use http::StatusCode;
use vivace_config::View;
use vivace_shards::http::{RequestContext, Response, response};

use super::{API_ROUTES, STATUS_ROUTES, ascii_table, overrides};
use crate::node::Node;
use crate::version;

/// Sections of `/status`, in their order.
const SECTIONS: [&str; 5] = [
    "version",
    "services",
    "endpoints",
    "runtime_config",
    "config",
];

/// All sections, each below a line that names it.
pub fn all(node: &Node) -> Response {
    let mut text = String::new();
    for section in SECTIONS {
        text.push_str(&format!("GET /status/{section}\n"));
        match body(node, section, None) {
            Ok(Some(body)) => text.push_str(&body),
            Ok(None) => {}
            Err(error) => text.push_str(&error),
        }
        text.push('\n');
    }
    response::text(StatusCode::OK, text)
}

/// One section; an unknown one is 404.
pub fn one(node: &Node, request: &RequestContext) -> Response {
    let name = request.params.get("endpoint").unwrap_or_default();
    let mode = request
        .query()
        .split('&')
        .find_map(|pair| pair.strip_prefix("mode="));
    match body(node, name, mode) {
        Ok(Some(text)) => response::text(StatusCode::OK, text),
        Ok(None) => response::not_found(),
        Err(text) => response::error(StatusCode::INTERNAL_SERVER_ERROR, &text),
    }
}

fn body(node: &Node, section: &str, mode: Option<&str>) -> Result<Option<String>, String> {
    Ok(Some(match section {
        "version" => version::text(),
        "services" => node.modules.table(),
        "endpoints" => endpoints(node),
        "config" => node.config.to_yaml(View::of_mode(mode)?),
        "runtime_config" => overrides::runtime_config(node),
        _ => return Ok(None),
    }))
}

fn endpoints(node: &Node) -> String {
    let prefix = node.config.http_api_prefix.trim_end_matches('/');
    let mut rows: Vec<[String; 2]> = API_ROUTES
        .iter()
        .map(|(path, methods)| [format!("{prefix}{path}"), (*methods).to_owned()])
        .collect();
    rows.extend(STATUS_ROUTES.iter().map(|path| {
        let prefix = if path.starts_with("/api") { prefix } else { "" };
        [format!("{prefix}{path}"), "GET".to_owned()]
    }));
    rows.sort();
    ascii_table(["PATH", "METHODS"], rows)
}
