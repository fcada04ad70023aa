//! Spans in memory behind the interface of chunks, for tests.
#![allow(dead_code, reason = "every test uses its part of it")]

pub mod chunk;
pub mod oracle;
pub mod query;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use vivace_traceql::{Kind, Static, Status};

/// A span with all that it refers to.
#[derive(Clone, Debug)]
pub struct Row {
    pub trace: u8,
    pub start: u64,
    pub duration: i64,
    pub name: String,
    pub status: Status,
    pub kind: Kind,
    pub attributes: Vec<(String, Static)>,
    pub resource: Vec<(String, Static)>,
    pub scope: Vec<(String, Static)>,
    pub trace_state: String,
    /// Nanoseconds since the span's start.
    pub events: Vec<i64>,
    /// The filter of the query matches.
    pub selected: bool,
    /// The filter of `compare` matches.
    pub compared: bool,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            trace: 0,
            start: 0,
            duration: 0,
            name: String::new(),
            status: Status::Unset,
            kind: Kind::Unspecified,
            attributes: Vec::new(),
            resource: Vec::new(),
            scope: Vec::new(),
            trace_state: String::new(),
            events: Vec::new(),
            selected: true,
            compared: false,
        }
    }
}

pub fn text(text: &str) -> Static {
    Static::String(text.into())
}

pub fn pair(key: &str, value: Static) -> (String, Static) {
    (key.to_owned(), value)
}

/// Runs what never waits for anything but pauses.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

pub async fn no_pause() {}
