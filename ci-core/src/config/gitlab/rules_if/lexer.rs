//! Cuts an expression into tokens.

use super::pattern;

/// Something that an expression is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    Variable(String),
    Text(String),
    Pattern(String),
    Null,
    Operator(Operator),
}

/// An operator between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    NotEquals,
    Matches,
    NotMatches,
    And,
    Or,
}

impl Operator {
    /// How loosely it binds.
    pub(super) const fn precedence(self) -> u8 {
        match self {
            Self::Equals | Self::NotEquals | Self::Matches | Self::NotMatches => 10,
            Self::And => 11,
            Self::Or => 12,
        }
    }

    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Equals => "==",
            Self::NotEquals => "!=",
            Self::Matches => "=~",
            Self::NotMatches => "!~",
            Self::And => "&&",
            Self::Or => "||",
        }
    }
}

const OPERATORS: [Operator; 6] = [
    Operator::Equals,
    Operator::Matches,
    Operator::NotEquals,
    Operator::NotMatches,
    Operator::And,
    Operator::Or,
];

/// The tokens of `text`, each with the byte it begins at; an error is the byte that nothing begins
/// with.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let blank = rest.len() - rest.trim_start().len();
        at += blank;
        let rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let (token, length) = token(rest).ok_or(at)?;
        found.push((at, token));
        at += length;
    }
    Ok(found)
}

/// The first token and its length.
fn token(text: &str) -> Option<(Token, usize)> {
    match text.as_bytes().first()? {
        b'(' => Some((Token::Open, 1)),
        b')' => Some((Token::Close, 1)),
        b'$' => {
            let is_word = |letter: char| letter == '_' || letter.is_ascii_alphanumeric();
            let name: String = text.chars().skip(1).take_while(|it| is_word(*it)).collect();
            let length = 1 + name.len();
            (!name.is_empty()).then_some((Token::Variable(name), length))
        }
        quote @ (b'"' | b'\'') => {
            let inner = text.get(1..)?;
            let end = inner.find(char::from(*quote))?;
            let inner = inner.get(..end)?;
            // A string does not go over the end of a line.
            (!inner.contains('\n')).then(|| (Token::Text(inner.to_owned()), end + 2))
        }
        b'/' => {
            let length = pattern::literal_length(text)?;
            Some((Token::Pattern(text.get(..length)?.to_owned()), length))
        }
        _ if text.starts_with("null") => Some((Token::Null, 4)),
        _ => OPERATORS
            .into_iter()
            .find(|operator| text.starts_with(operator.symbol()))
            .map(|operator| (Token::Operator(operator), 2)),
    }
}
