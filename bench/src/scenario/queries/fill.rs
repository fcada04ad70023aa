//! Spans into a server through OTLP.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::data::varied::{CHUNK_SPANS, Window, chunk};
use crate::scenario::Error;
use crate::scenario::connection::Connection;

/// Senders, each with a request under way.
const SENDERS: usize = 4;
/// Tries of a request that is refused, and the pause between them.
const TRIES: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// Chunks `from` to `to` of all, over the window.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub from: u64,
    pub to: u64,
    pub window: Window,
}

impl Part {
    /// Spans in it.
    pub fn spans(self) -> u64 {
        (self.to - self.from) * CHUNK_SPANS as u64
    }
}

/// Sends them all; what is refused for now is sent again.
pub fn fill(otlp: &str, seed: u64, part: Part) -> Result<(), Error> {
    let next = AtomicU64::new(part.from);
    let send = || -> Result<(), Error> {
        let mut connection = Connection::new(otlp)?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= part.to {
                return Ok(());
            }
            let window = part.window.part(number - part.from, part.to - part.from);
            for body in chunk(seed, number, window) {
                post(&mut connection, &body)?;
            }
        }
    };
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(send)).collect();
        let outcomes = senders.into_iter().map(|sender| {
            let joined = sender.join();
            joined.unwrap_or_else(|_| Err(Error::Failed("a sender of spans has panicked".into())))
        });
        // All of them have to end before the first failure is told.
        let outcomes: Vec<_> = outcomes.collect();
        outcomes.into_iter().collect()
    })
}

fn post(connection: &mut Connection, body: &[u8]) -> Result<(), Error> {
    for _ in 0..TRIES {
        match connection.post("/v1/traces", "application/x-protobuf", body)? {
            (200, _) => return Ok(()),
            (429 | 503, _) => std::thread::sleep(PAUSE),
            (status, text) => {
                let text = String::from_utf8_lossy(&text);
                return Err(Error::Failed(format!("spans refused: {status} {text}")));
            }
        }
    }
    Err(Error::Failed(format!(
        "spans refused {TRIES} times with a hint to retry"
    )))
}
