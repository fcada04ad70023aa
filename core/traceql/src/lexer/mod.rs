//! Text → tokens (traceql.md §1).

pub mod name;
pub mod number;
pub mod string;
mod token;
pub mod words;

use std::borrow::Cow;

pub use token::Token;

use crate::ast::{Attribute, Scope};
use crate::error::ParseError;
use crate::limits::MAX_ERROR_TOKEN_CHARS;

/// Gives one token after the other; after the end, `Token::End` for ever.
#[derive(Clone)]
pub struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// `parent.x` came by, behind which `.span.x` would be read as a scope by others (traceql.md §1.3).
    after_parent: bool,
}

/// A token and its bytes in the text.
#[derive(Clone, Debug)]
pub struct Lexed<'a> {
    pub token: Token<'a>,
    pub start: usize,
    pub end: usize,
}

/// What an error repeats of a text.
pub fn shorten(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_ERROR_TOKEN_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            after_parent: false,
        }
    }

    pub fn text(&self) -> &'a str {
        self.text
    }

    pub fn error(&self, at: usize, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, at, message)
    }

    pub fn next(&mut self) -> Result<Lexed<'a>, ParseError> {
        self.skip_blanks()?;
        let start = self.at;
        let rest = &self.text[start..];
        let mut chars = rest.chars();
        let Some(first) = chars.next() else {
            return Ok(Lexed {
                token: Token::End,
                start,
                end: start,
            });
        };
        let second = chars.next();
        let (token, length) = match first {
            '{' => (Token::BraceOpen, 1),
            '}' => (Token::BraceClose, 1),
            '(' => (Token::ParenOpen, 1),
            ')' => (Token::ParenClose, 1),
            ',' => (Token::Comma, 1),
            '"' => self.string(string::read_quoted(rest))?,
            '`' => self.string(string::read_raw(rest))?,
            '0'..='9' => self.number()?,
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number()?,
            '.' => self.attribute(1, Scope::Unscoped, false)?,
            c if c == '_' || c.is_alphabetic() => self.word()?,
            _ => self.operator()?,
        };
        self.at = start + length;
        Ok(Lexed {
            token,
            start,
            end: self.at,
        })
    }

    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = &self.text[self.at..];
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            self.at += blanks;
            let rest = &rest[blanks..];
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                match comment.find("*/") {
                    Some(end) => self.at += end + 4,
                    None => return Err(self.error(self.at, "comment without an end")),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn string(
        &self,
        read: Result<(std::sync::Arc<str>, usize), (usize, &'static str)>,
    ) -> Result<(Token<'a>, usize), ParseError> {
        match read {
            Ok((value, length)) => Ok((Token::String(value), length)),
            Err((offset, why)) => Err(self.error(self.at + offset, why)),
        }
    }

    fn number(&self) -> Result<(Token<'a>, usize), ParseError> {
        number::read(&self.text[self.at..]).map_err(|(_, why)| self.error(self.at, why))
    }

    fn operator(&self) -> Result<(Token<'a>, usize), ParseError> {
        let rest = &self.text[self.at..];
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let known = |length: usize| {
            let text = rest.get(..length)?;
            words::OPERATORS.iter().find(|known| **known == text)
        };
        let mut length = first;
        while known(length + 1).is_some() {
            length += 1;
        }
        match known(length) {
            Some(&"|") => Ok((Token::Pipe, 1)),
            Some(operator) => Ok((Token::Operator(operator), length)),
            None => {
                let found = match &rest[..first] {
                    quote @ ("'" | "\"") => quote.to_owned(),
                    other => other.escape_debug().to_string(),
                };
                let hint = match &rest[..first] {
                    "'" => ", strings stand in `\"` or backquotes",
                    "&" => ", did you mean `&&`?",
                    _ => "",
                };
                Err(self.error(self.at, format!("unexpected character `{found}`{hint}")))
            }
        }
    }

    fn word(&mut self) -> Result<(Token<'a>, usize), ParseError> {
        let rest = &self.text[self.at..];
        let length = rest
            .find(|c: char| c != '_' && !c.is_alphanumeric())
            .unwrap_or(rest.len());
        let word = &rest[..length];
        match rest.as_bytes().get(length) {
            Some(b'.') if word == "parent" => {
                let after = &rest[length + 1..];
                for (prefix, scope) in [("span.", Scope::Span), ("resource.", Scope::Resource)] {
                    if after.starts_with(prefix) {
                        return self.attribute(length + 1 + prefix.len(), scope, true);
                    }
                }
                self.after_parent = true;
                self.attribute(length + 1, Scope::Unscoped, true)
            }
            Some(b'.') => match words::dot_scope(word) {
                Some(scope) => self.attribute(length + 1, scope, false),
                None => Ok((Token::Word(word), length)),
            },
            Some(b':') => match words::colon_scope(word) {
                Some(scope) => Ok((Token::Scope(scope), length + 1)),
                None => Ok((Token::Word(word), length)),
            },
            _ => Ok((Token::Word(word), length)),
        }
    }

    /// The name starts `prefix` bytes behind where the lexer stands.
    fn attribute(
        &self,
        prefix: usize,
        scope: Scope,
        parent: bool,
    ) -> Result<(Token<'a>, usize), ParseError> {
        let text = &self.text[self.at + prefix..];
        if self.after_parent
            && scope == Scope::Unscoped
            && !parent
            && (text.starts_with("span.") || text.starts_with("resource."))
        {
            return Err(self.error(
                self.at,
                "after an attribute of the parent an unscoped name that starts with a scope must be quoted",
            ));
        }
        match name::read(text) {
            Ok((key, length)) => Ok((
                Token::Attribute(Attribute {
                    scope,
                    parent,
                    key: key.into(),
                }),
                prefix + length,
            )),
            Err((offset, why)) => Err(self.error(self.at + prefix + offset, why)),
        }
    }
}
