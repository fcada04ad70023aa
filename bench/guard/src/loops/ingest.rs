//! From a request to a record of the log and back.

use std::hint::black_box;

use vivace_protocol::otlp::Scanner;
use vivace_protocol::record::{Header, decode_parts, encode};

use super::{Failure, Ready, check};
use crate::data::{SCAN, TENANT, batches, requests, spans};

/// OTLP protobuf to batches of two partitions.
pub fn scan() -> Result<Ready, Failure> {
    let units = spans(&batches()?);
    let requests = requests();
    let mut scanner = Scanner::new();
    let round = move || {
        let mut accepted = 0;
        for request in &requests {
            let scanned = scanner.scan(TENANT, black_box(request), &SCAN)?;
            accepted += scanned.accepted_spans;
            black_box(scanned.batches);
        }
        check("spans", accepted, units)
    };
    Ok(Ready {
        units,
        round: Box::new(round),
    })
}

/// Batches to records of the log, and back with all checks, as at replay.
pub fn record() -> Result<Ready, Failure> {
    let batches = batches()?;
    let units = spans(&batches);
    let header = Header {
        tenant: TENANT.to_owned(),
        received_unix_nano: 1,
        skip_metrics_generation: false,
    };
    let round = move || {
        let mut found = 0;
        for batch in &batches {
            let parts = encode(&header, black_box(batch));
            let (_, batch) = decode_parts(black_box(&parts))?;
            found += batch.view().span_count() as u64;
        }
        check("spans", found, units)
    };
    Ok(Ready {
        units,
        round: Box::new(round),
    })
}
