//! The tree itself.

/// A place in a text. Lines and columns count from 1; line 0 means "not from a text".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub line: u32,
    pub column: u32,
}

/// How a scalar was written, which decides what it may be read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may be a number, a boolean, null or a text.
    Plain,
    /// With quotes, or a block scalar: always a text.
    Quoted,
    /// From a command line flag: a text that numbers and booleans are read from, never null.
    Flag,
}

/// One scalar: its text and how it was written.
#[derive(Clone, Debug)]
pub struct Scalar {
    pub text: String,
    pub style: Style,
}

/// One key of a mapping with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub mark: Mark,
    pub value: Node,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    pub mark: Mark,
    pub value: Value,
}

/// Equal trees hold the same values; places and quoting don't matter.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Scalar(a), Value::Scalar(b)) => a.text == b.text,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|(a, b)| a.key == b.key && a.value == b.value)
            }
            _ => false,
        }
    }
}

impl Node {
    pub fn new(mark: Mark, value: Value) -> Node {
        Node { mark, value }
    }

    fn unplaced(value: Value) -> Node {
        Node::new(Mark::default(), value)
    }

    pub fn null() -> Node {
        Node::unplaced(Value::Null)
    }

    /// A scalar written without quotes, such as a number.
    pub fn plain(text: impl ToString) -> Node {
        Node::unplaced(Value::Scalar(Scalar {
            text: text.to_string(),
            style: Style::Plain,
        }))
    }

    /// A text; printed with quotes when it needs them.
    pub fn text(text: impl Into<String>) -> Node {
        Node::unplaced(Value::Scalar(Scalar {
            text: text.into(),
            style: Style::Quoted,
        }))
    }

    /// The value of a command line flag.
    pub fn flag(text: impl Into<String>) -> Node {
        Node::unplaced(Value::Scalar(Scalar {
            text: text.into(),
            style: Style::Flag,
        }))
    }

    pub fn list(items: Vec<Node>) -> Node {
        Node::unplaced(Value::List(items))
    }

    pub fn map(entries: impl IntoIterator<Item = (String, Node)>) -> Node {
        let entries = entries
            .into_iter()
            .map(|(key, value)| Entry {
                key,
                mark: Mark::default(),
                value,
            })
            .collect();
        Node::unplaced(Value::Map(entries))
    }

    /// Null as YAML 1.1 writes it: nothing, `~`, or one of the spellings of `null`, without quotes.
    pub fn is_null(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Scalar(scalar) => {
                scalar.style == Style::Plain
                    && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            _ => false,
        }
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The entries of a mapping; none for any other node.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// What a person would call this value, for messages.
    pub fn kind(&self) -> String {
        match &self.value {
            Value::Null => "null".to_string(),
            Value::List(_) => "a list".to_string(),
            Value::Map(_) => "a mapping".to_string(),
            Value::Scalar(scalar) if scalar.style == Style::Quoted => {
                format!("the text {:?}", shorten(&scalar.text))
            }
            Value::Scalar(scalar) => format!("`{}`", shorten(&scalar.text)),
        }
    }
}

/// At most 60 characters of a text, for messages.
pub fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        text.to_string()
    } else {
        let mut short: String = text.chars().take(LONGEST).collect();
        short.push('…');
        short
    }
}
