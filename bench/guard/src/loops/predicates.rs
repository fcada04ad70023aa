//! Searches: whole ones over blocks and live batches, and single conditions over columns that are loaded already.

use std::hint::black_box;

use vivace_columns::{BatchChunk, Chunk as _};

use super::query::{Query, open_chunk};
use super::{Failure, Ready, check};
use crate::data::{batches, block, spans};

const SEARCH: &str =
    r#"{ resource.service.name = "users" && span.http.response.status_code >= 400 }"#;

/// A chunk opened, what the query needs loaded, the query run.
pub fn of_block() -> Result<Ready, Failure> {
    let block = block()?;
    let units = Query::spans_of(&block)?;
    let query = Query::new(SEARCH)?;
    let round = move || {
        let mut chunk = open_chunk(&block)?;
        check("spans", query.count(&mut chunk)?, units)
    };
    Ok(Ready {
        units,
        round: Box::new(round),
    })
}

/// The same over live batches.
pub fn of_batches() -> Result<Ready, Failure> {
    let batches = batches()?;
    let units = spans(&batches);
    let query = Query::new(SEARCH)?;
    let round = move || {
        let mut found = 0;
        for batch in &batches {
            let mut chunk = BatchChunk::new(black_box(batch), async || {});
            found += query.count(&mut chunk)?;
        }
        check("spans", found, units)
    };
    Ok(Ready {
        units,
        round: Box::new(round),
    })
}

/// The block outlives the chunk that borrows it: both last as long as the process.
fn over_loaded(text: &str) -> Result<Ready, Failure> {
    let block = Box::leak(Box::new(block()?));
    let query = Query::new(text)?;
    let mut chunk = open_chunk(block)?;
    // Everything that the query needs is loaded from now on.
    let expected = query.count(&mut chunk)?;
    let units = u64::from(chunk.shape().spans());
    check("spans", expected, units)?;
    let round = move || {
        let found = query.run(black_box(&mut chunk))?;
        black_box(&found);
        match u64::from(found.selection.spans.count()) {
            found if found == expected => Ok(()),
            found => Err(format!("found {found} spans, and {expected} before").into()),
        }
    };
    Ok(Ready {
        units,
        round: Box::new(round),
    })
}

/// A text of an attribute with a column of its own.
pub fn equal_dedicated() -> Result<Ready, Failure> {
    over_loaded(r#"{ span.http.request.method = "POST" }"#)
}

/// A text of any other attribute.
pub fn equal_generic() -> Result<Ready, Failure> {
    over_loaded(r#"{ span.db.system.name = "redis" }"#)
}

/// Distinct texts are matched once each.
pub fn regex() -> Result<Ready, Failure> {
    over_loaded(r#"{ span.url.path =~ "/api/.*/[0-9a-f]*" }"#)
}

/// Two numbers, both over whole columns.
pub fn numbers() -> Result<Ready, Failure> {
    over_loaded("{ duration > 5ms && span.http.response.status_code >= 300 }")
}

/// Trace by trace.
pub fn descendants() -> Result<Ready, Failure> {
    over_loaded(r#"{ kind = server } >> { status = error }"#)
}
