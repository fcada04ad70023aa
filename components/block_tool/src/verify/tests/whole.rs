//! Whole blocks: ours, Tempo's, and damaged ones.

use std::ops::Range;
use std::path::{Path, PathBuf};

use vivace_block::Format;
use vivace_block::keys::BlockObject;

use super::base::{Objects, place, written};
use super::forge::Forge;
use crate::block::{BlockError, Place};
use crate::folder::Folder;
use crate::parquet::{DataFile, Pages};
use crate::source::Source;
use crate::verify::report::Check;
use crate::verify::verify;

const FORMATS: [Format; 2] = [Format::VParquet4, Format::VParquet5];

#[test]
fn blocks_of_our_writer_keep_all_rules() {
    for format in FORMATS {
        assert_eq!(written(format).failed(), [], "{format}");
    }
}

#[test]
fn blocks_put_together_again_keep_all_rules() {
    for format in FORMATS {
        assert_eq!(Forge::new(format).build().failed(), [], "{format}");
    }
}

/// Tempo's own blocks, where they are beside the project.
fn recorded(format: Format) -> Option<(Folder, Place)> {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/blocks")
        .join(format.as_str());
    let folder = Folder::new(root);
    let tenant = "single-tenant".to_owned();
    let block = folder.blocks(&tenant).ok()?.first()?.id;
    Some((folder, Place { tenant, block }))
}

#[test]
fn blocks_of_tempo_keep_all_rules() {
    for format in FORMATS {
        let Some((folder, place)) = recorded(format) else {
            return;
        };
        let report = verify(&folder, &place, true, &mut std::io::sink()).unwrap();
        assert_eq!(report.failed(), [], "{format}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let objects = written(Format::VParquet5);
    let without = |object| {
        let mut bucket = objects.bucket();
        bucket.0.remove(&place().key(object));
        let error = verify(&bucket, &place(), true, &mut std::io::sink()).unwrap_err();
        error.to_string()
    };
    assert!(
        without(BlockObject::Meta).ends_with("no such object, and no meta.compacted.json either")
    );
    assert!(without(BlockObject::Data).ends_with("data.parquet: there is no such object"));
    let mut preview = objects.clone();
    preview.meta.format = "vParquet5-preview5".to_owned();
    let error = verify(&preview.bucket(), &place(), true, &mut std::io::sink());
    assert!(matches!(error, Err(BlockError::Format { .. })));
    let mut old = objects.clone();
    old.meta.format = "vParquet3".to_owned();
    let error = verify(&old.bucket(), &place(), true, &mut std::io::sink());
    assert!(matches!(error, Err(BlockError::OldFormat { .. })));
    let mut cut = objects.clone();
    cut.data.truncate(cut.data.len() - 1);
    let error = verify(&cut.bucket(), &place(), true, &mut std::io::sink());
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("it does not end in PAR1")
    );
}

/// A generator that needs no seed from outside.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize
    }
}

#[test]
fn damage_never_panics_and_is_found() {
    let rounds = std::env::var("VIVACE_FUZZ_ITERATIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let objects = written(Format::VParquet5);
    let bodies = bodies(&objects);
    assert!(bodies.len() > 100);
    let pages_end = objects.data.len() - objects.meta.footer_size as usize - 8;
    for round in 0..rounds {
        let mut damaged = objects.clone();
        let mut bytes = damaged.data.to_vec();
        // Every other time in the pages and indexes, else in the footer and its frame.
        let at = match round % 2 {
            0 => 4 + numbers.next() % (pages_end - 4),
            _ => pages_end + numbers.next() % (bytes.len() - pages_end),
        };
        bytes[at] ^= 1 << (numbers.next() % 8);
        damaged.data = bytes.into();
        let report = verify(&damaged.bucket(), &place(), true, &mut std::io::sink());
        // Not all bytes of structures matter, such as wider bounds; all bytes of pages do.
        if bodies.iter().any(|body| body.contains(&at)) {
            let failed = report.unwrap().failed();
            assert!(failed.contains(&Check::PageCrc), "byte {at}: {failed:?}");
        }
    }
}

/// Where the bodies of pages are.
fn bodies(objects: &Objects) -> Vec<Range<usize>> {
    let bucket = objects.bucket();
    let key = place().key(BlockObject::Data);
    let file = DataFile::open(&bucket, key, objects.data.len() as u64).unwrap();
    let mut bodies = Vec::new();
    for chunk in file
        .footer
        .row_groups
        .iter()
        .flat_map(|group| &group.chunks)
    {
        let start = chunk.range().unwrap().start;
        let mut pages = Pages::new(file.chunk(chunk).unwrap());
        while let Some(page) = pages.next().unwrap() {
            let start = (start + page.offset) as usize + page.header_bytes;
            bodies.push(start..start + page.body.len());
        }
    }
    bodies
}
