//! `list`: the blocks of tenants.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use vivace_block::{BlockMeta, ZERO_TIME, keys};

use crate::block::{self, BlockError, Found, Place};
use crate::source::{Source, SourceError};
use crate::text::{Side, Table, bytes};

/// A block in the list.
struct Entry {
    tenant: String,
    meta: BlockMeta,
    compacted: bool,
}

/// What was found.
pub(crate) struct Listing {
    entries: Vec<Entry>,
    /// Blocks whose meta cannot be read, and why.
    pub broken: Vec<BlockError>,
}

/// All blocks of one tenant, or of all: by tenant, then the latest end first.
pub(crate) fn read(source: &dyn Source, tenant: Option<&str>) -> Result<Listing, SourceError> {
    let mut tenants = match tenant {
        Some(tenant) => vec![tenant.to_owned()],
        None => source.tenants()?,
    };
    tenants.sort();
    let mut listing = Listing {
        entries: Vec::new(),
        broken: Vec::new(),
    };
    for tenant in tenants {
        let mut entries = Vec::new();
        for listed in source.blocks(&tenant)? {
            let place = Place {
                tenant: tenant.clone(),
                block: listed.id,
            };
            match block::read_meta(source, &place) {
                Ok(Found { meta, compacted }) => entries.push(Entry {
                    tenant: tenant.clone(),
                    meta,
                    compacted,
                }),
                Err(error) => listing.broken.push(error),
            }
        }
        entries.sort_by(|a, b| {
            let key = |entry: &Entry| (std::cmp::Reverse(entry.meta.end_time), entry.meta.block_id);
            key(a).cmp(&key(b))
        });
        listing.entries.append(&mut entries);
    }
    Ok(listing)
}

fn time(time: DateTime<Utc>) -> String {
    if time == ZERO_TIME {
        return "-".to_owned();
    }
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Listing {
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        use Side::{Left, Right};
        let mut table = Table::new(&[
            ("TENANT", Left),
            ("BLOCK", Left),
            ("FORMAT", Left),
            ("LEVEL", Right),
            ("START", Left),
            ("END", Left),
            ("TRACES", Right),
            ("SIZE", Right),
            ("ROW GROUPS", Right),
            ("RF", Right),
            ("STATE", Left),
        ]);
        for Entry {
            tenant,
            meta,
            compacted,
        } in &self.entries
        {
            table.row(vec![
                tenant.clone(),
                meta.block_id.to_string(),
                meta.format.clone(),
                meta.compaction_level.to_string(),
                time(meta.start_time),
                time(meta.end_time),
                meta.total_objects.to_string(),
                bytes(meta.size),
                meta.total_records.to_string(),
                meta.replication_factor.to_string(),
                state(*compacted).to_owned(),
            ]);
        }
        table.print(out)?;
        let (traces, size) = self.totals();
        let compacted = self.entries.iter().filter(|entry| entry.compacted).count();
        let live = self.entries.len() - compacted;
        writeln!(
            out,
            "\n{live} live and {compacted} compacted blocks, {traces} traces, {}",
            bytes(size)
        )
    }

    /// Traces and bytes.
    fn totals(&self) -> (u64, u64) {
        let metas = self.entries.iter().map(|entry| &entry.meta);
        metas.fold((0, 0), |(traces, size), meta| {
            let traces = u64::saturating_add(traces, meta.total_objects);
            (traces, u64::saturating_add(size, meta.size))
        })
    }

    pub fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let entry = |entry: &Entry| {
            let meta = &entry.meta;
            json!({
                "tenant": entry.tenant,
                "block": meta.block_id,
                "state": state(entry.compacted),
                "format": meta.format,
                "level": meta.compaction_level,
                "start": time(meta.start_time),
                "end": time(meta.end_time),
                "traces": meta.total_objects,
                "bytes": meta.size,
                "rowGroups": meta.total_records,
                "bloomShards": meta.bloom_shards,
                "dedicatedColumns": meta.dedicated_columns.len(),
                "replicationFactor": meta.replication_factor,
            })
        };
        let (traces, size) = self.totals();
        let all = json!({
            "blocks": self.entries.iter().map(entry).collect::<Vec<_>>(),
            "traces": traces,
            "bytes": size,
            "broken": self.broken.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        writeln!(out, "{all:#}")
    }
}

fn state(compacted: bool) -> &'static str {
    if compacted { "compacted" } else { "live" }
}

/// Whether a tenant may be asked for: its name becomes part of a path.
pub(crate) fn check_tenant(tenant: &str) -> Result<(), SourceError> {
    keys::check_tenant(tenant).map_err(|error| SourceError::new(tenant, error))
}
