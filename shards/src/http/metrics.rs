//! The request metrics of observability.md section 1.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use http::HeaderMap;
use prometheus::{Histogram, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};

use super::guard::OpenRequest;
use crate::metrics;
use crate::time::Instant;

const DURATION_BUCKETS: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0,
];
const MIB: f64 = 1024.0 * 1024.0;
const SIZE_BUCKETS: &[f64] = &[
    MIB,
    2.5 * MIB,
    5.0 * MIB,
    10.0 * MIB,
    25.0 * MIB,
    50.0 * MIB,
    100.0 * MIB,
    250.0 * MIB,
];

fn durations() -> HistogramVec {
    metrics::histogram_vec(
        "tempo_request_duration_seconds",
        "Time (in seconds) spent serving HTTP requests.",
        &["method", "route", "status_code", "ws"],
        DURATION_BUCKETS,
    )
}

fn inflight() -> IntGaugeVec {
    metrics::gauge_vec(
        "tempo_inflight_requests",
        "Current number of inflight requests.",
        &["method", "route"],
    )
}

fn request_bytes() -> HistogramVec {
    metrics::histogram_vec(
        "tempo_request_message_bytes",
        "Size (in bytes) of messages received in the request.",
        &["method", "route"],
        SIZE_BUCKETS,
    )
}

fn response_bytes() -> HistogramVec {
    metrics::histogram_vec(
        "tempo_response_message_bytes",
        "Size (in bytes) of messages sent in response.",
        &["method", "route"],
        SIZE_BUCKETS,
    )
}

/// Requests whose handler panicked; the client got a 500 (or Internal), the others went on.
pub(crate) fn panics() -> IntCounterVec {
    metrics::counter_vec(
        "vivace_request_panics_total",
        "Requests whose handler panicked.",
        &["route"],
    )
}

/// Connections that were cut or refused, and why.
pub(crate) fn connections_cut() -> IntCounterVec {
    metrics::counter_vec(
        "vivace_connections_cut_total",
        "Connections ended by the server because of their client, by server and reason.",
        &["server", "reason"],
    )
}

/// Open connections of a protocol (`http`, `grpc`).
pub(crate) fn connections(protocol: &str) -> IntGauge {
    metrics::gauge_vec(
        "tempo_tcp_connections",
        "Current number of accepted TCP connections.",
        &["protocol"],
    )
    .with_label_values(&[protocol])
}

/// The highest number of connections of a protocol; 0 without a limit.
pub(crate) fn connections_limit(protocol: &str) -> IntGauge {
    metrics::gauge_vec(
        "tempo_tcp_connections_limit",
        "The max number of TCP connections that can be accepted (0 means no limit).",
        &["protocol"],
    )
    .with_label_values(&[protocol])
}

/// The series of one method on one route.
struct PerMethod {
    method: String,
    route: Rc<str>,
    inflight: IntGauge,
    request_bytes: Histogram,
    response_bytes: Histogram,
    durations: RefCell<HashMap<StatusLabel, Histogram>>,
}

/// What goes into `status_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StatusLabel {
    Http(u16),
    Text(&'static str),
}

impl StatusLabel {
    /// A request whose client went away before its answer was complete.
    pub(crate) const HTTP_CANCELLED: Self = Self::Http(499);
    pub(crate) const SUCCESS: Self = Self::Text("success");
    pub(crate) const ERROR: Self = Self::Text("error");
    pub(crate) const CANCEL: Self = Self::Text("cancel");
}

/// The metrics of one route on one shard: looked up once per method and status, then held.
pub(crate) struct RouteMetrics {
    route: Rc<str>,
    methods: RefCell<HashMap<&'static str, Rc<PerMethod>>>,
}

/// The methods that get a label of their own: the others are for the client to invent.
const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT",
];
/// The method label of gRPC.
pub(crate) const GRPC_METHOD: &str = "gRPC";

impl RouteMetrics {
    pub(crate) fn new(route: &str) -> Self {
        Self {
            route: Rc::from(route),
            methods: RefCell::default(),
        }
    }

    pub(crate) fn label(&self) -> &str {
        &self.route
    }

    /// A request begins. `method` is an HTTP method or [`GRPC_METHOD`].
    pub(crate) fn begin(&self, method: &str) -> Observation {
        let known = METHODS
            .iter()
            .chain([&GRPC_METHOD])
            .find(|known| **known == method)
            .copied()
            .unwrap_or("OTHER");
        let series = {
            let mut methods = self.methods.borrow_mut();
            Rc::clone(methods.entry(known).or_insert_with(|| {
                let labels = [known, &*self.route];
                Rc::new(PerMethod {
                    method: known.to_owned(),
                    route: Rc::clone(&self.route),
                    inflight: inflight().with_label_values(&labels),
                    request_bytes: request_bytes().with_label_values(&labels),
                    response_bytes: response_bytes().with_label_values(&labels),
                    durations: RefCell::default(),
                })
            }))
        };
        series.inflight.inc();
        Observation {
            series,
            start: Instant::now(),
            received: Rc::default(),
            sent: 0,
            status: None,
            cancelled: StatusLabel::HTTP_CANCELLED,
            done: false,
            open: None,
        }
    }
}

/// One request from its head to the end of its answer. Dropped before that, it counts as cancelled.
pub(crate) struct Observation {
    series: Rc<PerMethod>,
    start: Instant,
    received: Rc<Cell<u64>>,
    sent: u64,
    status: Option<StatusLabel>,
    cancelled: StatusLabel,
    done: bool,
    /// Tells the connection that a request is in progress.
    open: Option<OpenRequest>,
}

impl Observation {
    /// Since the request's head.
    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.start.elapsed()
    }

    pub(crate) fn status(&mut self, status: StatusLabel) {
        self.status = Some(status);
    }

    /// How a cancelled request is labelled.
    pub(crate) fn cancelled_as(&mut self, status: StatusLabel) {
        self.cancelled = status;
    }

    /// Where the bytes of the request's body are counted.
    pub(crate) fn received(&mut self, counter: Rc<Cell<u64>>) {
        self.received = counter;
    }

    /// Keeps the connection's mark of an open request until the answer is complete.
    pub(crate) fn hold(&mut self, open: OpenRequest) {
        self.open = Some(open);
    }

    /// Takes the outcome of a gRPC call from its headers or trailers, if it is in them.
    pub(crate) fn grpc_outcome(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.status(match status.as_bytes() {
                b"0" => StatusLabel::SUCCESS,
                b"1" => StatusLabel::CANCEL,
                _ => StatusLabel::ERROR,
            });
        }
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// The answer is complete.
    pub(crate) fn finished(mut self) {
        let status = self.status.unwrap_or(self.cancelled);
        self.record(status);
    }

    /// The client went away first.
    pub(crate) fn cancelled(mut self) {
        self.record(self.cancelled);
    }

    fn record(&mut self, status: StatusLabel) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let series = &self.series;
        series.inflight.dec();
        series.request_bytes.observe(self.received.get() as f64);
        series.response_bytes.observe(self.sent as f64);
        let mut known = series.durations.borrow_mut();
        known
            .entry(status)
            .or_insert_with(|| {
                let number;
                let code = match status {
                    StatusLabel::Http(code) => {
                        number = code.to_string();
                        &number
                    }
                    StatusLabel::Text(text) => text,
                };
                durations().with_label_values(&[
                    series.method.as_str(),
                    &series.route,
                    code,
                    "false",
                ])
            })
            .observe(self.start.elapsed().as_secs_f64());
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let status = self.cancelled;
        self.record(status);
    }
}
