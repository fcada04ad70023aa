//! How large a trace's spans would be as OTLP: that is the size which `max_bytes_per_trace` limits.

use std::ops::Range;
use vivace_model::{
    AttributesView, EventView, LinkView, OwnedAttributes, Owner, ResourceView, ScopeView, SpanView,
    StringId, ValueType, ValueView, View,
};

/// Bytes of a varint.
fn varint(value: u64) -> u64 {
    u64::from((70 - (value | 1).leading_zeros()) / 7)
}

/// Bytes of a length-delimited field with a one-byte tag.
fn field(len: u64) -> u64 {
    1 + varint(len) + len
}

fn text(text: &str) -> u64 {
    if text.is_empty() {
        0
    } else {
        field(text.len() as u64)
    }
}

fn number(value: u64) -> u64 {
    if value == 0 { 0 } else { 1 + varint(value) }
}

fn value(value: ValueView<'_>) -> u64 {
    match value {
        ValueView::Empty => 0,
        ValueView::String(text) => field(text.len() as u64),
        ValueView::Bool(_) => 2,
        ValueView::Int(value) => 1 + varint(value.cast_unsigned()),
        ValueView::Double(_) => 9,
        ValueView::Bytes(bytes) => field(bytes.len() as u64),
        ValueView::Array(list) => field(list.map(|element| field(self::value(element))).sum()),
        ValueView::KvList(list) => field(attributes(list)),
    }
}

fn attributes(attributes: AttributesView<'_>) -> u64 {
    attributes
        .map(|(key, element)| field(text(key) + field(value(element))))
        .sum()
}

fn resource(resource: ResourceView<'_>) -> u64 {
    field(attributes(resource.attributes()) + number(resource.dropped_attributes_count().into()))
        + text(resource.schema_url())
}

fn scope(scope: ScopeView<'_>) -> u64 {
    let inner = text(scope.name()) + text(scope.version()) + attributes(scope.attributes());
    field(inner + number(scope.dropped_attributes_count().into())) + text(scope.schema_url())
}

fn event(event: EventView<'_>) -> u64 {
    field(
        9 + text(event.name())
            + attributes(event.attributes())
            + number(event.dropped_attributes_count().into()),
    )
}

fn link(link: LinkView<'_>) -> u64 {
    let ids = field(link.trace_id().len() as u64) + field(link.span_id().len() as u64);
    let flags = if link.flags() == 0 { 0 } else { 5 };
    field(
        ids + flags
            + text(link.trace_state())
            + attributes(link.attributes())
            + number(link.dropped_attributes_count().into()),
    )
}

/// Sizes of one batch's traces. Resources and scopes are measured once, strings too: most of a span is strings that many spans share.
pub(crate) struct Sizes<'a> {
    view: &'a View<'a>,
    attributes: OwnedAttributes<'a>,
    /// By string id: bytes of the string as a field.
    strings: Vec<u32>,
    /// Per pair of resource and scope met so far: its size.
    contexts: Vec<((usize, usize), u64)>,
}

impl<'a> Sizes<'a> {
    pub fn new(view: &'a View<'a>) -> Self {
        let ids = 0..view.string_count() as u32;
        let strings = ids.map(|id| field(view.string(StringId(id)).len() as u64) as u32);
        Self {
            view,
            attributes: view.owned_attributes(Owner::Span),
            strings: strings.collect(),
            contexts: Vec::new(),
        }
    }

    fn string(&self, id: u32) -> u64 {
        self.strings.get(id as usize).copied().unwrap_or(0).into()
    }

    /// The string as a field that is left out when it is empty.
    fn text(&self, id: StringId) -> u64 {
        if id == StringId(0) {
            0
        } else {
            self.string(id.0)
        }
    }

    /// The attributes of a span, without looking at any text.
    fn attributes(&self, span: SpanView<'_>) -> u64 {
        let (starts, keys, values) = (
            self.attributes.starts(),
            self.attributes.keys(),
            self.attributes.values(),
        );
        let row = span.row();
        let mut total = 0;
        for at in starts.get(row) as usize..starts.get(row + 1) as usize {
            let (key, bits) = (keys.get(at), values.get(at));
            let value = match ValueType::from_code(key & 15) {
                Some(ValueType::String) => self.string(bits as u32),
                Some(ValueType::Bool) => 2,
                Some(ValueType::Int) => 1 + varint(bits),
                Some(ValueType::Double) => 9,
                Some(ValueType::Empty) | None => 0,
                // Rare enough to go the long way, for the whole span.
                Some(ValueType::Array | ValueType::KvList | ValueType::Bytes) => {
                    return attributes(span.attributes());
                }
            };
            total += field(self.text(StringId(key >> 4)) + field(value));
        }
        total
    }

    fn span(&self, span: SpanView<'_>) -> u64 {
        /// Trace id, span id, start, end.
        const FIXED: u64 = 18 + 10 + 9 + 9;
        let parent = if span.parent_span_id().is_some() {
            10
        } else {
            0
        };
        let flags = if span.flags() == 0 { 0 } else { 6 };
        let status =
            number(span.status_code().cast_unsigned().into()) + self.text(span.status_message_id());
        let dropped = number(span.dropped_attributes_count().into())
            + number(span.dropped_events_count().into())
            + number(span.dropped_links_count().into());
        field(
            FIXED
                + parent
                + flags
                + self.text(span.trace_state_id())
                + self.text(span.name_id())
                + number(span.kind().cast_unsigned().into())
                + self.attributes(span)
                + span.events().map(event).sum::<u64>()
                + span.links().map(link).sum::<u64>()
                + dropped
                + if status == 0 { 0 } else { field(status) },
        )
    }

    /// The OTLP size of a run of rows of one trace, with each of its resources and scopes counted once.
    pub fn of(&mut self, rows: Range<usize>) -> u64 {
        let mut total = 0;
        let mut seen: Vec<(usize, usize)> = Vec::new();
        for row in rows {
            let row = self.view.span(row);
            total += self.span(row);
            let context = (row.resource_index(), row.scope_index());
            if seen.last() != Some(&context) && !seen.contains(&context) {
                seen.push(context);
                total += self.context(context);
            }
        }
        total
    }

    fn context(&mut self, context: (usize, usize)) -> u64 {
        if let Some((_, size)) = self.contexts.iter().find(|(known, _)| *known == context) {
            return *size;
        }
        let size = resource(self.view.resource(context.0)) + scope(self.view.scope(context.1));
        self.contexts.push((context, size));
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use vivace_protocol::otlp::{ScanOptions, Scanner};

    use vivace_protocol::tempopb::*;

    fn attribute(key: &str, value: Value) -> KeyValue {
        KeyValue {
            key: key.into(),
            value: Some(AnyValue { value: Some(value) }),
        }
    }

    fn attributes() -> Vec<KeyValue> {
        let element = |n| AnyValue {
            value: Some(Value::Int(n)),
        };
        vec![
            attribute("text", Value::String("x".repeat(300))),
            attribute("empty", Value::String(String::new())),
            attribute("yes", Value::Bool(true)),
            attribute("int", Value::Int(-5)),
            attribute("double", Value::Double(0.5)),
            attribute("bytes", Value::Bytes(vec![1; 200])),
            attribute(
                "array",
                Value::Array(ArrayValue {
                    values: vec![element(1), element(1 << 40)],
                }),
            ),
            attribute(
                "kvlist",
                Value::KvList(KeyValueList {
                    values: vec![attribute("a", Value::Int(1))],
                }),
            ),
        ]
    }

    #[test]
    fn as_large_as_the_protobuf() {
        compare(attributes());
        // Without bytes and lists, attributes are measured in the quick way.
        compare(attributes().drain(..5).collect());
        compare(Vec::new());
    }

    fn compare(span_attributes: Vec<KeyValue>) {
        let span = |n: u8| Span {
            trace_id: vec![1; 16],
            span_id: vec![n; 8],
            parent_span_id: vec![9; 8],
            trace_state: "a=b".into(),
            flags: 257,
            name: "GET /".into(),
            kind: 3,
            start_time_unix_nano: 1_700_000_000_000_000_000,
            end_time_unix_nano: 1_700_000_001_000_000_000,
            attributes: span_attributes.clone(),
            dropped_attributes_count: 300,
            events: vec![Event {
                time_unix_nano: 5,
                name: "e".into(),
                attributes: attributes(),
                dropped_attributes_count: 1,
            }],
            dropped_events_count: 1,
            links: vec![Link {
                trace_id: vec![2; 16],
                span_id: vec![3; 8],
                trace_state: "c".into(),
                attributes: attributes(),
                dropped_attributes_count: 2,
                flags: 1,
            }],
            dropped_links_count: 7,
            status: Some(Status {
                message: "no".into(),
                code: 2,
            }),
        };
        let scope = InstrumentationScope {
            name: "s".into(),
            version: "1".into(),
            attributes: attributes(),
            dropped_attributes_count: 3,
        };
        let spans = (1..5).map(span).collect();
        let scope_spans = vec![ScopeSpans {
            scope: Some(scope),
            spans,
            schema_url: "u".into(),
        }];
        let resource = Resource {
            attributes: attributes(),
            dropped_attributes_count: 1,
            ..Resource::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(resource),
                scope_spans,
                schema_url: "v".into(),
            }],
        };
        let encoded = request.encode_to_vec();
        let options = ScanOptions {
            max_attribute_bytes: 0,
            partitions: 1,
        };
        let scanned = Scanner::new().scan("t", &encoded, &options).unwrap();
        let view = scanned.batches[0].1.view();
        let size = Sizes::new(&view).of(0..4);
        // Only the heads of ResourceSpans and ScopeSpans are not in it.
        let heads = encoded.len() as u64 - size;
        assert!((4..=6).contains(&heads), "{size} of {}", encoded.len());
    }
}
