//! Half-typed queries.

use crate::lexer::{Lexed, Lexer, Token, words};

/// The text before the first pipe, with `true` for each comparison that lacks its right side, and everything closed.
/// `None` if the text has no tokens to repair.
pub fn repair(text: &str) -> Option<String> {
    let mut lexer = Lexer::new(text);
    let mut tokens: Vec<Lexed<'_>> = Vec::new();
    loop {
        let lexed = lexer.next().ok()?;
        match lexed.token {
            Token::End | Token::Pipe => break,
            _ => tokens.push(lexed),
        }
    }
    let mut repaired = String::with_capacity(text.len() + 8);
    let mut open: Vec<char> = Vec::new();
    let mut rest = &tokens[..];
    while let Some(first) = rest.first() {
        let length = incomplete_matcher(rest);
        if length > 0 {
            repaired.push_str("true ");
            rest = &rest[length..];
            continue;
        }
        match first.token {
            Token::BraceOpen => open.push('}'),
            Token::ParenOpen => open.push(')'),
            Token::BraceClose | Token::ParenClose => {
                // Parentheses left open in a filter end with it.
                let closes = if first.token == Token::BraceClose {
                    '}'
                } else {
                    ')'
                };
                while closes == '}' && open.last() == Some(&')') && open.contains(&'}') {
                    open.pop();
                    repaired.push(')');
                }
                open.pop();
            }
            _ => {}
        }
        repaired.push_str(text.get(first.start..first.end)?);
        // A colon scope is as well with a blank behind it; names need one.
        repaired.push(' ');
        rest = &rest[1..];
    }
    repaired.extend(open.into_iter().rev());
    Some(repaired)
}

/// Tokens of a field and a comparison that these start with, if nothing to compare with follows.
fn incomplete_matcher(tokens: &[Lexed<'_>]) -> usize {
    let field = match tokens {
        [
            Lexed {
                token: Token::Attribute(_),
                ..
            },
            ..,
        ] => 1,
        [
            Lexed {
                token: Token::Scope(scope),
                ..
            },
            Lexed {
                token: Token::Word(word),
                ..
            },
            ..,
        ] if words::scoped_intrinsic(scope, word).is_some() => 2,
        [
            Lexed {
                token: Token::Word(word),
                ..
            },
            ..,
        ] if words::intrinsic(word).is_some() => 1,
        _ => return 0,
    };
    let compares = tokens.get(field).is_some_and(|lexed| {
        matches!(
            lexed.token,
            Token::Operator("=" | "!=" | "<" | "<=" | ">" | ">=" | "=~" | "!~")
        )
    });
    let ends = match tokens.get(field + 1).map(|lexed| &lexed.token) {
        None => true,
        Some(token) => matches!(
            token,
            Token::BraceClose | Token::ParenClose | Token::Operator("&&" | "||")
        ),
    };
    if compares && ends { field + 1 } else { 0 }
}
