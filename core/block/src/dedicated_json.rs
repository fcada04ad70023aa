//! `dedicatedColumns` as JSON, in metas and in tenant indexes: `[{"s":scope,"n":name,"t":type,"o":[option]}]`, without
//! what has its default (block-format.md §2).

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dedicated::{ColumnOption, DedicatedColumn, Kind, Scope};
use crate::limits::MAX_DEDICATED_COLUMNS;

/// Columns to be printed.
pub(crate) struct Printed<'a>(pub &'a [DedicatedColumn]);

impl Serialize for Printed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(PrintedColumn::from))
    }
}

#[derive(Serialize)]
struct PrintedColumn<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    n: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    t: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    o: Vec<&'static str>,
}

impl<'a> From<&'a DedicatedColumn> for PrintedColumn<'a> {
    fn from(column: &'a DedicatedColumn) -> Self {
        Self {
            s: (column.scope != Scope::Span).then(|| column.scope.as_str()),
            n: &column.name,
            t: (column.kind != Kind::String).then(|| column.kind.as_str()),
            o: column
                .options
                .iter()
                .map(|option| option.as_str())
                .collect(),
        }
    }
}

/// Columns that were read; null is none.
pub(crate) struct Parsed(pub Vec<DedicatedColumn>);

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParsedVisitor).map(Self)
    }
}

struct ParsedVisitor;

impl<'de> Visitor<'de> for ParsedVisitor {
    type Value = Vec<DedicatedColumn>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of dedicated columns")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut columns = Vec::new();
        while let Some(column) = list.next_element::<ParsedColumn>()? {
            if columns.len() == MAX_DEDICATED_COLUMNS {
                return Err(A::Error::custom(format_args!(
                    "more than {MAX_DEDICATED_COLUMNS} columns"
                )));
            }
            columns.push(column.check().map_err(A::Error::custom)?);
        }
        Ok(columns)
    }
}

#[derive(Deserialize)]
struct ParsedColumn {
    #[serde(default)]
    s: Option<String>,
    n: String,
    #[serde(default)]
    t: Option<String>,
    #[serde(default)]
    o: Option<Vec<String>>,
}

impl ParsedColumn {
    /// An empty scope or type is the default one.
    fn check(self) -> Result<DedicatedColumn, String> {
        let Self { s, n: name, t, o } = self;
        let unknown = |what: &str, text: &str| format!("column {name:?}: unknown {what} {text:?}");
        let scope = match s.as_deref().unwrap_or_default() {
            "" => Scope::Span,
            text => Scope::parse(text).ok_or_else(|| unknown("scope", text))?,
        };
        let kind = match t.as_deref().unwrap_or_default() {
            "" => Kind::String,
            text => Kind::parse(text).ok_or_else(|| unknown("type", text))?,
        };
        let options = o
            .unwrap_or_default()
            .into_iter()
            .map(|text| ColumnOption::parse(&text).ok_or_else(|| unknown("option", &text)));
        let options = options.collect::<Result<_, _>>()?;
        Ok(DedicatedColumn {
            scope,
            name,
            kind,
            options,
        })
    }
}
