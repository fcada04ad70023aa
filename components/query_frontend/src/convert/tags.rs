//! Names and values of tags.

use std::collections::BTreeSet;

use vivace_protocol::tempopb::{MetadataMetrics, SearchTagsV2Scope, TagValue};

use crate::jobs::{TagScope, TagValue as Found};
use crate::run::Progress;

/// The names of intrinsics that are listed, whatever the data (traceql.md §8.2).
const INTRINSICS: [&str; 25] = [
    "duration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "link:spanID",
    "link:traceID",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:id",
    "span:kind",
    "span:name",
    "span:parentID",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:id",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
];

fn scope_name(scope: TagScope) -> &'static str {
    match scope {
        TagScope::Event => "event",
        TagScope::Instrumentation => "instrumentation",
        TagScope::Link => "link",
        TagScope::Resource => "resource",
        TagScope::Span => "span",
    }
}

/// Names of all scopes together, sorted.
pub fn names(found: &[(TagScope, Box<str>)], with_intrinsics: bool) -> Vec<String> {
    let of_data = found.iter().map(|(_, name)| &**name);
    let known = INTRINSICS.into_iter().filter(|_| with_intrinsics);
    let sorted: BTreeSet<&str> = of_data.chain(known).collect();
    sorted.into_iter().map(str::to_owned).collect()
}

/// Names by scope; scopes without names are left out.
pub fn scopes(found: &[(TagScope, Box<str>)], with_intrinsics: bool) -> Vec<SearchTagsV2Scope> {
    let mut scopes: Vec<SearchTagsV2Scope> = Vec::new();
    for (scope, tag) in found {
        let name = scope_name(*scope);
        match scopes.iter_mut().find(|scope| scope.name == name) {
            Some(scope) => scope.tags.push(tag.to_string()),
            None => scopes.push(SearchTagsV2Scope {
                name: name.to_owned(),
                tags: vec![tag.to_string()],
            }),
        }
    }
    if with_intrinsics {
        scopes.push(SearchTagsV2Scope {
            name: "intrinsic".to_owned(),
            tags: INTRINSICS.into_iter().map(str::to_owned).collect(),
        });
    }
    scopes
}

/// Values as text, each once, sorted.
pub fn values(found: &[Found]) -> Vec<String> {
    let sorted: BTreeSet<&str> = found.iter().map(|(_, text)| &**text).collect();
    sorted.into_iter().map(str::to_owned).collect()
}

/// Values with their types.
pub fn typed_values(found: &[Found]) -> Vec<TagValue> {
    let values = found.iter().map(|(kind, text)| TagValue {
        r#type: (*kind).to_owned(),
        value: text.to_string(),
    });
    values.collect()
}

/// What the jobs cost.
pub fn metadata_metrics(progress: &Progress) -> MetadataMetrics {
    MetadataMetrics {
        inspected_bytes: progress.cost.inspected_bytes,
        total_jobs: progress.total_jobs,
        completed_jobs: progress.completed_jobs,
        total_blocks: progress.blocks,
        total_block_bytes: progress.block_bytes,
        backend_reads: progress.cost.backend_reads,
        backend_bytes: progress.cost.backend_bytes,
        additional_metrics: Default::default(),
    }
}
