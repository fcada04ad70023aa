//! What was found, as text and as JSON.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::{BloomFacts, ColumnFacts, Facts};
use crate::parquet::{FileLeaf, Logical, physical};
use crate::text::{Side, Table, bytes, percent, short};

/// Characters of a bound.
const BOUND_WIDTH: usize = 24;

/// A value in PLAIN encoding.
pub(super) fn value(leaf: &FileLeaf, plain: &[u8]) -> String {
    let unsigned = matches!(leaf.logical, Logical::Integer { signed: false, .. });
    let four = || plain.first_chunk().copied().unwrap_or_default();
    let eight = || plain.first_chunk().copied().unwrap_or_default();
    match leaf.physical {
        physical::BOOLEAN => (plain.first() == Some(&1)).to_string(),
        physical::INT32 if unsigned => u32::from_le_bytes(four()).to_string(),
        physical::INT32 => i32::from_le_bytes(four()).to_string(),
        physical::INT64 if unsigned => u64::from_le_bytes(eight()).to_string(),
        physical::INT64 => i64::from_le_bytes(eight()).to_string(),
        // With an exponent where the number would be hundreds of digits long.
        physical::DOUBLE => format!("{:?}", f64::from_le_bytes(eight())),
        _ if leaf.logical == Logical::String => String::from_utf8_lossy(plain).into_owned(),
        _ => plain.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn joined(texts: &std::collections::BTreeSet<String>) -> String {
    texts.iter().cloned().collect::<Vec<_>>().join("+")
}

impl Facts {
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        self.print_meta(out)?;
        self.print_columns(out)?;
        self.print_row_groups(out)?;
        self.print_blooms(out)?;
        match &self.index {
            None => writeln!(out, "\nINDEX  none"),
            Some(Ok(entries)) => writeln!(out, "\nINDEX  {entries} entries"),
            Some(Err(error)) => writeln!(out, "\nINDEX  {error}"),
        }
    }

    fn print_meta(&self, out: &mut dyn Write) -> io::Result<()> {
        let meta = &self.meta;
        let state = if self.compacted { ", compacted" } else { "" };
        writeln!(out, "{}/{}{state}", self.place.tenant, self.place.block)?;
        let size = if meta.size == self.size {
            String::new()
        } else {
            format!(" (the meta says {})", meta.size)
        };
        let lines = [
            ("format", meta.format.clone()),
            ("start", meta.start_time.to_string()),
            ("end", meta.end_time.to_string()),
            ("traces", meta.total_objects.to_string()),
            (
                "size",
                format!("{} = {} bytes{size}", bytes(self.size), self.size),
            ),
            ("footer", bytes(self.footer_size)),
            ("level", meta.compaction_level.to_string()),
            ("total records", meta.total_records.to_string()),
            ("bloom shards", meta.bloom_shards.to_string()),
            ("replication factor", meta.replication_factor.to_string()),
            ("written by", self.created_by.clone().unwrap_or_default()),
        ];
        for (name, value) in lines {
            writeln!(out, "  {name:<20}{value}")?;
        }
        for column in meta.dedicated_columns.iter() {
            let options: Vec<_> = column
                .options
                .iter()
                .map(|option| option.as_str())
                .collect();
            let (scope, kind) = (column.scope.as_str(), column.kind.as_str());
            let line = format!("{scope}.{} {kind} {}", column.name, options.join(" "));
            writeln!(out, "  {:<20}{}", "dedicated", line.trim_end())?;
        }
        Ok(())
    }

    fn print_columns(&self, out: &mut dyn Write) -> io::Result<()> {
        use Side::{Left, Right};
        writeln!(out, "\nCOLUMNS, the largest first")?;
        let mut table = Table::new(&[
            ("COLUMN", Left),
            ("ATTRIBUTE", Left),
            ("TYPE", Left),
            ("ENCODING", Left),
            ("CODEC", Left),
            ("PAGES", Right),
            ("VALUES", Right),
            ("NULLS", Right),
            ("SIZE", Right),
            ("UNCOMPRESSED", Right),
            ("SHARE", Right),
            ("DICT ENTRIES", Right),
            ("DICT SIZE", Right),
            ("MIN", Left),
            ("MAX", Left),
        ]);
        for column in &self.columns {
            let bound = |bound: &Option<String>| match bound {
                Some(bound) => short(bound, BOUND_WIDTH),
                None => "-".to_owned(),
            };
            let (entries, size) = match column.dictionary_bytes {
                0 => ("-".to_owned(), "-".to_owned()),
                size => {
                    let entries = column.dictionary_entries.map(|entries| entries.to_string());
                    (entries.unwrap_or_else(|| "?".to_owned()), bytes(size))
                }
            };
            table.row(vec![
                column.path.clone(),
                column.attribute.clone().unwrap_or_default(),
                column.kind.clone(),
                joined(&column.encodings),
                joined(&column.codecs),
                column.pages.to_string(),
                column.values.to_string(),
                column.nulls.to_string(),
                bytes(column.compressed),
                bytes(column.uncompressed),
                percent(column.compressed, self.size),
                entries,
                size,
                bound(&column.min),
                bound(&column.max),
            ]);
        }
        table.print(out)
    }

    fn print_row_groups(&self, out: &mut dyn Write) -> io::Result<()> {
        use Side::{Left, Right};
        writeln!(out, "\nROW GROUPS")?;
        let mut table = Table::new(&[
            ("NUMBER", Right),
            ("TRACES", Right),
            ("SIZE", Right),
            ("UNCOMPRESSED", Right),
            ("LAST TRACE", Left),
        ]);
        for (number, group) in self.row_groups.iter().enumerate() {
            let last = group.last_id.map_or("-".to_owned(), |id| id.to_string());
            table.row(vec![
                number.to_string(),
                group.rows.to_string(),
                bytes(group.compressed),
                bytes(group.uncompressed),
                last,
            ]);
        }
        table.print(out)
    }

    fn print_blooms(&self, out: &mut dyn Write) -> io::Result<()> {
        use Side::{Left, Right};
        writeln!(out, "\nBLOOM FILTER")?;
        let mut table = Table::new(&[
            ("SHARD", Right),
            ("SIZE", Right),
            ("BITS", Right),
            ("HASHES", Right),
            ("FILL", Right),
            ("FALSE POSITIVES", Right),
            ("", Left),
        ]);
        for (number, bloom) in self.blooms.iter().enumerate() {
            let mut row = vec![number.to_string()];
            match bloom {
                BloomFacts::Shard {
                    bytes: size,
                    bits,
                    hashes,
                    bits_set,
                    false_positive,
                } => row.extend([
                    bytes(*size as u64),
                    bits.to_string(),
                    hashes.to_string(),
                    percent(*bits_set, *bits),
                    format!("{:.4} %", false_positive * 100.0),
                ]),
                BloomFacts::Broken(why) => {
                    row.resize(6, String::new());
                    row.push(why.clone());
                }
            }
            table.row(row);
        }
        table.print(out)
    }

    pub fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let meta: Json = serde_json::from_slice(&self.meta.to_json())?;
        let column = |column: &ColumnFacts| {
            json!({
                "path": column.path,
                "attribute": column.attribute,
                "type": column.kind,
                "encodings": column.encodings,
                "codecs": column.codecs,
                "pages": column.pages,
                "values": column.values,
                "nulls": column.nulls,
                "bytes": column.compressed,
                "uncompressedBytes": column.uncompressed,
                "share": column.compressed as f64 / self.size.max(1) as f64,
                "dictionaryEntries": column.dictionary_entries,
                "dictionaryBytes": column.dictionary_bytes,
                "min": column.min,
                "max": column.max,
            })
        };
        let row_groups = self.row_groups.iter().map(|group| {
            json!({
                "traces": group.rows,
                "bytes": group.compressed,
                "uncompressedBytes": group.uncompressed,
                "lastTrace": group.last_id.map(|id| id.to_string()),
            })
        });
        let blooms = self.blooms.iter().map(|bloom| match bloom {
            BloomFacts::Shard {
                bytes,
                bits,
                hashes,
                bits_set,
                false_positive,
            } => json!({
                "bytes": bytes,
                "bits": bits,
                "hashes": hashes,
                "bitsSet": bits_set,
                "falsePositive": false_positive,
            }),
            BloomFacts::Broken(why) => json!({ "error": why }),
        });
        let index = match &self.index {
            None => Json::Null,
            Some(Ok(entries)) => json!({ "entries": entries }),
            Some(Err(error)) => json!({ "error": error }),
        };
        let all = json!({
            "tenant": self.place.tenant,
            "block": self.place.block,
            "compacted": self.compacted,
            "meta": meta,
            "bytes": self.size,
            "footerBytes": self.footer_size,
            "createdBy": self.created_by,
            "columns": self.columns.iter().map(column).collect::<Vec<_>>(),
            "rowGroups": row_groups.collect::<Vec<_>>(),
            "blooms": blooms.collect::<Vec<_>>(),
            "index": index,
        });
        writeln!(out, "{all:#}")
    }
}
