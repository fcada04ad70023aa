//! Long and deep texts: linear time, no overflow, clear refusals.

use std::time::{Duration, Instant};

use vivace_traceql::limits::{MAX_DEPTH, MAX_LEFT_CHAIN, MAX_QUERY_BYTES};
use vivace_traceql::{Expr, Query, ValidationError, parse, validate};

/// Far more than linear time needs, even on a slow machine without optimisation.
const LONG: Duration = Duration::from_secs(10);

fn quick<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    result
}

fn accepted(text: &str) -> Query {
    quick(|| {
        let query = parse(text).unwrap_or_else(|error| panic!("{error}"));
        let _ = validate(&query);
        // Whatever walks the tree by recursion gets along with the stack of a test.
        assert_eq!(query.clone(), query);
        let _ = format!("{query:?}").len();
        query
    })
}

fn refused(text: &str) -> String {
    quick(|| parse(text).unwrap_err().to_string())
}

#[test]
fn ten_thousand_terms() {
    for operator in [" || ", " && "] {
        let terms = |make: &dyn Fn(usize) -> String| {
            (0..10_000).map(make).collect::<Vec<_>>().join(operator)
        };
        let inside = format!("{{ {} }}", terms(&|n| format!("span.a = {n}")));
        let outside = terms(&|n| format!("{{ span.a = {n} }}"));
        for text in [inside, outside] {
            let query = accepted(&text);
            validate(&query).unwrap();
            let canonical = quick(|| query.to_string());
            assert_eq!(canonical.matches("span.a").count(), 10_000);
            // Canonical texts have a parenthesis for each term.
            assert_eq!(quick(|| parse(&canonical).unwrap()), query);
            assert_eq!(quick(|| parse(&canonical).unwrap().to_string()), canonical);
        }
    }
}

#[test]
fn long_chains_print_like_short_ones() {
    let left_assoc = |count: usize| {
        let mut text = ".t0".to_owned();
        for n in 1..count {
            text = match n {
                1 => format!("{text} || .t{n}"),
                _ => format!("({text}) || .t{n}"),
            };
        }
        format!("{{ {text} }}")
    };
    for count in [
        2,
        MAX_LEFT_CHAIN - 1,
        MAX_LEFT_CHAIN,
        MAX_LEFT_CHAIN + 1,
        300,
    ] {
        let terms: Vec<_> = (0..count).map(|n| format!(".t{n}")).collect();
        let query = parse(&format!("{{ {} }}", terms.join(" || "))).unwrap();
        assert_eq!(query.to_string(), left_assoc(count), "{count}");
    }
    // Chains that others wrote in parentheses, on either side.
    let half = |from: usize| {
        (from..from + 50)
            .map(|n| format!(".t{n}"))
            .collect::<Vec<_>>()
            .join(" || ")
    };
    let joined = parse(&format!("{{ ({}) || ({}) }}", half(0), half(50))).unwrap();
    assert_eq!(joined.to_string(), left_assoc(100));
    let mut nested = ".t1999".to_owned();
    for n in (0..1999).rev() {
        nested = format!(".t{n} || ({nested})");
    }
    assert_eq!(
        parse(&format!("{{ {nested} }}")).unwrap().to_string(),
        left_assoc(2000)
    );
}

#[test]
fn the_order_of_terms_is_kept() {
    let terms: Vec<_> = (0..1000).map(|n| format!(".t{n}")).collect();
    let query = parse(&format!("by({})", terms.join(" && "))).unwrap();
    let vivace_traceql::Body::Spans(pipeline) = query.body else {
        panic!()
    };
    let vivace_traceql::Element::By(expr) = &pipeline.elements[0] else {
        panic!()
    };
    let mut seen = Vec::new();
    expr.fields(&mut |field| seen.push(field.to_string()));
    assert_eq!(seen, terms);
    fn depth(expr: &Expr) -> usize {
        match expr {
            Expr::Binary { left, right, .. } => 1 + depth(left).max(depth(right)),
            _ => 1,
        }
    }
    assert_eq!(depth(expr), 11);
}

#[test]
fn deep_trees_are_refused() {
    let deep = |count: usize, open: &str, close: &str| {
        format!("{{ {}.a{} }}", open.repeat(count), close.repeat(count))
    };
    accepted(&deep(MAX_DEPTH - 2, "!(", ")"));
    accepted(&deep(MAX_DEPTH - 2, "", " + 1"));
    for text in [
        deep(MAX_DEPTH, "!(", ")"),
        deep(100_000, "!", ""),
        deep(100_000, "-", ""),
        deep(100_000, "", " + .b"),
        deep(100_000, "", " = 1"),
        deep(40_000, "", " || .b && .c"),
        deep(100_000, ".b ^ ", ""),
        deep(20_000, "(.b && ", ") || .c"),
        format!("{{}}{}", " >> {}".repeat(100_000)),
        format!("{{}} | count() > 1{}", " + count()".repeat(10_000)),
        format!("({{}} | rate()){}", " + 1".repeat(100_000)),
        format!("({{}} | {{}}){}", " >> ({} | {})".repeat(10_000)),
    ] {
        let message = refused(&text);
        assert!(
            message.contains("nested deeper than 256 levels"),
            "{message}"
        );
    }
}

#[test]
fn parentheses_cost_no_stack() {
    for inner in [".a", ".a = 1"] {
        let text = format!("{{ {}{inner}{} }}", "(".repeat(10_000), ")".repeat(10_000));
        assert_eq!(accepted(&text).to_string(), format!("{{ {inner} }}"));
    }
    let text = format!("{}{{ .a }}{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(accepted(&text).to_string(), "{ .a }");
    for open in ["(".repeat(100_000), format!("{{ {}", "(".repeat(100_000))] {
        let message = refused(&open);
        assert!(message.contains("open parentheses"), "{message}");
    }
    let balanced = format!("{{ {}.a{} }}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(refused(&balanced).contains("open parentheses"));
}

#[test]
fn a_megabyte() {
    let fill = |part: &str, before: &str, after: &str| {
        let count = (MAX_QUERY_BYTES - before.len() - after.len()) / part.len();
        format!("{before}{}{after}", part.repeat(count))
    };
    accepted(&fill(".a||", "{", ".a}"));
    accepted(&fill("{}&&", "", "{}"));
    accepted(&fill("-", "{ .a = ", "1 }"));
    accepted(&fill("1+", "{ .a = ", "1 }"));
    accepted(&fill(" ", "{", "}"));
    accepted(&fill("x", "{ .", " }"));
    accepted(&fill("\\n", "{ .a = \"", "\" }"));
    accepted(&fill("{}|", "", "{}"));
    accepted(&fill(".a,", "{} | select(", ".a)"));
    accepted(&fill("|topk(1)", "{}|rate()", ""));
    accepted(&fill("a=1,", "{} with(", "a=1)"));
    accepted(&fill("/**/", "{", "}"));
    for part in [
        "{", "(", ")", "!", "nil=", "\"", "`", "|", "with(", "a", "1", "1s", "0x", "\n", "é",
        "span:", "({}|",
    ] {
        refused(&fill(part, "", ""));
        quick(|| parse(&fill(part, "{", "}")).is_ok());
        quick(|| parse(&fill(part, "{ .a = ", "}")).is_ok());
    }
    let message = refused(&" ".repeat(MAX_QUERY_BYTES + 1));
    assert!(message.contains("the limit is 1048576"), "{message}");
}

#[test]
fn many_and_large_regular_expressions() {
    let chain = |pattern: &str, count: usize| {
        let terms = vec![format!(".a =~ `{pattern}`"); count];
        parse(&format!("{{ {} }}", terms.join(" || "))).unwrap()
    };
    quick(|| validate(&chain("GET /api/.*", 10_000))).unwrap();
    quick(|| validate(&chain("x", 30_000))).unwrap();
    let error = quick(|| validate(&chain("\\pL{50}", 6_000))).unwrap_err();
    assert_eq!(error, ValidationError::RegexesTooComplex);
    let error = quick(|| validate(&chain("(a{100}){100}", 1))).unwrap_err();
    assert!(
        error.to_string().contains("invalid repeat count"),
        "{error}"
    );
    let error = quick(|| validate(&chain("(.{1000}|.{1000}){1}{1}", 1))).unwrap_err();
    assert!(error.to_string().contains("nested repetition"), "{error}");
    let error = quick(|| validate(&chain("(\\pL|\\pN){100}", 1))).unwrap_err();
    assert!(error.to_string().contains("too complex"), "{error}");
    // Constants are folded with the same care.
    let constants = vec!["`a` =~ `\\pL{80}`"; 300].join(" || ");
    quick(|| parse(&format!("{{ {constants} }}"))).unwrap();
}
