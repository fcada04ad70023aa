//! What can stand behind a key: reading it from the tree, writing it back, describing it.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::error::Problem;
use crate::yaml::{Mark, Node, Style, Value, scalar};

/// Where reading stands, and what was found wrong so far.
#[derive(Debug, Default)]
pub struct Reader {
    path: Vec<String>,
    pub problems: Vec<Problem>,
}

impl Reader {
    /// The key being read, with dots.
    pub fn path(&self) -> String {
        self.path.join(".").replace(".[", "[")
    }

    /// Notes a problem of the key being read.
    pub fn problem(&mut self, mark: Mark, message: impl Into<String>) {
        let path = self.path();
        self.problems.push(Problem {
            mark,
            path,
            message: message.into(),
        });
    }

    /// Notes "expected X, found Y".
    pub fn mismatch(&mut self, node: &Node, expected: &str) {
        self.problem(
            node.mark,
            format!("expected {expected}, found {}", node.kind()),
        );
    }

    /// Runs `read` one step further down.
    pub fn within<T>(&mut self, step: &str, read: impl FnOnce(&mut Reader) -> T) -> T {
        self.path.push(step.to_string());
        let result = read(self);
        self.path.pop();
        result
    }
}

/// Whether secrets are written as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// As `********`: for everything that a person or a log may see.
    Masked,
    /// As they are: only to hand a configuration on.
    Shown,
}

/// One key, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// With dots; `[]` after a list, `<name>` for a free key.
    pub path: String,
    /// Such as `duration`, `local | s3`, `list of text`.
    pub kind: String,
    /// As it is printed.
    pub default: String,
    /// What it is for.
    pub doc: &'static str,
}

/// A type that can stand behind a key.
pub trait Field: Clone + PartialEq + Debug {
    /// Reads over the value that is there (the default, or what an earlier source set). Problems go to the reader.
    /// `node` is not null.
    fn read(&mut self, node: &Node, reader: &mut Reader);

    /// What null does: nothing, so that a key without a value is a key that is not there.
    fn read_null(&mut self) {}

    /// The value as a tree that reads back as the same value.
    fn write(&self, secrets: Secrets) -> Node;

    /// Whether the key must not be written at all, because writing it would mean something else.
    fn is_absent(&self) -> bool {
        false
    }

    /// Go's zero value: what an absent key means where defaults don't apply (tenant overrides).
    fn zero() -> Self;

    /// What the type is called in messages and in the list of keys.
    fn kind() -> String;

    /// Adds itself, or for a block its keys, to the list of keys.
    fn describe(&self, path: &str, doc: &'static str, out: &mut Vec<KeyInfo>) {
        let default = match self.write(Secrets::Masked).value {
            Value::Scalar(scalar) => scalar.text,
            _ => crate::yaml::print(&self.write(Secrets::Masked))
                .trim_end()
                .to_string(),
        };
        out.push(KeyInfo {
            path: path.to_string(),
            kind: Self::kind(),
            default,
            doc,
        });
    }
}

/// Reads a value that may be null.
pub fn read_value<T: Field>(field: &mut T, node: &Node, reader: &mut Reader) {
    if node.is_null() {
        field.read_null()
    } else {
        field.read(node, reader)
    }
}

/// A mapping with known keys. Made by [`block!`](crate::block).
pub trait Block: Field {
    /// Reads one key; false if it is not one of this block.
    fn read_key(&mut self, key: &str, node: &Node, reader: &mut Reader) -> bool;
    /// The keys in their order.
    fn keys(out: &mut Vec<&'static str>);
    /// The keys with their values, in their order.
    fn write_into(&self, secrets: Secrets, out: &mut Vec<(String, Node)>);
    /// Adds every key below.
    fn describe_keys(&self, prefix: &str, out: &mut Vec<KeyInfo>);
}

/// Reads a mapping key by key; unknown keys are problems.
pub fn read_block<T: Block>(block: &mut T, node: &Node, reader: &mut Reader) {
    let Value::Map(entries) = &node.value else {
        reader.mismatch(node, "a mapping");
        return;
    };
    for entry in entries {
        reader.within(&entry.key, |reader| {
            if !block.read_key(&entry.key, &entry.value, reader) {
                let mut known = Vec::new();
                T::keys(&mut known);
                let message = crate::removed::unknown_key(&reader.path(), &entry.key, &known);
                reader.problem(entry.mark, message);
            }
        });
    }
}

/// The text of a scalar.
pub fn scalar_text<'a>(node: &'a Node, reader: &mut Reader, expected: &str) -> Option<&'a str> {
    match &node.value {
        Value::Scalar(scalar) => Some(&scalar.text),
        _ => {
            reader.mismatch(node, expected);
            None
        }
    }
}

/// The text of a scalar that numbers and booleans may be read from: one without quotes, or of a flag.
pub fn bare_text<'a>(node: &'a Node, reader: &mut Reader, expected: &str) -> Option<&'a str> {
    match &node.value {
        Value::Scalar(scalar) if scalar.style != Style::Quoted => Some(&scalar.text),
        _ => {
            reader.mismatch(node, expected);
            None
        }
    }
}

impl Field for String {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        if let Some(text) = scalar_text(node, reader, "a text") {
            *self = text.to_string();
        }
    }

    fn write(&self, _: Secrets) -> Node {
        Node::text(self.clone())
    }

    fn zero() -> Self {
        String::new()
    }

    fn kind() -> String {
        "text".to_string()
    }
}

impl Field for bool {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let expected = "true or false";
        if let Some(text) = bare_text(node, reader, expected) {
            match scalar::boolean(text) {
                Some(value) => *self = value,
                None => reader.mismatch(node, expected),
            }
        }
    }

    fn write(&self, _: Secrets) -> Node {
        Node::plain(self)
    }

    fn zero() -> Self {
        false
    }

    fn kind() -> String {
        "bool".to_string()
    }
}

macro_rules! whole_numbers {
    ($($ty:ty),*) => { $(
        impl Field for $ty {
            fn read(&mut self, node: &Node, reader: &mut Reader) {
                let expected = if <$ty>::MIN == 0 {
                    format!("a whole number from 0 to {}", <$ty>::MAX)
                } else {
                    "a whole number".to_string()
                };
                if let Some(text) = bare_text(node, reader, &expected) {
                    match scalar::integer(text).and_then(|value| <$ty>::try_from(value).ok()) {
                        Some(value) => *self = value,
                        None => reader.mismatch(node, &expected),
                    }
                }
            }

            fn write(&self, _: Secrets) -> Node {
                Node::plain(self)
            }

            fn zero() -> Self {
                0
            }

            fn kind() -> String {
                "int".to_string()
            }
        }
    )* };
}
whole_numbers!(u16, u32, u64, i32, i64, usize);

impl Field for f64 {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let expected = "a number";
        if let Some(text) = bare_text(node, reader, expected) {
            match scalar::float(text) {
                Some(value) => *self = value,
                None => reader.mismatch(node, expected),
            }
        }
    }

    fn write(&self, _: Secrets) -> Node {
        Node::plain(match *self {
            value if value.is_nan() => ".nan".to_string(),
            f64::INFINITY => ".inf".to_string(),
            f64::NEG_INFINITY => "-.inf".to_string(),
            value => value.to_string(),
        })
    }

    fn zero() -> Self {
        0.0
    }

    fn kind() -> String {
        "number".to_string()
    }
}

/// A list replaces the one that was there. Null empties it.
impl<T: Field + Default> Field for Vec<T> {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Value::List(items) = &node.value else {
            reader.mismatch(node, &format!("a list of {}", T::kind()));
            return;
        };
        *self = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let mut value = T::default();
                reader.within(&format!("[{index}]"), |reader| {
                    read_value(&mut value, item, reader)
                });
                value
            })
            .collect();
    }

    fn read_null(&mut self) {
        self.clear();
    }

    fn write(&self, secrets: Secrets) -> Node {
        Node::list(self.iter().map(|item| item.write(secrets)).collect())
    }

    fn zero() -> Self {
        Vec::new()
    }

    fn kind() -> String {
        format!("list of {}", T::kind())
    }

    fn describe(&self, path: &str, doc: &'static str, out: &mut Vec<KeyInfo>) {
        let default = match self.as_slice() {
            [] => "[]".to_string(),
            some => some
                .iter()
                .map(|item| item.write(Secrets::Masked))
                .map(one_line)
                .collect::<Vec<_>>()
                .join(","),
        };
        out.push(KeyInfo {
            path: path.to_string(),
            kind: Self::kind(),
            default,
            doc,
        });
        describe_element::<T>(&format!("{path}[]"), out);
    }
}

/// Free keys. What is read is added to what is there. Null empties it.
impl<T: Field + Default> Field for BTreeMap<String, T> {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Value::Map(entries) = &node.value else {
            reader.mismatch(node, &format!("a mapping of {}", T::kind()));
            return;
        };
        for entry in entries {
            let value = self.entry(entry.key.clone()).or_default();
            reader.within(&entry.key, |reader| read_value(value, &entry.value, reader));
        }
    }

    fn read_null(&mut self) {
        self.clear();
    }

    fn write(&self, secrets: Secrets) -> Node {
        Node::map(
            self.iter()
                .map(|(key, value)| (key.clone(), value.write(secrets))),
        )
    }

    fn zero() -> Self {
        BTreeMap::new()
    }

    fn kind() -> String {
        format!("mapping of {}", T::kind())
    }

    fn describe(&self, path: &str, doc: &'static str, out: &mut Vec<KeyInfo>) {
        out.push(KeyInfo {
            path: path.to_string(),
            kind: Self::kind(),
            default: one_line(self.write(Secrets::Masked)),
            doc,
        });
        describe_element::<T>(&format!("{path}.<name>"), out);
    }
}

/// A value that may be unset. Null unsets it.
impl<T: Field + Default> Field for Option<T> {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        self.get_or_insert_default().read(node, reader);
    }

    fn read_null(&mut self) {
        *self = None;
    }

    fn write(&self, secrets: Secrets) -> Node {
        self.as_ref()
            .map_or_else(Node::null, |value| value.write(secrets))
    }

    fn zero() -> Self {
        None
    }

    fn kind() -> String {
        T::kind()
    }

    fn describe(&self, path: &str, doc: &'static str, out: &mut Vec<KeyInfo>) {
        match self {
            Some(value) => value.describe(path, doc, out),
            None => {
                out.push(KeyInfo {
                    path: path.to_string(),
                    kind: T::kind(),
                    default: "null".to_string(),
                    doc,
                });
                describe_element::<T>(path, out);
            }
        }
    }
}

/// The keys of an element that is a block; nothing for other elements.
fn describe_element<T: Field + Default>(path: &str, out: &mut Vec<KeyInfo>) {
    let mut keys = Vec::new();
    T::default().describe(path, "", &mut keys);
    out.extend(keys.into_iter().filter(|key| key.path != path));
}

/// A node on one line, for lists of keys.
fn one_line(node: Node) -> String {
    match &node.value {
        Value::Map(entries) => {
            let inside: Vec<_> = entries
                .iter()
                .map(|entry| format!("{}: {}", entry.key, one_line(entry.value.clone())))
                .collect();
            format!("{{{}}}", inside.join(", "))
        }
        Value::List(items) => {
            format!(
                "[{}]",
                items
                    .iter()
                    .cloned()
                    .map(one_line)
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        _ => crate::yaml::print(&node).trim_end().to_string(),
    }
}
