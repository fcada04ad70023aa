//! `meta.json` (block-format.md §2).

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

use crate::dedicated::DedicatedColumn;
use crate::limits::MAX_META_BYTES;
use crate::{Format, UnknownFormat, meta_json};

/// Why bytes are not a meta.
#[derive(Debug, Error)]
pub enum MetaError {
    #[error("meta.json of {0} bytes: at most {MAX_META_BYTES} are possible")]
    TooLong(usize),
    /// Names the key.
    #[error("meta.json: {0}")]
    Json(#[from] serde_json::Error),
}

impl MetaError {
    /// The same bytes never become a meta.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// What a block says of itself. Times are those of Go: the zero time is the year 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockMeta {
    /// As it stands there: an unknown format is kept, so that lists can be rewritten; see [`BlockMeta::known_format`].
    pub format: String,
    pub block_id: Uuid,
    pub tenant_id: String,
    pub start_time: DateTime<Utc>,
    pub end_time: DateTime<Utc>,
    /// Rows, which are traces.
    pub total_objects: u64,
    /// Bytes of `data.parquet`.
    pub size: u64,
    pub compaction_level: u32,
    /// Always 0.
    pub index_page_size: u32,
    /// At least the number of row groups.
    pub total_records: u32,
    /// Objects `bloom-<n>`; 0 stands for 10.
    pub bloom_shards: u32,
    /// Bytes of the Parquet footer without its frame of 8; 0 = not known.
    pub footer_size: u32,
    /// The lists of most blocks of a tenant are equal: those of one tenant index, or of a list of blocks, share one.
    pub dedicated_columns: Arc<[DedicatedColumn]>,
    /// 1 for blocks written once; metrics queries read no others.
    pub replication_factor: u32,
}

impl BlockMeta {
    /// The format, if it is one that Vivace reads.
    pub fn known_format(&self) -> Result<Format, UnknownFormat> {
        Format::parse(&self.format)
    }

    /// `bloom_shards` with its legacy default.
    pub fn bloom_shard_count(&self) -> u32 {
        match self.bloom_shards {
            0 => 10,
            count => count,
        }
    }

    /// Shares the list of dedicated columns with another meta if it is equal.
    pub fn share_columns(&mut self, other: &Self) {
        if self.dedicated_columns == other.dedicated_columns {
            self.dedicated_columns = Arc::clone(&other.dedicated_columns);
        }
    }

    /// The bytes of `meta.json`: one line without an end.
    pub fn to_json(&self) -> Bytes {
        let json = serde_json::to_vec(&meta_json::Printed(self));
        Bytes::from(json.expect("texts, numbers and lists of them always have a JSON form"))
    }

    /// Reads a `meta.json` of any version of Tempo. Keys it does not know are passed over; `format`, `blockID` and
    /// `tenantID` must be there, all others are zero when absent or null.
    pub fn from_json(bytes: &[u8]) -> Result<Self, MetaError> {
        if bytes.len() > MAX_META_BYTES {
            return Err(MetaError::TooLong(bytes.len()));
        }
        let meta_json::Parsed { meta, .. } = serde_json::from_slice(bytes)?;
        Ok(meta)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ZERO_TIME;
    use crate::dedicated::{ColumnOption, Kind, Scope};
    use proptest::prelude::*;

    /// The example of the specification, with its shortened list.
    const EXAMPLE: &str = r#"{"format":"vParquet5","blockID":"11111111-2222-3333-4444-555555555555","tenantID":"tenant1","startTime":"2023-11-14T22:13:20Z","endTime":"2023-11-14T22:15:00.000005Z","totalObjects":40,"size":70505,"compactionLevel":0,"indexPageSize":0,"totalRecords":2,"bloomShards":1,"footerSize":24015,"dedicatedColumns":[{"s":"resource","n":"k8s.pod.name"},{"n":"http.request.method"},{"n":"server.port","t":"int"},{"n":"big.blob","o":["blob"]}],"replicationFactor":1}"#;

    fn read(json: &str) -> BlockMeta {
        BlockMeta::from_json(json.as_bytes()).unwrap()
    }

    fn message(json: &str) -> String {
        BlockMeta::from_json(json.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_example_of_the_specification() {
        let meta = read(EXAMPLE);
        assert_eq!(meta.known_format(), Ok(Format::VParquet5));
        assert_eq!(meta.tenant_id, "tenant1");
        assert_eq!((meta.total_objects, meta.size), (40, 70_505));
        assert_eq!(meta.end_time.timestamp_subsec_nanos(), 5_000);
        let mut blob = DedicatedColumn::new(Scope::Span, "big.blob", Kind::String);
        blob.options.push(ColumnOption::Blob);
        assert_eq!(
            *meta.dedicated_columns,
            [
                DedicatedColumn::new(Scope::Resource, "k8s.pod.name", Kind::String),
                DedicatedColumn::new(Scope::Span, "http.request.method", Kind::String),
                DedicatedColumn::new(Scope::Span, "server.port", Kind::Int),
                blob
            ]
        );
        assert_eq!(meta.to_json(), EXAMPLE);
    }

    #[test]
    fn old_metas_and_what_they_leave_out() {
        let json = r#"{"format":"v2","blockID":"B18BECA6-4d7f-4464-9f72-f343e688a4a0","minID":"AAAAAAAAAAAAR0vos0RJ+w==","maxID":"AA==","tenantID":"single-tenant","startTime":"0001-01-01T00:00:00Z","endTime":null,"totalObjects":621,"encoding":"zstd","dataEncoding":"v2","dedicatedColumns":null,"unknown":{"a":[1,{}]}}"#;
        let meta = read(json);
        assert!(meta.known_format().is_err());
        assert_eq!((meta.start_time, meta.end_time), (ZERO_TIME, ZERO_TIME));
        assert_eq!((meta.bloom_shards, meta.bloom_shard_count()), (0, 10));
        assert_eq!(
            meta.to_json(),
            r#"{"format":"v2","blockID":"b18beca6-4d7f-4464-9f72-f343e688a4a0","tenantID":"single-tenant","startTime":"0001-01-01T00:00:00Z","endTime":"0001-01-01T00:00:00Z","totalObjects":621,"compactionLevel":0,"indexPageSize":0,"totalRecords":0,"bloomShards":0,"footerSize":0}"#
        );
    }

    #[test]
    fn an_error_names_the_key() {
        for (from, to, expected) in [
            (
                r#"":40"#,
                r#"":-1"#,
                "totalObjects: invalid value: integer `-1`",
            ),
            (r#"":70505"#, r#"":"7""#, "size: invalid type: string \"7\""),
            (
                r#"":1,"foot"#,
                r#"":4294967296,"foot"#,
                "bloomShards: invalid value",
            ),
            (
                "2023-11-14T22:13:20Z",
                "today",
                "startTime: \"today\" is not a time of RFC 3339",
            ),
            ("11111111-2", "1111111-2", "blockID: "),
            (r#""format":"vParquet5","#, "", "missing field `format`"),
            (r#""vParquet5""#, "null", "missing field `format`"),
            (
                r#""resource""#,
                r#""link""#,
                "dedicatedColumns: column \"k8s.pod.name\": unknown scope \"link\"",
            ),
            (
                r#""t":"int""#,
                r#""t":"float""#,
                "dedicatedColumns: column \"server.port\": unknown type \"float\"",
            ),
            (
                r#"["blob"]"#,
                r#"["x"]"#,
                "dedicatedColumns: column \"big.blob\": unknown option \"x\"",
            ),
            (
                r#""n":"big.blob","#,
                "",
                "dedicatedColumns: missing field `n`",
            ),
        ] {
            let message = message(&EXAMPLE.replacen(from, to, 1));
            let expected = format!("meta.json: {expected}");
            assert!(message.starts_with(&expected), "{message} for {expected}");
        }
        assert!(message("[]").contains("expected a block meta"));
        let long = " ".repeat(MAX_META_BYTES + 1);
        assert!(message(&long).contains("at most"));
        let columns = vec![r#"{"n":"a"}"#; 1_001].join(",");
        let json = EXAMPLE.replacen(r#"{"n":"http.request.method"}"#, &columns, 1);
        assert!(message(&json).contains("dedicatedColumns: more than 1000 columns"));
    }

    fn column() -> impl Strategy<Value = DedicatedColumn> {
        let options = prop::sample::subsequence(ColumnOption::ALL.to_vec(), 0..=2);
        let (scope, kind) = (
            prop::sample::select(&Scope::ALL),
            prop::sample::select(&Kind::ALL),
        );
        (scope, ".*", kind, options).prop_map(|(scope, name, kind, options)| DedicatedColumn {
            scope,
            name,
            kind,
            options,
        })
    }

    /// Any meta whose times can be written.
    pub(crate) fn meta() -> impl Strategy<Value = BlockMeta> {
        let time = || {
            (-62_135_596_800_i64..253_402_300_800, 0_u32..1_000_000_000)
                .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap())
        };
        let texts = (".*", any::<u128>(), ".*", time(), time());
        let columns = prop::collection::vec(column(), 0..5);
        // Tempo's `totalObjects` is signed.
        let numbers = (0..=i64::MAX as u64, any::<u64>(), any::<[u32; 6]>());
        (texts, columns, numbers).prop_map(|(texts, dedicated_columns, numbers)| {
            let (format, block_id, tenant_id, start_time, end_time) = texts;
            let (total_objects, size, rest) = numbers;
            BlockMeta {
                format,
                block_id: Uuid::from_u128(block_id),
                tenant_id,
                start_time,
                end_time,
                total_objects,
                size,
                compaction_level: rest[0],
                index_page_size: rest[1],
                total_records: rest[2],
                bloom_shards: rest[3],
                footer_size: rest[4],
                dedicated_columns: dedicated_columns.into(),
                replication_factor: rest[5],
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(meta in meta()) {
            prop_assert_eq!(BlockMeta::from_json(&meta.to_json()).unwrap(), meta);
        }

        #[test]
        fn any_bytes_are_refused_or_read(at in 0..EXAMPLE.len(), byte in any::<u8>()) {
            let mut json = EXAMPLE.as_bytes().to_vec();
            json[at] = byte;
            if let Ok(meta) = BlockMeta::from_json(&json) {
                prop_assert_eq!(BlockMeta::from_json(&meta.to_json()).unwrap(), meta);
            }
        }
    }
}
