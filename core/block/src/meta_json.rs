//! Metas as JSON, in `meta.json` and in `index.json.gz` (block-format.md §1.4, §2). Keys come in Tempo's order.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::BlockMeta;
use crate::dedicated::DedicatedColumn;
use crate::dedicated_json;
use crate::time::{self, ZERO_TIME};

/// A meta to be printed.
pub(crate) struct Printed<'a>(pub &'a BlockMeta);

impl Serialize for Printed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        print_entries(self.0, &mut map)?;
        map.end()
    }
}

/// A meta to be printed as that of a compacted block: one key more.
pub(crate) struct PrintedCompacted<'a> {
    pub meta: &'a BlockMeta,
    pub compacted_time: DateTime<Utc>,
}

impl Serialize for PrintedCompacted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        print_entries(self.meta, &mut map)?;
        map.serialize_entry("compactedTime", &time::print(self.compacted_time))?;
        map.end()
    }
}

fn print_entries<M: SerializeMap>(meta: &BlockMeta, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("format", &meta.format)?;
    map.serialize_entry("blockID", &meta.block_id)?;
    map.serialize_entry("tenantID", &meta.tenant_id)?;
    map.serialize_entry("startTime", &time::print(meta.start_time))?;
    map.serialize_entry("endTime", &time::print(meta.end_time))?;
    map.serialize_entry("totalObjects", &meta.total_objects)?;
    if meta.size != 0 {
        map.serialize_entry("size", &meta.size)?;
    }
    map.serialize_entry("compactionLevel", &meta.compaction_level)?;
    map.serialize_entry("indexPageSize", &meta.index_page_size)?;
    map.serialize_entry("totalRecords", &meta.total_records)?;
    map.serialize_entry("bloomShards", &meta.bloom_shards)?;
    map.serialize_entry("footerSize", &meta.footer_size)?;
    if !meta.dedicated_columns.is_empty() {
        let columns = dedicated_json::Printed(&meta.dedicated_columns);
        map.serialize_entry("dedicatedColumns", &columns)?;
    }
    if meta.replication_factor != 0 {
        map.serialize_entry("replicationFactor", &meta.replication_factor)?;
    }
    Ok(())
}

/// A meta that was read, with the key that only compacted blocks have.
pub(crate) struct Parsed {
    pub meta: BlockMeta,
    /// Go's zero time when it is not there.
    pub compacted_time: DateTime<Utc>,
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ParsedVisitor)
    }
}

struct ParsedVisitor;

impl<'de> Visitor<'de> for ParsedVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a block meta")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Parsed, M::Error> {
        let mut format = None;
        let mut block_id = None;
        let mut tenant_id = None;
        let mut compacted_time = ZERO_TIME;
        let mut meta = BlockMeta {
            format: String::new(),
            block_id: Uuid::nil(),
            tenant_id: String::new(),
            start_time: ZERO_TIME,
            end_time: ZERO_TIME,
            total_objects: 0,
            size: 0,
            compaction_level: 0,
            index_page_size: 0,
            total_records: 0,
            bloom_shards: 0,
            footer_size: 0,
            dedicated_columns: Arc::default(),
            replication_factor: 0,
        };
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "format" => format = optional(&mut map, "format")?,
                "blockID" => block_id = optional(&mut map, "blockID")?,
                "tenantID" => tenant_id = optional(&mut map, "tenantID")?,
                "startTime" => meta.start_time = time(&mut map, "startTime")?,
                "endTime" => meta.end_time = time(&mut map, "endTime")?,
                "compactedTime" => compacted_time = time(&mut map, "compactedTime")?,
                "totalObjects" => meta.total_objects = number(&mut map, "totalObjects")?,
                "size" => meta.size = number(&mut map, "size")?,
                "compactionLevel" => meta.compaction_level = number(&mut map, "compactionLevel")?,
                "indexPageSize" => meta.index_page_size = number(&mut map, "indexPageSize")?,
                "totalRecords" => meta.total_records = number(&mut map, "totalRecords")?,
                "bloomShards" => meta.bloom_shards = number(&mut map, "bloomShards")?,
                "footerSize" => meta.footer_size = number(&mut map, "footerSize")?,
                "replicationFactor" => {
                    meta.replication_factor = number(&mut map, "replicationFactor")?;
                }
                "dedicatedColumns" => meta.dedicated_columns = columns(&mut map)?.into(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        meta.format = format.ok_or_else(|| M::Error::missing_field("format"))?;
        meta.block_id = block_id.ok_or_else(|| M::Error::missing_field("blockID"))?;
        meta.tenant_id = tenant_id.ok_or_else(|| M::Error::missing_field("tenantID"))?;
        Ok(Parsed {
            meta,
            compacted_time,
        })
    }
}

/// A key, copied only if it is escaped.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value of a key; an error names the key. Null is none.
fn optional<'de, M: MapAccess<'de>, T: DeserializeOwned>(
    map: &mut M,
    key: &str,
) -> Result<Option<T>, M::Error> {
    map.next_value().map_err(|error| named::<M>(key, error))
}

fn number<'de, M: MapAccess<'de>, T: DeserializeOwned + Default>(
    map: &mut M,
    key: &str,
) -> Result<T, M::Error> {
    Ok(optional(map, key)?.unwrap_or_default())
}

fn time<'de, M: MapAccess<'de>>(map: &mut M, key: &str) -> Result<DateTime<Utc>, M::Error> {
    let Some(text) = optional::<M, String>(map, key)? else {
        return Ok(ZERO_TIME);
    };
    time::parse(&text)
        .ok_or_else(|| M::Error::custom(format_args!("{key}: {text:?} is not a time of RFC 3339")))
}

fn columns<'de, M: MapAccess<'de>>(map: &mut M) -> Result<Vec<DedicatedColumn>, M::Error> {
    let dedicated_json::Parsed(columns) = map
        .next_value()
        .map_err(|error| named::<M>("dedicatedColumns", error))?;
    Ok(columns)
}

fn named<'de, M: MapAccess<'de>>(key: &str, error: M::Error) -> M::Error {
    M::Error::custom(format_args!("{key}: {error}"))
}
