//! Values that are kept as they are, and sections that are on by being there.

use std::fmt;

use crate::field::{Block, Field, KeyInfo, Reader, Secrets};
use crate::yaml::{Node, Scalar, Value};

/// A value of any shape, for parts that only their own reader understands. Printed masked, since it may hold secrets.
#[derive(Clone, PartialEq)]
pub struct Any(pub Node);

impl fmt::Debug for Any {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        masked(&self.0).value.fmt(out)
    }
}

impl Default for Any {
    fn default() -> Self {
        Any(Node::null())
    }
}

impl Field for Any {
    fn read(&mut self, node: &Node, _: &mut Reader) {
        self.0 = node.clone();
    }

    fn read_null(&mut self) {
        self.0 = Node::null();
    }

    fn write(&self, secrets: Secrets) -> Node {
        match secrets {
            Secrets::Shown => self.0.clone(),
            Secrets::Masked => masked(&self.0),
        }
    }

    fn zero() -> Self {
        Any::default()
    }

    fn kind() -> String {
        "anything".to_string()
    }
}

/// Any text in an unknown value may be a password.
fn masked(node: &Node) -> Node {
    match &node.value {
        Value::Null => Node::null(),
        Value::List(items) => Node::list(items.iter().map(masked).collect()),
        Value::Map(entries) => Node::map(
            entries
                .iter()
                .map(|entry| (entry.key.clone(), masked(&entry.value))),
        ),
        Value::Scalar(Scalar { text, .. }) if text.is_empty() => node.clone(),
        Value::Scalar(_) => Node::text(super::secret::MASK),
    }
}

/// A section that is on when its key is there, even without a value, as in the OpenTelemetry collector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Enabled<T>(pub Option<T>);

impl<T> Enabled<T> {
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T: Block + Default> Field for Enabled<T> {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        self.0.get_or_insert_default().read(node, reader);
    }

    fn read_null(&mut self) {
        self.0.get_or_insert_default();
    }

    fn write(&self, secrets: Secrets) -> Node {
        self.0
            .as_ref()
            .map_or_else(Node::null, |value| value.write(secrets))
    }

    fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    fn zero() -> Self {
        Enabled(None)
    }

    fn kind() -> String {
        "section, on by being there".to_string()
    }

    fn describe(&self, path: &str, doc: &'static str, out: &mut Vec<KeyInfo>) {
        out.push(KeyInfo {
            path: path.to_string(),
            kind: Self::kind(),
            default: "absent".to_string(),
            doc,
        });
        T::default().describe(path, doc, out);
    }
}
