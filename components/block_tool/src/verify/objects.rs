//! The objects beside `data.parquet`.

use vivace_block::bloom::{self, BloomShard};
use vivace_block::dedicated;
use vivace_block::index::RowGroupIndex;
use vivace_block::keys::BlockObject;
use vivace_block::{BlockMeta, Format};
use vivace_model::TraceId;

use super::report::{Check, Report};
use crate::block::Place;
use crate::limits::MAX_BLOOM_SHARDS;
use crate::parquet::Footer;
use crate::source::{Source, SourceError};

/// What follows from the meta alone, and from the sizes of the file.
pub(super) fn check_meta(
    place: &Place,
    meta: &BlockMeta,
    format: Format,
    check_tenant: bool,
    report: &mut Report,
) {
    report.expect(Check::MetaIds, meta.block_id == place.block, || {
        format!("blockID {} in the folder {}", meta.block_id, place.block)
    });
    if check_tenant {
        report.expect(Check::MetaIds, meta.tenant_id == place.tenant, || {
            format!(
                "tenantID {:?} in the folder {:?}",
                meta.tenant_id, place.tenant
            )
        });
    }
    let factor = meta.replication_factor;
    report.expect(Check::MetaReplication, factor == 1, || {
        format!("replicationFactor {factor}")
    });
    report.expect(Check::MetaPageSize, meta.index_page_size == 0, || {
        format!("indexPageSize {}", meta.index_page_size)
    });
    check_dedicated(meta, format, report);
}

fn check_dedicated(meta: &BlockMeta, format: Format, report: &mut Report) {
    let columns = &meta.dedicated_columns;
    let kept = dedicated::of_format(format, columns);
    report.look(Check::MetaDedicated);
    for (i, column) in columns.iter().enumerate() {
        let name = || format!("{} {:?}", column.scope.as_str(), column.name);
        report.expect(Check::MetaDedicated, kept.contains(column), || {
            format!("{}: {format} does not hold it", name())
        });
        let same = |other: &dedicated::DedicatedColumn| {
            (other.scope, &other.name) == (column.scope, &column.name)
        };
        report.expect(Check::MetaDedicated, !columns[..i].iter().any(same), || {
            format!("{}: there twice", name())
        });
    }
}

pub(super) fn check_sizes(
    meta: &BlockMeta,
    size: u64,
    footer_size: u64,
    footer: &Footer,
    report: &mut Report,
) {
    report.expect(Check::MetaSize, meta.size == size, || {
        format!("size {} of a file of {size} bytes", meta.size)
    });
    let said = meta.footer_size;
    report.expect(
        Check::MetaFooterSize,
        u64::from(said) == footer_size,
        || format!("footerSize {said} of a footer of {footer_size} bytes"),
    );
    let rows: u64 = footer.row_groups.iter().map(|group| group.rows).sum();
    report.expect(Check::MetaObjects, meta.total_objects == rows, || {
        format!("totalObjects {} of {rows} rows", meta.total_objects)
    });
    let (said, groups) = (meta.total_records, footer.row_groups.len());
    report.expect(Check::MetaRecords, said as usize >= groups, || {
        format!("totalRecords {said} of {groups} row groups")
    });
}

/// Times of all traces, against the meta.
#[derive(Default)]
pub(super) struct Times {
    /// In nanoseconds; none for a block without spans.
    span: Option<(u64, u64)>,
}

impl Times {
    pub fn add(&mut self, start: u64, end: u64) {
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
    }

    pub fn check(&self, meta: &BlockMeta, report: &mut Report) {
        let Some((start, end)) = self.span else {
            return;
        };
        let nanos = |time: chrono::DateTime<chrono::Utc>| {
            i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos())
        };
        // Tempo's live-store writes whole seconds.
        let whole_seconds = meta.end_time.timestamp_subsec_nanos() == 0;
        let second = if whole_seconds { 1_000_000_000 } else { 1 };
        let covered = nanos(meta.start_time) <= i128::from(start)
            && i128::from(end / second * second) <= nanos(meta.end_time);
        report.expect(Check::MetaTimes, covered, || {
            format!(
                "{} to {} in the meta, spans from {start} to {end} ns",
                meta.start_time, meta.end_time
            )
        });
    }
}

/// The bloom filter, as far as its shards are there.
pub(super) struct Blooms {
    shards: Vec<Option<BloomShard>>,
}

impl Blooms {
    pub fn read(
        source: &dyn Source,
        place: &Place,
        meta: &BlockMeta,
        report: &mut Report,
    ) -> Result<Self, SourceError> {
        let count = meta.bloom_shard_count();
        report.expect(Check::BloomShards, count <= MAX_BLOOM_SHARDS, || {
            format!("bloomShards {count}: {MAX_BLOOM_SHARDS} are looked at")
        });
        let mut shards: Vec<Option<BloomShard>> = Vec::new();
        let mut first: Option<(u64, u64)> = None;
        for number in 0..count.min(MAX_BLOOM_SHARDS) {
            let key = place.key(BlockObject::Bloom(number));
            report.look(Check::BloomShards);
            let shard = match source.read(&key)?.map(BloomShard::parse) {
                Some(Ok(shard)) => {
                    let header = (shard.bits(), shard.hashes());
                    let expected = *first.get_or_insert(header);
                    report.expect(Check::BloomShards, header == expected, || {
                        format!("{key}: bits and hashes {header:?}, bloom-0 has {expected:?}")
                    });
                    Some(shard)
                }
                Some(Err(error)) => {
                    report.fail(Check::BloomShards, || format!("{key}: {error}"));
                    None
                }
                None => {
                    report.fail(Check::BloomShards, || format!("{key}: missing"));
                    None
                }
            };
            shards.push(shard);
        }
        let beyond = place.key(BlockObject::Bloom(count));
        let more = source.size(&beyond)?.is_some();
        report.expect(Check::BloomShards, !more, || {
            format!("{beyond}: bloomShards is {count}")
        });
        Ok(Self { shards })
    }

    /// Ids of shards that are missing are not looked for.
    pub fn check(&self, id: TraceId, row: &dyn std::fmt::Display, report: &mut Report) {
        let number = bloom::shard_of(id, self.shards.len() as u32);
        if let Some(Some(shard)) = self.shards.get(number as usize) {
            report.expect(Check::BloomIds, shard.contains(id), || {
                format!("{row}: not in bloom-{number}")
            });
        }
    }
}

/// `last_ids`: none where the last row of a row group could not be read.
pub(super) fn check_index(
    source: &dyn Source,
    place: &Place,
    last_ids: &[Option<TraceId>],
    report: &mut Report,
) -> Result<(), SourceError> {
    let key = place.key(BlockObject::Index);
    let Some(bytes) = source.read(&key)? else {
        report.skip(Check::Index, "there is none");
        return Ok(());
    };
    let index = match RowGroupIndex::parse(&bytes) {
        Ok(index) => index,
        Err(error) => {
            report.fail(Check::Index, || error.to_string());
            return Ok(());
        }
    };
    let entries = index.last_ids();
    report.expect(Check::Index, entries.len() == last_ids.len(), || {
        format!(
            "{} entries for {} row groups",
            entries.len(),
            last_ids.len()
        )
    });
    for (group, (said, actual)) in entries.iter().zip(last_ids).enumerate() {
        if let Some(actual) = actual {
            report.expect(Check::Index, said == actual, || {
                format!("row group {group}: {said} instead of {actual}")
            });
        }
    }
    Ok(())
}
