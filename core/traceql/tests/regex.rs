//! RE2 on top of the regex crate.

use proptest::prelude::*;
use vivace_traceql::Matcher;
use vivace_traceql::regex::Pattern;

fn matches(pattern: &str, value: &str) -> bool {
    Matcher::new(pattern)
        .unwrap_or_else(|error| panic!("{error}"))
        .is_match(value.as_bytes())
}

#[test]
fn whole_values_match() {
    for (pattern, yes, no) in [
        ("foo", &["foo"][..], &["foobar", "xfoo", "FOO", ""][..]),
        ("foo|bar", &["foo", "bar"], &["foobar", "xbar", "foox"]),
        (".*foo.*", &["foo", "a foo b", "\nfoo\n"], &["fo", "f oo"]),
        ("foo.*", &["foo", "foo\nbar"], &["xfoo"]),
        (".*foo", &["foo", "a\nfoo"], &["foox"]),
        (".*", &["", "x\ny"], &[]),
        (".*.*", &["", "x"], &[]),
        (".+", &["x", "\n"], &[""]),
        (".*?a.*?", &["a", "bab"], &["b"]),
        (".*a|b", &["xa", "b"], &["xb", "ax"]),
        ("(?i)get", &["GET", "get", "gEt"], &["gets"]),
        ("(?i:g)et", &["Get", "get"], &["GET"]),
        ("(?i)straße", &["STRAßE"], &["strasse"]),
        ("(?-s).*", &["ab"], &["a\nb"]),
        ("(?-s:.*)a.*", &["xa\n"], &["x\na"]),
        ("^(?i)a$", &["A"], &["b"]),
        ("(?m)a$.^b", &["a\nb"], &["ab"]),
        ("a$", &["a"], &["a\n"]),
        ("", &[""], &["a"]),
        ("a||b", &["", "a", "b"], &["ab"]),
        ("()", &[""], &["a"]),
        ("é.", &["éé", "éa"], &["é", "éaa"]),
        ("\\d+", &["123"], &["١٢٣", ""]),
        ("\\w+", &["a_1"], &["é"]),
        ("\\s", &[" ", "\t", "\n"], &["\u{b}", "\u{a0}"]),
        ("\\S\\D\\W", &["éé "], &["   "]),
        ("[\\d\\-x]+", &["1-x"], &["y"]),
        ("[^\\W]", &["a"], &["-"]),
        ("[[a]", &["[", "a"], &["b"]),
        ("[]a]+", &["]a"], &["b"]),
        ("[^]a]", &["b"], &["]"]),
        ("[a&&b]+", &["a&b"], &["c"]),
        ("[+--]+", &["+,-"], &["*", "."]),
        ("[a~~b-]+", &["~-"], &["c"]),
        ("[a-c-e]+", &["b-e"], &["d"]),
        ("[[:alpha:][:^digit:]]", &["a", "é"], &["1"]),
        ("[[:word:]]+", &["a_1"], &["é"]),
        ("[[:foo]+", &["[:fo"], &["x"]),
        ("\\Qa.b*\\E+", &["a.b*", "a.b**"], &["axb"]),
        ("\\Qa.b", &["a.b"], &["axb"]),
        ("\\101\\x42\\x{43}\\0", &["ABC\0"], &[]),
        ("\\a\\f\\n\\r\\t\\v", &["\u{7}\u{c}\n\r\t\u{b}"], &[]),
        ("\\.\\_\\<\\-\\/", &["._<-/"], &[]),
        ("a\\b.\\B.", &["a  "], &["ab ", "a b"]),
        ("\\Aa\\z", &["a"], &["ab"]),
        (
            "\\pL\\p{Greek}\\PN\\p{^Lu}",
            &["aαxx", "éωxx"],
            &["1αxx", "aax1", "aαxX"],
        ),
        ("[\\p{Lu}\\pN]+", &["A1"], &["a"]),
        ("a{2}b{1,}c{0,2}", &["aab", "aabbcc"], &["ab", "aabccc"]),
        ("a{,2}", &["a{,2}"], &["aa"]),
        ("a{x}{", &["a{x}{"], &[]),
        ("a{01}", &["a{01}"], &["a"]),
        ("}]", &["}]"], &[]),
        ("(?P<x>a)(?<y>b)", &["ab"], &[]),
        ("(?U)a+?b", &["aab"], &[]),
        ("#[ #]&~-", &["# &~-"], &[]),
        ("x*", &["", "xx"], &["y"]),
        ("(a*)*", &["aa"], &["b"]),
    ] {
        for value in yes {
            assert!(matches(pattern, value), "{pattern} should match {value:?}");
        }
        for value in no {
            assert!(
                !matches(pattern, value),
                "{pattern} should not match {value:?}"
            );
        }
    }
    assert!(Matcher::new("\\C").unwrap().is_match(b"\xff"));
    assert_eq!(Matcher::new("a\\.b").unwrap().exact(), Some(&b"a.b"[..]));
    assert_eq!(Matcher::new("a.b").unwrap().exact(), None);
}

#[test]
fn what_re2_refuses_is_refused() {
    for pattern in [
        "[",
        "(",
        ")",
        "a)",
        "(a",
        "*",
        "+a",
        "a|*",
        "(*)",
        "a**",
        "a+*",
        "a*??",
        "a{2}{3}",
        "a{1001}",
        "a{3,2}",
        "(a{500}){3}",
        "{2}",
        "(?=x)",
        "(?!x)",
        "(?<=x)",
        "(a)\\1",
        "\\8",
        "\\1",
        "[z-a]",
        "[a--b]",
        "[a-\\d]",
        "[[:foo:]]",
        "\\",
        "\\q",
        "\\E",
        "\\Z",
        "\\x",
        "\\x{",
        "\\x{110000}",
        "\\xg0",
        "\\p",
        "\\p{Nope}",
        "\\p{}",
        "[\\Qa\\E]",
        "(?x)a",
        "(?",
        "(?i",
        "(?i-)",
        "(?P<a",
        "(?P<>a)",
        "(?P<a b>c)",
        "(?P<a>b)(?P<a>c)",
        "(?P=a)",
        "[a",
        "[]",
        "[^]",
        "[\\",
        "a{99999999999}",
        "\\u0041",
        "\\R",
    ] {
        let error = match Matcher::new(pattern) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{pattern} is accepted"),
        };
        assert!(
            error.starts_with(&format!("invalid regex: `{pattern}`")),
            "{error}"
        );
    }
    let deep = format!("{}a{}", "(".repeat(201), ")".repeat(201));
    assert!(
        Matcher::new(&deep)
            .unwrap_err()
            .to_string()
            .contains("too deep")
    );
    let deep = format!("{}a{}", "(b|(?:".repeat(100), "c)*)+".repeat(100));
    assert!(Matcher::new(&deep).unwrap().is_match(b"b"));
    let error = Matcher::new("(\\pL{1000}){1}").unwrap_err().to_string();
    assert!(error.contains("too complex"), "{error}");
    Matcher::new(&"x".repeat(40_000)).unwrap();
    Matcher::new(&".".repeat(4_000)).unwrap();
    Matcher::new("[^a]{1000}.{1000}").unwrap();
    Matcher::new("\\pL{80}").unwrap();
    Matcher::new("(?i)[\\pL\\p{Greek}]{20}").unwrap();
}

/// Pieces that patterns are made of, valid and not.
fn pattern() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a",
        "k",
        "é",
        "ß",
        ".",
        "*",
        "+",
        "?",
        "|",
        "(",
        ")",
        "(?:",
        "(?i)",
        "(?s-i:",
        "(?P<n>",
        "[",
        "]",
        "[^",
        "-",
        "^",
        "$",
        "\\d",
        "\\W",
        "\\pL",
        "\\P{Greek}",
        "\\b",
        "\\B",
        "\\A",
        "\\z",
        "\\C",
        "\\Q",
        "\\E",
        "\\x41",
        "\\101",
        "{2}",
        "{2,}",
        "{1,3}",
        "{",
        "}",
        ",",
        "&&",
        "--",
        "~~",
        "[:alpha:]",
        "[[:^space:]]",
        "\\",
        " ",
        "#",
        "<",
        ".*",
        "\\n",
        "\u{10ffff}",
        "(?U)",
        "(?m)",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

    /// What passes the check compiles: no query fails only when it runs.
    #[test]
    fn checked_patterns_compile(pattern in pattern(), value in "\\PC{0,6}") {
        if Pattern::read(&pattern).is_ok() {
            let matcher = Matcher::new(&pattern);
            prop_assert!(matcher.is_ok(), "{:?}", matcher.err());
            matcher.unwrap().is_match(value.as_bytes());
        } else {
            prop_assert!(Matcher::new(&pattern).is_err());
        }
    }

    /// Where the crate reads a pattern alike, results are alike: the anchors that are left out change nothing.
    #[test]
    fn anchors_left_out_change_nothing(
        parts in prop::collection::vec(prop::sample::select(vec!["a", "b", ".*", ".*?", ".", "(a|b)", "\\.", "^", "$", "b*"]), 0..6),
        value in "[ab.\n]{0,6}",
    ) {
        let pattern = parts.concat();
        prop_assume!(Pattern::read(&pattern).is_ok());
        let plain = regex::Regex::new(&format!("^(?s:{pattern})$")).unwrap();
        prop_assert_eq!(Matcher::new(&pattern).unwrap().is_match(value.as_bytes()), plain.is_match(&value), "{}", pattern);
    }

    #[test]
    fn random_patterns_never_panic(pattern in "\\PC{0,20}") {
        let _ = Matcher::new(&pattern);
    }
}
