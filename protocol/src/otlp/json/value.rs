//! Reading one JSON value as the value of a protobuf field.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor};

use super::schema::{Field, Kind, Message};
use super::{Context, Elements, MessageSeed};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Reads the value of `field` and writes it, tag included. Null writes nothing.
pub(super) struct ValueSeed<'c> {
    pub context: &'c Context,
    pub field: &'static Field,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { context, field } = self;
        match field.kind {
            Kind::Message(message) => NestedSeed {
                context,
                number: field.number,
                message,
                null_is_empty: false,
            }
            .deserialize(deserializer),
            _ => deserializer.deserialize_option(self),
        }
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        expecting(self.field.kind, f)
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { context, field } = self;
        match field.kind {
            Kind::Repeated(message) => deserializer.deserialize_seq(Elements {
                context,
                field,
                message,
            }),
            Kind::Strings => deserializer.deserialize_seq(Texts {
                context,
                number: field.number,
            }),
            // As bytes: a lone surrogate or broken UTF-8 in one string must not refuse the request.
            Kind::String | Kind::Id { .. } | Kind::Bytes => {
                deserializer.deserialize_bytes(Scalar { context, field })
            }
            _ => deserializer.deserialize_any(Scalar { context, field }),
        }
    }
}

/// Reads an object as a nested message, with tag and length.
pub(super) struct NestedSeed<'c> {
    pub context: &'c Context,
    pub number: u32,
    pub message: &'static Message,
    /// Whether null counts as an object without members, or as nothing at all.
    pub null_is_empty: bool,
}

impl<'de> DeserializeSeed<'de> for NestedSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for NestedSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        if self.null_is_empty {
            self.context.write(|w| w.bytes(self.number, &[]));
        }
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let open = self.context.writer.borrow_mut().begin(self.number);
        MessageSeed {
            context: self.context,
            message: self.message,
        }
        .deserialize(deserializer)?;
        self.context.write(|w| w.end(open));
        Ok(())
    }
}

/// Reads an array of strings as a repeated field; as an element, a string of it.
#[derive(Clone, Copy)]
struct Texts<'c> {
    context: &'c Context,
    number: u32,
}

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Texts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.context
            .write(|w| w.bytes(self.number, text.as_bytes()));
        Ok(())
    }
}

/// Reads a value that is neither null nor a message.
struct Scalar<'c> {
    context: &'c Context,
    field: &'static Field,
}

impl Scalar<'_> {
    fn varint(&self, value: u64) {
        if value != 0 || self.field.oneof {
            self.context.write(|w| w.varint(self.field.number, value));
        }
    }

    fn bytes(&self, value: &[u8]) {
        if !value.is_empty() || self.field.oneof {
            self.context.write(|w| w.bytes(self.field.number, value));
        }
    }

    /// An integer of any JSON form, as the field wants it.
    fn integer<E: Error>(&self, value: i128, seen: Unexpected) -> Result<(), E> {
        let fits = || E::invalid_value(seen, self);
        match self.field.kind {
            Kind::Uint32 => self.varint(u64::from(u32::try_from(value).map_err(|_| fits())?)),
            Kind::Int64 => self.varint(i64::try_from(value).map_err(|_| fits())? as u64),
            // Enums are open: an unknown number is kept. A negative one takes ten bytes.
            Kind::Enum(_) => {
                self.varint(i64::from(i32::try_from(value).map_err(|_| fits())?) as u64)
            }
            Kind::Fixed32 => {
                let value = u32::try_from(value).map_err(|_| fits())?;
                if value != 0 {
                    self.context.write(|w| w.fixed32(self.field.number, value));
                }
            }
            Kind::Fixed64 => {
                let value = u64::try_from(value).map_err(|_| fits())?;
                if value != 0 {
                    self.context.write(|w| w.fixed64(self.field.number, value));
                }
            }
            Kind::Double => self.double(value as f64),
            _ => return Err(E::invalid_type(seen, self)),
        }
        Ok(())
    }

    /// The only double of OTLP traces is a member of a oneof, so zero is written too.
    fn double(&self, value: f64) {
        self.context
            .write(|w| w.fixed64(self.field.number, value.to_bits()));
    }

    fn id<E: Error>(&self, hex: &[u8], bytes: usize, what: &str) -> Result<(), E> {
        if hex.is_empty() {
            return Ok(());
        }
        if hex.len() != 2 * bytes {
            return Err(E::custom(format_args!(
                "length mismatch: a {what} has {} hex digits, not {}",
                2 * bytes,
                hex.len()
            )));
        }
        let mut id = [0u8; 16];
        for (i, pair) in hex.chunks_exact(2).enumerate() {
            let digit = |at: usize| {
                char::from(pair[at]).to_digit(16).ok_or_else(|| {
                    E::custom(format_args!(
                        "a {what} is written in hex, but digit {} is {:?}",
                        2 * i + at + 1,
                        pair[at].escape_ascii().to_string()
                    ))
                })
            };
            id[i] = (digit(0)? << 4 | digit(1)?) as u8;
        }
        self.bytes(&id[..bytes]);
        Ok(())
    }

    fn text<E: Error>(&self, text: &str) -> Result<(), E> {
        let seen = Unexpected::Str(text);
        match self.field.kind {
            Kind::Double => {
                let value = match text {
                    "NaN" => f64::NAN,
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    _ => match text.parse::<f64>() {
                        // What `parse` takes beyond numbers (`inf`, `nan`) is not JSON's spelling.
                        Ok(value) if value.is_finite() => value,
                        _ => return Err(E::invalid_value(seen, self)),
                    },
                };
                self.double(value);
                Ok(())
            }
            Kind::Enum(names) => match names.iter().position(|name| *name == text) {
                Some(number) => self.integer(number as i128, seen),
                None => self.integer(parse(text, seen, self)?, seen),
            },
            Kind::Uint32 | Kind::Int64 | Kind::Fixed32 | Kind::Fixed64 => {
                self.integer(parse(text, seen, self)?, seen)
            }
            _ => Err(E::invalid_type(seen, self)),
        }
    }
}

fn parse<E: Error>(text: &str, seen: Unexpected, want: &Scalar) -> Result<i128, E> {
    text.parse().map_err(|_| E::invalid_value(seen, want))
}

impl<'de> Visitor<'de> for Scalar<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        expecting(self.field.kind, f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.field.kind {
            Kind::Bool => {
                self.varint(u64::from(value));
                Ok(())
            }
            _ => Err(E::invalid_type(Unexpected::Bool(value), &self)),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.integer(i128::from(value), Unexpected::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.integer(i128::from(value), Unexpected::Signed(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let seen = Unexpected::Float(value);
        match self.field.kind {
            Kind::Double => {
                self.double(value);
                Ok(())
            }
            // `1e9` is a fine way to write an integer; half of one is not.
            _ if value.fract() == 0.0 && value.abs() < 1e20 => self.integer(value as i128, seen),
            Kind::Bool => Err(E::invalid_type(seen, &self)),
            _ => Err(E::invalid_value(seen, &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.text(text)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<(), E> {
        match self.field.kind {
            Kind::String => {
                self.bytes(bytes);
                Ok(())
            }
            Kind::Id { bytes: size, what } => self.id(bytes, size, what),
            _ => {
                let engine = if bytes.contains(&b'-') || bytes.contains(&b'_') {
                    BASE64_URL
                } else {
                    BASE64
                };
                let decoded = engine
                    .decode(bytes)
                    .map_err(|error| E::custom(format_args!("not base64: {error}")))?;
                self.bytes(&decoded);
                Ok(())
            }
        }
    }
}

fn expecting(kind: Kind, f: &mut fmt::Formatter) -> fmt::Result {
    match kind {
        Kind::String => f.write_str("a string"),
        Kind::Id { bytes, what } => write!(f, "a {what} of {} hex digits", 2 * bytes),
        Kind::Bytes => f.write_str("a string of base64"),
        Kind::Bool => f.write_str("a boolean"),
        Kind::Uint32 | Kind::Fixed32 => f.write_str("an unsigned 32-bit integer"),
        Kind::Int64 => f.write_str("a 64-bit integer"),
        Kind::Fixed64 => f.write_str("an unsigned 64-bit integer"),
        Kind::Double => f.write_str("a number"),
        Kind::Enum(names) => write!(f, "a number, or a name such as {}", names[names.len() - 1]),
        Kind::Message(_) => f.write_str("an object"),
        Kind::Repeated(_) | Kind::Strings => f.write_str("an array"),
    }
}
