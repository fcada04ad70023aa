//! Lists that may be written as one text with commas.

use crate::field::{Field, Reader, Secrets, scalar_text};
use crate::yaml::{Node, Style, Value};

/// `a,b` or a YAML list. A flag given again adds to the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csv(pub Vec<String>);

impl Csv {
    pub fn of(items: &[&str]) -> Csv {
        Csv(items.iter().map(|item| item.to_string()).collect())
    }
}

impl std::ops::Deref for Csv {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl Field for Csv {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        match &node.value {
            Value::Scalar(scalar) => {
                let items = scalar
                    .text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                if scalar.style != Style::Flag {
                    self.0.clear();
                }
                self.0.extend(items.map(str::to_string));
            }
            Value::List(items) => {
                self.0.clear();
                for item in items {
                    if let Some(text) = scalar_text(item, reader, "a text") {
                        self.0.push(text.to_string());
                    }
                }
            }
            _ => reader.mismatch(node, "a list, or a text with commas"),
        }
    }

    fn read_null(&mut self) {
        self.0.clear();
    }

    fn write(&self, _: Secrets) -> Node {
        Node::list(self.0.iter().map(|item| Node::text(item.clone())).collect())
    }

    fn zero() -> Self {
        Csv::default()
    }

    fn kind() -> String {
        "list of text, or one text with commas".to_string()
    }
}
