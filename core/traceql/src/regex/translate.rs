//! RE2's syntax → the crate's.

use std::collections::HashSet;

use super::escape::Escape;
use super::{RegexError, cut};
use crate::limits::{MAX_REGEX_NESTING, MAX_REGEX_REPEAT, MAX_REGEX_STATES};

/// States that a pattern costs before its first character.
const BASE_STATES: u64 = 10;
/// Of `.`, which is one character of any length.
pub(super) const ANY_STATES: u64 = 12;

/// A pattern that is valid RE2 and within the limits.
#[derive(Debug)]
pub struct Pattern {
    /// For the crate.
    text: String,
    states: u64,
    /// The characters, if there is nothing else.
    literal: Option<String>,
    /// Bytes of `text` of a `.*` at its start, and where one at its end starts.
    leading: usize,
    trailing: usize,
}

impl Pattern {
    pub fn read(pattern: &str) -> Result<Self, RegexError> {
        let mut translator = Translator {
            pattern,
            rest: pattern,
            out: String::with_capacity(pattern.len() + 16),
            groups: Vec::new(),
            level: Level::default(),
            literal: Some(String::new()),
            names: HashSet::new(),
            classes: HashSet::new(),
            flags_seen: false,
            alternatives: false,
            leading: 0,
            trailing: None,
        };
        translator.run()?;
        let searchable = !translator.flags_seen && !translator.alternatives;
        let length = translator.out.len();
        let trailing = translator
            .trailing
            .filter(|(_, end)| searchable && *end == length);
        Ok(Self {
            states: BASE_STATES + translator.level.states(),
            literal: translator.literal,
            leading: if searchable { translator.leading } else { 0 },
            trailing: trailing.map_or(length, |(start, _)| start),
            text: translator.out,
        })
    }

    /// An estimate of the states of the compiled pattern, which bounds the time and memory that it takes.
    pub fn states(&self) -> u64 {
        self.states
    }

    pub(super) fn literal(&self) -> Option<&str> {
        self.literal.as_deref()
    }

    pub(super) fn matches_everything(&self) -> bool {
        self.leading > 0 && self.leading >= self.trailing
    }

    /// With anchors where no `.*` makes them idle: what stands between two of these is then searched as a literal.
    pub(super) fn anchored(&self) -> String {
        let body = self.text.get(self.leading..self.trailing).unwrap_or("");
        let start = if self.leading > 0 { "" } else { "^" };
        let end = if self.trailing < self.text.len() {
            ""
        } else {
            "$"
        };
        format!("{start}(?s:{body}){end}")
    }
}

/// What a repetition applies to.
#[derive(Clone, Copy)]
struct Atom {
    states: u64,
    /// The largest product of nested `{n}` in it.
    repeat: u32,
    /// It has a repetition already, and RE2 has no two in a row.
    repeated: bool,
    /// Where it starts in the output, if it is a `.` outside of groups.
    dot: Option<usize>,
}

/// What is read within one pair of parentheses.
#[derive(Default)]
struct Level {
    /// Of finished atoms.
    done: u64,
    repeat: u32,
    last: Option<Atom>,
    /// `(?i)` holds.
    fold: bool,
}

impl Level {
    fn states(&self) -> u64 {
        self.done
            .saturating_add(self.last.map_or(0, |atom| atom.states))
    }

    fn finish_atom(&mut self) {
        if let Some(atom) = self.last.take() {
            self.done = self.done.saturating_add(atom.states);
            self.repeat = self.repeat.max(atom.repeat);
        }
    }
}

pub(super) struct Translator<'a> {
    pub pattern: &'a str,
    pub rest: &'a str,
    pub out: String,
    groups: Vec<Level>,
    level: Level,
    literal: Option<String>,
    /// Of groups.
    names: HashSet<&'a str>,
    /// Unicode classes that are known to exist.
    pub classes: HashSet<&'a str>,
    flags_seen: bool,
    /// `|` outside of groups.
    alternatives: bool,
    leading: usize,
    trailing: Option<(usize, usize)>,
}

impl<'a> Translator<'a> {
    pub fn invalid(&self, why: &str) -> RegexError {
        RegexError::invalid(self.pattern, why)
    }

    pub fn fold(&self) -> bool {
        self.level.fold
    }

    fn run(&mut self) -> Result<(), RegexError> {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => {
                    self.skip(1);
                    self.level.finish_atom();
                    self.alternatives |= self.groups.is_empty();
                    self.operator("|");
                }
                '*' | '+' | '?' => {
                    self.skip(1);
                    self.repetition(None, c)?;
                }
                '{' => match self.counts()? {
                    Some((least, most)) => self.repetition(Some((least, most)), c)?,
                    None => {
                        self.skip(1);
                        self.character(c);
                    }
                },
                '.' => {
                    self.skip(1);
                    let dot = self.groups.is_empty().then_some(self.out.len());
                    self.operator(".");
                    self.atom(ANY_STATES, dot);
                }
                '^' | '$' => {
                    self.skip(1);
                    self.operator(if c == '^' { "^" } else { "$" });
                    self.atom(1, None);
                }
                '[' => {
                    let states = self.class()?;
                    self.literal = None;
                    self.atom(states, None);
                }
                '\\' => self.escaped()?,
                c => {
                    self.skip(c.len_utf8());
                    self.character(c);
                }
            }
            if self.level.states() > MAX_REGEX_STATES {
                return Err(RegexError::TooComplex {
                    pattern: cut(self.pattern),
                });
            }
        }
        if !self.groups.is_empty() {
            return Err(self.invalid("missing `)`"));
        }
        Ok(())
    }

    pub fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn operator(&mut self, text: &str) {
        self.literal = None;
        self.out.push_str(text);
    }

    fn atom(&mut self, states: u64, dot: Option<usize>) {
        self.level.finish_atom();
        self.level.last = Some(Atom {
            states,
            repeat: 1,
            repeated: false,
            dot,
        });
    }

    /// A character that stands for itself.
    fn character(&mut self, c: char) {
        if let Some(literal) = &mut self.literal {
            literal.push(c);
        }
        push_character(&mut self.out, c);
        let states = c.len_utf8() as u64;
        // A letter and its other cases, of which one may be longer.
        let states = if self.level.fold { states * 4 } else { states };
        self.atom(states, None);
    }

    fn escaped(&mut self) -> Result<(), RegexError> {
        if let Some(quoted) = self.rest.strip_prefix("\\Q") {
            let (quoted, rest) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            self.rest = rest;
            for c in quoted.chars() {
                self.character(c);
            }
            return Ok(());
        }
        let assertion = match self.rest.as_bytes().get(1) {
            Some(b'A') => Some(("\\A", 1)),
            Some(b'z') => Some(("\\z", 1)),
            Some(b'b') => Some(("(?-u:\\b)", 1)),
            Some(b'B') => Some(("(?-u:\\B)", 1)),
            // One byte, whatever it is.
            Some(b'C') => Some(("(?s-u:.)", 1)),
            _ => None,
        };
        if let Some((text, states)) = assertion {
            self.skip(2);
            self.operator(text);
            self.atom(states, None);
            return Ok(());
        }
        match self.escape()? {
            Escape::Character(c) => self.character(c),
            Escape::Class { text, states } => {
                self.operator(&text);
                self.atom(states, None);
            }
        }
        Ok(())
    }

    /// `(`, with what a `?` behind it says.
    fn open(&mut self) -> Result<(), RegexError> {
        self.literal = None;
        let Some(header) = self.rest.strip_prefix("(?") else {
            self.skip(1);
            return self.push_group("(?:", self.level.fold);
        };
        for prefix in ["P<", "<"] {
            let Some(named) = header.strip_prefix(prefix) else {
                continue;
            };
            let Some((name, _)) = named.split_once('>') else {
                return Err(self.invalid("invalid named capture"));
            };
            let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
            if name.is_empty() || !name.chars().all(word) {
                return Err(self.invalid("invalid named capture"));
            }
            if !self.names.insert(name) {
                return Err(self.invalid("duplicate capture group name"));
            }
            self.skip(2 + prefix.len() + name.len() + 1);
            return self.push_group("(?:", self.level.fold);
        }
        self.flags(header)
    }

    /// `(?i-s)` or `(?i-s:`
    fn flags(&mut self, header: &str) -> Result<(), RegexError> {
        let wrong = "invalid or unsupported Perl syntax";
        let Some(length) = header.find([':', ')']) else {
            return Err(self.invalid(wrong));
        };
        let flags = &header[..length];
        let mut fold = self.level.fold;
        let (on, off) = flags.split_once('-').unwrap_or((flags, ""));
        if !on
            .chars()
            .chain(off.chars())
            .all(|flag| "imsU".contains(flag))
            || (flags.contains('-') && off.is_empty())
        {
            return Err(self.invalid(wrong));
        }
        fold |= on.contains('i');
        fold &= !off.contains('i');
        let group = header.as_bytes()[length] == b':';
        self.skip(2 + length + 1);
        // The crate refuses flags that are named twice.
        let mut text = String::from("(?");
        for flag in "imsU"
            .chars()
            .filter(|flag| on.contains(*flag) && !off.contains(*flag))
        {
            text.push(flag);
        }
        if !off.is_empty() {
            text.push('-');
            text.extend("imsU".chars().filter(|flag| off.contains(*flag)));
        }
        if group {
            self.flags_seen |= !flags.is_empty();
            text.push(':');
            return self.push_group(&text, fold);
        }
        self.level.finish_atom();
        if !flags.is_empty() {
            self.flags_seen = true;
            text.push(')');
            self.operator(&text);
        }
        self.level.fold = fold;
        Ok(())
    }

    fn push_group(&mut self, text: &str, fold: bool) -> Result<(), RegexError> {
        if self.groups.len() >= MAX_REGEX_NESTING {
            return Err(RegexError::TooDeep {
                pattern: cut(self.pattern),
            });
        }
        self.level.finish_atom();
        let inner = Level {
            fold,
            ..Level::default()
        };
        self.groups.push(std::mem::replace(&mut self.level, inner));
        self.operator(text);
        Ok(())
    }

    fn close(&mut self) -> Result<(), RegexError> {
        let Some(outer) = self.groups.pop() else {
            return Err(self.invalid("unexpected `)`"));
        };
        self.skip(1);
        self.level.finish_atom();
        let inner = std::mem::replace(&mut self.level, outer);
        self.operator(")");
        self.level.last = Some(Atom {
            states: inner.done.saturating_add(1),
            repeat: inner.repeat.max(1),
            repeated: false,
            dot: None,
        });
        Ok(())
    }

    /// `{2}`, `{2,}`, `{2,5}`: least and most. Anything else behind a brace makes it a character.
    fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>, RegexError> {
        let Some((inner, _)) = self.rest[1..].split_once('}') else {
            return Ok(None);
        };
        let number = |digits: &str| {
            let valid = !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && (digits == "0" || !digits.starts_with('0'));
            valid.then(|| digits.parse().unwrap_or(u32::MAX))
        };
        let (least, most) = match inner.split_once(',') {
            Some((least, "")) => (number(least), None),
            Some((least, most)) => match number(most) {
                Some(most) => (number(least), Some(most)),
                None => return Ok(None),
            },
            None => (number(inner), number(inner)),
        };
        let Some(least) = least else {
            return Ok(None);
        };
        let largest = most.unwrap_or(least).max(least);
        if largest > MAX_REGEX_REPEAT || most.is_some_and(|most| most < least) {
            return Err(self.invalid("invalid repeat count"));
        }
        self.skip(inner.len() + 2);
        Ok(Some((least, most)))
    }

    fn repetition(
        &mut self,
        counts: Option<(u32, Option<u32>)>,
        operator: char,
    ) -> Result<(), RegexError> {
        let Some(mut atom) = self.level.last else {
            return Err(self.invalid("missing argument to repetition operator"));
        };
        if atom.repeated {
            return Err(self.invalid("invalid nested repetition operator"));
        }
        match counts {
            None => {
                self.operator(operator.encode_utf8(&mut [0; 4]));
                atom.states = atom.states.saturating_add(2);
            }
            Some((least, most)) => {
                let largest = most.unwrap_or(least).max(least);
                atom.repeat = atom.repeat.saturating_mul(largest.max(1));
                if atom.repeat > MAX_REGEX_REPEAT {
                    return Err(self.invalid("invalid repeat count"));
                }
                let copies = u64::from(largest.max(1)) + u64::from(most.is_none());
                atom.states = atom.states.saturating_add(1).saturating_mul(copies);
                self.operator(&match most {
                    Some(most) if most == least => format!("{{{least}}}"),
                    Some(most) => format!("{{{least},{most}}}"),
                    None => format!("{{{least},}}"),
                });
            }
        }
        if self.rest.starts_with('?') {
            self.skip(1);
            self.out.push('?');
        }
        atom.repeated = true;
        self.level.last = Some(atom);
        if let (Some(start), '*') = (atom.dot, operator) {
            if start == 0 {
                self.leading = self.out.len();
            }
            self.trailing = Some((start, self.out.len()));
        }
        Ok(())
    }
}

/// Writes a character that stands for itself.
pub(super) fn push_character(out: &mut String, c: char) {
    if c.is_control() {
        out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
        return;
    }
    if "\\.+*?()|[]{}^$#&-~".contains(c) {
        out.push('\\');
    }
    out.push(c);
}
