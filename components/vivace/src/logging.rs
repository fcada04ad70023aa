//! Log lines as Tempo writes them (observability.md §4): logfmt or JSON on stderr, `level ts caller msg` first.
//!
//! Lines go through a bounded queue to a thread of their own, so that a slow terminal never stalls a shard;
//! when the queue is full, lines are dropped and never wait.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Lines that may wait for the terminal.
const QUEUED_LINES_MAX: usize = 8192;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `level=info ts=… caller=… msg="…" key=value`
    Logfmt,
    /// One JSON object a line with the same keys.
    Json,
}

/// Starts logging; lines are flushed when the guard is dropped.
pub fn start(level: &str, format: Format) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES_MAX)
        .finish(std::io::stderr());
    let filter = EnvFilter::try_new(format!("{level},hyper=warn,h2=warn,rustls=warn"))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    // A second start in one process (tests) keeps the first subscriber.
    let _already_set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .event_format(Lines { format })
        .with_writer(writer)
        .try_init();
    guard
}

struct Lines {
    format: Format,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG | Level::TRACE => "debug",
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let file = metadata
            .file()
            .map_or("unknown", |path| path.rsplit('/').next().unwrap_or(path));
        let caller = format!("{file}:{}", metadata.line().unwrap_or(0));
        let now = humantime::format_rfc3339_nanos(SystemTime::now()).to_string();
        let mut line = String::with_capacity(160);
        let head = [
            ("level", level),
            ("ts", &now),
            ("caller", &caller),
            ("msg", &fields.message),
        ];
        let pairs = head.into_iter().chain(
            fields
                .rest
                .iter()
                .map(|(key, value)| (key.as_ref(), value.as_str())),
        );
        match self.format {
            Format::Logfmt => write_logfmt(&mut line, pairs),
            Format::Json => write_json(&mut line, pairs),
        }
        writeln!(writer, "{line}")
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(Cow<'static, str>, String)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" | "msg" => self.message = value,
            // Fields whose names are known at run time only: `name<tab>value` lines.
            "named_fields" => self.rest.extend(value.lines().filter_map(|line| {
                let (name, value) = line.split_once('\t')?;
                Some((Cow::Owned(name.to_owned()), value.to_owned()))
            })),
            name => self.rest.push((Cow::Borrowed(name), value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}"));
    }
}

fn write_logfmt<'a>(line: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    for (key, value) in pairs {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(key);
        line.push('=');
        let quoted = value
            .bytes()
            .any(|byte| byte <= b' ' || matches!(byte, b'"' | b'=' | b'\\' | 0x7f));
        if quoted {
            push_json_string(line, value);
        } else {
            line.push_str(value);
        }
    }
}

fn write_json<'a>(line: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    line.push('{');
    for (index, (key, value)) in pairs.enumerate() {
        if index > 0 {
            line.push(',');
        }
        push_json_string(line, key);
        line.push(':');
        push_json_string(line, value);
    }
    line.push('}');
}

/// A text as a JSON string, with its quotes.
pub fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_json_string(&mut out, text);
    out
}

fn push_json_string(line: &mut String, text: &str) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\t' => line.push_str("\\t"),
            '\r' => line.push_str("\\r"),
            control if (control as u32) < 0x20 => {
                // Writing to a String cannot fail.
                let _infallible = write!(line, "\\u{:04x}", control as u32);
            }
            other => line.push(other),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logfmt_quotes_only_what_needs_it() {
        let mut line = String::new();
        let pairs = [
            ("level", "info"),
            ("msg", "Tempo started"),
            ("traceID", ""),
            ("q", "a=\"b\"\n"),
        ];
        write_logfmt(&mut line, pairs.into_iter());
        assert_eq!(
            line,
            r#"level=info msg="Tempo started" traceID= q="a=\"b\"\n""#
        );
    }

    #[test]
    fn json_lines_are_json() -> Result<(), serde_json::Error> {
        let mut line = String::new();
        write_json(&mut line, [("msg", "a\u{1}\"b\\"), ("k", "v")].into_iter());
        let value: serde_json::Value = serde_json::from_str(&line)?;
        assert_eq!(value["msg"], "a\u{1}\"b\\");
        Ok(())
    }
}
