//! `index.pb.zst`: one zstd frame of a protobuf message `TenantIndex`. Its fields are written and read one by one, so
//! that there is never a second copy of the whole index, and pauses between them.

use std::io::Write;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};
use uuid::Uuid;

use super::{BLOCKS_PER_PAUSE, CompactedBlockMeta, TenantIndex, TenantIndexError};
use crate::dedicated_json;
use crate::time::{self, ZERO_TIME};
use crate::{BlockMeta, dedicated::DedicatedColumn};

const CREATED_AT: u32 = 1;
const META: u32 = 2;
const COMPACTED: u32 = 3;

/// Tempo's own level is of the same speed.
const ZSTD_LEVEL: i32 = 3;

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// Fields 3, 4, 11 and 14 are retired; those of old files are passed over.
#[derive(Clone, PartialEq, Message)]
struct Meta {
    #[prost(string, tag = "1")]
    format: String,
    #[prost(bytes = "vec", tag = "2")]
    block_id: Vec<u8>,
    #[prost(string, tag = "5")]
    tenant_id: String,
    #[prost(message, optional, tag = "6")]
    start_time: Option<Timestamp>,
    #[prost(message, optional, tag = "7")]
    end_time: Option<Timestamp>,
    #[prost(int64, tag = "8")]
    total_objects: i64,
    #[prost(uint64, tag = "9")]
    size: u64,
    #[prost(uint32, tag = "10")]
    compaction_level: u32,
    #[prost(uint32, tag = "12")]
    index_page_size: u32,
    #[prost(uint32, tag = "13")]
    total_records: u32,
    #[prost(uint32, tag = "15")]
    bloom_shards: u32,
    #[prost(uint32, tag = "16")]
    footer_size: u32,
    /// JSON, or empty.
    #[prost(bytes = "vec", tag = "17")]
    dedicated_columns: Vec<u8>,
    #[prost(uint32, tag = "18")]
    replication_factor: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Compacted {
    #[prost(message, optional, tag = "1")]
    meta: Option<Meta>,
    #[prost(message, optional, tag = "2")]
    compacted_time: Option<Timestamp>,
}

pub(super) async fn encode(
    index: &TenantIndex,
    pause: &impl AsyncFn(),
) -> Result<Vec<u8>, TenantIndexError> {
    let failed = TenantIndexError::Compress;
    let mut out = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL).map_err(failed)?;
    out.include_checksum(true).map_err(failed)?;
    let mut buffer = Vec::new();
    let mut put = |number, message: &dyn Fn(&mut Vec<u8>)| {
        buffer.clear();
        message(&mut buffer);
        let mut head = Vec::with_capacity(16);
        prost::encoding::encode_key(number, WireType::LengthDelimited, &mut head);
        prost::encoding::encode_varint(buffer.len() as u64, &mut head);
        out.write_all(&head)?;
        out.write_all(&buffer)
    };
    let created_at = from_time(index.created_at);
    put(CREATED_AT, &|out| created_at.encode_raw(out)).map_err(failed)?;
    for metas in index.meta.chunks(BLOCKS_PER_PAUSE) {
        for meta in metas {
            let meta = from_meta(meta)?;
            put(META, &|out| meta.encode_raw(out)).map_err(failed)?;
        }
        pause().await;
    }
    for compacted in index.compacted.chunks(BLOCKS_PER_PAUSE) {
        for CompactedBlockMeta {
            meta,
            compacted_time,
        } in compacted
        {
            let compacted = Compacted {
                meta: Some(from_meta(meta)?),
                compacted_time: Some(from_time(*compacted_time)),
            };
            put(COMPACTED, &|out| compacted.encode_raw(out)).map_err(failed)?;
        }
        pause().await;
    }
    out.finish().map_err(failed)
}

pub(super) async fn decode(
    mut bytes: &[u8],
    pause: &impl AsyncFn(),
) -> Result<TenantIndex, TenantIndexError> {
    let mut index = TenantIndex {
        created_at: ZERO_TIME,
        meta: Vec::new(),
        compacted: Vec::new(),
    };
    let mut columns = Columns::default();
    let mut fields = 0_usize;
    while !bytes.is_empty() {
        let place = || format!("field {fields}");
        let (number, wire_type) = decode_key(&mut bytes).map_err(protobuf(place))?;
        match (number, wire_type) {
            (CREATED_AT, WireType::LengthDelimited) => {
                let place = || "created_at".to_owned();
                let time = message::<Timestamp>(&mut bytes).map_err(protobuf(place))?;
                index.created_at = to_time("time", Some(time)).map_err(value(place))?;
            }
            (META, WireType::LengthDelimited) => {
                let place = || format!("meta {}", index.meta.len());
                let meta = message(&mut bytes).map_err(protobuf(place))?;
                let meta = to_meta(meta, &mut columns).map_err(value(place))?;
                index.check_room()?;
                index.meta.push(meta);
            }
            (COMPACTED, WireType::LengthDelimited) => {
                let place = || format!("compacted {}", index.compacted.len());
                let compacted = message(&mut bytes).map_err(protobuf(place))?;
                let compacted = to_compacted(compacted, &mut columns).map_err(value(place))?;
                index.check_room()?;
                index.compacted.push(compacted);
            }
            _ => skip_field(wire_type, number, &mut bytes, DecodeContext::default())
                .map_err(protobuf(place))?,
        }
        fields += 1;
        if fields.is_multiple_of(BLOCKS_PER_PAUSE) {
            pause().await;
        }
    }
    Ok(index)
}

fn protobuf(place: impl Fn() -> String) -> impl FnOnce(DecodeError) -> TenantIndexError {
    move |error| TenantIndexError::Protobuf {
        place: place(),
        error,
    }
}

fn value(place: impl Fn() -> String) -> impl FnOnce(String) -> TenantIndexError {
    move |what| TenantIndexError::Value {
        place: place(),
        what,
    }
}

/// Takes a message with its length before it.
fn message<M: Message + Default>(bytes: &mut &[u8]) -> Result<M, DecodeError> {
    let len = decode_varint(bytes)?;
    // What is longer than all there is fails as a message that ends early does.
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    match bytes.split_at_checked(len) {
        Some((message, rest)) => {
            *bytes = rest;
            M::decode(message)
        }
        None => M::decode_length_delimited(&[0xff_u8, 1][..]),
    }
}

fn from_time(time: DateTime<Utc>) -> Timestamp {
    Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos().min(999_999_999) as i32,
    }
}

/// A time that is not there is the zero time.
fn to_time(name: &str, time: Option<Timestamp>) -> Result<DateTime<Utc>, String> {
    let Some(Timestamp { seconds, nanos }) = time else {
        return Ok(ZERO_TIME);
    };
    u32::try_from(nanos)
        .ok()
        .filter(|&nanos| nanos < 1_000_000_000)
        .and_then(|nanos| DateTime::from_timestamp(seconds, nanos))
        .filter(|&time| time::can_be_printed(time))
        .ok_or_else(|| format!("{name} of {seconds} s and {nanos} ns"))
}

fn from_meta(meta: &BlockMeta) -> Result<Meta, TenantIndexError> {
    let place = || format!("block {}", meta.block_id);
    let dedicated_columns = if meta.dedicated_columns.is_empty() {
        Vec::new()
    } else {
        let columns = dedicated_json::Printed(&meta.dedicated_columns);
        serde_json::to_vec(&columns).map_err(|error| TenantIndexError::Json {
            place: place(),
            error,
        })?
    };
    let total_objects = i64::try_from(meta.total_objects)
        .map_err(|_| value(place)(format!("{} objects", meta.total_objects)))?;
    Ok(Meta {
        format: meta.format.clone(),
        block_id: meta.block_id.as_bytes().to_vec(),
        tenant_id: meta.tenant_id.clone(),
        start_time: Some(from_time(meta.start_time)),
        end_time: Some(from_time(meta.end_time)),
        total_objects,
        size: meta.size,
        compaction_level: meta.compaction_level,
        index_page_size: meta.index_page_size,
        total_records: meta.total_records,
        bloom_shards: meta.bloom_shards,
        footer_size: meta.footer_size,
        dedicated_columns,
        replication_factor: meta.replication_factor,
    })
}

fn to_meta(meta: Meta, columns: &mut Columns) -> Result<BlockMeta, String> {
    let block_id = Uuid::from_slice(&meta.block_id)
        .map_err(|_| format!("block id of {} bytes instead of 16", meta.block_id.len()))?;
    let block = |error: String| format!("block {block_id}: {error}");
    let total_objects = u64::try_from(meta.total_objects)
        .map_err(|_| block(format!("{} objects", meta.total_objects)))?;
    Ok(BlockMeta {
        format: meta.format,
        block_id,
        tenant_id: meta.tenant_id,
        start_time: to_time("start time", meta.start_time).map_err(block)?,
        end_time: to_time("end time", meta.end_time).map_err(block)?,
        total_objects,
        size: meta.size,
        compaction_level: meta.compaction_level,
        index_page_size: meta.index_page_size,
        total_records: meta.total_records,
        bloom_shards: meta.bloom_shards,
        footer_size: meta.footer_size,
        dedicated_columns: columns.of(meta.dedicated_columns).map_err(block)?,
        replication_factor: meta.replication_factor,
    })
}

/// The list of dedicated columns that was read last: the next block mostly has the same.
#[derive(Default)]
struct Columns {
    json: Vec<u8>,
    columns: Arc<[DedicatedColumn]>,
}

impl Columns {
    fn of(&mut self, json: Vec<u8>) -> Result<Arc<[DedicatedColumn]>, String> {
        if json != self.json {
            let columns = match json.is_empty() {
                true => Vec::new(),
                false => {
                    let parsed = serde_json::from_slice(&json);
                    let dedicated_json::Parsed(columns) =
                        parsed.map_err(|error| format!("dedicatedColumns: {error}"))?;
                    columns
                }
            };
            *self = Self {
                json,
                columns: columns.into(),
            };
        }
        Ok(Arc::clone(&self.columns))
    }
}

fn to_compacted(compacted: Compacted, columns: &mut Columns) -> Result<CompactedBlockMeta, String> {
    let meta = to_meta(compacted.meta.unwrap_or_default(), columns)?;
    let compacted_time = to_time("compacted time", compacted.compacted_time)?;
    Ok(CompactedBlockMeta {
        meta,
        compacted_time,
    })
}
