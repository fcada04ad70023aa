//! The old, flat names of limits (configuration.md §8.4): moved to their scoped places in the tree, before reading.

use crate::blocks::overrides::Overrides;
use crate::blocks::tenant_limits::{
    CompactionLimits, GeneratorLimits, GlobalLimits, IngestionLimits, Limits, ReadLimits,
    StorageLimits,
};
use crate::error::Problem;
use crate::field::Block;
use crate::yaml::{Entry, Node, Value, scalar};

fn keys<T: Block>() -> Vec<&'static str> {
    let mut out = Vec::new();
    T::keys(&mut out);
    out
}

/// Where a flat name stands today.
fn scoped(name: &str) -> Option<Vec<&str>> {
    let known = |keys: Vec<&'static str>, name: &str| keys.contains(&name);
    if let Some(key) = name.strip_prefix("ingestion_")
        && known(keys::<IngestionLimits>(), key)
    {
        return Some(vec!["ingestion", key]);
    }
    if matches!(name, "max_traces_per_user" | "max_global_traces_per_user") {
        return Some(vec!["ingestion", name]);
    }
    if let Some(rest) = name.strip_prefix("metrics_generator_") {
        if let Some(rest) = rest.strip_prefix("processor_") {
            let processors = ["service_graphs", "span_metrics", "host_info"];
            for processor in processors {
                if let Some(key) = rest
                    .strip_prefix(processor)
                    .and_then(|key| key.strip_prefix('_'))
                {
                    return Some(vec!["metrics_generator", "processor", processor, key]);
                }
            }
        }
        if let Some(key) = rest.strip_prefix("forwarder_") {
            return Some(vec!["metrics_generator", "forwarder", key]);
        }
        if known(keys::<GeneratorLimits>(), rest) {
            return Some(vec!["metrics_generator", rest]);
        }
        return None;
    }
    if known(keys::<ReadLimits>(), name) {
        return Some(vec!["read", name]);
    }
    if known(keys::<GlobalLimits>(), name) {
        return Some(vec!["global", name]);
    }
    if known(keys::<CompactionLimits>(), name) {
        return Some(vec!["compaction", name]);
    }
    if known(keys::<StorageLimits>(), name) {
        return Some(vec!["storage", name]);
    }
    None
}

/// Whether a mapping of limits uses flat names.
pub(super) fn is_flat(node: &Node) -> bool {
    node.entries()
        .iter()
        .any(|entry| scoped(&entry.key).is_some())
}

/// Moves the flat names of a mapping of limits to their places; other keys stay. Places in the text are kept.
pub(super) fn to_scoped(node: Node) -> Node {
    let Node {
        mark,
        value: Value::Map(entries),
    } = node
    else {
        return node;
    };
    let mut out = Vec::new();
    for entry in entries {
        match scoped(&entry.key)
            .map(|path| path.iter().map(|step| step.to_string()).collect::<Vec<_>>())
        {
            None => out.push(entry),
            Some(path) => insert(&mut out, &path, entry),
        }
    }
    Node::new(mark, Value::Map(out))
}

fn insert(entries: &mut Vec<Entry>, path: &[String], leaf: Entry) {
    match path {
        [] => {}
        [key] => entries.push(Entry {
            key: key.clone(),
            ..leaf
        }),
        [first, rest @ ..] => {
            let at = entries
                .iter()
                .position(|entry| &entry.key == first)
                .unwrap_or_else(|| {
                    let value = Node::new(leaf.value.mark, Value::Map(Vec::new()));
                    entries.push(Entry {
                        key: first.clone(),
                        mark: leaf.mark,
                        value,
                    });
                    entries.len() - 1
                });
            if let Value::Map(inside) = &mut entries[at].value.value {
                insert(inside, rest, leaf);
            }
        }
    }
}

/// The message when flat names are used without the opt-in.
pub(super) const NOT_ENABLED: &str = "the old, flat names of limits are not enabled: move each limit to its scoped \
     name (such as ingestion.rate_limit_bytes), or start with -config.enable-legacy-overrides=true";

/// Moves flat limits directly under `overrides` to `overrides.defaults`. True if there were any.
pub(crate) fn translate_config(
    root: Node,
    by_flag: bool,
    problems: &mut Vec<Problem>,
) -> (Node, bool) {
    let Some(overrides) = root.get("overrides").filter(|overrides| is_flat(overrides)) else {
        return (root, false);
    };
    let by_key = overrides
        .get("enable_legacy_overrides")
        .is_some_and(|node| matches!(&node.value, Value::Scalar(text) if scalar::boolean(&text.text) == Some(true)));
    let mut problem = |mark, message: &str| {
        problems.push(Problem {
            mark,
            path: "overrides".to_string(),
            message: message.to_string(),
        });
    };
    if !by_flag && !by_key {
        problem(overrides.mark, NOT_ENABLED);
    }
    if let Some(defaults) = overrides.get("defaults") {
        problem(
            defaults.mark,
            "scoped limits (`defaults`) and flat ones can't be mixed",
        );
    }
    let Node {
        mark,
        value: Value::Map(entries),
    } = root
    else {
        return (root, false);
    };
    let entries = entries
        .into_iter()
        .map(|entry| {
            if entry.key == "overrides" {
                Entry {
                    value: split(entry.value),
                    ..entry
                }
            } else {
                entry
            }
        })
        .collect();
    (Node::new(mark, Value::Map(entries)), true)
}

/// Keys of limits go under `defaults`; keys of the block itself stay.
fn split(overrides: Node) -> Node {
    let Node {
        mark,
        value: Value::Map(entries),
    } = overrides
    else {
        return overrides;
    };
    let own = keys::<Overrides>();
    let limit_keys = keys::<Limits>();
    let (limits, mut kept): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| {
        !own.contains(&entry.key.as_str())
            && (scoped(&entry.key).is_some() || limit_keys.contains(&entry.key.as_str()))
    });
    let limits = to_scoped(Node::new(mark, Value::Map(limits)));
    kept.retain(|entry| entry.key != "defaults");
    kept.push(Entry {
        key: "defaults".to_string(),
        mark,
        value: limits,
    });
    Node::new(mark, Value::Map(kept))
}
