//! OTLP/JSON to OTLP protobuf, in one pass and without building the messages in memory, so that a
//! body cannot cost more than its own size again: members are looked up in a table of the messages
//! ([`schema`]) and written straight as protobuf ([`write`]).
//!
//! Reading is as tolerant as the OpenTelemetry collector's: camelCase or snake_case names, integers as
//! numbers or strings, enums as numbers or names, null for the default, unknown members ignored.

mod schema;
#[cfg(test)]
mod tests;
mod value;
mod write;

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use schema::{EXPORT_REQUEST, Field, Message};
use value::ValueSeed;
use write::Writer;

/// Longest text of a [`JsonError`]: what is quoted from the body may be as long as the body.
const MAX_MESSAGE_BYTES: usize = 400;

/// Why a body is not OTLP/JSON: what, in which member, and where. Never worth a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// The member, as in `resourceSpans[0].scopeSpans[1].spans[2].traceId`; empty for the body itself.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
    /// Line of the body, from 1; 0 when the place is not known.
    pub line: usize,
    /// Byte within the line, from 1.
    pub column: usize,
}

impl JsonError {
    fn new(path: &[Step], error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let mut message = error.to_string();
        if let Some(text) = message.strip_suffix(&format!(" at line {line} column {column}")) {
            message.truncate(text.len());
        }
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message.push('…');
        }
        Self {
            path: render(path),
            message,
            line,
            column,
        }
    }

    /// The same bytes will never be accepted.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

impl std::error::Error for JsonError {}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if self.line > 0 {
            write!(f, " at line {} column {}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// Translates the JSON form of an `ExportTraceServiceRequest` into its protobuf form.
///
/// Ids of a wrong length are refused with a `length mismatch` (http-api.md §14.1); empty ids are left
/// to whoever reads the protobuf. Values may nest about 40 deep. Strings that are not valid UTF-8 (or
/// hold lone surrogates) are passed on as they are.
pub fn json_to_protobuf(body: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    // Spans with a few attributes take half the room in protobuf.
    let context = Context::new(body.len() / 2);
    let result = MessageSeed {
        context: &context,
        message: &EXPORT_REQUEST,
    }
    .deserialize(&mut json)
    .and_then(|()| json.end());
    match result {
        Ok(()) => Ok(context.writer.into_inner().into_bytes()),
        Err(error) => Err(JsonError::new(&context.path.into_inner(), &error)),
    }
}

/// What all levels of the descent share: the output, and the way from the root to the current member.
/// A step is taken back only on success, so after an error the way leads to the member at fault.
struct Context {
    writer: RefCell<Writer>,
    path: RefCell<Vec<Step>>,
}

enum Step {
    Member(&'static str),
    Element(usize),
}

impl Context {
    fn new(capacity: usize) -> Self {
        Self {
            writer: RefCell::new(Writer::with_capacity(capacity)),
            path: RefCell::new(Vec::new()),
        }
    }

    fn within<T, E>(&self, step: Step, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.path.borrow_mut().push(step);
        let value = run()?;
        self.path.borrow_mut().pop();
        Ok(value)
    }

    fn write(&self, write: impl FnOnce(&mut Writer)) {
        write(&mut self.writer.borrow_mut());
    }
}

fn render(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        let _infallible = match step {
            Step::Member(name) if text.is_empty() => write!(text, "{name}"),
            Step::Member(name) => write!(text, ".{name}"),
            Step::Element(index) => write!(text, "[{index}]"),
        };
    }
    text
}

/// Reads one JSON object as the body of a message, without its protobuf tag and length.
#[derive(Clone, Copy)]
struct MessageSeed<'c> {
    context: &'c Context,
    message: &'static Message,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(NameSeed(self.message))? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.context.within(Step::Member(field.name), || {
                map.next_value_seed(ValueSeed {
                    context: self.context,
                    field,
                })
            })?;
        }
        Ok(())
    }
}

/// Reads the name of a member: `None` for an unknown one.
struct NameSeed(&'static Message);

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.find(name))
    }
}

/// Reads an array of objects as the elements of a repeated message. An element of null is an empty
/// message, so that the elements after it keep their places.
struct Elements<'c> {
    context: &'c Context,
    field: &'static Field,
    message: &'static Message,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for index in 0.. {
            let more = self.context.within(Step::Element(index), || {
                seq.next_element_seed(value::NestedSeed {
                    context: self.context,
                    number: self.field.number,
                    message: self.message,
                    null_is_empty: true,
                })
            })?;
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }
}
