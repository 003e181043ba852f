//! Puts the tokens of an expression in the order in which they are evaluated.

use std::fmt;

use super::lexer::{Operator, Token, tokens};
use super::pattern;

/// Longer expressions are refused.
const LONGEST: usize = 64 << 10;

/// An expression that was read and found good.
#[derive(Debug, Clone)]
pub struct Expression {
    pub(super) code: Vec<Item>,
}

/// An item of reverse Polish notation.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Variable(String),
    Text(String),
    Pattern(regex::Regex),
    Null,
    Operator(Operator),
}

/// An expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    message: String,
    at: usize,
}

impl ExpressionError {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            at,
        }
    }

    /// The byte of the expression where it goes wrong.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid expression syntax: {}", self.message)
    }
}

impl std::error::Error for ExpressionError {}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// For text that is none, and for a pattern that is no good.
    ///
    /// ```
    /// use ci_core::config::gitlab::Expression;
    ///
    /// let expression = Expression::parse(r#"$BRANCH == "main" && $TAG == null"#)?;
    /// assert!(expression.holds(|name| (name == "BRANCH").then(|| "main".into())));
    /// # Ok::<(), ci_core::config::gitlab::ExpressionError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        if text.len() > LONGEST {
            return Err(ExpressionError::new(0, "it is too long"));
        }
        let tokens = tokens(text).map_err(|at| {
            let rest: String = text
                .get(at..)
                .unwrap_or_default()
                .chars()
                .take(20)
                .collect();
            ExpressionError::new(at, format!("`{rest}` cannot stand here"))
        })?;
        let mut parser = Parser::default();
        for (at, token) in tokens {
            parser.take(at, token)?;
        }
        parser.finish(text.len())
    }
}

/// Edsger Dijkstra's shunting yard.
#[derive(Default)]
struct Parser {
    code: Vec<Item>,
    /// Operators and open parentheses (`None`) that wait for their right side.
    waiting: Vec<(usize, Option<Operator>)>,
    /// Whether a value came last, so that an operator has to follow.
    after_value: bool,
}

impl Parser {
    fn take(&mut self, at: usize, token: Token) -> Result<(), ExpressionError> {
        match token {
            Token::Operator(operator) => {
                if !self.after_value {
                    let message = format!("`{}` has nothing on its left", operator.symbol());
                    return Err(ExpressionError::new(at, message));
                }
                while let Some((_, Some(before))) = self.waiting.last()
                    && operator.precedence() >= before.precedence()
                {
                    self.code.push(Item::Operator(*before));
                    self.waiting.pop();
                }
                self.waiting.push((at, Some(operator)));
                self.after_value = false;
            }
            Token::Close => {
                if !self.after_value {
                    return Err(ExpressionError::new(at, "`)` follows nothing"));
                }
                self.close(at)?;
            }
            _ if self.after_value => {
                return Err(ExpressionError::new(at, "an operator is missing"));
            }
            Token::Open => self.waiting.push((at, None)),
            Token::Variable(name) => self.value(Item::Variable(name)),
            Token::Text(text) => self.value(Item::Text(text)),
            Token::Null => self.value(Item::Null),
            Token::Pattern(text) => {
                let pattern = match pattern::compile(&text) {
                    Some(Ok(pattern)) => pattern,
                    Some(Err(why)) => {
                        let message = format!("`{text}` is no pattern: {why}");
                        return Err(ExpressionError::new(at, message));
                    }
                    None => return Err(ExpressionError::new(at, "it is no pattern")),
                };
                self.value(Item::Pattern(pattern));
            }
        }
        Ok(())
    }

    fn value(&mut self, item: Item) {
        self.code.push(item);
        self.after_value = true;
    }

    fn close(&mut self, at: usize) -> Result<(), ExpressionError> {
        loop {
            match self.waiting.pop() {
                Some((_, Some(operator))) => self.code.push(Item::Operator(operator)),
                Some((_, None)) => return Ok(()),
                None => return Err(ExpressionError::new(at, "`)` closes nothing")),
            }
        }
    }

    fn finish(mut self, end: usize) -> Result<Expression, ExpressionError> {
        if !self.after_value {
            let message = match self.waiting.last() {
                Some((_, Some(operator))) => {
                    format!("`{}` has nothing on its right", operator.symbol())
                }
                Some((_, None)) => "`(` has nothing in it".to_owned(),
                None => "it is empty".to_owned(),
            };
            return Err(ExpressionError::new(end, message));
        }
        while let Some((at, operator)) = self.waiting.pop() {
            let Some(operator) = operator else {
                return Err(ExpressionError::new(at, "`(` is not closed"));
            };
            self.code.push(Item::Operator(operator));
        }
        Ok(Expression { code: self.code })
    }
}
