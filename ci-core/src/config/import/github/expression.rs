//! Expressions of GitHub Actions
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/expressions>), parsed.

/// How deep expressions nest.
const DEEPEST: usize = 40;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    /// A text, a number or a truth value, as text.
    Literal(String),
    /// A value of a context: `github.ref`.
    Path(String),
    Call(String, Vec<Self>),
    Not(Box<Self>),
    Binary(&'static str, Box<Self>, Box<Self>),
}

/// Reads an expression, without `${{` and `}}`; `None` if it is none.
pub(super) fn parse(text: &str) -> Option<Expression> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
    };
    let expression = parser.binary(0, 0)?;
    (parser.at == tokens.len()).then_some(expression)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Text(String),
    Word(String),
    Sign(&'static str),
}

const SIGNS: [&str; 15] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", ",", "[", "]", ".*",
];

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (word, after) = quoted(&rest[1..])?;
            tokens.push(Token::Text(word));
            rest = after;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            let fits = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | '+');
            let end = rest.find(|it| !fits(it)).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Some(tokens)
}

/// A text up to its closing quote; two quotes stand for one.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != '\'' {
            word.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == '\'') {
            letters.next();
            word.push('\'');
        } else {
            return Some((word, &text[at + 1..]));
        }
    }
    None
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

/// Operators that bind the loosest first.
const LEVELS: [&[&str]; 4] = [&["||"], &["&&"], &["==", "!="], &["<=", ">=", "<", ">"]];

impl Parser<'_> {
    fn sign(&mut self, wanted: &str) -> bool {
        let fits = matches!(self.tokens.get(self.at), Some(Token::Sign(sign)) if *sign == wanted);
        self.at += usize::from(fits);
        fits
    }

    fn binary(&mut self, level: usize, depth: usize) -> Option<Expression> {
        if depth > DEEPEST {
            return None;
        }
        let Some(signs) = LEVELS.get(level) else {
            return self.unary(depth + 1);
        };
        let mut left = self.binary(level + 1, depth)?;
        while let Some(sign) = signs.iter().find(|sign| self.sign(sign)) {
            let right = self.binary(level + 1, depth)?;
            left = Expression::Binary(sign, Box::new(left), Box::new(right));
        }
        Some(left)
    }

    fn unary(&mut self, depth: usize) -> Option<Expression> {
        if depth > DEEPEST {
            return None;
        }
        if self.sign("!") {
            return Some(Expression::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.sign("(") {
            let inner = self.binary(0, depth + 1)?;
            return self.sign(")").then_some(inner);
        }
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        match token {
            Token::Text(text) => Some(Expression::Literal(text)),
            Token::Word(word) => self.word(word, depth),
            Token::Sign(_) => None,
        }
    }

    fn word(&mut self, mut word: String, depth: usize) -> Option<Expression> {
        if self.sign("(") {
            let mut arguments = Vec::new();
            while !self.sign(")") {
                arguments.push(self.binary(0, depth + 1)?);
                if !self.sign(",") {
                    self.sign(")").then_some(())?;
                    break;
                }
            }
            return Some(Expression::Call(word.to_ascii_lowercase(), arguments));
        }
        let starts_number = word.starts_with(|it: char| it.is_ascii_digit() || it == '-');
        if starts_number || matches!(&*word, "true" | "false" | "null") {
            return Some(Expression::Literal(if word == "null" {
                String::new()
            } else {
                word
            }));
        }
        // `matrix['name']` is `matrix.name`.
        while self.sign("[") {
            let Some(Token::Text(key)) = self.tokens.get(self.at) else {
                return None;
            };
            word.push('.');
            word.push_str(key);
            self.at += 1;
            self.sign("]").then_some(())?;
            if let Some(Token::Word(more)) = self.tokens.get(self.at)
                && more.starts_with('.')
            {
                word.push_str(more);
                self.at += 1;
            }
        }
        Some(Expression::Path(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_and_nonsense_is_not() {
        for (text, shown) in [
            ("github.ref == 'refs/heads/main'", true),
            ("!cancelled() && (matrix['os'] != 'it''s' || 1 < 2)", true),
            ("startsWith(github.ref, 'refs/tags/')", true),
            ("needs.*.result", false),
            ("a ==", false),
            ("'open", false),
            ("f(1, 2", false),
            ("", false),
            ("${{", false),
        ] {
            assert_eq!(parse(text).is_some(), shown, "{text}");
        }
        assert_eq!(
            parse("matrix['os']"),
            Some(Expression::Path("matrix.os".into()))
        );
        assert_eq!(parse(&"(".repeat(100_000)), None);
        assert_eq!(parse(&"!".repeat(100_000)), None);
    }
}
