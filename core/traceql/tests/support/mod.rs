//! The recorded queries, and how deep stacks of test threads are.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::Path;

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

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every query of the corpus in its order.
pub fn corpus() -> Vec<Case> {
    let text = read("corpus/traceql-queries.yaml");
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

/// The queries that the recorded answers belong to.
pub fn conformance_queries() -> Vec<String> {
    let text = read("conformance/queries.yaml");
    let mut queries = Vec::new();
    let mut in_list = false;
    for event in Parser::new_from_str(&text) {
        match event.unwrap().0 {
            Event::SequenceStart(..) => in_list = true,
            Event::SequenceEnd => in_list = false,
            Event::Scalar(text, ..) if in_list => queries.push(text.into_owned()),
            _ => {}
        }
    }
    queries
}
