//! Tree → text, in block style.

use std::fmt::Write;

use super::node::{Entry, Node, Scalar, Style, Value};
use super::scalar::needs_quotes;

/// The tree as a YAML text that reads back as the same tree. Ends with a line feed.
pub fn print(node: &Node) -> String {
    let mut out = String::new();
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => map(&mut out, entries, 0),
        Value::List(items) if !items.is_empty() => list(&mut out, items, 0),
        _ => {
            inline(&mut out, node);
            out.push('\n');
        }
    }
    out
}

/// The keys of `node` whose value is not the one in `base`, with the mappings that they are in. Lists differ as a whole.
pub fn diff(base: &Node, node: &Node) -> Node {
    difference(base, node).unwrap_or_else(|| Node::map([]))
}

fn difference(base: &Node, node: &Node) -> Option<Node> {
    if base == node {
        return None;
    }
    let (Value::Map(_), Value::Map(entries)) = (&base.value, &node.value) else {
        return Some(node.clone());
    };
    let changed: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            let value = match base.get(&entry.key) {
                Some(before) => difference(before, &entry.value)?,
                None => entry.value.clone(),
            };
            Some((entry.key.clone(), value))
        })
        .collect();
    (!changed.is_empty()).then(|| Node::map(changed))
}

fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("    ");
    }
}

fn map(out: &mut String, entries: &[Entry], depth: usize) {
    for entry in entries {
        indent(out, depth);
        pair(out, entry, depth);
    }
}

fn pair(out: &mut String, entry: &Entry, depth: usize) {
    text(out, &entry.key);
    out.push(':');
    match &entry.value.value {
        Value::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            map(out, entries, depth + 1);
        }
        Value::List(items) if !items.is_empty() => {
            out.push('\n');
            list(out, items, depth + 1);
        }
        _ => {
            out.push(' ');
            inline(out, &entry.value);
            out.push('\n');
        }
    }
}

fn list(out: &mut String, items: &[Node], depth: usize) {
    for item in items {
        indent(out, depth);
        out.push_str("-   ");
        match &item.value {
            Value::Map(entries) if !entries.is_empty() => {
                for (index, entry) in entries.iter().enumerate() {
                    if index > 0 {
                        indent(out, depth + 1);
                    }
                    pair(out, entry, depth + 1);
                }
            }
            Value::List(items) if !items.is_empty() => {
                out.pop();
                out.pop();
                out.pop();
                out.push('\n');
                list(out, items, depth + 1);
            }
            _ => {
                inline(out, item);
                out.push('\n');
            }
        }
    }
}

fn inline(out: &mut String, node: &Node) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
        Value::Scalar(Scalar {
            text: value,
            style: Style::Plain,
        }) => out.push_str(value),
        Value::Scalar(Scalar { text: value, .. }) => text(out, value),
    }
}

fn text(out: &mut String, value: &str) {
    if !needs_quotes(value) {
        out.push_str(value);
        return;
    }
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control()
                || matches!(
                    c,
                    '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
                ) =>
            {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\U{:08x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
