//! What writing a block costs, and how large it gets.
//!
//! `cargo bench -p vivace-block-writer -- [otlp|varied|generated] [leaves] [once] [partitions=N]`: `otlp` takes the spans of the
//! conformance data, `varied` 200,000 spans whose ids, times and values don't repeat, `generated` (the default) 250,000
//! spans with 15 attributes from templates. `leaves` prints the size of each leaf as well, the largest first.
//! `partitions=N` cuts each request into N batches, as a server with N shards does; all of them go into the block. `once`
//! writes version 5 once, to count instructions: `valgrind --tool=callgrind --toggle-collect='*::write_counted'`.
//! With `VIVACE_BENCH_FILE` the blocks' `data.parquet` go to that path and the format's name.

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use uuid::Uuid;
use vivace_bench::data::varied::{CHUNK_SPANS, Window, chunk};
use vivace_bench::data::{Generator, Shape};
use vivace_block::Format;
use vivace_block_writer::{Built, Options, Sink, write_block};
use vivace_model::SpanBatch;
use vivace_protocol::otlp::{ScanOptions, Scanner};

const SPANS: usize = 250_000;
const VARIED_SPANS: usize = 200_000;
const NOW: u64 = 1_795_335_883_175_355_314;
/// What varied spans are spread over: half an hour.
const VARIED_NANOS: u64 = 1_800_000_000_000;
const SEED: u64 = 7;
const ROUNDS: usize = 5;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Default)]
struct File(Vec<u8>);

impl Sink for File {
    type Error = std::convert::Infallible;

    async fn append(&mut self, bytes: Bytes) -> std::result::Result<(), Self::Error> {
        self.0.extend_from_slice(&bytes);
        Ok(())
    }
}

fn scan(request: &[u8], partitions: u32) -> Result<Vec<SpanBatch>> {
    let options = ScanOptions {
        max_attribute_bytes: 2048,
        partitions,
    };
    let scanned = Scanner::new().scan("single-tenant", request, &options)?;
    Ok(scanned
        .batches
        .into_iter()
        .map(|(_, batch)| batch)
        .collect())
}

fn conformance(partitions: u32) -> Result<Vec<SpanBatch>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let folder = std::env::var("VIVACE_SHARED").unwrap_or_else(|_| folder.to_owned());
    let mut batches = Vec::new();
    for number in 0..28 {
        let path = format!("{folder}/conformance/otlp/{number:04}.pb");
        batches.extend(scan(&std::fs::read(path)?, partitions)?);
    }
    Ok(batches)
}

fn generated(partitions: u32) -> Result<Vec<SpanBatch>> {
    let mut generator = Generator::new(1, Shape::default());
    let (mut batches, mut spans) = (Vec::new(), 0);
    while spans < SPANS {
        let request = generator.next_request(NOW + spans as u64 * 100_000);
        spans += request.spans;
        batches.extend(scan(&request.body, partitions)?);
    }
    Ok(batches)
}

fn varied(partitions: u32) -> Result<Vec<SpanBatch>> {
    let window = Window {
        from: NOW - VARIED_NANOS,
        to: NOW,
    };
    let chunks = (VARIED_SPANS / CHUNK_SPANS) as u64;
    let mut batches = Vec::new();
    for number in 0..chunks {
        for body in chunk(SEED, number, window.part(number, chunks)) {
            batches.extend(scan(&body, partitions)?);
        }
    }
    Ok(batches)
}

fn finish<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// Never inlined, so that a profiler can count what happens in it alone.
#[inline(never)]
fn write_counted(batches: &[SpanBatch], format: Format) -> Result<(Built, Vec<u8>)> {
    let options = Options::new(format, "single-tenant", Uuid::nil());
    let mut file = File::default();
    let built = finish(write_block(batches, &options, &mut file, async || {}))?;
    Ok((built, file.0))
}

/// CPU time of this process, so that others do not count.
fn cpu_nanos() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let first = text.split_whitespace().next().ok_or("no CPU time")?;
    Ok(first.parse()?)
}

fn print_leaves(file: Vec<u8>, spans: u64) -> Result {
    let reader = SerializedFileReader::new(Bytes::from(file))?;
    let mut sizes = Vec::new();
    for row_group in reader.metadata().row_groups() {
        for (leaf, column) in row_group.columns().iter().enumerate() {
            if sizes.len() <= leaf {
                sizes.push((0, 0, column.column_path().string()));
            }
            sizes[leaf].0 += column.compressed_size();
            sizes[leaf].1 += column.uncompressed_size();
        }
    }
    sizes.sort_by_key(|size| std::cmp::Reverse(size.0));
    for (compressed, uncompressed, path) in sizes {
        let each = compressed as f64 / spans as f64;
        println!("{each:8.3} B/span {compressed:10} of {uncompressed:10}  {path}");
    }
    Ok(())
}

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().collect();
    let asked = |word: &str| arguments.iter().any(|argument| argument == word);
    let partitions = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix("partitions="));
    let partitions = match partitions.map(str::parse) {
        None => 1,
        Some(Ok(number @ 1..=1024)) => number,
        Some(_) => return Err("partitions=N takes a number from 1 to 1024".into()),
    };
    let batches = if asked("otlp") {
        conformance(partitions)?
    } else if asked("varied") {
        varied(partitions)?
    } else {
        generated(partitions)?
    };
    let (formats, rounds) = if asked("once") {
        (&[Format::VParquet5][..], 1)
    } else {
        (&[Format::VParquet5, Format::VParquet4][..], ROUNDS)
    };
    for &format in formats {
        let mut best = f64::INFINITY;
        let mut last = None;
        for _ in 0..rounds {
            let started = cpu_nanos()?;
            let written = write_counted(&batches, format)?;
            let took = (cpu_nanos()? - started) as f64 / written.0.spans as f64;
            best = best.min(took);
            last = Some(written);
        }
        let Some((built, file)) = last else { break };
        println!(
            "{format}: {} spans in {} batches and {} traces, {best:.0} ns/span, {:.2} B/span, {} row groups, {} footer bytes",
            built.spans,
            batches.len(),
            built.meta.total_objects,
            file.len() as f64 / built.spans as f64,
            built.meta.total_records,
            built.meta.footer_size,
        );
        let path = std::env::var("VIVACE_BENCH_FILE");
        if let Ok(path) = path {
            std::fs::write(format!("{path}-{format}"), &file)?;
        }
        if format == Format::VParquet5 && asked("leaves") {
            print_leaves(file, built.spans)?;
        }
    }
    Ok(())
}
