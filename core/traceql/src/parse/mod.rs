//! Tokens → tree (traceql.md §2). No function here recurses: what is open stands on stacks of its own.

mod combine;
mod field;
mod metrics;
mod pipeline;

use std::sync::Arc;

use crate::ast::{Attribute, Field, Hint, Query, Scope, Static};
use crate::chain::TooDeep;
use crate::error::ParseError;
use crate::lexer::{Lexed, Lexer, Token, shorten, words};
use crate::limits::{MAX_DEPTH, MAX_QUERY_BYTES};

/// Parses a query and folds its constants (traceql.md §2.4). Time and memory are linear in the length of the text.
///
/// The result may still be refused by `validate`.
pub fn parse(text: &str) -> Result<Query, ParseError> {
    let mut parser = Parser::new(text)?;
    let body = parser.body()?;
    let mut hints = Vec::new();
    while parser.token == Token::Word("with") {
        parser.advance()?;
        hints = parser.hints()?;
    }
    if parser.token != Token::End {
        return Err(parser.unexpected("an operator, `|`, `with` or the end"));
    }
    Ok(Query { body, hints })
}

impl Field {
    /// Parses one attribute or intrinsic, as in the path of a tag value request (traceql.md §8.3).
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut parser = Parser::new(text)?;
        let field = parser.field()?;
        if parser.token != Token::End {
            return Err(parser.unexpected("the end"));
        }
        Ok(field)
    }
}

/// Looks one token ahead.
struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    start: usize,
    end: usize,
    /// Of regular expressions that were run to fold a constant.
    regex_states: u64,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, ParseError> {
        let mut lexer = Lexer::new(text);
        if text.len() > MAX_QUERY_BYTES {
            return Err(lexer.error(
                0,
                format!(
                    "the query has {} bytes, the limit is {MAX_QUERY_BYTES}",
                    text.len()
                ),
            ));
        }
        let Lexed { token, start, end } = lexer.next()?;
        Ok(Self {
            lexer,
            token,
            start,
            end,
            regex_states: 0,
        })
    }

    /// Goes on; gives the token that was ahead.
    fn advance(&mut self) -> Result<Token<'a>, ParseError> {
        let Lexed { token, start, end } = self.lexer.next()?;
        self.start = start;
        self.end = end;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn expect(&mut self, token: &Token<'_>, text: &str) -> Result<(), ParseError> {
        if self.token != *token {
            return Err(self.unexpected(text));
        }
        self.advance()?;
        Ok(())
    }

    fn error(&self, at: usize, message: impl Into<String>) -> ParseError {
        self.lexer.error(at, message)
    }

    /// The token ahead is none of those that could stand here.
    fn unexpected(&self, expected: &str) -> ParseError {
        let found = match self.token {
            Token::End => "unexpected end of the query".to_owned(),
            Token::Word(word) if !words::is_keyword(word) => {
                let suggestion = match words::nearest(word) {
                    Some(known) => format!(", did you mean `{known}`?"),
                    None => String::new(),
                };
                format!("unknown identifier: {}{suggestion}", shorten(word))
            }
            _ => {
                let text = self.lexer.text();
                let text = text.get(self.start..self.end).unwrap_or_default();
                format!("unexpected `{}`", shorten(text))
            }
        };
        self.error(self.start, format!("{found}; expected {expected}"))
    }

    fn too_deep(&self, at: usize) -> impl FnOnce(TooDeep) -> ParseError {
        move |_| self.error(at, format!("nested deeper than {MAX_DEPTH} levels"))
    }

    /// `span.x`, `.x`, `name`, `span:name`
    fn field(&mut self) -> Result<Field, ParseError> {
        match self.optional_field()? {
            Some(field) => Ok(field),
            None => Err(self.unexpected("an attribute (`.x`, `span.x`, …) or an intrinsic")),
        }
    }

    /// A field, if one is ahead.
    fn optional_field(&mut self) -> Result<Option<Field>, ParseError> {
        match self.token {
            Token::Attribute(ref mut attribute) => {
                let attribute = std::mem::replace(
                    attribute,
                    Attribute {
                        scope: Scope::Unscoped,
                        parent: false,
                        key: Arc::default(),
                    },
                );
                self.advance()?;
                Ok(Some(Field::Attribute(attribute)))
            }
            Token::Scope(scope) => {
                self.advance()?;
                let intrinsic = match self.token {
                    Token::Word(word) => words::scoped_intrinsic(scope, word),
                    _ => None,
                };
                let Some(intrinsic) = intrinsic else {
                    return Err(self.not_in_scope(scope));
                };
                self.advance()?;
                Ok(Some(Field::Intrinsic(intrinsic)))
            }
            Token::Word(word) => match words::intrinsic(word) {
                Some(intrinsic) => {
                    self.advance()?;
                    Ok(Some(Field::Intrinsic(intrinsic)))
                }
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn not_in_scope(&self, scope: &str) -> ParseError {
        let Token::Word(word) = self.token else {
            return self.unexpected(&format!("an intrinsic of `{scope}:`"));
        };
        let suggestion = match words::nearest_in_scope(scope, word) {
            Some(known) => format!(", did you mean `{scope}:{known}`?"),
            None => String::new(),
        };
        let word = shorten(word);
        self.error(
            self.start,
            format!("unknown identifier: {word} is no intrinsic of `{scope}:`{suggestion}"),
        )
    }

    /// A literal, if one is ahead. `minInt` and `maxInt` are some.
    fn optional_static(&mut self) -> Result<Option<Static>, ParseError> {
        let value = match &self.token {
            Token::String(value) => Static::String(value.clone()),
            Token::Int(value) => Static::Int(*value),
            Token::Float(value) => Static::Float(*value),
            Token::Duration(value) => Static::Duration(*value),
            Token::Word("true") => Static::Bool(true),
            Token::Word("false") => Static::Bool(false),
            Token::Word("minInt") => Static::Int(i64::MIN),
            Token::Word("maxInt") => Static::Int(i64::MAX),
            Token::Word(word) => match (words::status(word), words::kind(word)) {
                (Some(status), _) => Static::Status(status),
                (_, Some(kind)) => Static::Kind(kind),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(value))
    }

    /// `(a=1, b=true)`
    fn hints(&mut self) -> Result<Vec<Hint>, ParseError> {
        self.expect(&Token::ParenOpen, "`(` after `with`")?;
        let mut hints = Vec::new();
        loop {
            let name = match self.token {
                Token::Word(word) if !words::is_keyword(word) => word.into(),
                _ => return Err(self.unexpected("the name of a hint")),
            };
            self.advance()?;
            self.expect(&Token::Operator("="), "`=` after the name of a hint")?;
            let Some(value) = self.optional_static()? else {
                return Err(self.unexpected("a literal as the value of the hint"));
            };
            hints.push(Hint { name, value });
            match self.token {
                Token::Comma => self.advance()?,
                _ => break,
            };
        }
        self.expect(&Token::ParenClose, "`,` or `)` after a hint")?;
        Ok(hints)
    }
}
