//! The engine over live data and over blocks of both formats against the evaluator.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use vivace_block::Format;
use vivace_columns::{BatchChunk, Chunk, Level};
use vivace_engine::{AnswerOptions, Dedicated, Plan, TraceResult, answer, find};
use vivace_traceql::Pipeline;

use crate::answers::trace_result;
use crate::chunks::{Block, in_order_of, now};
use crate::data::Data;
use crate::fields::Context;
use crate::generate::data;
use crate::pipeline::{Query, Run, Set};
use crate::queries::pipeline;
use crate::tree::Tree;
use crate::value::Fails;

pub async fn no_pause() {}

fn attributes_in_order(mut traces: Vec<TraceResult>) -> Vec<TraceResult> {
    for span in (traces.iter_mut())
        .flat_map(|trace| &mut trace.span_sets)
        .flat_map(|set| &mut set.spans)
    {
        span.attributes
            .sort_by_key(|(name, value)| (name.clone(), format!("{value:?}")));
    }
    traces
}

/// What the evaluator says of every trace: its spansets, and its answer.
type Expected = Vec<(u32, Vec<Set>, TraceResult)>;

pub fn contexts(data: &Data) -> Vec<Context<'_>> {
    let of_trace = |trace| Context {
        data,
        trace,
        tree: Tree::new(trace),
    };
    data.traces.iter().map(of_trace).collect()
}

fn expected(query: &Query<'_>, contexts: &[Context<'_>], asked: &Asked) -> Result<Expected, Fails> {
    let mut found = Vec::new();
    for (number, context) in contexts.iter().enumerate() {
        if let Some(window) = &asked.window
            && (context.start() > *window.end() || context.end() < *window.start())
        {
            continue;
        }
        let run = Run::new(query, context)?;
        let order: Vec<usize> = (0..context.trace.spans.len()).collect();
        let sets = run.sets(&order)?;
        if !sets.is_empty() {
            let answer = trace_result(&run, &sets, asked.spans_per_set as usize);
            found.push((number as u32, sets, answer));
        }
    }
    Ok(found)
}

pub fn dedicated(of: &HashSet<(Level, String)>) -> Dedicated {
    of.iter()
        .map(|(level, key)| (*level, key.as_str().into()))
        .collect()
}

/// Spansets by trace, and the answer.
type Found = (Vec<(u32, Vec<Set>)>, Vec<TraceResult>);

/// What the engine says in the terms of the evaluator. None: it reports an error of the query.
fn found<C: Chunk>(plan: &Plan, mut chunk: C, asked: &Asked) -> Option<Found> {
    let scope = vivace_engine::Scope {
        window: asked.window.clone(),
        ..Default::default()
    };
    let matches = now(find(plan, &mut chunk, &scope, &no_pause));
    let matches = match matches {
        Ok(matches) => matches,
        Err(vivace_engine::EngineError::Query(_)) => return None,
        Err(other) => panic!("{other}"),
    };
    let first_of = |trace: u32| chunk.shape().trace_starts[trace as usize];
    let sets = match &matches.sets {
        Some(sets) => (sets.iter())
            .map(|(trace, sets)| {
                let set = |set: &vivace_engine::Spanset| Set {
                    spans: (set.spans.iter())
                        .map(|span| (span - first_of(*trace)) as usize)
                        .collect(),
                    attributes: set.attributes.clone(),
                };
                (*trace, sets.iter().map(set).collect())
            })
            .collect(),
        None => (0..chunk.shape().traces())
            .filter_map(|trace| {
                let spans = matches
                    .selection
                    .spans
                    .iter_range(chunk.shape().spans_of(trace));
                let spans: Vec<usize> = spans
                    .map(|span| (span - first_of(trace)) as usize)
                    .collect();
                let attributes = Vec::new();
                (!spans.is_empty()).then(|| (trace, vec![Set { spans, attributes }]))
            })
            .collect(),
    };
    let options = AnswerOptions {
        spans_per_set: asked.spans_per_set,
        limit: asked.limit,
        most_recent: asked.most_recent,
    };
    let traces = now(answer(plan, &mut chunk, matches, options, &no_pause)).unwrap();
    Some((sets, attributes_in_order(traces)))
}

/// The same spans in all the places that hold them.
pub struct Places {
    batch: vivace_model::SpanBatch,
    blocks: [Block; 2],
    live: Data,
    stored: [Data; 2],
}

impl Places {
    pub fn new(data: &Data) -> Self {
        let batch = data.batch();
        let blocks =
            [Format::VParquet5, Format::VParquet4].map(|format| Block::write(&batch, format));
        Self {
            live: in_order_of(data, BatchChunk::new(&batch, async || {})),
            stored: [0, 1].map(|number: usize| in_order_of(data, blocks[number].chunk())),
            batch,
            blocks,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
pub enum Checked {
    /// The query fails for some span.
    Fails,
    Nothing,
    Matches,
}

/// Compares the engine with the evaluator everywhere.
pub fn check(
    places: &Places,
    pipeline: &Pipeline,
    of: &HashSet<(Level, String)>,
    asked: &Asked,
) -> Result<Checked, TestCaseError> {
    let plan = Plan::new(pipeline, &[], &dedicated(of)).unwrap();
    let query = Query::new(pipeline, of);
    let mut result = Checked::Nothing;
    for place in ["live", "vParquet5", "vParquet4"] {
        let (data, found) = match place {
            "live" => {
                let chunk = BatchChunk::new(&places.batch, async || {});
                (&places.live, found(&plan, chunk, asked))
            }
            "vParquet5" => {
                let chunk = places.blocks[0].chunk();
                (&places.stored[0], found(&plan, chunk, asked))
            }
            _ => {
                let chunk = places.blocks[1].chunk();
                (&places.stored[1], found(&plan, chunk, asked))
            }
        };
        let contexts = contexts(data);
        let Ok(expected) = expected(&query, &contexts, asked) else {
            // The engine may find the error or not look at the span that has it.
            result = Checked::Fails;
            continue;
        };
        let text = Text(pipeline);
        prop_assert!(found.is_some(), "{place}: the engine fails: {text}");
        let Some((sets, traces)) = found else {
            continue;
        };
        let expected_sets: Vec<_> = (expected.iter())
            .map(|(trace, sets, _)| (*trace, sets.clone()))
            .collect();
        prop_assert_eq!(&expected_sets, &sets, "{}: spansets of {}", place, text);
        let mut answers: Vec<_> = expected.into_iter().map(|(.., answer)| answer).collect();
        let limit = asked.limit as usize;
        if limit > 0 && answers.len() > limit {
            if asked.most_recent {
                answers.sort_by_key(|answer| std::cmp::Reverse(answer.start_unix_nano));
            }
            answers.truncate(limit);
        }
        let answers = attributes_in_order(answers);
        prop_assert_eq!(&answers, &traces, "{}: answer of {}", place, text);
        if !answers.is_empty() && result == Checked::Nothing {
            result = Checked::Matches;
        }
    }
    Ok(result)
}

/// Besides the query.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub window: Option<std::ops::RangeInclusive<u64>>,
    pub spans_per_set: u32,
    pub limit: u32,
    pub most_recent: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let second = 1_000_000_000_u64;
    let window = (0..9_u64, 0..9_u64)
        .prop_map(move |(start, length)| second + start..=second + start + length);
    let window = prop::option::weighted(0.2, window);
    (window, 0..3_u32, 0..3_u32, any::<bool>()).prop_map(
        |(window, spans_per_set, limit, most_recent)| Asked {
            window,
            spans_per_set,
            limit,
            most_recent,
        },
    )
}

struct Text<'q>(&'q Pipeline);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let query = vivace_traceql::Query {
            body: vivace_traceql::Body::Spans(self.0.clone()),
            hints: Vec::new(),
        };
        write!(f, "{query}")
    }
}

fn all_dedicated() -> HashSet<(Level, String)> {
    let all = [
        (Level::Span, "d"),
        (Level::Span, "n"),
        (Level::Resource, "d"),
        (Level::Event, "d"),
    ];
    all.into_iter()
        .map(|(level, key)| (level, key.to_owned()))
        .collect()
}

/// Queries on each data set.
const QUERIES: usize = 8;

#[test]
fn queries_give_what_the_evaluator_says() {
    let mut config = Config {
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var("PROPTEST_CASES").is_err() {
        config.cases = 200;
    }
    let cases = config.cases as usize;
    let (fails, matching) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let strategy = (data(), vec(pipeline(), 1..=QUERIES), any::<bool>(), asked());
    let outcome =
        TestRunner::new(config).run(&strategy, |(data, pipelines, has_dedicated, asked)| {
            let places = Places::new(&data);
            let dedicated = match has_dedicated {
                true => all_dedicated(),
                false => HashSet::new(),
            };
            for pipeline in &pipelines {
                match check(&places, pipeline, &dedicated, &asked)? {
                    Checked::Fails => fails.fetch_add(1, Ordering::Relaxed),
                    Checked::Matches => matching.fetch_add(1, Ordering::Relaxed),
                    Checked::Nothing => 0,
                };
            }
            Ok(())
        });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // Most queries can be compared, and many find something.
    let (fails, matching) = (fails.into_inner(), matching.into_inner());
    println!("{cases} cases: {fails} queries fail, {matching} find something");
    assert!(fails < cases * QUERIES / 10, "{fails}");
    assert!(matching > cases * QUERIES / 10, "{matching}");
}

/// Traces that a fragment tells where they have parts elsewhere.
fn told(plan: &Plan, data: &Data) -> Vec<vivace_model::TraceId> {
    let Some(batch) = (!data.traces.is_empty()).then(|| data.batch()) else {
        return Vec::new();
    };
    let mut chunk = BatchChunk::new(&batch, async || {});
    let scope = vivace_engine::Scope {
        elsewhere: Some(&|_| true),
        ..Default::default()
    };
    match now(find(plan, &mut chunk, &scope, &no_pause)) {
        Ok(matches) => {
            assert!(matches.selection.spans.is_empty());
            assert!(matches.sets.is_none_or(|sets| sets.is_empty()));
            matches.elsewhere
        }
        // The whole query fails then.
        Err(_) => (data.traces.iter())
            .map(|trace| vivace_model::TraceId(trace.id))
            .collect(),
    }
}

/// Spans whose turn it is go into the fragment.
fn fragment(data: &Data, turns: &[bool], is_in: bool) -> Data {
    let mut fragment = data.clone();
    for trace in &mut fragment.traces {
        let mut turns = turns.iter();
        trace.spans.retain(|_| turns.next() == Some(&is_in));
    }
    fragment.traces.retain(|trace| !trace.spans.is_empty());
    fragment
}

#[test]
fn traces_in_pieces_are_told_if_they_match_as_a_whole() {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var("PROPTEST_CASES").is_err() {
        config.cases = 200;
    }
    let strategy = (data(), vec(pipeline(), 1..=QUERIES), vec(any::<bool>(), 16));
    let outcome = TestRunner::new(config).run(&strategy, |(data, pipelines, turns)| {
        let batch = data.batch();
        let whole = in_order_of(&data, BatchChunk::new(&batch, async || {}));
        let contexts = contexts(&whole);
        let fragments = [true, false].map(|is_in| fragment(&data, &turns, is_in));
        for pipeline in &pipelines {
            let query = Query::new(pipeline, &HashSet::new());
            let Ok(expected) = expected(&query, &contexts, &Asked::default()) else {
                continue;
            };
            let plan = Plan::new(pipeline, &[], &Dedicated::default()).unwrap();
            let told = fragments.each_ref().map(|fragment| told(&plan, fragment));
            for (.., answer) in expected {
                let is_told = told.iter().flatten().any(|id| *id == answer.trace_id);
                prop_assert!(is_told, "{:?} of {}", answer.trace_id, Text(pipeline));
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
