//! OTLP protobuf to SpanBatches, without making objects of it: a walk that finds out where each span belongs, then one
//! that puts the spans, in the order of the batch, into a builder.
//!
//! It is a protobuf parser: fields in any order, unknown ones skipped, the last value of a scalar and of a oneof wins,
//! messages given twice are merged. Unlike one it repairs text that is not UTF-8, and refuses groups.

mod layout;
mod limits;
mod locate;
mod rejected;
mod resource;
mod span;
mod values;
mod wire;

use vivace_model::{ResourceId, ScopeId, SpanBatch, SpanBatchBuilder};

use crate::pause::{Pause, finish};

use self::layout::{Group, Layout, Router, Span, State, Walk};
use self::limits::{BATCH_CUT_BYTES, MAX_REQUEST_BYTES, MAX_SPREAD, MAX_SPREAD_FREE_BYTES};
pub use self::rejected::Rejected;
use self::rejected::{Reason, Rejections};
pub use self::values::Truncated;
use self::values::{Counts, Sink};
use self::wire::{Broken, Range, Reader};

/// How to scan.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions {
    /// Longer keys and string values of attributes are cut, at the border of a character; 0 = never.
    pub max_attribute_bytes: usize,
    /// How many partitions traces are spread over; 0 counts as 1.
    pub partitions: u32,
}

/// What a request holds.
#[derive(Debug, Default)]
pub struct Scanned {
    /// By partition, ascending. A partition with very much data has several batches.
    pub batches: Vec<(u32, SpanBatch)>,
    /// Spans of the request.
    pub spans: u64,
    /// Spans in `batches`.
    pub accepted_spans: u64,
    /// The other spans.
    pub rejected: Rejected,
    /// Attribute keys and values that were cut.
    pub truncated: Truncated,
    /// Texts that were not UTF-8; U+FFFD stands where they were wrong.
    pub repaired_utf8: u64,
    /// Distinct traces in `batches`.
    pub traces: u32,
}

/// Why nothing of a request can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    #[error("invalid OTLP request: {what} at byte {offset}{}", at_path(.path))]
    Broken {
        what: &'static str,
        /// In the request.
        offset: usize,
        /// The field that holds the byte, such as `resource_spans[0].resource`; may be empty.
        path: String,
    },
    #[error("the request of {bytes} bytes is larger than {MAX_REQUEST_BYTES}")]
    TooLarge { bytes: usize },
    #[error(
        "the resources of the request are too large for the number of partitions that use them"
    )]
    TooSpread,
}

fn at_path(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(", in {path}")
    }
}

impl ScanError {
    /// The same request fails again.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// Why scanning stopped.
enum Stop {
    Broken(Broken),
    /// The first pass has to look at whole spans.
    Reordered,
    TooSpread,
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Scans one request after the other, and keeps its memory (up to a limit) in between.
pub struct Scanner {
    layout: Layout,
    sink: Sink,
    /// Number of the batch under construction: tells whether ids of resources and scopes are its own.
    batch: u32,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    pub fn new() -> Self {
        let sink = Sink {
            builder: SpanBatchBuilder::new(),
            max_attribute_bytes: 0,
            counts: Counts::default(),
            refused: None,
            is_reordered: false,
        };
        Self {
            layout: Layout::default(),
            sink,
            batch: 0,
        }
    }

    /// Memory that is kept for the next request.
    pub fn retained_bytes(&self) -> usize {
        self.layout.retained_bytes() + self.sink.builder.retained_bytes()
    }

    /// Scans an ExportTraceServiceRequest. A span that can't be stored is counted in `Scanned::rejected`; it is an
    /// error only when the request is no protobuf message of this type, or is too large.
    pub fn scan(
        &mut self,
        tenant: &str,
        request: &[u8],
        options: &ScanOptions,
    ) -> Result<Scanned, ScanError> {
        finish(self.scan_pausing(tenant, request, options, async || {}))
    }

    /// [`Scanner::scan`], calling `pause` every few spans: a large request takes longer than one may keep a thread
    /// that others wait for.
    pub async fn scan_pausing(
        &mut self,
        tenant: &str,
        request: &[u8],
        options: &ScanOptions,
        pause: impl AsyncFn(),
    ) -> Result<Scanned, ScanError> {
        let mut pause = Pause::new(pause);
        if request.len() > MAX_REQUEST_BYTES {
            return Err(ScanError::TooLarge {
                bytes: request.len(),
            });
        }
        self.sink.max_attribute_bytes = match options.max_attribute_bytes {
            0 => usize::MAX,
            bytes => bytes,
        };
        let router = |walk| Router::new(tenant, options.partitions, walk);
        let mut scanned = self
            .run(request, router(Walk::UpToAttributes), &mut pause)
            .await;
        if matches!(scanned, Err(Stop::Reordered)) {
            scanned = self.run(request, router(Walk::Whole), &mut pause).await;
        }
        scanned.map_err(|stop| match stop {
            Stop::Broken(Broken { offset, what }) => ScanError::Broken {
                what,
                offset,
                path: locate::path(request, offset),
            },
            // The second run never says `Reordered`.
            Stop::TooSpread | Stop::Reordered => ScanError::TooSpread,
        })
    }

    async fn run(
        &mut self,
        request: &[u8],
        router: Router,
        pause: &mut Pause<impl AsyncFn()>,
    ) -> Result<Scanned, Stop> {
        // A scan that was dropped in a pause has left something.
        self.layout.clear();
        self.sink.builder.clear();
        let scanned = self.try_run(request, router, pause).await;
        self.layout.clear();
        self.sink.builder.clear();
        scanned
    }

    async fn try_run(
        &mut self,
        request: &[u8],
        router: Router,
        pause: &mut Pause<impl AsyncFn()>,
    ) -> Result<Scanned, Stop> {
        let walk = router.walk;
        self.layout.request(request, router)?;
        self.layout.spans.sort_unstable();
        self.sink.counts = Counts::default();
        self.sink.is_reordered = false;
        let mut run = Run {
            request,
            scanner: self,
            walk,
            scanned: Scanned::default(),
            rejections: Rejections::default(),
            spread: 0,
            last_trace: None,
            cut_at: usize::MAX,
        };
        run.all(pause).await?;
        let Run {
            mut scanned,
            rejections,
            ..
        } = run;
        scanned.spans = (self.layout.spans.len() + self.layout.bad_spans.len()) as u64;
        scanned.rejected = rejections.finish(request);
        scanned.truncated = self.sink.counts.truncated;
        scanned.repaired_utf8 = self.sink.counts.repaired_utf8;
        Ok(scanned)
    }
}

/// One request being scanned.
struct Run<'a> {
    request: &'a [u8],
    scanner: &'a mut Scanner,
    walk: Walk,
    scanned: Scanned,
    rejections: Rejections,
    /// Bytes read for resources and scopes so far.
    spread: usize,
    last_trace: Option<u128>,
    /// When the batch under construction has this size, it is ended.
    cut_at: usize,
}

impl Run<'_> {
    async fn all(&mut self, pause: &mut Pause<impl AsyncFn()>) -> Result<(), Stop> {
        self.scanner.next_batch();
        let mut partition = None;
        for index in 0..self.scanner.layout.spans.len() {
            let span = self.scanner.layout.spans[index];
            let builder = &self.scanner.sink.builder;
            if partition != Some(span.partition) || builder.estimated_bytes() > self.cut_at {
                self.end_batch(partition);
                partition = Some(span.partition);
            }
            self.span(&span)?;
            pause.step().await;
        }
        self.end_batch(partition);
        self.rest()
    }

    fn end_batch(&mut self, partition: Option<u32>) {
        let finished = self.scanner.sink.builder.finish();
        if let (Some(partition), Some(batch)) = (partition, finished) {
            self.scanned.batches.push((partition, batch));
        }
        self.cut_at = usize::MAX;
        self.scanner.next_batch();
    }

    #[inline]
    fn span(&mut self, span: &Span) -> Result<(), Stop> {
        let fields = Reader::range(self.request, span.range());
        let stored = match self.groups(span.scope)? {
            Ok((resource, scope)) => self.scanner.sink.span(fields, resource, scope)?,
            Err(reason) => {
                self.scanner.sink.check_span(fields)?;
                Err(reason)
            }
        };
        self.check_order()?;
        match stored {
            Ok(()) => {
                self.scanned.accepted_spans += 1;
                if self.cut_at == usize::MAX {
                    // The first span of a batch brings its resource, which the next batch would need again.
                    let builder = &self.scanner.sink.builder;
                    self.cut_at = builder.estimated_bytes() + BATCH_CUT_BYTES;
                }
                if self.last_trace != Some(span.trace_id) {
                    self.last_trace = Some(span.trace_id);
                    self.scanned.traces += 1;
                }
            }
            Err(reason) => self.rejections.add(span.range(), reason),
        }
        Ok(())
    }

    #[inline]
    fn check_order(&self) -> Result<(), Stop> {
        if self.walk == Walk::UpToAttributes && self.scanner.sink.is_reordered {
            return Err(Stop::Reordered);
        }
        Ok(())
    }

    /// The ids of a scope and its resource in the batch under construction.
    #[inline]
    fn groups(&mut self, scope: u32) -> Result<Result<(ResourceId, ScopeId), Reason>, Stop> {
        let batch = self.scanner.batch;
        let layout = &self.scanner.layout;
        let resource = layout.scopes[scope as usize].resource;
        let resource_id = match layout.resources[resource as usize].state {
            State::Known { batch: known, id } if known == batch => id,
            _ => match self.resource(resource as usize)? {
                Ok(id) => id,
                Err(reason) => return Ok(Err(reason)),
            },
        };
        let scope_id = match self.scanner.layout.scopes[scope as usize].group.state {
            State::Known { batch: known, id } if known == batch => id,
            _ => match self.scope(scope as usize)? {
                Ok(id) => id,
                Err(reason) => return Ok(Err(reason)),
            },
        };
        Ok(Ok((resource_id, scope_id)))
    }

    fn resource(&mut self, index: usize) -> Result<Result<ResourceId, Reason>, Stop> {
        let Scanner {
            layout,
            sink,
            batch,
        } = &mut *self.scanner;
        let group = &mut layout.resources[index];
        let payloads = &layout.payloads[group.payloads()];
        read_group(
            group,
            payloads,
            *batch,
            &mut self.spread,
            self.request,
            sink,
            Sink::resource,
        )
    }

    fn scope(&mut self, index: usize) -> Result<Result<ScopeId, Reason>, Stop> {
        let Scanner {
            layout,
            sink,
            batch,
        } = &mut *self.scanner;
        let group = &mut layout.scopes[index].group;
        let payloads = &layout.payloads[group.payloads()];
        read_group(
            group,
            payloads,
            *batch,
            &mut self.spread,
            self.request,
            sink,
            Sink::scope,
        )
    }

    /// Spans with bad ids, and resources and scopes without spans: their bytes are checked as well.
    fn rest(&mut self) -> Result<(), Stop> {
        let counts = self.scanner.sink.counts;
        for index in 0..self.scanner.layout.resources.len() {
            if self.scanner.layout.resources[index].state == State::New {
                let _ = self.resource(index)?;
                self.forget();
            }
        }
        for index in 0..self.scanner.layout.scopes.len() {
            if self.scanner.layout.scopes[index].group.state == State::New {
                let _ = self.scope(index)?;
                self.forget();
            }
        }
        for bad in &self.scanner.layout.bad_spans {
            self.rejections.add(bad.range, bad.reason);
            self.scanner
                .sink
                .check_span(Reader::range(self.request, bad.range))?;
        }
        self.check_order()?;
        self.scanner.sink.counts = counts;
        Ok(())
    }
}

impl Run<'_> {
    /// Empties the builder of what was only read for a check, when that has grown.
    fn forget(&mut self) {
        if self.scanner.sink.builder.estimated_bytes() > BATCH_CUT_BYTES {
            self.scanner.sink.builder.clear();
        }
    }
}

impl Scanner {
    fn next_batch(&mut self) {
        self.batch = self.batch.wrapping_add(1);
    }
}

impl<Id> Group<Id> {
    fn payloads(&self) -> std::ops::Range<usize> {
        self.first as usize..(self.first + self.count) as usize
    }
}

/// Reads a resource or scope into the batch under construction.
fn read_group<Id: Copy>(
    group: &mut Group<Id>,
    payloads: &[Range],
    batch: u32,
    spread: &mut usize,
    request: &[u8],
    sink: &mut Sink,
    read: impl FnOnce(&mut Sink, &[u8], &[Range], Range) -> wire::Result<resource::Stored<Id>>,
) -> Result<Result<Id, Reason>, Stop> {
    if let State::Refused(reason) = group.state {
        return Ok(Err(reason));
    }
    *spread += payloads.iter().map(|payload| payload.len()).sum::<usize>() + group.schema_url.len();
    if *spread > MAX_SPREAD * request.len() + MAX_SPREAD_FREE_BYTES {
        return Err(Stop::TooSpread);
    }
    let counts = sink.counts;
    let stored = read(sink, request, payloads, group.schema_url)?;
    // What was changed about a resource is counted once, however many batches it is in.
    if !matches!(group.state, State::New) {
        sink.counts = counts;
    }
    group.state = match stored {
        Ok(id) => State::Known { batch, id },
        Err(reason) => State::Refused(reason),
    };
    Ok(stored)
}
