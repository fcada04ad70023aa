//! Realistic OTLP requests at generator speed: a few requests are built once, then only ids and times are patched.
//!
//! A trace is a request through a shop of twelve services. Its spans are split over two export requests (as two
//! collectors would send them), so a trace stays together only if the server brings it together.

mod template;
pub mod varied;

use template::{Template, build_pair};

/// A small seeded generator; quality is enough for ids (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same data.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n` (n > 0).
    pub fn below(&mut self, n: u64) -> u64 {
        self.next_u64() % n
    }

    fn pick<'a>(&mut self, of: &'a [&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

/// Shape of the load.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Spans of one export request.
    pub spans_per_request: usize,
    /// Spans of one trace, over all its requests.
    pub spans_per_trace: usize,
    /// Attributes of one span.
    pub attributes_per_span: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            spans_per_request: 500,
            spans_per_trace: 20,
            attributes_per_span: 15,
        }
    }
}

impl Shape {
    /// Traces of two requests that belong together.
    pub fn traces_per_pair(self) -> usize {
        (self.spans_per_request * 2 / self.spans_per_trace).max(1)
    }

    /// Spans of two requests that belong together; the mean request has half of them.
    pub fn spans_per_pair(self) -> usize {
        self.traces_per_pair() * self.spans_per_trace
    }

    /// Which of the two requests carries the span with this index in its trace.
    fn half_of(self, index: usize) -> usize {
        index * 2 / self.spans_per_trace
    }

    /// Spans of a trace that travel in the first of its two requests.
    pub fn first_half(self) -> usize {
        self.spans_per_trace.div_ceil(2)
    }
}

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// An encoded `ExportTraceServiceRequest`.
    pub body: Vec<u8>,
    /// Spans inside.
    pub spans: usize,
    /// Number of the pair that it belongs to, from 0.
    pub pair: u64,
    /// 0 for the first of the pair, 1 for the second.
    pub half: usize,
}

/// Different requests before the values of attributes repeat.
const TEMPLATES: u64 = 8;

/// Makes requests two by two: together they hold whole traces.
#[derive(Debug, Clone)]
pub struct Generator {
    random: Random,
    shape: Shape,
    pairs: Vec<[Template; 2]>,
    waiting: Option<Request>,
    trace_ids: Vec<[u8; 16]>,
    span_ids: Vec<[u8; 8]>,
    next_pair: u64,
}

impl Generator {
    /// Builds the templates; takes some milliseconds.
    pub fn new(seed: u64, shape: Shape) -> Self {
        let mut random = Random::new(seed);
        let pairs = (0..TEMPLATES)
            .map(|_| build_pair(&mut random, shape))
            .collect();
        Self {
            random,
            shape,
            pairs,
            waiting: None,
            trace_ids: Vec::new(),
            span_ids: Vec::new(),
            next_pair: 0,
        }
    }

    /// The next request; `now` is the end of its newest spans.
    pub fn next_request(&mut self, now_unix_nano: u64) -> Request {
        if let Some(second) = self.waiting.take() {
            return second;
        }
        let traces = self.shape.traces_per_pair();
        self.trace_ids.clear();
        for _ in 0..traces {
            let (high, low) = (self.random.next_u64(), self.random.next_u64());
            let mut id = [0; 16];
            id[..8].copy_from_slice(&high.to_be_bytes());
            id[8..].copy_from_slice(&low.to_be_bytes());
            self.trace_ids.push(id);
        }
        self.span_ids.clear();
        for _ in 0..self.shape.spans_per_pair() {
            self.span_ids
                .push((self.random.next_u64() | 1).to_be_bytes());
        }
        let pair = self.next_pair;
        self.next_pair += 1;
        let templates = &self.pairs[(pair % TEMPLATES) as usize];
        let [first, second] = [0, 1].map(|half| Request {
            body: templates[half].fill(now_unix_nano, &self.trace_ids, &self.span_ids),
            spans: templates[half].spans,
            pair,
            half,
        });
        self.waiting = Some(second);
        first
    }

    /// All trace ids of the newest pair.
    pub fn trace_ids(&self) -> &[[u8; 16]] {
        &self.trace_ids
    }

    /// Span ids of one trace of the newest pair: those of its first request, then those of its second.
    pub fn span_ids(&self, trace: usize) -> [&[[u8; 8]]; 2] {
        let from = trace * self.shape.spans_per_trace;
        let ids = &self.span_ids[from..from + self.shape.spans_per_trace];
        let (first, second) = ids.split_at(self.shape.first_half());
        [first, second]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;

    use super::*;

    #[test]
    fn pairs_hold_whole_traces_with_fresh_ids() -> Result<(), prost::DecodeError> {
        let shape = Shape {
            spans_per_request: 100,
            spans_per_trace: 20,
            attributes_per_span: 15,
        };
        let mut generator = Generator::new(7, shape);
        let now = 1_800_000_000_000_000_000;
        let mut spans_by_trace: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let mut span_ids = BTreeSet::new();
        for _ in 0..6 {
            let request = generator.next_request(now);
            let decoded = ExportTraceServiceRequest::decode(&request.body[..])?;
            let mut count = 0;
            for span in decoded
                .resource_spans
                .iter()
                .flat_map(|r| &r.scope_spans)
                .flat_map(|s| &s.spans)
            {
                count += 1;
                assert_eq!(span.attributes.len(), 15);
                assert!(
                    span.end_time_unix_nano <= now
                        && span.start_time_unix_nano > now - 1_000_000_000
                );
                assert!(span.start_time_unix_nano < span.end_time_unix_nano);
                assert!(span_ids.insert(span.span_id.clone()));
                *spans_by_trace.entry(span.trace_id.clone()).or_default() += 1;
            }
            assert_eq!(count, request.spans);
        }
        assert_eq!(spans_by_trace.len(), 30);
        assert!(spans_by_trace.values().all(|count| *count == 20));
        Ok(())
    }

    #[test]
    fn the_ids_of_a_trace_are_known_by_request() -> Result<(), prost::DecodeError> {
        for spans_per_trace in [2, 3, 20, 31] {
            let shape = Shape {
                spans_per_request: 40,
                spans_per_trace,
                attributes_per_span: 2,
            };
            let mut generator = Generator::new(3, shape);
            let mut found: [BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>; 2] = Default::default();
            for (half, found) in found.iter_mut().enumerate() {
                let request = generator.next_request(1_800_000_000_000_000_000);
                assert_eq!((request.pair, request.half), (0, half));
                let decoded = ExportTraceServiceRequest::decode(&request.body[..])?;
                let spans = decoded.resource_spans.iter().flat_map(|r| &r.scope_spans);
                for span in spans.flat_map(|s| &s.spans) {
                    let ids = found.entry(span.trace_id.clone()).or_default();
                    ids.insert(span.span_id.clone());
                }
                assert_eq!(
                    request.spans,
                    found.values().map(BTreeSet::len).sum::<usize>()
                );
            }
            for (trace, id) in generator.trace_ids().iter().enumerate() {
                for (half, ids) in generator.span_ids(trace).into_iter().enumerate() {
                    let ids: BTreeSet<Vec<u8>> = ids.iter().map(|id| id.to_vec()).collect();
                    assert_eq!(found[half][&id[..]], ids);
                }
            }
        }
        Ok(())
    }
}
