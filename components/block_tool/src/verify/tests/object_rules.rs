//! Rules of the objects beside the data.

use chrono::TimeDelta;
use uuid::Uuid;
use vivace_block::Format;
use vivace_block::dedicated::{DedicatedColumn, Kind, Scope};
use vivace_model::TraceId;

use super::base::{Objects, written};
use crate::verify::report::Check;

fn broken(breaks: impl FnOnce(&mut Objects)) -> Vec<Check> {
    let mut objects = written(Format::VParquet5);
    breaks(&mut objects);
    objects.failed()
}

#[test]
fn ids() {
    assert_eq!(
        broken(|block| block.meta.block_id = Uuid::nil()),
        [Check::MetaIds]
    );
    assert_eq!(
        broken(|block| block.meta.tenant_id = "other".to_owned()),
        [Check::MetaIds]
    );
}

#[test]
fn sizes_and_counts() {
    assert_eq!(broken(|block| block.meta.size += 1), [Check::MetaSize]);
    assert_eq!(
        broken(|block| block.meta.footer_size -= 1),
        [Check::MetaFooterSize]
    );
    assert_eq!(
        broken(|block| block.meta.total_objects += 1),
        [Check::MetaObjects]
    );
    assert_eq!(
        broken(|block| block.meta.total_records -= 1),
        [Check::MetaRecords]
    );
    // One flush more than there are row groups is what Tempo may write.
    assert_eq!(broken(|block| block.meta.total_records += 1), []);
    assert_eq!(
        broken(|block| block.meta.index_page_size = 1),
        [Check::MetaPageSize]
    );
    for factor in [0, 3] {
        assert_eq!(
            broken(|block| block.meta.replication_factor = factor),
            [Check::MetaReplication]
        );
    }
}

#[test]
fn times() {
    let second = TimeDelta::seconds(1);
    assert_eq!(
        broken(|block| block.meta.start_time += second),
        [Check::MetaTimes]
    );
    assert_eq!(
        broken(|block| block.meta.end_time -= second),
        [Check::MetaTimes]
    );
    assert_eq!(
        broken(|block| {
            block.meta.start_time -= second;
            block.meta.end_time += second;
        }),
        []
    );
    // Whole seconds, as Tempo's live-store writes them.
    assert_eq!(
        broken(|block| {
            let seconds = block.meta.end_time.timestamp();
            block.meta.end_time = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
        }),
        []
    );
}

#[test]
fn dedicated_columns_that_the_format_does_not_hold() {
    let mut objects = written(Format::VParquet4);
    let mut columns = objects.meta.dedicated_columns.to_vec();
    columns.push(DedicatedColumn::new(Scope::Span, "port", Kind::Int));
    objects.meta.dedicated_columns = columns.into();
    assert_eq!(objects.failed(), [Check::MetaDedicated]);
    let mut objects = written(Format::VParquet4);
    let mut columns = objects.meta.dedicated_columns.to_vec();
    columns.push(columns[0].clone());
    objects.meta.dedicated_columns = columns.into();
    assert_eq!(objects.failed(), [Check::MetaDedicated]);
}

#[test]
fn bloom_shards() {
    assert_eq!(
        broken(|block| drop(block.blooms.pop())),
        [Check::BloomShards]
    );
    assert_eq!(
        broken(|block| block.blooms.push(block.blooms[0].clone())),
        [Check::BloomShards]
    );
    assert_eq!(
        broken(|block| block.blooms[1] = block.blooms[1].slice(1..)),
        [Check::BloomShards]
    );
    // One hash less than the others, which loses no id.
    let fewer = broken(|block| {
        let mut bytes = block.blooms[1].to_vec();
        bytes[15] -= 1;
        block.blooms[1] = bytes.into();
    });
    assert_eq!(fewer, [Check::BloomShards]);
}

#[test]
fn bloom_ids() {
    let empty = broken(|block| {
        let mut bytes = block.blooms[0].to_vec();
        bytes[24..].fill(0);
        block.blooms[0] = bytes.into();
    });
    assert_eq!(empty, [Check::BloomIds]);
}

#[test]
fn indexes() {
    assert_eq!(broken(|block| block.index = None), []);
    assert_eq!(
        broken(|block| block.index = Some("{".into())),
        [Check::Index]
    );
    let index = |change: fn(&mut Vec<TraceId>)| {
        broken(|block| {
            let bytes = block.index.take().unwrap();
            let index = vivace_block::index::RowGroupIndex::parse(&bytes).unwrap();
            let mut ids = index.last_ids().to_vec();
            change(&mut ids);
            block.index = Some(vivace_block::index::encode(&ids));
        })
    };
    assert_eq!(index(|_| ()), []);
    assert_eq!(index(|ids| ids.truncate(1)), [Check::Index]);
    assert_eq!(index(|ids| ids[0].0[15] += 1), [Check::Index]);
}
