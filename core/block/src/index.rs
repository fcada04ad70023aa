//! `index`: the last trace id of each row group (block-format.md §4.5). Blocks may be without it.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vivace_model::TraceId;

use crate::limits::{MAX_INDEX_BYTES, MAX_ROW_GROUPS};

/// Why bytes are not an index.
#[derive(Debug, Error)]
pub enum IndexError {
    #[error("index of {0} bytes: at most {MAX_INDEX_BYTES} are possible")]
    TooLong(usize),
    #[error("index: {0}")]
    Json(#[from] serde_json::Error),
    #[error("index of {0} row groups: at most {MAX_ROW_GROUPS} are possible")]
    TooMany(usize),
    #[error("index: {text:?} of row group {row_group} is not the base64 of 16 bytes")]
    NotAnId { row_group: usize, text: String },
    #[error("index: the last id of row group {row_group} is below that of the one before")]
    NotAscending { row_group: usize },
}

impl IndexError {
    /// The same bytes never become an index.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

#[derive(Deserialize)]
struct Parsed {
    #[serde(rename = "rowGroups", default)]
    row_groups: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Printed {
    #[serde(rename = "rowGroups")]
    row_groups: Vec<String>,
}

/// The object of the last ids of all row groups, in order.
pub fn encode(last_ids: &[TraceId]) -> Bytes {
    let row_groups = last_ids.iter().map(|id| STANDARD.encode(id.0)).collect();
    let json = serde_json::to_vec(&Printed { row_groups });
    Bytes::from(json.expect("a list of texts always has a JSON form"))
}

/// The last ids of all row groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowGroupIndex {
    last_ids: Vec<TraceId>,
}

impl RowGroupIndex {
    pub fn parse(bytes: &[u8]) -> Result<Self, IndexError> {
        if bytes.len() > MAX_INDEX_BYTES {
            return Err(IndexError::TooLong(bytes.len()));
        }
        let parsed: Parsed = serde_json::from_slice(bytes)?;
        let texts = parsed.row_groups.unwrap_or_default();
        if texts.len() > MAX_ROW_GROUPS {
            return Err(IndexError::TooMany(texts.len()));
        }
        let mut last_ids = Vec::with_capacity(texts.len());
        for (row_group, text) in texts.into_iter().enumerate() {
            let id = STANDARD.decode(&text).ok().map(<[u8; 16]>::try_from);
            let Some(Ok(id)) = id else {
                return Err(IndexError::NotAnId { row_group, text });
            };
            let id = TraceId(id);
            if last_ids.last().is_some_and(|&before| before > id) {
                return Err(IndexError::NotAscending { row_group });
            }
            last_ids.push(id);
        }
        Ok(Self { last_ids })
    }

    /// The only row group that can have the id; none: the block does not have it.
    pub fn find(&self, id: TraceId) -> Option<usize> {
        let row_group = self.last_ids.partition_point(|&last| last < id);
        (row_group < self.last_ids.len()).then_some(row_group)
    }

    /// The last id of each row group, ascending.
    pub fn last_ids(&self) -> &[TraceId] {
        &self.last_ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JSON: &str = r#"{"rowGroups":["IgAAAAAAAAAAAAAAAAAAIg==","JwAAAAAAAAAAAAAAAAAAJw=="]}"#;

    fn id(ends: u8) -> TraceId {
        let mut id = [0; 16];
        (id[0], id[15]) = (ends, ends);
        TraceId(id)
    }

    fn message(json: &str) -> String {
        RowGroupIndex::parse(json.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_vector_of_the_specification() {
        let ids = [id(0x22), id(0x27)];
        assert_eq!(encode(&ids), JSON);
        let index = RowGroupIndex::parse(JSON.as_bytes()).unwrap();
        assert_eq!(index.last_ids(), ids);
        assert_eq!(index.find(id(0)), Some(0));
        assert_eq!(index.find(id(0x22)), Some(0));
        assert_eq!(index.find(id(0x23)), Some(1));
        assert_eq!(index.find(id(0x27)), Some(1));
        assert_eq!(index.find(id(0x28)), None);
    }

    #[test]
    fn an_index_may_be_empty() {
        assert_eq!(encode(&[]), r#"{"rowGroups":[]}"#);
        for json in ["{}", r#"{"rowGroups":null}"#, r#"{"rowGroups":[],"x":[1]}"#] {
            let index = RowGroupIndex::parse(json.as_bytes()).unwrap();
            assert_eq!(index.find(id(1)), None);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(message("[").starts_with("index: "));
        assert!(message(r#"{"rowGroups":[7]}"#).contains("expected a string"));
        for text in [
            "IgAA",
            "",
            "*",
            "IgAAAAAAAAAAAAAAAAAAIg",
            "IgAAAAAAAAAAAAAAAAAAIgA=",
        ] {
            assert_eq!(
                message(&format!(r#"{{"rowGroups":["{text}"]}}"#)),
                format!("index: {text:?} of row group 0 is not the base64 of 16 bytes")
            );
        }
        assert_eq!(
            message(r#"{"rowGroups":["JwAAAAAAAAAAAAAAAAAAJw==","IgAAAAAAAAAAAAAAAAAAIg=="]}"#),
            "index: the last id of row group 1 is below that of the one before"
        );
    }

    proptest! {
        #[test]
        fn the_first_row_group_that_reaches_the_id(
            mut ids in prop::collection::vec(any::<[u8; 16]>().prop_map(TraceId), 0..50),
            other in any::<[u8; 16]>().prop_map(TraceId),
        ) {
            ids.sort();
            let index = RowGroupIndex::parse(&encode(&ids)).unwrap();
            prop_assert_eq!(index.last_ids(), &ids[..]);
            for &id in ids.iter().chain([&other]) {
                prop_assert_eq!(index.find(id), ids.iter().position(|&last| last >= id));
            }
        }

        #[test]
        fn any_bytes_are_refused_or_read(
            at in 0..JSON.len(),
            byte in any::<u8>(),
            bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut json = JSON.as_bytes().to_vec();
            json[at] = byte;
            for bytes in [&json, &bytes] {
                if let Ok(index) = RowGroupIndex::parse(bytes) {
                    prop_assert!(index.last_ids().is_sorted());
                }
            }
        }
    }
}
