//! The first pass: where resources, scopes and spans are, and which trace each span belongs to. Fields may come in any
//! order, so a span can only be routed, and its resource be read, after this.

use vivace_model::hash::Fnv1_32;
use vivace_model::{ResourceId, ScopeId, TraceId};

use super::limits::MAX_RETAINED_BYTES;
use super::rejected::Reason;
use super::wire::{Range, Reader, Result};

/// Fields of a ResourceSpans or ScopeSpans that belong to its resource or scope, and what is known about it.
#[derive(Clone, Copy)]
pub(super) struct Group<Id> {
    /// Index of the first of its payloads in `Layout::payloads`. Mostly there is one; several are merged.
    pub(super) first: u32,
    pub(super) count: u32,
    pub(super) schema_url: Range,
    pub(super) state: State<Id>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State<Id> {
    New,
    /// Its id in the batch with this number.
    Known {
        batch: u32,
        id: Id,
    },
    /// No span of it can be kept.
    Refused(Reason),
}

pub(super) struct Scope {
    pub(super) resource: u32,
    pub(super) group: Group<ScopeId>,
}

/// A span that will be stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) partition: u32,
    /// As a number, most significant byte first.
    pub(super) trace_id: u128,
    pub(super) start_unix_nano: u64,
    pub(super) offset: u32,
    pub(super) end: u32,
    pub(super) scope: u32,
}

impl Span {
    pub(super) fn range(&self) -> Range {
        Range {
            start: self.offset,
            end: self.end,
        }
    }
}

/// A span with an unusable id.
#[derive(Clone, Copy)]
pub(super) struct BadSpan {
    pub(super) range: Range,
    pub(super) reason: Reason,
}

#[derive(Default)]
pub(super) struct Layout {
    pub(super) payloads: Vec<Range>,
    pub(super) resources: Vec<Group<ResourceId>>,
    pub(super) scopes: Vec<Scope>,
    pub(super) spans: Vec<Span>,
    pub(super) bad_spans: Vec<BadSpan>,
}

/// How deep to look into a span. Encoders write fields in the order of their numbers, ids and start before attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// Up to the first attribute. The second pass notices when that was not enough (`Sink::is_reordered`).
    UpToAttributes,
    Whole,
}

/// Which partition a trace goes to.
#[derive(Clone, Copy)]
pub(super) struct Router {
    pub(super) walk: Walk,
    tenant: Fnv1_32,
    partitions: u32,
    last: Option<(u128, u32)>,
}

impl Router {
    pub(super) fn new(tenant: &str, partitions: u32, walk: Walk) -> Self {
        let tenant = Fnv1_32::default().update(tenant.as_bytes());
        Self {
            walk,
            tenant,
            partitions: partitions.max(1),
            last: None,
        }
    }

    /// Equal to `vivace_model::hash::partition_of`; remembers the last trace, as spans of one often stand together.
    #[inline]
    fn route(&mut self, trace_id: TraceId) -> (u128, u32) {
        let number = u128::from_be_bytes(trace_id.0);
        match self.last {
            Some(last) if last.0 == number => last,
            _ => {
                let partition = self.tenant.update(&trace_id.0).finish() % self.partitions;
                *self.last.insert((number, partition))
            }
        }
    }
}

impl Layout {
    pub(super) fn clear(&mut self) {
        if self.retained_bytes() > MAX_RETAINED_BYTES {
            *self = Self::default();
            return;
        }
        self.payloads.clear();
        self.resources.clear();
        self.scopes.clear();
        self.spans.clear();
        self.bad_spans.clear();
    }

    pub(super) fn retained_bytes(&self) -> usize {
        self.payloads.capacity() * size_of::<Range>()
            + self.resources.capacity() * size_of::<Group<ResourceId>>()
            + self.scopes.capacity() * size_of::<Scope>()
            + self.spans.capacity() * size_of::<Span>()
            + self.bad_spans.capacity() * size_of::<BadSpan>()
    }

    /// ExportTraceServiceRequest.
    pub(super) fn request(&mut self, request: &[u8], mut router: Router) -> Result {
        let mut fields = Reader::new(request);
        while let Some(key) = fields.key()? {
            match key {
                0x0a => {
                    let message = fields.message()?;
                    self.resource_spans(message, &mut router)?;
                }
                _ => fields.skip(key, 1)?,
            }
        }
        Ok(())
    }

    fn resource_spans(&mut self, message: Reader<'_>, router: &mut Router) -> Result {
        let group = self.group(message)?;
        let resource = self.resources.len() as u32;
        self.resources.push(group);
        let mut fields = message;
        while let Some(key) = fields.key()? {
            match key {
                0x12 => {
                    let message = fields.message()?;
                    self.scope_spans(message, resource, router)?;
                }
                _ => fields.skip_value(key)?,
            }
        }
        // What is empty takes two bytes of a request, and should not take many here.
        if group.count == 0
            && self
                .scopes
                .last()
                .is_none_or(|scope| scope.resource != resource)
        {
            self.resources.pop();
        }
        Ok(())
    }

    /// What ResourceSpans and ScopeSpans have in common: field 1 is the resource or scope, 2 the members, 3 the schema.
    fn group<Id>(&mut self, mut fields: Reader<'_>) -> Result<Group<Id>> {
        let first = self.payloads.len() as u32;
        let mut schema_url = Range::default();
        while let Some(key) = fields.key()? {
            match key {
                0x0a => {
                    let payload = fields.payload_range()?;
                    if payload.len() > 0 {
                        self.payloads.push(payload);
                    }
                }
                0x12 => fields.skip_value(key)?,
                0x1a => schema_url = fields.payload_range()?,
                _ => fields.skip(key, 3)?,
            }
        }
        let count = self.payloads.len() as u32 - first;
        Ok(Group {
            first,
            count,
            schema_url,
            state: State::New,
        })
    }

    fn scope_spans(&mut self, message: Reader<'_>, resource: u32, router: &mut Router) -> Result {
        let group = self.group(message)?;
        let scope = self.scopes.len() as u32;
        self.scopes.push(Scope { resource, group });
        let before = (self.spans.len(), self.bad_spans.len());
        let mut fields = message;
        while let Some(key) = fields.key()? {
            match key {
                0x12 => {
                    let span = fields.message()?;
                    let range = Range {
                        start: span.offset() as u32,
                        end: fields.offset() as u32,
                    };
                    self.span(span, range, scope, router)?;
                }
                _ => fields.skip_value(key)?,
            }
        }
        if group.count == 0 && before == (self.spans.len(), self.bad_spans.len()) {
            self.scopes.pop();
        }
        Ok(())
    }

    #[inline]
    fn span(
        &mut self,
        mut fields: Reader<'_>,
        range: Range,
        scope: u32,
        router: &mut Router,
    ) -> Result {
        let (mut trace_id, mut span_id, mut parent_span_id) = (&[][..], &[][..], &[][..]);
        let mut start_unix_nano = 0;
        while let Some(key) = fields.key()? {
            match key {
                0x0a => trace_id = fields.payload()?,
                0x12 => span_id = fields.payload()?,
                0x22 => parent_span_id = fields.payload()?,
                0x39 => start_unix_nano = fields.fixed64()?,
                0x4a if router.walk == Walk::UpToAttributes && !trace_id.is_empty() => break,
                // The second pass looks at the wire types of the others.
                _ if matches!(super::wire::field_of(key), 1 | 2 | 4 | 7) => {
                    return fields.broken("wrong wire type");
                }
                _ => fields.skip_value(key)?,
            }
        }
        let reason = if trace_id.len() != 16 || trace_id == [0; 16] {
            Reason::TraceId {
                bytes: received(trace_id),
            }
        } else if span_id.len() != 8 || span_id == [0; 8] {
            Reason::SpanId {
                bytes: received(span_id),
            }
        } else if !matches!(parent_span_id.len(), 0 | 8) {
            Reason::ParentSpanId {
                bytes: parent_span_id.len() as u32,
            }
        } else {
            let id = trace_id.try_into().map_or(TraceId::default(), TraceId);
            let (trace_id, partition) = router.route(id);
            let Range { start: offset, end } = range;
            self.spans.push(Span {
                partition,
                trace_id,
                start_unix_nano,
                offset,
                end,
                scope,
            });
            return Ok(());
        };
        self.bad_spans.push(BadSpan { range, reason });
        Ok(())
    }
}

/// How long an id is; one of the right length that is all zero counts as none.
fn received(id: &[u8]) -> u32 {
    if id.iter().all(|&byte| byte == 0) && matches!(id.len(), 8 | 16) {
        0
    } else {
        id.len() as u32
    }
}
