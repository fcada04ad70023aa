//! Every recorded query is classified and printed as recorded.

mod support;

use support::{corpus, recorded_queries};
use vivace_traceql::{parse, validate};

#[test]
fn the_corpus_is_whole() {
    let count = |group: &str| corpus().iter().filter(|case| case.group == group).count();
    assert_eq!(count("valid"), 270);
    assert_eq!(count("parse_error"), 219);
    assert_eq!(count("type_error"), 118);
}

#[test]
fn every_query_is_classified_as_recorded() {
    let mut wrong = Vec::new();
    for case in corpus() {
        let (group, detail, unsupported) = match parse(&case.query) {
            Err(error) => ("parse_error", error.to_string(), false),
            Ok(query) => match validate(&query) {
                Err(error) => ("type_error", error.to_string(), error.is_unsupported()),
                Ok(()) => ("valid", query.to_string(), false),
            },
        };
        if group != case.group || unsupported != case.unsupported {
            wrong.push(format!("{}: {group}: {detail} ({})", case.query, case.why));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The recorded texts of `compare` lose their arguments and a parenthesis; ours has both.
fn full_compare(query: &str, recorded: &str) -> String {
    let Some(start) = recorded.find("compare({") else {
        return recorded.to_owned();
    };
    let body = recorded[start..].trim_end_matches("}}").trim_end();
    let arguments = match query.rsplit_once("},") {
        Some((_, arguments)) => match arguments.trim_end_matches(')').trim() {
            "5, 0, 0" => ", 5",
            other => &format!(", {other}"),
        },
        None => "",
    };
    format!("{}{body} }}{arguments})", &recorded[..start])
}

#[test]
fn every_valid_query_prints_as_recorded() {
    let mut wrong = Vec::new();
    for case in corpus() {
        let Some(canonical) = case.canonical else {
            continue;
        };
        let expected = full_compare(&case.query, &canonical);
        let printed = parse(&case.query).unwrap().to_string();
        if printed != expected {
            wrong.push(format!(
                "{}\n  is     {printed}\n  should {expected}",
                case.query
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What the language cannot write; see the text module.
const NOT_REPARSABLE: [&str; 6] = [
    "-9223372036854775808",
    "Inf",
    "{ .404",
    "{ span. =",
    "NaN",
    "1.5s",
];

#[test]
fn canonical_texts_read_as_the_same_query() {
    let mut read = 0;
    for case in corpus() {
        let Ok(query) = parse(&case.query) else {
            continue;
        };
        let text = query.to_string();
        if NOT_REPARSABLE.iter().any(|part| text.contains(part)) {
            continue;
        }
        // Seconds of a threshold.
        if case.query.contains("> 1.5s") {
            continue;
        }
        let again = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(again, query, "{text}");
        read += 1;
    }
    assert!(read > 370, "{read}");
}

#[test]
fn recorded_requests_are_accepted_and_refused_alike() {
    let queries = recorded_queries();
    assert!(queries.len() > 200, "{}", queries.len());
    for (text, answered) in queries {
        let accepted = match parse(&text) {
            Ok(query) => validate(&query).is_ok(),
            Err(_) => false,
        };
        assert_eq!(accepted, answered, "{text}");
    }
}
