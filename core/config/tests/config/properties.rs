//! Properties: what is printed reads back as the same configuration, and no text makes the reader panic.

use std::sync::LazyLock;

use crate::common::yaml_files;
use proptest::prelude::*;
use vivace_config::types::{Duration, PromDuration, Size};
use vivace_config::yaml::{self, Node};
use vivace_config::{
    Command, Config, Field, Invocation, KeyInfo, Reader, Secrets, Source, TenantFile, env, load,
    tenant,
};

static KEYS: LazyLock<Vec<KeyInfo>> = LazyLock::new(|| {
    let mut keys = Vec::new();
    Config::default().describe("", "", &mut keys);
    // Keys inside of lists and of free mappings come with these.
    keys.retain(|key| {
        !key.path.contains("[]") && !key.path.contains('<') && !key.path.contains(".receivers.")
    });
    keys
});

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        any::<String>(),
        "[a-z:# -]{0,12}",
        proptest::sample::select(vec![
            "yes",
            "null",
            "~",
            "010",
            "1e3",
            "",
            " ",
            "-",
            "<<",
            "a: b",
            "0x1",
            ".5",
            "!x",
            "é\u{85}\u{2028}"
        ])
        .prop_map(str::to_string),
    ]
    .boxed()
}

/// Any value of a kind, as a tree; none for kinds that are generated elsewhere.
fn value(kind: &str) -> Option<BoxedStrategy<Node>> {
    let list = |item: BoxedStrategy<Node>| {
        proptest::collection::vec(item, 0..4)
            .prop_map(Node::list)
            .boxed()
    };
    Some(match kind {
        "text" | "secret" => text().prop_map(Node::text).boxed(),
        "bool" => any::<bool>().prop_map(Node::plain).boxed(),
        "int" => (0..65_536_u32).prop_map(Node::plain).boxed(),
        "number" => (-1e9..1e9).prop_map(|n: f64| Node::plain(n)).boxed(),
        "duration" => any::<i64>()
            .prop_map(|n| Node::plain(Duration::from_nanos(n)))
            .boxed(),
        "duration (d, w too)" => any::<u32>()
            .prop_map(|n| Node::plain(PromDuration::from_millis(n.into())))
            .boxed(),
        "size" => any::<u64>().prop_map(|n| Node::plain(Size(n))).boxed(),
        "list of text, or one text with commas" => list(text().prop_map(Node::text).boxed()),
        _ => {
            if let Some(item) = kind.strip_prefix("list of ") {
                list(value(item)?)
            } else if let Some(item) = kind.strip_prefix("mapping of ") {
                let item = value(item)?;
                proptest::collection::btree_map(text(), item, 0..4)
                    .prop_map(Node::map)
                    .boxed()
            } else if kind.contains(" | ") {
                let choices: Vec<String> = kind.split(" | ").map(str::to_string).collect();
                proptest::sample::select(choices)
                    .prop_map(Node::text)
                    .boxed()
            } else {
                return None;
            }
        }
    })
}

fn at_path(path: &str, node: Node) -> Node {
    path.rsplit('.')
        .fold(node, |node, step| Node::map([(step.to_string(), node)]))
}

/// Some keys with some values.
fn settings() -> impl Strategy<Value = Vec<(String, Node)>> {
    let one = proptest::sample::select(
        KEYS.iter()
            .filter(|key| value(&key.kind).is_some())
            .cloned()
            .collect::<Vec<_>>(),
    )
    .prop_flat_map(|key| {
        value(&key.kind)
            .expect("filtered")
            .prop_map(move |node| (key.path.clone(), node))
    });
    proptest::collection::vec(one, 0..30)
}

fn read(config: &mut Config, node: &Node) -> Vec<vivace_config::Problem> {
    let mut reader = Reader::default();
    config.read(node, &mut reader);
    reader.problems
}

/// Prints a configuration and reads it over the defaults.
fn again(config: &Config) -> Result<Config, TestCaseError> {
    let printed = yaml::print(&config.write(Secrets::Shown));
    let parsed = yaml::parse(&printed)
        .map_err(|problem| TestCaseError::fail(format!("{problem:?}\n{printed}")))?;
    prop_assert_eq!(&parsed.problems, &[]);
    let mut back = Config::default();
    prop_assert_eq!(read(&mut back, &parsed.root), vec![]);
    Ok(back)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_as_the_same(settings in settings()) {
        let mut config = Config::default();
        for (path, node) in &settings {
            let problems = read(&mut config, &at_path(path, node.clone()));
            prop_assert_eq!(problems, vec![], "{} = {:?}", path, node);
        }
        prop_assert_eq!(&again(&config)?, &config);
        // What differs from the defaults is enough to get there again.
        let diff = yaml::diff(&Config::default().write(Secrets::Shown), &config.write(Secrets::Shown));
        let mut from_diff = Config::default();
        prop_assert_eq!(read(&mut from_diff, &diff), vec![]);
        prop_assert_eq!(from_diff, config);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn durations_and_sizes_round_trip(nanos in any::<i64>(), millis in 0..=(i64::MAX / 1_000_000) as u64, bytes in any::<u64>()) {
        let duration = Duration::from_nanos(nanos);
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        let duration = PromDuration::from_millis(millis);
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        let size = Size(bytes);
        prop_assert_eq!(size.to_string().parse(), Ok(size));
    }

    #[test]
    fn scalars_never_panic(text in "[-+0-9a-zA-Z_.µ:]{0,24}") {
        let _ = text.parse::<Duration>();
        let _ = text.parse::<PromDuration>();
        let _ = text.parse::<Size>();
        let _ = yaml::scalar::integer(&text);
        let _ = yaml::scalar::float(&text);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>(), yamlish in "[-a-c:{}\\[\\]&*!|>\"' #,\n<$?%@]{0,60}") {
        for text in [text.as_str(), yamlish.as_str()] {
            let source = Source { name: "fuzz", text };
            let _ = load(&Invocation::default(), Some(source), &|_| None);
            let _ = TenantFile::parse(source, &Config::default(), true, &|_| Some("x".to_string()));
            let _ = tenant::parse_ingest(text);
            let _ = tenant::parse_query(text, true);
            let _ = Command::parse(&[text]);
        }
    }

    #[test]
    fn no_substitution_makes_the_expansion_panic(text in "[${}#%/^,:=a0*?\\[\\]\\\\-]{0,40}", value in ".{0,8}") {
        let lookup = |_: &str| Some(value.clone());
        let _ = env::expand(&text, &lookup);
        let _ = env::expand(&format!("${{a{text}}}"), &lookup);
    }

    #[test]
    fn damaged_layouts_never_panic(which in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), junk in "[-a-c:{}\\[\\]&* \n]{0,6}", drop in 0..8_usize) {
        let layouts = yaml_files("layouts");
        let chars: Vec<char> = which.get(&layouts).1.chars().collect();
        let at = cut.index(chars.len());
        let damaged: String =
            chars[..at].iter().copied().chain(junk.chars()).chain(chars[at..].iter().copied().skip(drop)).collect();
        let _ = load(&Invocation::default(), Some(Source { name: "fuzz", text: &damaged }), &|_| None);
    }
}

#[test]
fn layouts_read_back_as_the_same() {
    for (name, text) in yaml_files("layouts") {
        let loaded = load(
            &Invocation::default(),
            Some(Source {
                name: &name,
                text: &text,
            }),
            &|_| None,
        );
        let config = loaded.unwrap_or_else(|error| panic!("{error}")).config;
        assert_eq!(
            again(&config).unwrap_or_else(|error| panic!("{name}: {error}")),
            config,
            "{name}"
        );
    }
}

#[test]
fn every_key_says_what_it_is_for() {
    let mut silent: Vec<_> = KEYS
        .iter()
        .filter(|key| key.doc.trim().is_empty())
        .map(|key| key.path.as_str())
        .collect();
    // Values of any shape, and optional blocks, whose keys say it.
    silent.retain(|path| {
        !["memcached", "redis", "timeout"]
            .iter()
            .any(|end| path.ends_with(end))
    });
    assert!(silent.is_empty(), "{silent:?}");
    assert!(KEYS.len() > 700, "{} keys", KEYS.len());
}
