//! Text → tree.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::node::{Entry, Mark, Node, Scalar, Style, Value};
use crate::error::Problem;
use crate::limits::{MAX_ALIASED_NODES, MAX_DEPTH, MAX_NODES, MAX_TEXT_BYTES};

/// A tree, and what is wrong with it that does not keep the rest from being read (repeated keys).
#[derive(Debug)]
pub struct Parsed {
    /// Null for an empty text.
    pub root: Node,
    pub problems: Vec<Problem>,
}

/// A node with what the limits need to know of it.
#[derive(Clone)]
struct Built {
    node: Node,
    /// Levels below and including this node.
    height: usize,
    /// Nodes below and including this node.
    size: usize,
}

/// A collection that is still open.
struct Open {
    mark: Mark,
    anchor: usize,
    height: usize,
    size: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<(String, Mark, bool)>,
        merges: Vec<(Mark, Node)>,
    },
}

/// Parses one document.
///
/// `Err` is a text that is not YAML, that has more than one document, or that passes a limit.
pub fn parse(text: &str) -> Result<Parsed, Problem> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(problem(
            Mark::default(),
            format!("the text is longer than {MAX_TEXT_BYTES} bytes"),
        ));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker();
            problem(
                mark_at(at.line(), at.col()),
                format!("not valid YAML: {}", error.info()),
            )
        })?;
        builder.event(event, span)?;
    }
    Ok(Parsed {
        root: builder.root.unwrap_or_else(Node::null),
        problems: builder.problems,
    })
}

fn problem(mark: Mark, message: impl Into<String>) -> Problem {
    Problem {
        mark,
        path: String::new(),
        message: message.into(),
    }
}

fn mark_at(line: usize, column: usize) -> Mark {
    let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Mark {
        line: clamp(line),
        column: clamp(column.saturating_add(1)),
    }
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Built>,
    root: Option<Node>,
    documents: usize,
    size: usize,
    aliased: usize,
    problems: Vec<Problem>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let mark = mark_at(span.start.line(), span.start.col());
        match event {
            Event::DocumentStart(..) => self.documents += 1,
            Event::Scalar(text, style, anchor, tag) => {
                let style = scalar_style(style, tag.as_deref(), mark)?;
                let node = Node::new(
                    mark,
                    Value::Scalar(Scalar {
                        text: text.into_owned(),
                        style,
                    }),
                );
                self.finish(
                    Built {
                        node,
                        height: 1,
                        size: 1,
                    },
                    anchor,
                    false,
                )?;
            }
            Event::Alias(id) => {
                // The anchor of a collection that is still open: `&a [*a]` has no finite tree.
                let Some(built) = self.anchors.get(&id).cloned() else {
                    return Err(problem(
                        mark,
                        "an alias inside the value that it stands for",
                    ));
                };
                self.finish(built, 0, true)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", mark)?;
                self.push(mark, anchor, Kind::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "map", mark)?;
                let kind = Kind::Map {
                    entries: Vec::new(),
                    key: None,
                    merges: Vec::new(),
                };
                self.push(mark, anchor, kind)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, mark: Mark, anchor: usize, kind: Kind) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            return Err(problem(
                mark,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        self.open.push(Open {
            mark,
            anchor,
            height: 0,
            size: 0,
            kind,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.kind {
            Kind::List(items) => Value::List(items),
            Kind::Map {
                entries, merges, ..
            } => Value::Map(self.merged(entries, merges)?),
        };
        let built = Built {
            node: Node::new(open.mark, value),
            height: open.height + 1,
            size: open.size + 1,
        };
        self.finish(built, open.anchor, false)
    }

    /// Puts a complete node where it belongs: a key, a value, an item or the root.
    fn finish(&mut self, built: Built, anchor: usize, is_alias: bool) -> Result<(), Problem> {
        let mark = built.node.mark;
        self.size += 1;
        if self.size > MAX_NODES {
            return Err(problem(mark, format!("more than {MAX_NODES} values")));
        }
        // What has an anchor is copied for its aliases, and again by each of them.
        self.aliased += if anchor > 0 || is_alias {
            built.size
        } else {
            0
        };
        if self.aliased > MAX_ALIASED_NODES {
            return Err(problem(
                mark,
                format!("aliases stand for more than {MAX_ALIASED_NODES} values"),
            ));
        }
        if self.open.len() + built.height > MAX_DEPTH {
            return Err(problem(
                mark,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, built.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            if self.documents > 1 && self.root.is_some() && !built.node.is_null() {
                return Err(problem(
                    mark,
                    "more than one YAML document; only one is read",
                ));
            }
            self.root.get_or_insert(built.node);
            return Ok(());
        };
        parent.height = parent.height.max(built.height);
        parent.size += built.size;
        match &mut parent.kind {
            Kind::List(items) => items.push(built.node),
            Kind::Map {
                entries,
                key,
                merges,
            } => match key.take() {
                None => {
                    let Value::Scalar(scalar) = built.node.value else {
                        return Err(problem(
                            mark,
                            "a key must be a text, not a list or a mapping",
                        ));
                    };
                    let is_merge = scalar.style == Style::Plain && scalar.text == "<<";
                    *key = Some((scalar.text, mark, is_merge));
                }
                Some((_, _, true)) => merges.push((mark, built.node)),
                Some((key, mark, false)) => entries.push(Entry {
                    key,
                    mark,
                    value: built.node,
                }),
            },
        }
        Ok(())
    }

    /// Reports repeated keys, then adds what `<<` brings for the keys that are not there.
    fn merged(
        &mut self,
        entries: Vec<Entry>,
        merges: Vec<(Mark, Node)>,
    ) -> Result<Vec<Entry>, Problem> {
        let mut first: HashMap<String, Mark> = HashMap::with_capacity(entries.len());
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(earlier) = first.get(&entry.key) {
                self.problems.push(Problem {
                    mark: entry.mark,
                    path: entry.key.clone(),
                    message: format!(
                        "this key is already set at line {}, column {}",
                        earlier.line, earlier.column
                    ),
                });
                continue;
            }
            first.insert(entry.key.clone(), entry.mark);
            kept.push(entry);
        }
        let mut seen: HashSet<String> = first.into_keys().collect();
        for (mark, node) in merges {
            let sources = match node.value {
                Value::Map(entries) => vec![entries],
                Value::List(items) => items
                    .into_iter()
                    .map(|item| match item.value {
                        Value::Map(entries) => Ok(entries),
                        _ => Err(problem(mark, "`<<` merges mappings only")),
                    })
                    .collect::<Result<_, _>>()?,
                _ => return Err(problem(mark, "`<<` merges mappings only")),
            };
            for entry in sources.into_iter().flatten() {
                if seen.insert(entry.key.clone()) {
                    kept.push(entry);
                }
            }
        }
        Ok(kept)
    }
}

/// A tag says what a scalar is; only the standard ones mean anything here.
fn scalar_style(style: ScalarStyle, tag: Option<&Tag>, mark: Mark) -> Result<Style, Problem> {
    let quoted = match style {
        ScalarStyle::Plain => Style::Plain,
        _ => Style::Quoted,
    };
    let Some(tag) = tag else { return Ok(quoted) };
    match tag.core_suffix() {
        Some("str") => Ok(Style::Quoted),
        Some("int" | "float" | "bool" | "null") => Ok(Style::Plain),
        _ => Err(problem(
            mark,
            format!("the tag {} is not known here", tag.original()),
        )),
    }
}

fn collection_tag(tag: Option<&Tag>, wanted: &str, mark: Mark) -> Result<(), Problem> {
    match tag {
        Some(tag) if tag.core_suffix() != Some(wanted) => Err(problem(
            mark,
            format!("the tag {} is not known here", tag.original()),
        )),
        _ => Ok(()),
    }
}
