//! What goes into a builder comes out of the batch, sorted.

mod support;

use proptest::prelude::*;
use support::{Any, Span, put, put_parts, sorted, spans, take_all, take_range};
use vivace_model::limits::{MAX_RETAINED_BYTES, MAX_VALUE_DEPTH};
use vivace_model::{
    Owner, SpanBatch, SpanBatchBuilder, SpanId, SpanRow, StringId, TooDeep, TraceId, Value,
};

fn build(builder: &mut SpanBatchBuilder, spans: &[Span]) -> SpanBatch {
    for span in spans {
        put(builder, span);
    }
    assert_eq!(builder.span_count(), spans.len());
    let estimate = builder.estimated_bytes();
    let batch = builder.finish().unwrap();
    assert!(
        batch.as_bytes().len() <= estimate + 1536,
        "{} > {estimate}",
        batch.as_bytes().len()
    );
    batch
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(support::iterations(64)))]

    #[test]
    fn spans_come_back_sorted(first in spans(8), second in spans(8)) {
        let mut builder = SpanBatchBuilder::new();
        for spans in [first, second] {
            let batch = build(&mut builder, &spans);
            let batch = SpanBatch::verify(batch.as_bytes().clone()).unwrap();
            let view = batch.view();
            prop_assert_eq!(take_all(&view), sorted(spans.clone()));

            let mut resources: Vec<_> = spans.iter().map(|span| &span.resource).collect();
            let mut distinct = 0;
            while let Some(last) = resources.pop() {
                distinct += usize::from(!resources.contains(&last));
            }
            prop_assert_eq!(view.resource_count(), distinct);
        }
    }

    #[test]
    fn trace_runs_cover_the_rows(spans in spans(12)) {
        let batch = build(&mut SpanBatchBuilder::new(), &spans);
        let view = batch.view();
        let mut next = 0;
        for (id, rows) in view.trace_runs() {
            prop_assert_eq!(rows.start, next);
            next = rows.end;
            prop_assert_eq!(view.find_trace(id), Some(rows.clone()));
            for row in rows {
                prop_assert_eq!(view.trace_id(row), id);
            }
        }
        prop_assert_eq!(next, view.span_count());
        prop_assert_eq!(view.find_trace(TraceId([77; 16])), None);
    }

    #[test]
    fn rows_can_be_copied(spans in spans(12), cut in (0..13usize, 0..13usize)) {
        let source = build(&mut SpanBatchBuilder::new(), &spans);
        let view = source.view();
        let (a, b) = (cut.0.min(view.span_count()), cut.1.min(view.span_count()));
        let (a, b) = (a.min(b), a.max(b));
        let mut builder = SpanBatchBuilder::new();
        put(&mut builder, &spans[0]);
        builder.append_row_ranges(&view, [b..usize::MAX, 0..a]).unwrap();
        builder.append_rows(&view, a..b).unwrap();
        let batch = builder.finish().unwrap();
        let mut expected = vec![spans[0].clone()];
        for rows in [b..view.span_count(), 0..a, a..b] {
            expected.extend(take_range(&view, rows));
        }
        prop_assert_eq!(take_all(&batch.view()), sorted(expected));
    }

    #[test]
    fn an_aborted_span_leaves_nothing(spans in spans(6), gone in support::span()) {
        let mut builder = SpanBatchBuilder::new();
        put(&mut builder, &spans[0]);
        let before = builder.estimated_bytes();
        let row = put_parts(&mut builder, &gone);
        builder.abort();
        for span in &spans[1..] {
            put(&mut builder, span);
        }
        let batch = builder.finish().unwrap();
        prop_assert_eq!(take_all(&batch.view()), sorted(spans.clone()));

        // Without a resource or scope of its own, not even a string stays.
        put(&mut builder, &spans[0]);
        for _ in 0..2 {
            let key = builder.intern("a key that only the aborted span has");
            let value = builder.bytes(b"bytes");
            builder.attribute(Owner::Span, key, value);
            builder.abort();
        }
        prop_assert_eq!(builder.estimated_bytes(), before);
        let _ = row;
    }
}

fn row(builder: &mut SpanBatchBuilder) -> SpanRow {
    SpanRow {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([1; 8]),
        parent_span_id: None,
        name: StringId(0),
        kind: 0,
        start_unix_nano: 0,
        end_unix_nano: 0,
        status_code: 0,
        status_message: StringId(0),
        trace_state: StringId(0),
        flags: 0,
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
        resource: builder.resource(0, StringId(0), &[]).unwrap(),
        scope: builder
            .scope(StringId(0), StringId(0), 0, StringId(0))
            .unwrap(),
    }
}

#[test]
fn an_empty_builder_makes_no_batch() {
    let mut builder = SpanBatchBuilder::new();
    assert!(builder.finish().is_none());
    builder.resource(0, StringId(0), &[]).unwrap();
    assert!(builder.finish().is_none());
}

#[test]
fn columns_of_zeros_are_left_out() {
    let mut builder = SpanBatchBuilder::new();
    let row = row(&mut builder);
    builder.end_span(row).unwrap();
    let batch = builder.finish().unwrap();
    assert!(batch.as_bytes().len() < 640, "{}", batch.as_bytes().len());
    let view = batch.view();
    assert!(view.kinds().is_absent() && view.kinds().get(0) == 0);
    assert_eq!(view.span(0).events().len() + view.span(0).links().len(), 0);
    assert_eq!(view.span(7).name(), "");
}

#[test]
fn nesting_is_bounded() {
    let mut builder = SpanBatchBuilder::new();
    let mut value = Ok(Value::EMPTY);
    for _ in 0..MAX_VALUE_DEPTH {
        let mark = builder.begin_list();
        builder.element(StringId(0), value.unwrap());
        value = builder.end_array(mark);
    }
    let deepest = value.unwrap();
    let mark = builder.begin_list();
    builder.element(StringId(0), deepest);
    assert_eq!(builder.end_array(mark), Err(TooDeep));

    builder.attribute(Owner::Span, StringId(0), deepest);
    let resource = builder.span_count();
    assert_eq!(resource, 0);
}

#[test]
fn the_deepest_value_passes_verify() {
    let mut any = Any::Int(1);
    for _ in 0..MAX_VALUE_DEPTH {
        any = Any::Array(vec![any]);
    }
    let mut builder = SpanBatchBuilder::new();
    let mut span = take_all(
        &{
            let row = row(&mut builder);
            builder.end_span(row).unwrap();
            builder.finish().unwrap()
        }
        .view(),
    )
    .remove(0);
    span.attributes.push(("deep".to_owned(), any));
    let batch = build(&mut builder, &[span.clone()]);
    let batch = SpanBatch::verify(batch.as_bytes().clone()).unwrap();
    assert_eq!(take_all(&batch.view()), [span]);
}

#[test]
fn a_huge_batch_does_not_stay_in_memory() {
    let mut builder = SpanBatchBuilder::new();
    let row = row(&mut builder);
    for n in 0..400_000u64 {
        let text = builder.intern(&format!("value {n}"));
        builder.attribute(Owner::Span, text, Value::string(text));
    }
    builder.end_span(row).unwrap();
    assert!(builder.retained_bytes() > MAX_RETAINED_BYTES);
    builder.finish().unwrap();
    assert!(builder.retained_bytes() < 1000);
}
