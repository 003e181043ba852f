//! The statements of a Jenkins file: names with arguments and blocks.

use super::lexer::{Kind, Token};
use crate::yaml::Mark;
use crate::yaml::problem::Problem;

/// How deep blocks nest.
const DEEPEST: usize = 64;

/// A name with its arguments, and the block behind it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) name: String,
    pub(super) mark: Mark,
    pub(super) arguments: Vec<Argument>,
    pub(super) block: Option<Vec<Statement>>,
    /// Whether it is more than a name with arguments: `script` code, which is not understood.
    pub(super) code: bool,
    /// From where to where it stands in the text, without its block.
    pub(super) words: String,
}

/// An argument, with its name if it has one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Argument {
    pub(super) name: Option<String>,
    pub(super) value: Argumented,
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argumented {
    /// A text; whether `$` puts values in.
    Text(String, bool),
    /// A word, or words that are not understood.
    Word(String),
}

impl Statement {
    /// The first argument without a name, or the one that is called `name`.
    pub(super) fn argument(&self, name: &str) -> Option<&Argumented> {
        let named = |it: &&Argument| it.name.as_deref() == Some(name);
        let found = self.arguments.iter().find(named);
        let plain = || self.arguments.iter().find(|it| it.name.is_none());
        found.or_else(plain).map(|it| &it.value)
    }

    /// The argument that is called `name`.
    pub(super) fn named(&self, name: &str) -> Option<&Argumented> {
        let named = |it: &&Argument| it.name.as_deref() == Some(name);
        self.arguments.iter().find(named).map(|it| &it.value)
    }

    pub(super) fn children(&self) -> &[Self] {
        self.block.as_deref().unwrap_or_default()
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children().iter().find(|it| it.name == name)
    }
}

impl Argumented {
    /// The text or the word.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Text(text, _) | Self::Word(text) => text,
        }
    }
}

/// Reads the block of `pipeline { … }`.
pub(super) fn parse(tokens: &[Token], file: &str) -> Result<Statement, Problem> {
    let mut parser = Parser { tokens, at: 0 };
    // What stands before it is script code: imports, libraries, functions.
    let begins = |at: &usize| {
        matches!(&tokens[*at].kind, Kind::Word(word) if word == "pipeline")
            && matches!(tokens.get(at + 1).map(|it| &it.kind), Some(Kind::Sign('{')))
    };
    let Some(at) = (0..tokens.len()).find(begins) else {
        let problem = Problem::of_file(file, "there is no `pipeline { … }`");
        return Err(
            problem.hint("scripted pipelines are programs: only declarative ones are converted")
        );
    };
    parser.at = at;
    parser.statement(0)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Parser<'_> {
    fn kind(&self) -> Option<&Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    fn is(&self, sign: char) -> bool {
        self.kind() == Some(&Kind::Sign(sign))
    }

    fn open(&self, at: usize) -> Problem {
        let mark = self
            .tokens
            .get(at)
            .map_or_else(|| Mark::new("", 1, 1), |it| it.mark.clone());
        Problem::error(&mark, "what begins here has no end")
    }

    /// A statement: up to the end of its line or of its block.
    fn statement(&mut self, depth: usize) -> Result<Statement, Problem> {
        let begin = self.at;
        let Some(token) = self.tokens.get(begin) else {
            return Err(self.open(begin.saturating_sub(1)));
        };
        if depth > DEEPEST {
            return Err(Problem::error(
                &token.mark,
                format!("blocks are more than {DEEPEST} deep"),
            ));
        }
        let mut made = Statement {
            name: String::new(),
            mark: token.mark.clone(),
            arguments: Vec::new(),
            block: None,
            code: true,
            words: String::new(),
        };
        if let Kind::Word(name) = &token.kind {
            made.name.clone_from(name);
            made.code = false;
            self.at += 1;
        }
        let parenthesized = self.is('(') && !made.code;
        self.arguments(&mut made, begin, parenthesized)?;
        made.words = self.shown(begin, self.at);
        if self.is('{') {
            made.block = Some(self.block(depth)?);
            // `} else {` and other code that goes on behind a block.
            while let Some(Kind::Word(word)) = self.kind()
                && matches!(word.as_str(), "else" | "catch" | "finally")
            {
                made.code = true;
                while !self.is('{') {
                    if self.kind().is_none() {
                        return Err(self.open(begin));
                    }
                    self.at += 1;
                }
                self.block(depth)?;
            }
        }
        Ok(made)
    }

    fn block(&mut self, depth: usize) -> Result<Vec<Statement>, Problem> {
        let begin = self.at;
        self.at += 1;
        let mut statements = Vec::new();
        loop {
            while self.is(';') {
                self.at += 1;
            }
            if self.is('}') {
                self.at += 1;
                return Ok(statements);
            }
            if self.kind().is_none() {
                return Err(self.open(begin));
            }
            let before = self.at;
            statements.push(self.statement(depth + 1)?);
            // A sign that nothing begins with.
            self.at = self.at.max(before + 1);
        }
    }

    /// The arguments of a statement, up to the end of the line or the closing bracket.
    fn arguments(
        &mut self,
        made: &mut Statement,
        statement: usize,
        parenthesized: bool,
    ) -> Result<(), Problem> {
        let begin = self.at;
        self.at += usize::from(parenthesized);
        let (mut open, mut from) = (0_usize, self.at);
        while let Some(token) = self.tokens.get(self.at) {
            let sign = match token.kind {
                Kind::Sign(sign) => sign,
                _ => ' ',
            };
            // An operator or an open bracket goes on in the next line.
            let before = self.at.checked_sub(1).map(|at| &self.tokens[at].kind);
            let goes_on = matches!(
                before,
                Some(Kind::Sign(
                    ',' | '(' | '[' | '=' | '+' | '&' | '|' | ':' | '.'
                ))
            );
            if open == 0 && !parenthesized {
                let ends = token.first && !goes_on && self.at > statement;
                if ends || matches!(sign, '{' | '}' | ';') {
                    break;
                }
            }
            if open == 0 && (sign == ',' || (parenthesized && sign == ')')) {
                self.argument(made, from, self.at);
                self.at += 1;
                from = self.at;
                if sign == ')' {
                    self.behind(made);
                    return Ok(());
                }
                continue;
            }
            match sign {
                '(' | '[' | '{' => open += 1,
                ')' | ']' | '}' => match open.checked_sub(1) {
                    Some(less) => open = less,
                    None => break,
                },
                '=' | '+' | '.' | '?' => made.code |= open == 0 && sign != '.',
                _ => {}
            }
            self.at += 1;
        }
        if parenthesized || open > 0 {
            return Err(self.open(begin));
        }
        self.argument(made, from, self.at);
        Ok(())
    }

    /// Behind the closing bracket of a statement nothing but a block may stand: the rest is code.
    fn behind(&mut self, made: &mut Statement) {
        while let Some(token) = self.tokens.get(self.at) {
            let ends = token.first || matches!(token.kind, Kind::Sign('{' | '}' | ';'));
            if ends && !matches!(token.kind, Kind::Sign('.')) {
                break;
            }
            made.code = true;
            self.at += 1;
        }
    }

    fn argument(&self, made: &mut Statement, mut from: usize, to: usize) {
        let mut name = None;
        if let (Some(first), Some(second)) = (self.tokens.get(from), self.tokens.get(from + 1))
            && from + 1 < to
            && second.kind == Kind::Sign(':')
            && let Kind::Word(word) = &first.kind
        {
            name = Some(word.clone());
            from += 2;
        }
        if from >= to {
            return;
        }
        let value = match (&self.tokens[from].kind, to - from) {
            (Kind::Text(text, live), 1) => Argumented::Text(text.clone(), *live),
            (Kind::Word(word), 1) => Argumented::Word(word.clone()),
            _ => Argumented::Word(self.shown(from, to)),
        };
        made.arguments.push(Argument { name, value });
    }

    /// Words as they are shown to people, in one line.
    fn shown(&self, from: usize, to: usize) -> String {
        let mut shown = String::new();
        let mut end = None;
        for token in self.tokens.get(from..to).unwrap_or_default() {
            if end.is_some_and(|end| end < token.from) {
                shown.push(' ');
            }
            match &token.kind {
                Kind::Word(word) => shown.push_str(word),
                Kind::Sign(sign) => shown.push(*sign),
                Kind::Text(text, _) => {
                    shown.push('\'');
                    shown.extend(
                        text.chars()
                            .map(|it| if it.is_control() { ' ' } else { it }),
                    );
                    shown.push('\'');
                }
            }
            end = Some(token.to);
        }
        if shown.chars().count() > 120 {
            shown = shown.chars().take(119).chain(['…']).collect();
        }
        shown
    }
}
