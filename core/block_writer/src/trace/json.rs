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

#[cfg(test)]
mod tests {
    use vivace_model::{Owner, SpanBatchBuilder, SpanId, SpanRow, StringId, TraceId, Value};

    use super::*;

    /// The JSON of the value that `make` makes.
    fn json(make: impl FnOnce(&mut SpanBatchBuilder) -> Value) -> String {
        let mut builder = SpanBatchBuilder::new();
        let resource = builder.resource(0, StringId(0), &[]).unwrap();
        let scope = builder
            .scope(StringId(0), StringId(0), 0, StringId(0))
            .unwrap();
        let value = make(&mut builder);
        let key = builder.intern("key");
        builder.attribute(Owner::Span, key, value);
        let row = SpanRow {
            trace_id: TraceId([1; 16]),
            span_id: SpanId([1; 8]),
            parent_span_id: None,
            name: StringId(0),
            kind: 0,
            start_unix_nano: 0,
            end_unix_nano: 0,
            status_code: 0,
            status_message: StringId(0),
            trace_state: StringId(0),
            flags: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
            resource,
            scope,
        };
        builder.end_span(row).unwrap();
        let batch = builder.finish().unwrap();
        let view = batch.view();
        let mut out = String::new();
        let value = view.span(0).attributes().get("key").unwrap();
        push_value(&mut out, value);
        out
    }

    #[test]
    fn the_examples_of_the_specification() {
        let mixed = json(|builder| {
            let list = builder.begin_list();
            let (empty, x) = (StringId(0), builder.intern("x"));
            builder.element(empty, Value::string(x));
            builder.element(empty, Value::int(1));
            builder.end_array(list).unwrap()
        });
        assert_eq!(
            mixed,
            r#"{"arrayValue":{"values":[{"stringValue":"x"},{"intValue":"1"}]}}"#
        );
        let pairs = json(|builder| {
            let list = builder.begin_list();
            let a = builder.intern("a");
            builder.element(a, Value::int(1));
            builder.end_kvlist(list).unwrap()
        });
        assert_eq!(
            pairs,
            r#"{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}}]}}"#
        );
        assert_eq!(
            json(|builder| builder.bytes(&[1, 2, 3])),
            r#"{"bytesValue":"AQID"}"#
        );
        assert_eq!(json(|_| Value::EMPTY), "{}");
    }

    #[test]
    fn texts_are_escaped_as_go_does_it() {
        let text = json(|builder| {
            Value::string(builder.intern("a\"\\\n\r\t\u{8}\u{c}\0<>&\u{2028}\u{7f}\u{20ac}"))
        });
        let expected = "{\"stringValue\":\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0000\\u003c\\u003e\\u0026\\u2028\u{7f}\u{20ac}\"}";
        assert_eq!(text, expected);
    }

    #[test]
    fn doubles_are_written_as_go_does_it() {
        for (value, expected) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (-2.0, "-2"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1.25e-7, "1.25e-7"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            let json = json(|_| Value::double(value));
            assert_eq!(json, format!("{{\"doubleValue\":{expected}}}"));
        }
    }
}
