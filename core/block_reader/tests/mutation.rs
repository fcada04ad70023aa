//! Broken files: an error or the trace asked for, in bounded time; never a panic.
//!
//! `VIVACE_FUZZ_ITERATIONS` sets how many of each kind are tried.

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use parquet::file::properties::WriterProperties;
use support::random::Random;
use support::{Memory, conformance, now, rewrite, written};
use uuid::Uuid;
use vivace_block::{BlockMeta, Format};
use vivace_block_reader::{OpenBlock, ReadError};
use vivace_block_writer::Options;
use vivace_model::{SpanBatch, TraceId};

fn iterations(default: u64) -> u64 {
    std::env::var("VIVACE_FUZZ_ITERATIONS").map_or(default, |text| text.parse().unwrap())
}

struct Sample {
    name: String,
    meta: BlockMeta,
    data: Bytes,
    traces: Vec<(TraceId, SpanBatch)>,
}

impl Sample {
    fn new(name: &str, meta: BlockMeta, data: Bytes) -> Self {
        let file = Memory::new(data.clone());
        let block = now(OpenBlock::open(&meta, &file)).unwrap();
        let mut all = block.traces(&file);
        let mut traces = Vec::new();
        while let Some(batch) = now(all.next(async || {})).unwrap() {
            traces.push((batch.view().trace_run(0).0, batch));
        }
        Self {
            name: name.to_owned(),
            meta,
            data,
            traces,
        }
    }

    /// Looks for a trace in broken bytes. True if it was found and is as it was.
    fn try_one(&self, meta: &BlockMeta, data: Vec<u8>, pick: u64) -> Option<bool> {
        let (id, expected) = &self.traces[pick as usize % self.traces.len()];
        let file = Memory::new(data);
        let began = Instant::now();
        let found = now(async {
            let block = OpenBlock::open(meta, &file).await?;
            assert!(block.memory_bytes() < 64 << 20);
            let found = block.find_trace(*id, &file, async || {}).await?;
            if pick.is_multiple_of(16) {
                let mut all = block.traces(&file);
                while all.next(async || {}).await?.is_some() {}
            }
            Ok::<_, ReadError<_>>(found)
        });
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{} took too long",
            self.name
        );
        match found {
            Ok(Some(found)) => {
                assert_eq!(found.batch.view().trace_count(), 1);
                assert_eq!(found.batch.view().trace_run(0).0, *id);
                Some(found.batch.as_bytes() == expected.as_bytes())
            }
            Ok(None) => None,
            Err(error) => {
                assert!(!error.is_retryable());
                let file = format!("{}/{}/data.parquet: ", meta.tenant_id, meta.block_id);
                assert!(error.to_string().starts_with(&file), "{error}");
                assert!(error.to_string().contains("offset "), "{error}");
                None
            }
        }
    }
}

fn samples() -> Vec<Sample> {
    let mut out = Vec::new();
    for format in ["vParquet4", "vParquet5"] {
        if let Some((meta, data)) = conformance::block(format) {
            let file = Memory::new(data.clone());
            let block = now(OpenBlock::open(&meta, &file)).unwrap();
            let columns = rewrite::columns(&block, &file);
            let properties = WriterProperties::builder().set_data_page_size_limit(20_000);
            let (other, again) = rewrite::write(&meta, &data, &columns, properties.build(), 2);
            out.push(Sample::new(
                &format!("{format} without checksums"),
                other,
                again,
            ));
            out.push(Sample::new(format, meta, data));
        }
    }
    for format in [Format::VParquet4, Format::VParquet5] {
        let options = Options::new(format, "tenant", Uuid::nil());
        let (built, data) = written::write(&[Random(3).batch(30)], &options);
        out.push(Sample::new(&format!("our {format}"), built.meta, data));
    }
    out
}

/// Changes some bytes of a part of the file.
fn scramble(data: &mut [u8], random: &mut Random, from: usize) {
    for _ in 0..1 + random.below(3) {
        let at = from + random.below((data.len() - from) as u64) as usize;
        match random.below(4) {
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5) as usize],
            2 => data[at] = random.next() as u8,
            _ => {
                let end = (at + random.below(9) as usize).min(data.len());
                data[at..end]
                    .iter_mut()
                    .for_each(|byte| *byte = random.next() as u8);
            }
        }
    }
}

#[test]
fn changed_bytes() {
    for sample in samples() {
        let mut random = Random(sample.data.len() as u64);
        let footer = sample.data.len() - 8 - sample.meta.footer_size as usize;
        for number in 0..iterations(60) {
            let mut data = sample.data.to_vec();
            // Most of a file are values; its structures deserve more.
            let from = match number % 3 {
                0 => 0,
                1 => footer.saturating_sub(6000),
                _ => footer,
            };
            scramble(&mut data, &mut random, from);
            sample.try_one(&sample.meta, data, random.next());
        }
    }
}

/// Page headers are found in the bytes of a page's kind of start: they are not under the checksum.
#[test]
fn changed_page_headers() {
    for sample in samples() {
        let mut random = Random(5);
        let file = Memory::new(sample.data.clone());
        let block = now(OpenBlock::open(&sample.meta, &file)).unwrap();
        let group = &block.row_groups()[0];
        for number in 0..iterations(100) {
            let chunk = &group.chunks[number as usize % group.chunks.len()];
            let start = match group.pages(chunk) {
                [] => chunk.start,
                pages => pages[random.below(pages.len() as u64) as usize].offset,
            };
            let start = if random.one_in(3) { chunk.start } else { start } as usize;
            let mut data = sample.data.to_vec();
            let end = (start + 40).min(data.len());
            scramble(&mut data[..end], &mut random, start);
            sample.try_one(&sample.meta, data, random.next());
        }
    }
}

#[test]
fn bytes_under_a_checksum_never_make_another_trace() {
    for sample in samples().iter().filter(|sample| sample.name.len() == 9) {
        let mut random = Random(9);
        let file = Memory::new(sample.data.clone());
        let block = now(OpenBlock::open(&sample.meta, &file)).unwrap();
        let group = &block.row_groups()[0];
        let (mut wrong, mut right) = (0, 0);
        for number in 0..iterations(60) {
            let chunk = &group.chunks[number as usize % group.chunks.len()];
            let pages = group.pages(chunk);
            let page = pages[random.below(pages.len() as u64) as usize];
            // Behind the header, which has at most as many bytes in these blocks.
            if page.bytes < 200 {
                continue;
            }
            let mut data = sample.data.to_vec();
            let end = (page.offset + u64::from(page.bytes)) as usize;
            scramble(&mut data[..end], &mut random, page.offset as usize + 180);
            match sample.try_one(&sample.meta, data, random.next()) {
                Some(true) => right += 1,
                Some(false) => wrong += 1,
                None => {}
            }
        }
        assert_eq!(wrong, 0, "{}, {right} right", sample.name);
    }
}

#[test]
fn cut_and_grown_files() {
    for sample in samples() {
        let mut random = Random(7);
        for _ in 0..iterations(30) {
            let mut data = sample.data.to_vec();
            let len = random.below(data.len() as u64) as usize;
            let mut meta = sample.meta.clone();
            match random.below(4) {
                0 => data.truncate(len),
                1 => {
                    data.truncate(len);
                    meta.size = len as u64;
                }
                2 => {
                    let from = random.below(len as u64 + 1) as usize;
                    data.drain(from..len);
                    meta.size = data.len() as u64;
                }
                _ => {
                    meta.size = random.next() >> random.below(64);
                    meta.footer_size = (random.next() >> random.below(64)) as u32;
                }
            }
            sample.try_one(&meta, data, random.next());
        }
    }
}

#[test]
fn metas_of_other_blocks() {
    for sample in samples() {
        for format in ["vParquet3", "vParquet4", "vParquet5", "vParquet6"] {
            let mut meta = sample.meta.clone();
            meta.format = format.to_owned();
            let most = if format == sample.meta.format { 2 } else { 99 };
            let columns = meta.dedicated_columns.iter().take(most);
            meta.dedicated_columns = columns.cloned().collect();
            let file = Memory::new(sample.data.clone());
            match now(OpenBlock::open(&meta, &file)) {
                // All slots are there in version 4.
                Ok(_) => assert_eq!((format, &*sample.meta.format), ("vParquet4", "vParquet4")),
                Err(error) => assert!(!error.is_retryable(), "{error}"),
            }
        }
    }
}
