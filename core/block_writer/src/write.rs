//! Writing a block.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use vivace_block::bloom::BloomBuilder;
use vivace_block::nested::{Child, NestedSets};
use vivace_block::schema::Schema;
use vivace_block::{BlockMeta, Format, dedicated, index};
use vivace_model::{SpanBatch, TraceId};

use crate::column::{PageEnd, Press};
use crate::footer::Footer;
use crate::pause::Pause;
use crate::pool::{Numbers, Pool};
use crate::table::{Keys, Row, Tables};
use crate::trace::{Ahead, Contexts, Gathered, Groups, Source};
use crate::{Built, EncodeError, Options, Sink, WriteError};

const MAGIC: &[u8] = b"PAR1";

/// Writes the spans as one block. A trace may be in several batches, and a span may be there several times: it is
/// written once. Equal batches in equal order make equal bytes.
///
/// `data.parquet` goes to the sink, chunk by chunk; the other objects are returned. Besides the batches, memory is
/// needed for one encoded row group, one page of each leaf, and each distinct text's place. `pause` is awaited after
/// every page and every few spans.
pub async fn write_block<S: Sink>(
    batches: &[SpanBatch],
    options: &Options,
    sink: &mut S,
    pause: impl AsyncFn(),
) -> Result<Built, WriteError<S::Error>> {
    let columns = dedicated::of_format(options.format, &options.dedicated);
    let assigned = dedicated::assign(options.format, &columns);
    let schema = match options.format {
        Format::VParquet5 => Schema::version5(&assigned),
        Format::VParquet4 => Schema::version4(),
        Format::VParquet3 => return Err(EncodeError::Format(options.format).into()),
    };
    if batches.is_empty() {
        return Err(EncodeError::Empty.into());
    }
    let mut pause = Pause::new(pause);
    let keys = Keys::new(options.format, &assigned);
    let views: Vec<_> = batches.iter().map(SpanBatch::view).collect();
    let mut pool = Pool::new();
    let service_name = keys.number(&mut pool);
    let mut sources = Vec::with_capacity(views.len());
    for view in &views {
        let numbers = Numbers::of(view, &mut pool, &mut pause).await;
        sources.push(Source::new(view, numbers));
    }
    let contexts = Contexts::find(&sources, &pool, service_name, &mut pause).await;
    let tables = Tables::new(options.format, &schema, &keys, service_name, &pool);
    let tables = tables.ok_or(EncodeError::Format(options.format))?;
    let traces = sources
        .iter()
        .map(|source| source.view.trace_count() as u64);
    let mut writer = Writer {
        sink,
        offset: 0,
        press: Press::new(options.zstd_level)?,
        footer: Footer::new(&schema).map_err(EncodeError::Footer)?,
        tables,
        pool: &pool,
        bloom: BloomBuilder::new(
            traces.sum(),
            options.bloom_false_positive,
            options.bloom_shard_bytes,
        ),
        last_ids: Vec::new(),
        rows: 0,
        rows_of_group: 0,
    };
    writer.append(Bytes::from_static(MAGIC)).await?;

    let mut traces = Ahead::new(&sources);
    let mut fragments = Vec::new();
    let mut gathered = Gathered::default();
    let mut groups = Groups::default();
    let mut nested = NestedSets::default();
    let (mut spans, mut duplicates, mut estimate) = (0, 0, 0);
    let (mut start, mut end) = (0, 0);
    let mut last = None;
    while let Some(id) = traces.next(&mut fragments) {
        duplicates += gathered.collect(&sources, &fragments);
        groups.form(&gathered.spans, &contexts);
        let nested = nested.compute(&gathered.by_id, |place| {
            let placed = &gathered.spans[place as usize];
            let parents = sources[placed.batch as usize].view.parent_span_ids();
            Child {
                parent_id: u64::from_be_bytes(parents.get(placed.row as usize)),
                kind: placed.kind,
            }
        });
        let row = Row {
            id,
            sources: &sources,
            contexts: &contexts,
            gathered: &gathered,
            groups: &groups,
            nested,
            pool: &pool,
        };
        let (cost, facts) = writer.tables.push(row, &mut pause).await;
        writer.add_row(id, &mut pause).await?;
        spans += gathered.spans.len() as u64;
        if start == 0 || (facts.start != 0 && facts.start < start) {
            start = facts.start;
        }
        end = end.max(facts.end).max(facts.last_start);
        estimate += cost;
        last = Some(id);
        if estimate > options.row_group_bytes {
            writer.end_row_group(id, &mut pause).await?;
            estimate = 0;
        }
    }
    if let Some(last) = last
        && writer.rows_of_group > 0
    {
        writer.end_row_group(last, &mut pause).await?;
    }
    let row_groups = writer.footer.row_groups() as u32;
    let (footer, footer_size) = (writer.footer)
        .finish(writer.offset)
        .map_err(EncodeError::Footer)?;
    let size = writer.offset + footer.len() as u64;
    writer
        .sink
        .append(footer.into())
        .await
        .map_err(WriteError::Sink)?;
    let blooms = writer.bloom.finish();
    let meta = BlockMeta {
        format: options.format.as_str().to_owned(),
        block_id: options.block_id,
        tenant_id: options.tenant.clone(),
        start_time: time(start),
        end_time: time(end),
        total_objects: writer.rows,
        size,
        compaction_level: 0,
        index_page_size: 0,
        total_records: row_groups,
        bloom_shards: blooms.len() as u32,
        footer_size,
        dedicated_columns: columns.into(),
        replication_factor: 1,
    };
    Ok(Built {
        meta,
        blooms,
        index: index::encode(&writer.last_ids),
        spans,
        duplicates,
    })
}

fn time(unix_nano: u64) -> DateTime<Utc> {
    let (seconds, nanos) = (unix_nano / 1_000_000_000, unix_nano % 1_000_000_000);
    DateTime::from_timestamp(seconds as i64, nanos as u32).unwrap_or_default()
}

/// The file under construction.
struct Writer<'w, 'b, S> {
    sink: &'w mut S,
    /// Bytes of the file so far.
    offset: u64,
    press: Press,
    footer: Footer,
    tables: Tables<'b>,
    pool: &'w Pool<'b>,
    bloom: BloomBuilder,
    /// Last id of each row group.
    last_ids: Vec<TraceId>,
    rows: u64,
    rows_of_group: u64,
}

impl<S: Sink> Writer<'_, '_, S> {
    async fn append(&mut self, bytes: Bytes) -> Result<(), WriteError<S::Error>> {
        self.offset += bytes.len() as u64;
        self.sink.append(bytes).await.map_err(WriteError::Sink)
    }

    /// Counts the row that was put into the tables last.
    async fn add_row<F: AsyncFn()>(
        &mut self,
        id: TraceId,
        pause: &mut Pause<F>,
    ) -> Result<(), EncodeError> {
        self.rows += 1;
        self.rows_of_group += 1;
        self.bloom.add(id);
        let mut end = PageEnd {
            press: &mut self.press,
            pool: self.pool,
            pause,
            rows: 0,
        };
        self.tables.end_row(&mut end).await
    }

    async fn end_row_group<F: AsyncFn()>(
        &mut self,
        last: TraceId,
        pause: &mut Pause<F>,
    ) -> Result<(), WriteError<S::Error>> {
        let mut end = PageEnd {
            press: &mut self.press,
            pool: self.pool,
            pause,
            rows: 0,
        };
        self.tables.end_page(&mut end).await?;
        let chunks = self.tables.take(&mut end).await?;
        let rows = std::mem::take(&mut self.rows_of_group);
        let mut row_group = self.footer.begin(rows, self.offset);
        for chunk in chunks {
            self.footer
                .chunk(&mut row_group, &chunk, self.offset)
                .map_err(EncodeError::Footer)?;
            if let Some(dictionary) = chunk.dictionary {
                self.append(dictionary).await?;
            }
            for page in chunk.pages {
                self.append(page).await?;
            }
            pause.now().await;
        }
        self.footer.end(row_group).map_err(EncodeError::Footer)?;
        self.last_ids.push(last);
        Ok(())
    }
}
