//! Texts that must not be seen.

use std::fmt;

use crate::field::{Field, Reader, Secrets, scalar_text};
use crate::yaml::Node;

/// What is printed in place of a secret.
pub const MASK: &str = "********";

/// A password, key or token. Debug output and `/status/config` show a mask.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The secret itself: only to hand it to what it opens.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_empty() { "\"\"" } else { MASK })
    }
}

impl Field for Secret {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        if let Some(text) = scalar_text(node, reader, "a text") {
            self.0 = text.to_string();
        }
    }

    fn write(&self, secrets: Secrets) -> Node {
        match secrets {
            Secrets::Masked if !self.0.is_empty() => Node::text(MASK),
            _ => Node::text(self.0.clone()),
        }
    }

    fn zero() -> Self {
        Secret::default()
    }

    fn kind() -> String {
        "secret".to_string()
    }
}
