//! The recorded queries, and how deep stacks of test threads are.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::Read;
use std::path::{Path, PathBuf};

use granit_parser::{Event, Parser};

/// A query of the corpus.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// `valid`, `parse_error` or `type_error`
    pub group: String,
    pub query: String,
    pub why: String,
    pub canonical: Option<String>,
    pub unsupported: bool,
}

fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path)
}

/// Every query of the corpus in its order.
pub fn corpus() -> Vec<Case> {
    let path = shared("corpus/traceql-queries.yaml");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut cases: Vec<Case> = Vec::new();
    let mut group = String::new();
    let mut key: Option<String> = None;
    let mut depth = 0;
    for event in Parser::new_from_str(&text) {
        match event.unwrap().0 {
            Event::MappingStart(..) => {
                depth += 1;
                if depth == 2 {
                    cases.push(Case {
                        group: group.clone(),
                        ..Case::default()
                    });
                }
                key = None;
            }
            Event::MappingEnd => depth -= 1,
            Event::Scalar(text, ..) if depth == 1 => group = text.into_owned(),
            Event::Scalar(text, ..) => match key.take() {
                None => key = Some(text.into_owned()),
                Some(key) => {
                    let case = cases.last_mut().unwrap();
                    let text = text.into_owned();
                    match key.as_str() {
                        "q" => case.query = text,
                        "why" => case.why = text,
                        "canonical" => case.canonical = Some(text),
                        "optimized" => {}
                        "unsupported" => case.unsupported = text == "true",
                        other => panic!("unknown key {other}"),
                    }
                }
            },
            _ => {}
        }
    }
    cases
}

/// Queries of recorded search and metrics requests, and whether they were answered.
pub fn recorded_queries() -> Vec<(String, bool)> {
    let file = std::fs::File::open(shared("conformance/answers.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    let mut queries = Vec::new();
    for line in text.lines() {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        let kind = answer["kind"].as_str().unwrap();
        if !["search", "metrics", "instant"].contains(&kind) {
            continue;
        }
        let parameters = answer["params"].as_array().unwrap();
        let query = parameters.iter().find(|pair| pair[0] == "q").unwrap();
        queries.push((
            query[1].as_str().unwrap().to_owned(),
            answer["status"] == 200,
        ));
    }
    queries
}
