//! JSON of what no value leaf holds, in the form of protobuf's messages (block-format.md §3.5): that of Go's jsonpb, as
//! Tempo writes it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vivace_model::{AttributesView, ListView, ValueView};

/// Writes an `AnyValue`.
pub(crate) fn push_value(out: &mut String, value: ValueView<'_>) {
    match value {
        ValueView::Empty => out.push_str("{}"),
        ValueView::String(text) => {
            out.push_str("{\"stringValue\":");
            push_text(out, text);
            out.push('}');
        }
        ValueView::Bool(value) => push_display(out, format_args!("{{\"boolValue\":{value}}}")),
        // 64-bit integers are strings.
        ValueView::Int(value) => push_display(out, format_args!("{{\"intValue\":\"{value}\"}}")),
        ValueView::Double(value) => {
            out.push_str("{\"doubleValue\":");
            push_double(out, value);
            out.push('}');
        }
        ValueView::Bytes(bytes) => {
            out.push_str("{\"bytesValue\":\"");
            STANDARD.encode_string(bytes, out);
            out.push_str("\"}");
        }
        ValueView::Array(values) => push_array(out, values),
        ValueView::KvList(pairs) => push_pairs(out, pairs),
    }
}

fn push_array(out: &mut String, values: ListView<'_>) {
    out.push_str("{\"arrayValue\":{");
    if values.len() > 0 {
        out.push_str("\"values\":[");
        for (index, value) in values.enumerate() {
            if index > 0 {
                out.push(',');
            }
            push_value(out, value);
        }
        out.push(']');
    }
    out.push_str("}}");
}

fn push_pairs(out: &mut String, pairs: AttributesView<'_>) {
    out.push_str("{\"kvlistValue\":{");
    if pairs.len() > 0 {
        out.push_str("\"values\":[");
        for (index, (key, value)) in pairs.enumerate() {
            out.push_str(if index > 0 { ",{" } else { "{" });
            // Empty texts are left out.
            if !key.is_empty() {
                out.push_str("\"key\":");
                push_text(out, key);
                out.push(',');
            }
            out.push_str("\"value\":");
            push_value(out, value);
            out.push('}');
        }
        out.push(']');
    }
    out.push_str("}}");
}

fn push_display(out: &mut String, value: impl std::fmt::Display) {
    let _infallible = write!(out, "{value}");
}

/// The shortest digits that read back as the same number, with an exponent below 1e-6 and from 1e21 on; what is not a
/// number as a string.
fn push_double(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("\"NaN\"");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        });
    } else if value != 0.0 && !(1e-6..1e21).contains(&value.abs()) {
        let text = format!("{value:e}");
        match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                push_display(out, format_args!("{digits}e+{exponent}"));
            }
            _ => out.push_str(&text),
        }
    } else {
        push_display(out, value);
    }
}

/// Text in quotes, escaped as Go's encoding/json does it.
fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                push_display(out, format_args!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}
