//! The words of a Jenkins file: a part of Groovy
//! (<https://groovy-lang.org/syntax.html>).

use std::sync::Arc;

use crate::yaml::Mark;
use crate::yaml::problem::Problem;

/// How long a file may be, in bytes.
const LONGEST: usize = 1 << 20;

/// A word and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) mark: Mark,
    /// Where it stands in the text, in bytes.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether it is the first of its line.
    pub(super) first: bool,
}

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name, a number or a keyword.
    Word(String),
    /// A text; whether `$` puts values in.
    Text(String, bool),
    /// One sign.
    Sign(char),
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    column: u32,
    file: Arc<str>,
}

/// Cuts a file into words. Comments are passed over.
pub(super) fn tokens(text: &str, file: &str) -> Result<Vec<Token>, Problem> {
    if text.len() > LONGEST {
        let message = format!(
            "the file has {} bytes; more than {LONGEST} are not read",
            text.len()
        );
        return Err(Problem::of_file(file, message));
    }
    let mut lexer = Lexer {
        text,
        at: 0,
        line: 1,
        column: 1,
        file: file.into(),
    };
    let (mut tokens, mut line) = (Vec::new(), 0);
    while lexer.pass_over()? {
        let (mark, from) = (lexer.mark(), lexer.at);
        let first = mark.line != line;
        line = mark.line;
        let kind = lexer.token()?;
        tokens.push(Token {
            kind,
            mark,
            from,
            to: lexer.at,
            first,
        });
    }
    Ok(tokens)
}

impl Lexer<'_> {
    fn mark(&self) -> Mark {
        Mark {
            file: Arc::clone(&self.file),
            line: self.line,
            column: self.column,
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest().chars().next()?;
        self.at += letter.len_utf8();
        if letter == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(letter)
    }

    fn skip(&mut self, letters: usize) {
        for _ in 0..letters {
            self.next();
        }
    }

    /// Passes over space and comments. `false` at the end.
    fn pass_over(&mut self) -> Result<bool, Problem> {
        loop {
            let Some(letter) = self.rest().chars().next() else {
                return Ok(false);
            };
            if self.rest().starts_with("//") || (self.at == 0 && self.rest().starts_with("#!")) {
                while self.rest().chars().next().is_some_and(|it| it != '\n') {
                    self.next();
                }
            } else if self.rest().starts_with("/*") {
                let mark = self.mark();
                let Some(end) = self.rest().find("*/") else {
                    return Err(Problem::error(&mark, "the comment has no end"));
                };
                let letters = self.rest()[..end + 2].chars().count();
                self.skip(letters);
            } else if letter.is_whitespace() || letter == '\u{feff}' {
                self.next();
            } else {
                return Ok(true);
            }
        }
    }

    fn token(&mut self) -> Result<Kind, Problem> {
        for (quote, live) in [("'''", false), ("\"\"\"", true), ("'", false), ("\"", true)] {
            if self.rest().starts_with(quote) {
                return self.quoted(quote, live);
            }
        }
        let is_word = |it: char| it.is_alphanumeric() || matches!(it, '_' | '$');
        let rest = self.rest();
        let end = rest.find(|it| !is_word(it)).unwrap_or(rest.len());
        if end > 0 {
            let word = rest[..end].to_owned();
            self.skip(word.chars().count());
            return Ok(Kind::Word(word));
        }
        Ok(Kind::Sign(self.next().unwrap_or(' ')))
    }

    fn quoted(&mut self, quote: &str, live: bool) -> Result<Kind, Problem> {
        let mark = self.mark();
        self.skip(quote.len());
        let mut text = String::new();
        loop {
            if self.rest().starts_with(quote) {
                self.skip(quote.len());
                return Ok(Kind::Text(text, live));
            }
            let open = || Problem::error(&mark, "the text has no closing quote");
            match self.next().ok_or_else(open)? {
                '\n' if quote.len() == 1 => return Err(open()),
                '\\' => match self.next().ok_or_else(open)? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    '\n' => {}
                    // Kept apart from a `$` that puts a value in.
                    '$' if live => text.push_str("\\$"),
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
    }
}
