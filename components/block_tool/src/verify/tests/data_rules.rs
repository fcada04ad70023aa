//! Rules of pages, statistics and indexes.

use vivace_block::Format;
use vivace_block::schema::Column;

use super::forge::{Forge, Part, field, insert, list, remove};
use crate::parquet::{Decoded, Thrift, Values};
use crate::verify::report::Check;

/// The block with one structure changed, of a column in the second row group.
fn tampered(
    column: Column,
    part: fn(usize, usize) -> Part,
    tamper: impl Fn(&mut Thrift) + 'static,
) -> Vec<Check> {
    let mut forge = Forge::new(Format::VParquet5);
    let wanted = part(1, forge.leaf(column));
    forge.tamper(move |part, thrift| {
        if part == wanted {
            tamper(thrift);
        }
    });
    forge.build().failed()
}

fn page(group: usize, leaf: usize) -> Part {
    Part::Page(group, leaf, 0)
}

#[test]
fn dictionaries() {
    let mut forge = Forge::new(Format::VParquet5);
    let leaf = forge.leaf(Column::SpanName);
    forge.plain = Some((leaf, 0));
    assert_eq!(forge.build().failed(), [Check::Dictionaries]);
    // From the second page on.
    let mut forge = Forge::new(Format::VParquet5);
    split(&mut forge, leaf, |page| {
        page.rep.iter().rposition(|rep| *rep == 0).unwrap()
    });
    forge.plain = Some((leaf, 1));
    assert_eq!(forge.build().failed(), [Check::Dictionaries]);
}

/// Splits the first page of a leaf before a slot.
fn split(forge: &mut Forge, leaf: usize, at: impl Fn(&Decoded) -> usize) {
    let pages = &mut forge.groups[0].columns[leaf];
    let page = &mut pages[0];
    let at = at(page);
    let max = *page.def.iter().max().unwrap();
    let values = page.def[..at].iter().filter(|def| **def == max).count();
    let second = Decoded {
        rep: page.rep.split_off(at),
        def: page.def.split_off(at),
        values: match &mut page.values {
            Values::Bytes(all) => Values::Bytes(all.split_off(values)),
            Values::I64(all) => Values::I64(all.split_off(values)),
            other => panic!("{other:?}"),
        },
    };
    pages.insert(1, second);
}

#[test]
fn page_rows() {
    let mut forge = Forge::new(Format::VParquet5);
    let leaf = forge.leaf(Column::SpanName);
    split(&mut forge, leaf, |page| {
        page.rep.iter().rposition(|rep| *rep == 0).unwrap()
    });
    assert_eq!(forge.build().failed(), []);
    split(&mut forge, leaf, |page| {
        page.rep.iter().rposition(|rep| *rep == 0).unwrap() + 1
    });
    let failed = forge.build().failed();
    assert_eq!(failed, [Check::PageRows]);
    let rows = |header: &mut Thrift| insert(field(header, 8), 3, Thrift::Int(1));
    assert_eq!(tampered(Column::SpanName, page, rows), [Check::PageRows]);
}

#[test]
fn pages() {
    let sizes = |chunk: &mut Thrift| {
        let meta = field(chunk, 3);
        let more = meta.int(6).unwrap() + 1;
        insert(meta, 6, Thrift::Int(more));
    };
    assert_eq!(tampered(Column::Kind, Part::Chunk, sizes), [Check::Pages]);
    let more = |header: &mut Thrift| {
        let more = header.int(2).unwrap() + 1;
        insert(header, 2, Thrift::Int(more));
    };
    assert_eq!(tampered(Column::Kind, page, more), [Check::Pages]);
    let offset = |chunk: &mut Thrift| {
        let meta = field(chunk, 3);
        let more = meta.int(9).unwrap() + 1;
        insert(meta, 9, Thrift::Int(more));
    };
    assert_eq!(
        tampered(Column::SpanName, Part::Chunk, offset),
        [Check::Pages]
    );
    let mut forge = Forge::new(Format::VParquet5);
    let wanted = Part::Page(1, forge.leaf(Column::SpanName), 0);
    // The last code is beyond the dictionary; the CRC is right.
    forge.spoil = Some(Box::new(move |part, body| {
        if part == wanted {
            let last = body.len() - 1;
            body[last] = 0x7f;
        }
    }));
    assert_eq!(forge.build().failed(), [Check::Pages]);
}

#[test]
fn pages_of_version_1() {
    let mut forge = Forge::new(Format::VParquet5);
    // Without levels, pages of both versions have the same body.
    let wanted = Part::Page(1, forge.leaf(Column::TraceStartUnixNano), 0);
    forge.tamper(move |part, header| {
        if part == wanted {
            let values = field(header, 8).int(1).unwrap();
            remove(header, 8);
            insert(header, 1, Thrift::Int(0));
            let fields = [values, 0, 3, 3].map(Thrift::Int);
            insert(header, 5, Thrift::Struct((1..).zip(fields).collect()));
        }
    });
    assert_eq!(forge.build().failed(), []);
}

#[test]
fn page_crc() {
    assert_eq!(
        tampered(Column::Kind, page, |header| remove(header, 4)),
        [Check::PageCrc]
    );
    let wrong = |header: &mut Thrift| insert(header, 4, Thrift::Int(7));
    assert_eq!(tampered(Column::Kind, page, wrong), [Check::PageCrc]);
}

#[test]
fn null_counts() {
    let expected = [Check::NullCounts];
    let header = |header: &mut Thrift| insert(field(header, 8), 2, Thrift::Int(1));
    assert_eq!(tampered(Column::EventName, page, header), expected);
    let chunk = |chunk: &mut Thrift| insert(field(field(chunk, 3), 12), 3, Thrift::Int(1));
    assert_eq!(tampered(Column::EventName, Part::Chunk, chunk), expected);
    let missing = |chunk: &mut Thrift| remove(field(field(chunk, 3), 12), 3);
    assert_eq!(tampered(Column::EventName, Part::Chunk, missing), expected);
    let index = |index: &mut Thrift| list(field(index, 5))[0] = Thrift::Int(1);
    assert_eq!(
        tampered(Column::EventName, Part::ColumnIndex, index),
        expected
    );
    let uncounted = |index: &mut Thrift| remove(index, 5);
    assert_eq!(
        tampered(Column::EventName, Part::ColumnIndex, uncounted),
        expected
    );
}

#[test]
fn bounds() {
    let expected = [Check::Bounds];
    // Columns of each way to compare.
    for (column, low) in [
        (Column::SpanName, b"zz".to_vec()),
        (Column::Kind, 6_i64.to_le_bytes().to_vec()),
        (Column::NestedSetLeft, 2_i32.to_le_bytes().to_vec()),
        (Column::SpanStartUnixNano, u64::MAX.to_le_bytes().to_vec()),
        (
            Column::StartTimeRounded(15),
            u32::MAX.to_le_bytes().to_vec(),
        ),
    ] {
        let min = low.clone();
        let header = move |header: &mut Thrift| {
            insert(field(field(header, 8), 8), 6, Thrift::Bytes(min.clone()));
        };
        assert_eq!(tampered(column, page, header), expected, "{column:?}");
        let min = low.clone();
        let chunk = move |chunk: &mut Thrift| {
            insert(field(field(chunk, 3), 12), 6, Thrift::Bytes(min.clone()));
        };
        assert_eq!(tampered(column, Part::Chunk, chunk), expected, "{column:?}");
        let index = move |index: &mut Thrift| {
            list(field(index, 2))[0] = Thrift::Bytes(low.clone());
        };
        assert_eq!(
            tampered(column, Part::ColumnIndex, index),
            expected,
            "{column:?}"
        );
    }
    let missing = |chunk: &mut Thrift| remove(field(field(chunk, 3), 12), 5);
    assert_eq!(tampered(Column::SpanName, Part::Chunk, missing), expected);
    let wide = |chunk: &mut Thrift| {
        let statistics = field(field(chunk, 3), 12);
        insert(statistics, 6, Thrift::Bytes(Vec::new()));
        insert(statistics, 5, Thrift::Bytes(b"zzz".to_vec()));
    };
    assert_eq!(tampered(Column::SpanName, Part::Chunk, wide), []);
}

#[test]
fn offset_indexes() {
    let expected = [Check::OffsetIndex];
    for id in 1..=3 {
        let one = move |index: &mut Thrift| {
            let page = &mut list(field(index, 1))[0];
            let more = page.int(id).unwrap() + 1;
            insert(page, id, Thrift::Int(more));
        };
        assert_eq!(tampered(Column::SpanName, Part::OffsetIndex, one), expected);
    }
    let fewer = |index: &mut Thrift| list(field(index, 1)).clear();
    assert_eq!(
        tampered(Column::SpanName, Part::OffsetIndex, fewer),
        expected
    );
    let none = |chunk: &mut Thrift| remove(chunk, 4);
    assert_eq!(tampered(Column::SpanName, Part::Chunk, none), expected);
}

#[test]
fn column_indexes() {
    let expected = [Check::ColumnIndex];
    let null = |index: &mut Thrift| list(field(index, 1))[0] = Thrift::Bool(true);
    assert_eq!(
        tampered(Column::SpanName, Part::ColumnIndex, null),
        expected
    );
    let none = |chunk: &mut Thrift| remove(chunk, 6);
    assert_eq!(tampered(Column::SpanName, Part::Chunk, none), expected);
    let more = |index: &mut Thrift| list(field(index, 1)).push(Thrift::Bool(false));
    assert_eq!(
        tampered(Column::SpanName, Part::ColumnIndex, more),
        expected
    );

    let mut forge = Forge::new(Format::VParquet5);
    let leaf = forge.leaf(Column::SpanStartUnixNano);
    split(&mut forge, leaf, |page| {
        page.rep.iter().rposition(|rep| *rep == 0).unwrap()
    });
    forge.tamper(move |part, index| {
        if part == Part::ColumnIndex(0, leaf) {
            insert(index, 4, Thrift::Int(2));
        }
    });
    assert_eq!(forge.build().failed(), expected);
}
