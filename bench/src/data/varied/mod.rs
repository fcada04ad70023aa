//! Data for queries: every span is made anew, so that values are as many and as uneven as those of real services.
//!
//! A trace is a tree of 1 to 60 spans through sixteen services: HTTP and RPC calls, databases, queues, work inside of a service. About
//! three spans in a hundred have failed, with exceptions as events; consumers link to the traces of their messages. Half of the services
//! use the older names of HTTP attributes. The same seed and chunk give the same spans, but for their times.

mod attributes;
mod resource;
mod tree;
mod words;

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::Random;
use tree::{Role, Tree};

/// Spans of one chunk: two requests of about half of that each, with whole traces.
pub const CHUNK_SPANS: usize = 1_000;
/// No trace lasts longer.
pub const TRACE_NANOS_MOST: u64 = 20_000_000_000;

/// From when to when traces of a chunk begin, in Unix nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first moment.
    pub from: u64,
    /// The moment behind the last.
    pub to: u64,
}

impl Window {
    /// Part `n` of `of` equal parts.
    pub fn part(self, n: u64, of: u64) -> Self {
        let at = |n: u64| {
            let wide = u128::from(self.to.saturating_sub(self.from)) * u128::from(n);
            self.from + u64::try_from(wide / u128::from(of.max(1))).unwrap_or(u64::MAX)
        };
        Self {
            from: at(n),
            to: at(n + 1),
        }
    }
}

/// Number of a service and of one of its pods: what a resource stands for.
type Pod = (usize, u64);
/// Spans of a resource by what an instrumentation scope stands for.
type Scopes = BTreeMap<Role, Vec<Span>>;

/// Two encoded `ExportTraceServiceRequest`s, as two collectors would send them: each has the spans of half of the services.
pub fn chunk(seed: u64, number: u64, window: Window) -> [Vec<u8>; 2] {
    let mut random = Random::new(seed ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93));
    let mut halves: [BTreeMap<Pod, Scopes>; 2] = Default::default();
    let (mut made, mut trace) = (0, 0);
    while made < CHUNK_SPANS {
        let tree = Tree::grow(&mut random, CHUNK_SPANS - made, window);
        let id = trace_id(seed, number, trace);
        let order = order_id(seed, number, trace);
        let pods = random.next_u64();
        let spans = attributes::spans(&mut random, &tree, id, &order);
        for (node, span) in tree.nodes.iter().zip(spans) {
            let pod = (pods >> (node.service * 2)) % resource::PODS;
            let scopes = halves[node.service % 2].entry((node.service, pod));
            let scopes = scopes.or_default();
            scopes.entry(node.role).or_default().push(span);
        }
        made += tree.nodes.len();
        trace += 1;
    }
    halves.map(|resources| {
        let resource_spans = resources
            .into_iter()
            .map(|((service, pod), scopes)| ResourceSpans {
                resource: Some(resource::resource(service, pod)),
                scope_spans: scopes.into_iter().map(scope_spans).collect(),
                schema_url: String::new(),
            });
        ExportTraceServiceRequest {
            resource_spans: resource_spans.collect(),
        }
        .encode_to_vec()
    })
}

fn scope_spans((role, spans): (Role, Vec<Span>)) -> ScopeSpans {
    ScopeSpans {
        scope: Some(resource::scope(role)),
        spans,
        schema_url: String::new(),
    }
}

/// The `order.id` of the root span of a trace; every chunk has a trace 0.
pub fn order_id(seed: u64, chunk: u64, trace: u64) -> String {
    format!("ord-{:016x}", mix(seed, chunk, trace, 1))
}

/// Its id.
pub fn trace_id(seed: u64, chunk: u64, trace: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&mix(seed, chunk, trace, 2).to_be_bytes());
    id[8..].copy_from_slice(&mix(seed, chunk, trace, 3).to_be_bytes());
    id
}

fn mix(seed: u64, chunk: u64, trace: u64, what: u64) -> u64 {
    let mut random = Random::new(seed ^ (chunk << 24 | trace << 4 | what));
    random.next_u64();
    random.next_u64()
}

impl Random {
    /// Whether something happens that happens in so many of a thousand cases.
    fn chance(&mut self, of_thousand: u64) -> bool {
        self.below(1000) < of_thousand
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number below `n`, small ones far more often: half of all results are in the lowest eighth.
    fn skewed(&mut self, n: u64) -> u64 {
        let unit = self.unit();
        ((unit * unit * unit * n as f64) as u64).min(n.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use opentelemetry_proto::tonic::common::v1::any_value::Value;

    use super::words::SERVICES;
    use super::*;

    const WINDOW: Window = Window {
        from: 1_800_000_000_000_000_000,
        to: 1_800_000_100_000_000_000,
    };

    fn decode(number: u64) -> Result<Vec<(String, Span)>, prost::DecodeError> {
        let mut all = Vec::new();
        for body in chunk(7, number, WINDOW) {
            for resource in ExportTraceServiceRequest::decode(&body[..])?.resource_spans {
                let attributes = resource.resource.unwrap_or_default().attributes;
                let name = attributes.into_iter().find(|a| a.key == "service.name");
                let name = name.and_then(|name| name.value?.value);
                let Some(Value::StringValue(name)) = name else {
                    panic!("no service name")
                };
                let spans = resource.scope_spans.into_iter().flat_map(|s| s.spans);
                all.extend(spans.map(|span| (name.clone(), span)));
            }
        }
        Ok(all)
    }

    #[test]
    fn traces_are_whole_trees_in_their_window() -> Result<(), prost::DecodeError> {
        let spans = decode(3)?;
        assert_eq!(spans.len(), CHUNK_SPANS);
        let mut traces: BTreeMap<&[u8], BTreeMap<&[u8], &Span>> = BTreeMap::new();
        for (_, span) in &spans {
            let trace = traces.entry(&span.trace_id).or_default();
            assert!(trace.insert(&span.span_id, span).is_none());
        }
        for trace in traces.values() {
            assert!((1..=60).contains(&trace.len()));
            let roots: Vec<_> = trace
                .values()
                .filter(|span| span.parent_span_id.is_empty())
                .collect();
            assert_eq!(roots.len(), 1);
            let start = roots[0].start_time_unix_nano;
            assert!((WINDOW.from..WINDOW.to).contains(&start));
            for span in trace.values() {
                let parent = &span.parent_span_id[..];
                assert!(parent.is_empty() || trace.contains_key(parent));
                assert!(span.start_time_unix_nano >= start);
                assert!(span.end_time_unix_nano > span.start_time_unix_nano);
                assert!(span.end_time_unix_nano <= start + TRACE_NANOS_MOST);
            }
        }
        assert!(traces.contains_key(&trace_id(7, 3, 0)[..]));
        Ok(())
    }

    #[test]
    fn values_are_many_and_errors_are_few() -> Result<(), prost::DecodeError> {
        let mut spans = Vec::new();
        for number in 0..20 {
            spans.extend(decode(number)?);
        }
        let services: BTreeSet<&str> = spans.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(services.len(), SERVICES.len());
        let errors = spans.iter().filter(|(_, span)| {
            let status = span.status.as_ref();
            status.is_some_and(|status| status.code == 2)
        });
        let share = errors.count() as f64 / spans.len() as f64;
        assert!((0.02..0.045).contains(&share), "{share}");
        let mut urls = BTreeSet::new();
        let mut kinds = BTreeSet::new();
        let (mut events, mut links, mut orders) = (0, 0, BTreeSet::new());
        for (_, span) in &spans {
            kinds.insert(span.kind);
            events += span.events.len();
            links += span.links.len();
            for attribute in &span.attributes {
                let text = match attribute.value.as_ref().and_then(|v| v.value.as_ref()) {
                    Some(Value::StringValue(text)) => text.as_str(),
                    _ => continue,
                };
                match attribute.key.as_str() {
                    "url.full" | "http.url" => drop(urls.insert(text)),
                    "order.id" => drop(orders.insert(text)),
                    _ => {}
                }
            }
        }
        assert_eq!(kinds.len(), 5);
        assert!(urls.len() > 2_000, "{}", urls.len());
        assert!(events > 500 && links > 50, "{events} {links}");
        assert!(orders.contains(&order_id(7, 11, 0)[..]));
        Ok(())
    }

    #[test]
    fn the_same_chunk_is_the_same_and_others_are_not() {
        assert_eq!(chunk(7, 1, WINDOW), chunk(7, 1, WINDOW));
        assert_ne!(chunk(7, 1, WINDOW), chunk(7, 2, WINDOW));
        assert_ne!(chunk(7, 1, WINDOW), chunk(8, 1, WINDOW));
    }

    #[test]
    fn windows_are_cut_without_gaps() {
        let parts: Vec<Window> = (0..3).map(|n| WINDOW.part(n, 3)).collect();
        assert_eq!(parts[0].from, WINDOW.from);
        assert_eq!((parts[0].to, parts[1].to), (parts[1].from, parts[2].from));
        assert_eq!(parts[2].to, WINDOW.to);
    }
}
