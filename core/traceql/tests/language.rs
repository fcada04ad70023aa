//! Tokens, precedence, constants and errors, as tables of traceql.md §1 and §2.

use vivace_traceql::{
    Attribute, Body, Element, Expr, Field, Intrinsic, Scope, SpansetExpr, Static, ValidationError,
    parse, validate,
};

/// The expression of a query that is one filter.
fn expr(text: &str) -> Expr {
    let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    match query.body {
        Body::Spans(mut pipeline) => match pipeline.elements.remove(0) {
            Element::Spanset(SpansetExpr::Filter(expr)) => expr,
            other => panic!("{text}: {other:?}"),
        },
        other => panic!("{text}: {other:?}"),
    }
}

/// The right side of a comparison.
fn right(text: &str) -> Expr {
    match expr(text) {
        Expr::Binary { right, .. } => *right,
        other => panic!("{text}: {other:?}"),
    }
}

fn value(literal: &str) -> Static {
    match right(&format!("{{ .a = {literal} }}")) {
        Expr::Static(value) => value,
        other => panic!("{literal}: {other:?}"),
    }
}

fn error(text: &str) -> String {
    match parse(text) {
        Err(error) => error.to_string(),
        Ok(query) => panic!("{text} reads as {query}"),
    }
}

#[test]
fn attribute_names() {
    let cases: &[(&str, Scope, &str)] = &[
        (".foo-bar", Scope::Unscoped, "foo-bar"),
        ("span.foo+1", Scope::Span, "foo+1"),
        (".a/2", Scope::Unscoped, "a/2"),
        (".a*3", Scope::Unscoped, "a*3"),
        (".a%b", Scope::Unscoped, "a%b"),
        (".a:b;c[0]'x\\y", Scope::Unscoped, "a:b;c[0]'x\\y"),
        (".a#b@c$d?e", Scope::Unscoped, "a#b@c$d?e"),
        (".a//x", Scope::Unscoped, "a//x"),
        (".a // x", Scope::Unscoped, "a"),
        (".\"404\"", Scope::Unscoped, "404"),
        ("span.404", Scope::Span, "404"),
        ("span.a.\"b c\".d", Scope::Span, "a.b c.d"),
        (".\"a\"\"b\"", Scope::Unscoped, "ab"),
        (".\"foo \\\"x\\\" \\\\\"", Scope::Unscoped, "foo \"x\" \\"),
        (".span.a", Scope::Unscoped, "span.a"),
        (".parent.a", Scope::Unscoped, "parent.a"),
        ("span.resource.a", Scope::Span, "resource.a"),
        ("resource.\"line\nbreak\"", Scope::Resource, "line\nbreak"),
        ("event.x", Scope::Event, "x"),
        ("link.x", Scope::Link, "x"),
        ("instrumentation.x", Scope::Instrumentation, "x"),
        ("..a", Scope::Unscoped, ".a"),
    ];
    for (text, scope, key) in cases {
        assert_eq!(
            Field::parse(text).unwrap(),
            Field::attribute(*scope, key),
            "{text}"
        );
    }
    for (text, scope, key) in [
        ("parent.a", Scope::Unscoped, "a"),
        ("parent.span.a", Scope::Span, "a"),
        ("parent.resource.a", Scope::Resource, "a"),
        ("parent.event.a", Scope::Unscoped, "event.a"),
        ("parent.\"span.a\"", Scope::Unscoped, "span.a"),
    ] {
        let field = Field::parse(text).unwrap();
        assert_eq!(
            field,
            Field::Attribute(Attribute {
                scope,
                parent: true,
                key: key.into()
            }),
            "{text}"
        );
        assert_eq!(Field::parse(&field.to_string()).unwrap(), field);
    }
    for text in [
        "", ".", "span.", "span. a", ".a b", ".a = 1", "badtag", ".404", "1", "\"a\"", "name.a",
        "span:foo", "span:", ".a,", ".\"a", ".\"\\n\"", "trace.a", "parent.", "{.a}",
    ] {
        assert!(Field::parse(text).is_err(), "{text}");
    }
}

#[test]
fn intrinsics_have_one_name() {
    for (text, intrinsic, name) in [
        ("span:duration", Intrinsic::Duration, "duration"),
        ("duration", Intrinsic::Duration, "duration"),
        (
            "trace:rootService",
            Intrinsic::TraceRootService,
            "rootServiceName",
        ),
        (
            "rootServiceName",
            Intrinsic::TraceRootService,
            "rootServiceName",
        ),
        ("span:id", Intrinsic::SpanId, "span:id"),
        ("event: name", Intrinsic::EventName, "event:name"),
        ("parent", Intrinsic::Parent, "parent"),
    ] {
        let field = Field::parse(text).unwrap();
        assert_eq!(field, Field::Intrinsic(intrinsic));
        assert_eq!(field.bare_key(), name);
        assert_eq!(field.to_string(), name);
        assert_eq!(Field::parse(name).unwrap(), field);
    }
    assert_eq!(Field::parse("resource.\"a b\"").unwrap().bare_key(), "a b");
}

#[test]
fn numbers() {
    for (text, number) in [
        ("0", 0),
        ("42", 42),
        ("010", 10),
        ("minInt", i64::MIN),
        ("maxInt", i64::MAX),
    ] {
        assert_eq!(value(text), Static::Int(number), "{text}");
    }
    for (text, number) in [
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("1_000.5", 1000.5),
        ("0x1p4", 16.0),
        ("0x1.8p1", 3.0),
        ("0x_1p-2", 0.25),
        ("0x.8p0", 0.5),
        ("1e-400", 0.0),
        ("08.5", 8.5),
        ("0x10000000000000001p0", 18446744073709551616.0),
        ("0x1p-1074", 5e-324),
        ("0x1p-2000", 0.0),
        ("0x1p1023", 8.98846567431158e307),
        ("0x0p99999999999999999999", 0.0),
    ] {
        assert_eq!(value(text), Static::Float(number), "{text}");
    }
    for text in [
        "08",
        "0x1F",
        "0b1",
        "0o7",
        "1_000",
        "9223372036854775808",
        "1e400",
        "1i",
        "1e",
        "1__0.5",
        "1_.5",
        "1e_5",
        "0x",
        "0xp1",
        "0x1.8",
        "0x1p",
        "0x1p1024",
        "-9223372036854775808",
        "1.2.3",
        "5S",
        "_1",
    ] {
        error(&format!("{{ .a = {text} }}"));
    }
}

#[test]
fn durations() {
    const SECOND: i64 = 1_000_000_000;
    for (text, nanoseconds) in [
        ("1h30m", 5400 * SECOND),
        ("1d12h", 36 * 3600 * SECOND),
        ("2w", 14 * 86400 * SECOND),
        ("1.5s", 1_500_000_000),
        (".5s", SECOND / 2),
        ("1s.5ms", 1_000_500_000),
        ("30s1m", 90 * SECOND),
        ("1h1h", 7200 * SECOND),
        ("100us", 100_000),
        ("100µs", 100_000),
        ("0s", 0),
        ("1s1s", 2 * SECOND),
        ("292y", 292 * 365 * 86400 * SECOND),
        ("1y2w3d4h5m6s7ms", 33_019_506_007_000_000),
        ("1.000000001s", 1_000_000_001),
        ("5.s", 5 * SECOND),
        ("0.1ns", 0),
        ("-1s", -SECOND),
        ("010s", 10 * SECOND),
    ] {
        assert_eq!(value(text), Static::Duration(nanoseconds), "{text}");
    }
    for text in [
        "1.5d",
        "1d5us",
        "1s5",
        "1e3s",
        "5S",
        "100μs",
        "300y",
        "1h1d1",
        "s",
        "1dh",
        "1..5s",
        "1h1y",
        "9999999999h",
        "1_000s",
        "08s",
        "1nss",
        "1.m.",
        "106751991167d",
    ] {
        error(&format!("{{ .a = {text} }}"));
    }
}

#[test]
fn strings() {
    for (text, string) in [
        (
            r#""a\a\b\f\n\r\t\v\\\"""#,
            "a\u{7}\u{8}\u{c}\n\r\t\u{b}\\\"",
        ),
        (r#""\101\x41\u0041\U00000041""#, "AAAA"),
        (r#""\xc3\xa9""#, "é"),
        (r#""\xff""#, "\u{fffd}"),
        ("`a\\n\"\r\nb`", "a\\n\"\nb"),
        ("`ü`", "ü"),
        ("\"\"", ""),
    ] {
        assert_eq!(value(text), Static::String(string.into()), "{text}");
    }
    for text in [
        r#""\'""#,
        r#""\q""#,
        "\"a\nb\"",
        "\"a",
        "`a",
        "'a'",
        r#""\u12""#,
        r#""\ud800""#,
        r#""\U00110000""#,
        r#""\400""#,
        r#""\18""#,
        r#""\xg0""#,
        r#""\"#,
        r#""\xé""#,
    ] {
        error(&format!("{{ .a = {text} }}"));
    }
    for string in ["`", "a`b\"c\\d\n\r\t\0é", "\r", "\0", "plain", "\"", "\\"] {
        let literal = Static::String(string.into()).to_string();
        assert_eq!(value(&literal), Static::String(string.into()), "{literal}");
    }
}

#[test]
fn precedence() {
    for (text, canonical) in [
        (".a || .b && .c", "(.a || .b) && .c"),
        (".a && .b || .c && .d", "((.a && .b) || .c) && .d"),
        ("1 < 2 = true", "true"),
        (".a = 1 = nil", "(.a = 1) = nil"),
        ("nil != .a + 1", "(.a + 1) != nil"),
        ("-.a * .b + .c", "(-(.a * .b)) + .c"),
        ("-.a ^ 2", "-(.a ^ 2)"),
        (".a - -.b + 1", "(.a - (-.b)) + 1"),
        (".a * -.b + .c", "(.a * (-.b)) + .c"),
        (".a * -.b * .c", ".a * (-(.b * .c))"),
        (".a ^ -.b * .c = 1", "(.a ^ (-(.b * .c))) = 1"),
        ("!.a && .b", "(!.a) && .b"),
        ("!.a = .b", "(!.a) = .b"),
        ("!.a + 1 = 2", "((!.a) + 1) = 2"),
        ("!.a * 2 = 1", "(!(.a * 2)) = 1"),
        (".a ^ .b ^ .c", ".a ^ (.b ^ .c)"),
        ("!.a = nil", "(!.a) = nil"),
        ("nil = .a = .b", "(.a = nil) = .b"),
        ("nil = nil", "false"),
        ("nil != nil", "false"),
        ("nil = nil = false", "true"),
        (".a = nil = nil", "(.a = nil) = nil"),
        (".a > nil = .b", ".a > (.b = nil)"),
        ("-nil = .a", "-(.a = nil)"),
        (".a && nil != .b", ".a && (.b != nil)"),
        ("(-5) ^ .a", "(-5) ^ .a"),
        ("-5 ^ .a", "-(5 ^ .a)"),
        ("((((.a))))", ".a"),
        (
            "trace:id = \"00ab\" || \"0c\" != trace:id",
            "(trace:id = `ab`) || (`c` != trace:id)",
        ),
        ("trace:id =~ \"00ab\"", "trace:id =~ `00ab`"),
    ] {
        assert_eq!(
            expr(&format!("{{ {text} }}")).to_string(),
            canonical,
            "{text}"
        );
    }
    for (text, canonical) in [
        ("{.a} && {.b} >> {.c}", "({ .a }) && (({ .b }) >> ({ .c }))"),
        ("({.a}) && ({} | {.b})", "({ .a }) && ({ true }|{ .b })"),
        (
            "({.a}) || ({.b}) && ({} | {.b})",
            "(({ .a }) || ({ .b })) && ({ true }|{ .b })",
        ),
        ("(count() > 1) && ({.b})", "((count()) > 1) && ({ .b })"),
        ("(by(.a)) >> (select(.b))", "(by(.a)) >> (select(.b))"),
        ("(count()) > 1 + 2 * 3", "(count()) > 7"),
        ("count() > 1s", "(count()) > 1s"),
        ("({.a}) | count() > - (1 + 2)", "{ .a }|(count()) > -3"),
        (
            "({.a}|count()) + ({.b}|avg(.x)) = 1",
            "(({ .a }|count()) + ({ .b }|avg(.x))) = 1",
        ),
        ("1 + count() * 2 > 3", "(1 + ((count()) * 2)) > 3"),
        (
            "(({} | rate()) + 1) * 2 > 5 | topk(1)",
            "((({ true } | rate()) + 1) * 2) > 5 | topk(1)",
        ),
        (
            "({} | rate()) > 5 | topk(2) < 7",
            "{ true } | rate() > 5 | topk(2) < 7",
        ),
        ("{} | rate() > 5 + 1", "{ true } | rate() > 6"),
        ("{} | compare({.a})", "{ true } | compare({ .a })"),
        ("{} | compare({.a}, 3)", "{ true } | compare({ .a }, 3)"),
        (
            "{} | compare({.a}, 10, 1, 2)",
            "{ true } | compare({ .a }, 10, 1, 2)",
        ),
        ("({} | rate()) * 2.0", "({ true } | rate()) * 2.0"),
    ] {
        let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        // Math is printed with parentheses around each operand, the outermost expression without.
        let printed = query.to_string();
        let expected = canonical.replace(
            "((({ true } | rate()) + 1) * 2) >",
            "(({ true } | rate()) + 1) * 2 >",
        );
        assert_eq!(printed, expected, "{text}");
        assert_eq!(parse(&printed).unwrap(), query);
    }
}

#[test]
fn constants_fold() {
    for (text, folded) in [
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7 % -3", "1"),
        ("1.0 / 2", "0.5"),
        ("5 / 2.0", "2.5"),
        ("1s + 1s", "2e+09"),
        ("2 * 1s", "2e+09"),
        ("1s / 2", "5e+08"),
        ("-1s", "-1s"),
        ("1.0 / 0", "+Inf.0"),
        ("2 ^ 3", "9"),
        ("2 ^ 3 ^ 2", "64"),
        ("-1 ^ 2", "-2"),
        ("2 ^ -1", "1"),
        ("2.0 ^ 3", "8.0"),
        ("2s ^ 2", "4e+18"),
        ("\"abc\" =~ \"a.*\"", "true"),
        ("\"abc\" !~ \"a\"", "true"),
        ("1s = 1000000000", "true"),
        ("maxInt + 1", "-9223372036854775808"),
        ("minInt / -1", "-9223372036854775808"),
        ("minInt % -1", "0"),
        ("\"a\" < \"b\"", "true"),
        ("error = ok", "false"),
        ("client != server", "true"),
        ("!true", "false"),
        ("true && false || true", "true"),
        ("1 = 1.0", "true"),
        ("0.0 / 0 = 0.0 / 0", "false"),
        ("1s >= 1", "true"),
        ("1 / 0", "1 / 0"),
        ("1 % 0", "1 % 0"),
        ("1 = \"1\"", "1 = `1`"),
        ("-true", "-true"),
        ("!1", "!1"),
        ("\"a\" =~ \"[\"", "`a` =~ `[`"),
        ("1 / 0 + 2 * 3", "(1 / 0) + 6"),
        ("error < ok", "error < ok"),
        ("1 = nil", "false"),
        ("1s != nil", "true"),
        ("5.5 % 2", "1.5"),
        ("1 / 0 = nil", "(1 / 0) = nil"),
    ] {
        assert_eq!(
            right(&format!("{{ .a = ({text}) }}")).to_string(),
            folded,
            "{text}"
        );
    }
}

#[test]
fn errors_say_where_and_what() {
    assert_eq!(
        error("{ foo = 1 }"),
        "parse error at line 1, col 3: unknown identifier: foo; expected an attribute (`.x`, `span.x`, …), an intrinsic, a literal or `(`"
    );
    for (text, parts) in [
        (
            "{ nme = 1 }",
            &[
                "line 1, col 3",
                "unknown identifier: nme, did you mean `name`?",
            ][..],
        ),
        (
            "{ Status = error }",
            &["unknown identifier: Status, did you mean `status`?"],
        ),
        (
            "{ span:childcount = 1 }",
            &["col 8", "did you mean `span:childCount`?"],
        ),
        ("{\n  .a = 1 &&\n  ü }", &["line 3, col 3"]),
        ("{ .ü = 1 && }", &["line 1, col 13", "unexpected `}`"]),
        ("{ .a = 1", &["line 1, col 9", "unexpected end"]),
        ("", &["line 1, col 1", "unexpected end"]),
        ("{ .a == 1 }", &["col 7", "unexpected `=`"]),
        (
            "{ .a & .b }",
            &["unexpected character `&`, did you mean `&&`?"],
        ),
        ("{ .a = 'x' }", &["col 8", "unexpected character `'`"]),
        ("{} | increase()", &["unknown identifier: increase"]),
        (
            "{} | count_over_tim()",
            &["did you mean `count_over_time`?"],
        ),
        ("{} | count() > 1 / 0", &["division by zero"]),
        (
            "{} | count()",
            &["col 6", "an aggregate must be compared with a number"],
        ),
        (
            "({} | {}) >> {}",
            &["col 11", "every operand must be in parentheses"],
        ),
        ("({} | {}) | {}", &["col 1", "cannot be piped on"]),
        ("{} | coalesce(.a)", &["col 15", "expected `)`"]),
        (
            "rate()",
            &["a metrics function needs a query and `|` before it"],
        ),
        (
            "{} with(count=1)",
            &["col 9", "expected the name of a hint"],
        ),
        ("{ .a = 1 \u{a0}}", &["unexpected character `\\u{a0}`"]),
        ("{ /* x }", &["comment without an end"]),
        ("{ .a = \"x }", &["col 8", "string without an end"]),
        ("{ .a >> .b }", &["unexpected `>>`"]),
    ] {
        let message = error(text);
        for part in parts {
            assert!(message.contains(part), "{text}: {message}");
        }
    }
    // A long token is cut.
    assert!(error(&format!("{{ {} }}", "x".repeat(10_000))).len() < 300);
}

#[test]
fn validation_errors_say_what() {
    for (text, message) in [
        ("{ .a =~ `[` }", "invalid regex: `[`"),
        (
            "{ name = 1 }",
            "binary operations must operate on the same type: name = 1",
        ),
        (
            "{ status > ok }",
            "illegal operation for the given types: status > ok",
        ),
        ("{ !1 }", "illegal operation for the given type: !1"),
        ("{ -name }", "illegal operation for the given type: -name"),
        ("{ parent.a = 1 }", "not yet supported"),
        (
            "{} | rate() by (.a,.b,.c,.d,.e,.f)",
            "metrics group by 6 values not yet supported",
        ),
        ("{} | rate() | topk(0)", "limit must be greater than 0"),
        ("{} | 2 < count()", "not yet supported"),
        ("{ `a` =~ .b }", "must be a literal string"),
        ("{ resource.service.name = nil }", "cannot be nil"),
    ] {
        let error = validate(&parse(text).unwrap()).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(message), "{text}: {shown}");
        assert_eq!(
            error.is_unsupported(),
            shown.contains("not yet supported"),
            "{text}"
        );
    }
    // Fields of metrics functions are not checked.
    for text in [
        "{} | rate() by (parent.a)",
        "{} | rate() by (parent)",
        "{} | min_over_time(parent.a)",
    ] {
        validate(&parse(text).unwrap()).unwrap();
    }
    let long = format!("{{ {} = 1 }}", vec!["name"; 200].join(" = "));
    match validate(&parse(&long).unwrap()) {
        Err(ValidationError::DifferentTypes(text)) => assert!(text.chars().count() <= 501),
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_as_text() {
    for (value, text, literal) in [
        (Static::Duration(65_000_000_000), "1m5s", "1m5s"),
        (Static::Duration(1_500_000), "1.5ms", "1.5ms"),
        (Static::Duration(100_000), "100µs", "100µs"),
        (
            Static::Duration(i64::MIN),
            "-2562047h47m16.854775808s",
            "-2562047h47m16.854775808s",
        ),
        (Static::Duration(3_600_000_000_000), "1h0m0s", "1h0m0s"),
        (Static::Float(16.0), "16.0", "16.0"),
        (Static::Float(1e21), "1e+21", "1e+21"),
        (Static::Float(123456.0), "123456.0", "123456.0"),
        (Static::Float(1234567.0), "1.234567e+06", "1.234567e+06"),
        (Static::Float(0.0001), "0.0001", "0.0001"),
        (Static::Float(0.00001), "1e-05", "1e-05"),
        (Static::Float(-0.0), "-0.0", "-0.0"),
        (Static::String("a b".into()), "a b", "`a b`"),
        (
            Static::StringArray(vec!["a".into(), "b".into()]),
            "[a, b]",
            "[`a`, `b`]",
        ),
        (Static::IntArray(vec![1, 2]), "[1, 2]", "[1, 2]"),
        (Static::FloatArray(vec![1.0]), "[1.0]", "[1.0]"),
        (Static::BoolArray(vec![]), "[]", "[]"),
        (Static::Nil, "nil", "nil"),
        (
            Static::Status(vivace_traceql::Status::Unset),
            "unset",
            "unset",
        ),
        (
            Static::Kind(vivace_traceql::Kind::Client),
            "client",
            "client",
        ),
    ] {
        assert_eq!(value.text(), text);
        assert_eq!(value.to_string(), literal);
    }
}
