//! What a span takes in the bucket, by file and by column, of data that does not repeat itself.

use std::time::{Duration, Instant};

use super::Error;
use super::bucket::Bucket;
use super::footer::{Column, Columns};
use super::options::{Options, Scenario};
use super::queries::fill_all;
use super::server::Server;
use super::stages::{stages, waiting};
use super::summary::{Measured, Summary, Table, TableRow, Target};
use crate::load::Process;

/// Bytes of data.parquet for a span.
const DATA: f64 = 80.0;
/// Columns that are told one by one.
const COLUMNS: usize = 25;
/// How long spans may need to come into blocks.
const BLOCKS_MAX: Duration = Duration::from_secs(900);
const LOOK: Duration = Duration::from_millis(500);

/// Fills a server that makes blocks as it likes, and looks at its bucket.
pub fn storage(options: &Options) -> Result<Summary, Error> {
    let server = Server::start(options)?;
    let used = || Process::read(server.at().pid).map(|process| process.cpu);
    let before = used();
    let otlp = format!("http://{}", server.at().otlp_http);
    let sent = fill_all(options, &otlp, options.storage_spans)?;
    wait(&server, options)?;
    let cpu = before.zip(used());
    let cpu = cpu.map(|(before, after)| after.saturating_sub(before));
    let cpu = cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / sent.max(1) as f64);
    let folder = server.bucket().ok_or_else(|| {
        Error::Failed("no bucket to look into: --external-bucket names its folder".into())
    })?;
    let bucket = Bucket::read(&folder)?;
    let mut columns = Columns::default();
    for path in &bucket.data {
        columns.add(path)?;
    }
    if options.external().is_none() && columns.spans != sent {
        return Err(Error::Failed(format!(
            "{} spans are in blocks instead of {sent}",
            columns.spans
        )));
    }
    // Another server may have no metrics.
    let stored = server.samples().map(|samples| samples.stored());
    let stored = stored.unwrap_or_default();
    let mut more = Vec::new();
    if stored.log_bytes_written > 0.0 {
        let log = stored.log_bytes_written / sent.max(1) as f64;
        more.push(Measured::new("log written", "B/span", log));
    }
    if let Some(cpu) = cpu {
        more.push(Measured::new("server CPU, all in", "us/span", cpu));
    }
    more.extend(stages(sent, &stored, cpu));
    more.extend(waiting(server.at().pid));
    if let Some(process) = Process::read(server.at().pid) {
        let peak = process.peak_rss as f64 / 1_048_576.0;
        more.push(Measured::new("peak RSS", "MiB", peak));
    }
    Ok(summary(&bucket, &columns, more))
}

/// Until everything is in blocks; a server that does not tell gets its time.
fn wait(server: &Server, options: &Options) -> Result<(), Error> {
    let told = || server.samples().ok()?.all_in_blocks();
    let started = Instant::now();
    loop {
        match told() {
            Some(true) => return Ok(()),
            Some(false) if started.elapsed() < BLOCKS_MAX => std::thread::sleep(LOOK),
            Some(false) => {
                let seconds = BLOCKS_MAX.as_secs();
                return Err(Error::Failed(format!("not in blocks after {seconds} s")));
            }
            None => {
                std::thread::sleep(Duration::from_secs(options.query_wait));
                return Ok(());
            }
        }
    }
}

fn summary(bucket: &Bucket, columns: &Columns, more: Vec<Measured>) -> Summary {
    let spans = columns.spans.max(1) as f64;
    let by_span = |bytes: u64| bytes as f64 / spans;
    let mut figures = vec![
        Measured::new("spans in blocks", "", columns.spans as f64),
        Measured::new("blocks", "", bucket.blocks as f64),
        Measured::new("row groups", "", columns.row_groups as f64),
        Measured::new("all objects", "B/span", by_span(bucket.bytes)),
    ];
    for (name, bytes) in &bucket.by_name {
        let target = (name == "data.parquet").then_some(Target::AtMost(DATA));
        let name = name.trim_end_matches('-');
        figures.push(Measured::new(name, "B/span", by_span(*bytes)).target(target));
    }
    figures.extend(more);
    let all = columns.by_size();
    let (first, rest) = all.split_at(all.len().min(COLUMNS));
    let sum = |columns: &[(&str, Column)]| Column {
        bytes: columns.iter().map(|(_, column)| column.bytes).sum(),
        unpacked: columns.iter().map(|(_, column)| column.unpacked).sum(),
    };
    let footer = Column {
        bytes: bucket.data_bytes.saturating_sub(sum(&all).bytes),
        unpacked: 0,
    };
    let row = |name: String, column: Column| TableRow {
        name,
        values: vec![
            Some(by_span(column.bytes)),
            Some(100.0 * column.bytes as f64 / bucket.data_bytes.max(1) as f64),
            (column.unpacked > 0).then(|| by_span(column.unpacked)),
        ],
        note: String::new(),
    };
    let mut rows: Vec<TableRow> = (first.iter())
        .map(|(name, column)| row((*name).to_owned(), *column))
        .collect();
    rows.push(row(format!("{} more columns", rest.len()), sum(rest)));
    rows.push(row("page indexes and footer".to_owned(), footer));
    Summary::new(Scenario::Storage, &[figures]).with_table(Table {
        columns: vec![
            "column of data.parquet",
            "B/span",
            "%",
            "B/span before compression",
            "note",
        ],
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_the_rest_make_the_file() {
        let mut columns = Columns {
            spans: 10,
            ..Columns::default()
        };
        for n in 0..30_u64 {
            let column = Column {
                bytes: n + 1,
                unpacked: 100,
            };
            columns.of.insert(format!("c{n}"), column);
        }
        let bucket = Bucket {
            blocks: 1,
            bytes: 600,
            data_bytes: 500,
            by_name: [("data.parquet".to_owned(), 500), ("bloom-".to_owned(), 100)].into(),
            data: Vec::new(),
        };
        let summary = summary(&bucket, &columns, Vec::new());
        let rows = summary.table.expect("a table").rows;
        assert_eq!(rows.len(), COLUMNS + 2);
        assert_eq!(rows[0].name, "c29");
        let bytes: f64 = rows.iter().filter_map(|row| row.values[0]).sum();
        assert!((bytes - 50.0).abs() < 1e-9, "{bytes}");
        let data = summary.rows.iter().find(|row| row.name == "data.parquet");
        assert_eq!(data.and_then(|row| row.reached()), Some(true));
    }
}
