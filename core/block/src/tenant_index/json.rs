//! `index.json.gz`: gzip of one JSON object. Blocks are written and read one by one, with pauses between them.

use std::io::Write;

use flate2::{Compression, GzBuilder};
use serde::Serialize;

use super::json_split::{Split, Start};
use super::{BLOCKS_PER_PAUSE, CompactedBlockMeta, TenantIndex, TenantIndexError};
use crate::meta_json::{Parsed, Printed, PrintedCompacted};
use crate::time::{self, ZERO_TIME};

pub(super) async fn encode(
    index: &TenantIndex,
    pause: &impl AsyncFn(),
) -> Result<Vec<u8>, TenantIndexError> {
    let failed = TenantIndexError::Compress;
    // Metas are much alike: the slower levels save little.
    let mut out = GzBuilder::new()
        .filename("index.json")
        .write(Vec::new(), Compression::fast());
    let created_at = time::print(index.created_at);
    let mut text = format!(r#"{{"created_at":"{created_at}","meta":["#).into_bytes();
    for (number, meta) in index.meta.iter().enumerate() {
        put(&mut text, number, &Printed(meta)).map_err(|error| failed(error.into()))?;
        out.write_all(&text).map_err(failed)?;
        text.clear();
        if number % BLOCKS_PER_PAUSE == BLOCKS_PER_PAUSE - 1 {
            pause().await;
        }
    }
    text.extend_from_slice(br#"],"compacted":["#);
    for (number, compacted) in index.compacted.iter().enumerate() {
        let printed = PrintedCompacted {
            meta: &compacted.meta,
            compacted_time: compacted.compacted_time,
        };
        put(&mut text, number, &printed).map_err(|error| failed(error.into()))?;
        out.write_all(&text).map_err(failed)?;
        text.clear();
        if number % BLOCKS_PER_PAUSE == BLOCKS_PER_PAUSE - 1 {
            pause().await;
        }
    }
    text.extend_from_slice(b"]}");
    out.write_all(&text).map_err(failed)?;
    out.finish().map_err(failed)
}

/// Appends an element to a list. Whole elements are compressed at once: token by token would take several times as long.
fn put(text: &mut Vec<u8>, number: usize, element: &impl Serialize) -> serde_json::Result<()> {
    if number > 0 {
        text.push(b',');
    }
    serde_json::to_writer(text, element)
}

pub(super) async fn decode(
    bytes: &[u8],
    pause: &impl AsyncFn(),
) -> Result<TenantIndex, TenantIndexError> {
    let mut index = TenantIndex {
        created_at: ZERO_TIME,
        meta: Vec::new(),
        compacted: Vec::new(),
    };
    let mut split = Split::new(bytes);
    let mut blocks = 0_usize;
    while let Some(key) = split.key()? {
        let key = key.to_owned();
        match key.as_str() {
            "created_at" => index.created_at = created_at(split.value()?)?,
            "meta" | "compacted" if split.start() == Start::Array => {
                while let Some(element) = split.element()? {
                    index.check_room()?;
                    add(&mut index, &key, element)?;
                    blocks += 1;
                    if blocks.is_multiple_of(BLOCKS_PER_PAUSE) {
                        pause().await;
                    }
                }
            }
            // Go writes an empty list as null too.
            "meta" | "compacted" => parse::<()>(&key, split.value()?)?,
            _ => {
                split.value()?;
            }
        }
    }
    Ok(index)
}

fn add(index: &mut TenantIndex, key: &str, element: &[u8]) -> Result<(), TenantIndexError> {
    let live = key == "meta";
    let at = if live {
        index.meta.len()
    } else {
        index.compacted.len()
    };
    let parsed = serde_json::from_slice(element).map_err(|error| TenantIndexError::Json {
        place: format!("{key} {at}"),
        error,
    })?;
    let Parsed {
        mut meta,
        compacted_time,
    } = parsed;
    let compacted = || index.compacted.last().map(|block| &block.meta);
    if let Some(before) = index.meta.last().or_else(compacted) {
        meta.share_columns(before);
    }
    if live {
        index.meta.push(meta);
    } else {
        index.compacted.push(CompactedBlockMeta {
            meta,
            compacted_time,
        });
    }
    Ok(())
}

fn created_at(json: &[u8]) -> Result<chrono::DateTime<chrono::Utc>, TenantIndexError> {
    let Some(text) = parse::<Option<String>>("created_at", json)? else {
        return Ok(ZERO_TIME);
    };
    time::parse(&text).ok_or_else(|| TenantIndexError::Value {
        place: "created_at".to_owned(),
        what: format!("{text:?} is not a time of RFC 3339"),
    })
}

fn parse<T: serde::de::DeserializeOwned>(place: &str, json: &[u8]) -> Result<T, TenantIndexError> {
    serde_json::from_slice(json).map_err(|error| TenantIndexError::Json {
        place: place.to_owned(),
        error,
    })
}
