//! Spans gathered below their resources and scopes, equal ones merged.

use prost::Message;
use prost::encoding::encoded_len_varint;
use std::collections::HashMap;
use vivace_model::{ResourceView, ScopeView, View};

use super::content;
use crate::tempopb::*;

/// The trace under construction. Resources and scopes stand in the order of their first spans.
#[derive(Default)]
pub(super) struct Groups {
    resources: Vec<ResourceGroup>,
    /// By [`identity`] of the resource.
    by_content: HashMap<Vec<u8>, usize>,
    /// By piece and resource number there: most spans find their group here.
    by_number: HashMap<(usize, usize), usize>,
    /// By resource group and [`identity`] of the scope.
    scope_by_content: HashMap<(usize, Vec<u8>), usize>,
    /// By piece, and numbers of resource and scope there.
    scope_by_number: HashMap<(usize, usize, usize), usize>,
    /// Size of the trace so far as protobuf.
    encoded: u64,
}

struct ResourceGroup {
    resource: Resource,
    schema_url: String,
    scopes: Vec<ScopeGroup>,
    /// The resource as protobuf. Of equal ones whose attributes stand in different orders, the one that
    /// sorts first is shown, so that the answer doesn't depend on which was met first.
    shown: Vec<u8>,
    /// Size as protobuf, without the group's own tag and length; scopes without spans don't count.
    encoded: u64,
    spans: usize,
}

struct ScopeGroup {
    scope: InstrumentationScope,
    schema_url: String,
    spans: Vec<Span>,
    /// As in [`ResourceGroup`].
    shown: Vec<u8>,
    encoded: u64,
}

/// Where a span goes.
pub(super) struct Place {
    resource: usize,
    scope: usize,
}

impl Groups {
    /// Finds or makes the groups of a row of a piece.
    pub fn place(&mut self, piece: usize, view: &View, row: usize) -> Place {
        let span = view.span(row);
        let (number, scope_number) = (span.resource_index(), span.scope_index());
        let resource = match self.by_number.get(&(piece, number)) {
            Some(&at) => at,
            None => {
                let at = self.resource(&span.resource());
                self.by_number.insert((piece, number), at);
                at
            }
        };
        let key = (piece, number, scope_number);
        let scope = match self.scope_by_number.get(&key) {
            Some(&at) => at,
            None => {
                let at = self.scope(resource, &span.scope());
                self.scope_by_number.insert(key, at);
                at
            }
        };
        Place { resource, scope }
    }

    /// Adds a span, unless that would make the trace larger than `max_bytes` (0 = no limit): then false.
    pub fn push(&mut self, place: &Place, span: Span, max_bytes: u64) -> bool {
        let group = &mut self.resources[place.resource];
        let scope = &mut group.scopes[place.scope];
        let scope_before = if scope.spans.is_empty() {
            0
        } else {
            field(scope.encoded)
        };
        let group_before = if group.spans == 0 {
            0
        } else {
            field(group.encoded)
        };
        let scope_encoded = scope.encoded + field(span.encoded_len() as u64);
        let group_encoded = group.encoded - scope_before + field(scope_encoded);
        let encoded = self.encoded - group_before + field(group_encoded);
        if max_bytes > 0 && encoded > max_bytes {
            return false;
        }
        scope.encoded = scope_encoded;
        scope.spans.push(span);
        group.encoded = group_encoded;
        group.spans += 1;
        self.encoded = encoded;
        true
    }

    pub fn into_trace(self) -> Trace {
        // The last groups may be empty: they were made for the span that did not fit.
        let resource_spans = self
            .resources
            .into_iter()
            .filter(|group| group.spans > 0)
            .map(ResourceGroup::finish)
            .collect();
        Trace { resource_spans }
    }

    fn resource(&mut self, view: &ResourceView) -> usize {
        let resource = content::resource(view);
        let schema_url = view.schema_url();
        let shown = resource.encode_to_vec();
        let rest = Resource {
            attributes: Vec::new(),
            dropped_attributes_count: resource.dropped_attributes_count,
            entity_refs: resource.entity_refs.clone(),
        };
        let identity = identity(&resource.attributes, &rest, schema_url);
        if let Some(&at) = self.by_content.get(&identity) {
            let group = &mut self.resources[at];
            if shown < group.shown {
                group.resource = resource;
                group.shown = shown;
            }
            return at;
        }
        let at = self.resources.len();
        self.by_content.insert(identity, at);
        self.resources.push(ResourceGroup {
            resource,
            schema_url: schema_url.to_owned(),
            scopes: Vec::new(),
            encoded: field(shown.len() as u64) + text_field(schema_url),
            shown,
            spans: 0,
        });
        at
    }

    fn scope(&mut self, resource: usize, view: &ScopeView) -> usize {
        let scope = content::scope(view);
        let schema_url = view.schema_url();
        let shown = scope.encode_to_vec();
        let rest = InstrumentationScope {
            attributes: Vec::new(),
            name: scope.name.clone(),
            version: scope.version.clone(),
            dropped_attributes_count: scope.dropped_attributes_count,
        };
        let key = (resource, identity(&scope.attributes, &rest, schema_url));
        let scopes = &mut self.resources[resource].scopes;
        if let Some(&at) = self.scope_by_content.get(&key) {
            if shown < scopes[at].shown {
                scopes[at].scope = scope;
                scopes[at].shown = shown;
            }
            return at;
        }
        let at = scopes.len();
        self.scope_by_content.insert(key, at);
        scopes.push(ScopeGroup {
            scope,
            schema_url: schema_url.to_owned(),
            spans: Vec::new(),
            encoded: field(shown.len() as u64) + text_field(schema_url),
            shown,
        });
        at
    }
}

impl ResourceGroup {
    fn finish(self) -> ResourceSpans {
        let scope_spans = self
            .scopes
            .into_iter()
            .filter(|group| !group.spans.is_empty())
            .map(|group| ScopeSpans {
                scope: Some(group.scope),
                spans: group.spans,
                schema_url: group.schema_url,
            })
            .collect();
        ResourceSpans {
            resource: Some(self.resource),
            scope_spans,
            schema_url: self.schema_url,
        }
    }
}

/// Size of a field with this content: a tag of one byte, the length, the content.
fn field(content: u64) -> u64 {
    1 + encoded_len_varint(content) as u64 + content
}

fn text_field(text: &str) -> u64 {
    if text.is_empty() {
        0
    } else {
        field(text.len() as u64)
    }
}

/// Bytes that two resources or scopes share exactly when they mean the same: attributes are a set, so
/// they are sorted. Every part is preceded by its length.
fn identity(attributes: &[KeyValue], rest: &impl Message, schema_url: &str) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = attributes.iter().map(Message::encode_to_vec).collect();
    parts.sort_unstable();
    parts.push(rest.encode_to_vec());
    let mut out = Vec::new();
    for part in parts
        .iter()
        .map(Vec::as_slice)
        .chain([schema_url.as_bytes()])
    {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    out
}
