//! `index.json.gz`: gzip of one JSON object. Blocks are written and read one by one, with pauses between them.

use std::io::Write;

use flate2::{Compression, GzBuilder};

use super::json_split::{Split, Start};
use super::{BLOCKS_PER_PAUSE, CompactedBlockMeta, TenantIndex, TenantIndexError};
use crate::meta_json::{Parsed, Printed, PrintedCompacted};
use crate::time::{self, ZERO_TIME};

pub(super) async fn encode(
    index: &TenantIndex,
    pause: &impl AsyncFn(),
) -> Result<Vec<u8>, TenantIndexError> {
    let failed = TenantIndexError::Compress;
    let mut out = GzBuilder::new()
        .filename("index.json")
        .write(Vec::new(), Compression::default());
    let created_at = time::print(index.created_at);
    write!(out, r#"{{"created_at":"{created_at}","meta":["#).map_err(failed)?;
    let mut first = true;
    let mut separator = || if std::mem::take(&mut first) { "" } else { "," };
    for metas in index.meta.chunks(BLOCKS_PER_PAUSE) {
        for meta in metas {
            write!(out, "{}", separator()).map_err(failed)?;
            let written = serde_json::to_writer(&mut out, &Printed(meta));
            written.map_err(|error| failed(error.into()))?;
        }
        pause().await;
    }
    write!(out, r#"],"compacted":["#).map_err(failed)?;
    first = true;
    let mut separator = || if std::mem::take(&mut first) { "" } else { "," };
    for compacted in index.compacted.chunks(BLOCKS_PER_PAUSE) {
        for CompactedBlockMeta {
            meta,
            compacted_time,
        } in compacted
        {
            write!(out, "{}", separator()).map_err(failed)?;
            let printed = PrintedCompacted {
                meta,
                compacted_time: *compacted_time,
            };
            let written = serde_json::to_writer(&mut out, &printed);
            written.map_err(|error| failed(error.into()))?;
        }
        pause().await;
    }
    write!(out, "]}}").map_err(failed)?;
    out.finish().map_err(failed)
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
        meta,
        compacted_time,
    } = parsed;
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
