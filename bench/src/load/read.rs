//! Reading traces back, and comparing them with what was sent.

use std::collections::HashSet;

use bytes::Bytes;
use http::StatusCode;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use vivace_shards::time::{self, Instant};

use super::options::{Options, QueryUrl};
use super::outcome::Reads;
use super::query::Query;
use super::sample::Sampled;
use super::send::quote;

/// Reads traces back over one connection.
pub struct Reader {
    query: Query,
    timeout: std::time::Duration,
    /// What was found so far.
    pub reads: Reads,
}

impl Reader {
    /// Not connected yet.
    ///
    /// # Errors
    /// If the tenant cannot stand in a header.
    pub fn new(url: QueryUrl, options: &Options) -> Result<Self, http::header::InvalidHeaderValue> {
        Ok(Self {
            query: Query::new(url, options)?,
            timeout: options.timeout(),
            reads: Reads::default(),
        })
    }

    /// Reads a trace and counts what is wrong with it.
    pub async fn check(&mut self, trace: &Sampled) {
        let limit = self.timeout;
        let started = Instant::now();
        let answer = match time::timeout(limit, self.fetch(&trace.trace_id)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {limit:?}")),
        };
        match answer {
            Ok(body) => {
                self.reads.latency.record(started.elapsed());
                if let Err(text) = compare(trace, &body, &mut self.reads) {
                    self.problem(&trace.trace_id, text);
                }
            }
            Err(text) => {
                self.query.disconnect();
                self.reads.failed += 1;
                self.problem(&trace.trace_id, text);
            }
        }
    }

    fn problem(&mut self, trace_id: &[u8; 16], text: String) {
        let first = &mut self.reads.first_problem;
        first.get_or_insert_with(|| format!("trace {}: {text}", hex(trace_id)));
    }

    /// The trace as the v1 endpoint gives it; empty when it is not known there.
    async fn fetch(&mut self, trace_id: &[u8; 16]) -> Result<Bytes, String> {
        let path = format!("/api/traces/{}", hex(trace_id));
        let (status, body) = self.query.get(&path).await?;
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::NOT_FOUND => Ok(Bytes::new()),
            status => Err(quote(status.as_str(), &body)),
        }
    }
}

/// Counts what is wrong with an answer: a message with OTLP's `ResourceSpans` in field 1, as `TracesData` is one too.
fn compare(trace: &Sampled, body: &Bytes, reads: &mut Reads) -> Result<(), String> {
    let data = TracesData::decode(body.clone()).map_err(|error| {
        reads.failed += 1;
        format!("the answer is no trace: {error}")
    })?;
    let scopes = data.resource_spans.iter().flat_map(|r| &r.scope_spans);
    let allowed: HashSet<&[u8]> = trace.allowed().map(|id| &id[..]).collect();
    let mut found: HashSet<&[u8]> = HashSet::new();
    let (mut doubled, mut strangers) = (0, 0);
    for span in scopes.flat_map(|scope| &scope.spans) {
        if !allowed.contains(&span.span_id[..]) || span.trace_id != trace.trace_id {
            strangers += 1;
        } else if !found.insert(&span.span_id) {
            doubled += 1;
        }
    }
    let required = trace.required();
    let missing = required.filter(|id| !found.contains(&id[..])).count() as u64;
    reads.missing += missing;
    reads.doubled += doubled;
    reads.strangers += strangers;
    if missing + doubled + strangers == 0 {
        return Ok(());
    }
    Err(format!(
        "{missing} spans missing, {doubled} doubled, {strangers} never sent"
    ))
}

/// Lower-case hexadecimal digits.
pub fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    use super::*;
    use crate::data::{Generator, Shape};
    use crate::load::sample::Sample;

    #[test]
    fn missing_doubled_and_foreign_spans_are_counted() {
        let shape = Shape {
            spans_per_request: 4,
            spans_per_trace: 8,
            attributes_per_span: 0,
        };
        let mut generator = Generator::new(1, shape);
        let mut sample = Sample::new(1, 1);
        let request = generator.next_request(1 << 60);
        sample.offer(&request, &generator);
        sample.acknowledged(0, 0);
        let trace = sample.pick().expect("a trace");
        let answer = |ids: &[&[u8]]| {
            let spans = ids.iter().map(|id| Span {
                trace_id: trace.trace_id.to_vec(),
                span_id: id.to_vec(),
                ..Span::default()
            });
            let data = TracesData {
                resource_spans: vec![ResourceSpans {
                    scope_spans: vec![ScopeSpans {
                        spans: spans.collect(),
                        ..ScopeSpans::default()
                    }],
                    ..ResourceSpans::default()
                }],
            };
            let mut reads = Reads::default();
            let told = compare(&trace, &data.encode_to_vec().into(), &mut reads);
            assert_eq!(told.is_ok(), reads.clean());
            (reads.missing, reads.doubled, reads.strangers)
        };
        let all: Vec<&[u8]> = trace.allowed().map(|id| &id[..]).collect();
        assert_eq!(answer(&all), (0, 0, 0));
        assert_eq!(answer(&all[..4]), (0, 0, 0));
        assert_eq!(answer(&all[1..]), (1, 0, 0));
        assert_eq!(answer(&[]), (4, 0, 0));
        assert_eq!(
            answer(&[&all[..], &all[2..4], &all[2..3]].concat()),
            (0, 3, 0)
        );
        assert_eq!(answer(&[&all[..], &[b"stranger"]].concat()), (0, 0, 1));
        let mut reads = Reads::default();
        assert!(compare(&trace, &Bytes::from_static(b"\xff"), &mut reads).is_err());
        assert_eq!(reads.failed, 1);
    }
}
