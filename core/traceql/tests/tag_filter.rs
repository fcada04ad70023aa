//! Filters of tag requests (traceql.md §8.4).

use proptest::prelude::*;
use vivace_traceql::{Compare, Condition, TagFilter, tag_filter};

/// Groups as text: conditions joined by `&`, groups by ` | `.
fn filter(text: &str) -> String {
    match tag_filter(text, 100).unwrap() {
        TagFilter::All => "all".to_owned(),
        TagFilter::Groups(groups) => {
            let condition = |condition: &Condition| match condition {
                Condition::Compare { field, op, value } => {
                    format!("{field}{}{}", op.symbol(), value.text())
                }
                Condition::Exists(field) => format!("{field}!=nil"),
                Condition::NotExists(field) => format!("{field}=nil"),
            };
            let group =
                |group: &Vec<Condition>| group.iter().map(condition).collect::<Vec<_>>().join("&");
            groups.iter().map(group).collect::<Vec<_>>().join(" | ")
        }
    }
}

#[test]
fn examples() {
    for (text, expected) in [
        ("", "all"),
        ("{}", "all"),
        ("{ true }", "all"),
        ("{ false }", "all"),
        ("{ span.a = \"x\" }", "span.a=x"),
        ("{ span.a = \"x\" && }", "all"),
        ("{ span.a = \"x\" ||", "all"),
        ("{ span.a = \"x\" && resource.b = }", "span.a=x"),
        ("{ span.a = \"x\" && resource.b =", "span.a=x"),
        (
            "{ span.a = \"x\" && (resource.b = \"y\" || span.c =~ )",
            "span.a=x&resource.b=y | span.a=x",
        ),
        (
            "{ span.a = \"x\" && (resource.b = \"y\" && span.c =~ )",
            "span.a=x&resource.b=y",
        ),
        (
            "{ span.a = \"x\" && (resource.b = \"y\" && span.c =~ }",
            "span.a=x&resource.b=y",
        ),
        ("{ span.a = \"x\"", "span.a=x"),
        ("{ (span.a = \"x\"", "span.a=x"),
        ("{ span.a = \"x\" && span:status = ", "span.a=x"),
        ("{ status = error && name = }", "status=error"),
        ("{ span.a = \"x\" } | count() > 2", "span.a=x"),
        ("{ span.a = \"x\" } | count() > ", "span.a=x"),
        ("{ span.a = \"x|y\" && span.b = } | rate()", "span.a=x|y"),
        ("{ span.a = \"x\" } | rate() by (name)", "span.a=x"),
        ("{ .a = \"x\" }", "all"),
        ("{ span.a = 1 && .a = \"x\" }", "all"),
        ("{ span.a = \"x\" } >> {}", "all"),
        ("({ span.a = \"x\" })", "span.a=x"),
        ("({ span.a = 1 } | { span.b = 2 })", "span.a=1"),
        ("{ span.a = \"x\" || span.b = 2 }", "span.a=x | span.b=2"),
        (
            "{ (span.a = 1 || span.b = 2) && (span.c = 3 || span.d = 4) }",
            "span.a=1&span.c=3 | span.a=1&span.d=4 | span.b=2&span.c=3 | span.b=2&span.d=4",
        ),
        ("{ !(span.a = 1) }", "span.a=1"),
        ("{ 5 < span.a }", "span.a>5"),
        ("{ \"x\" = span.a }", "span.a=x"),
        (
            "{ span.a != nil && resource.b = nil }",
            "span.a!=nil&resource.b=nil",
        ),
        ("{ span.a }", "all"),
        ("{ span.a && span.b = 1 }", "span.b=1"),
        ("{ span.a || span.b = 1 }", "all"),
        ("{ span.a + 1 = 2 && span.b = 1 }", "span.b=1"),
        ("{ span.a = span.b }", "all"),
        ("{ name = 5 }", "all"),
        ("{ span.a =~ \"[\" }", "all"),
        ("{ span.a = 1 } | 2 < count()", "all"),
        ("{ parent.a = 1 }", "all"),
        (
            "{ duration > 1s && kind = server }",
            "duration>1s&kind=server",
        ),
        (
            "{ event:name = \"x\" && event.a = 1 }",
            "event:name=x&event.a=1",
        ),
        ("by(span.a)", "all"),
        ("{ span.a = \"x", "all"),
        ("{ span.\"a b\" = \"x\" && span.", "all"),
        ("span.a = 1", "all"),
        ("nonsense", "all"),
        ("{{{{", "all"),
        (
            "{ span.http.method=\"GET\" && span.http.route= }",
            "span.http.method=GET",
        ),
        (
            "{resource.service.name=\"frontend\" && span.http.method=",
            "resource.service.name=frontend",
        ),
        (
            "{ span.a = 1 && (true && span.b = ) && span.c = 3",
            "span.a=1&span.c=3",
        ),
        ("{ span.a = && span.c = 3 }", "span.c=3"),
        ("({ span.a = 1 } | rate()) + ({} | rate())", "all"),
    ] {
        assert_eq!(filter(text), expected, "{text}");
    }
}

#[test]
fn too_many_groups() {
    let chain = |count: usize| {
        let terms: Vec<_> = (0..count).map(|n| format!("span.a = {n}")).collect();
        format!("{{ {} }}", terms.join(" || "))
    };
    assert!(tag_filter(&chain(100), 100).is_ok());
    let error = tag_filter(&chain(101), 100).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("maximum condition groups reached (limit: 100)")
    );
    assert!(tag_filter(&chain(10_000), 100).is_err());
    let product = ["(span.a = 1 || span.b = 2)"; 7].join(" && ");
    assert!(tag_filter(&format!("{{ {product} }}"), 100).is_err());
    assert!(tag_filter(&format!("{{ {product} }}"), 128).is_ok());
    assert!(tag_filter("{ span.a = 1 }", 0).is_err());
    // Huge groups are not worth their memory.
    let long = vec!["span.a = 1"; 10_000].join(" && ");
    match tag_filter(&format!("{{ {long} }}"), 100).unwrap() {
        TagFilter::Groups(groups) => assert_eq!(groups[0].len(), 10_000),
        TagFilter::All => panic!(),
    }
    let halves = format!("{{ (span.a = 1 || span.b = 2) && {long} && {long} }}");
    assert_eq!(tag_filter(&halves, 100).unwrap(), TagFilter::All);
}

#[test]
fn mirrored_comparisons() {
    assert_eq!(Compare::LessEqual.mirrored(), Compare::GreaterEqual);
    assert_eq!(Compare::NotEqual.mirrored(), Compare::NotEqual);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    /// Every prefix of a query gives an answer, which is never a panic.
    #[test]
    fn any_text_gives_an_answer(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "(", ")", "span.a", ".b", "name", "span:", "status", "=", "!=", "=~", ">", "&&", "||", "|", "\"x\"", "1",
            "true", "nil", "!", "-", "count()", "rate()", " ", "`", "by", "\"",
        ]), 0..25),
        limit in 0usize..20,
    ) {
        let text = pieces.join(" ");
        if let Ok(TagFilter::Groups(groups)) = tag_filter(&text, limit) {
            prop_assert!(!groups.is_empty() && groups.len() <= limit);
            prop_assert!(groups.iter().all(|group| !group.is_empty()));
        }
    }
}
