//! The expression language of `<< … >>` and `when`
//! (<https://circleci.com/docs/reference/configuration-reference/>): literals, names, comparisons,
//! `and`, `or`, `not`.

use crate::yaml::{Mark, Node, Value};

use super::pattern::Pattern;
use super::value::truthy;

/// How deep an expression may nest.
const DEPTH: usize = 100;

/// What is wrong with an expression, in words.
pub(super) type Wrong = String;

/// The value of an expression. `name` gives that of a name such as `pipeline.git.branch`.
pub(super) fn evaluate(
    text: &str,
    mark: &Mark,
    name: &dyn Fn(&str) -> Result<Node, Wrong>,
) -> Result<Node, Wrong> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
        mark,
        name,
    };
    let value = parser.or()?;
    match parser.peek() {
        None => Ok(value),
        Some(token) => Err(format!("`{token}` is not expected here")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Text(String),
    Number(f64),
    Regex(String),
    Word(String),
    Sign(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Number(number) => write!(f, "{number}"),
            Self::Regex(text) => write!(f, "/{text}/"),
            Self::Word(word) => f.write_str(word),
            Self::Sign(sign) => f.write_str(sign),
        }
    }
}

const SIGNS: [&str; 8] = ["==", "!=", "<=", ">=", "<", ">", "(", ")"];

fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign))
        {
            (Token::Sign(sign), &rest[sign.len()..])
        } else if matches!(first, '"' | '\'') {
            let (inner, after) = quoted(&rest[1..], first)?;
            (Token::Text(inner), after)
        } else if first == '/' {
            let (inner, after) = quoted(&rest[1..], '/')?;
            (Token::Regex(inner), after)
        } else {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']')))
                .unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("`{first}` is not expected here"));
            }
            let word = &rest[..end];
            let token = match word.parse::<f64>() {
                Ok(number) if !word.starts_with(char::is_alphabetic) => Token::Number(number),
                _ => Token::Word(word.to_owned()),
            };
            (token, &rest[end..])
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// Text up to `end`, with backslashes taken off before it.
fn quoted(text: &str, end: char) -> Result<(String, &str), Wrong> {
    let mut inner = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == end {
            return Ok((inner, &text[at + c.len_utf8()..]));
        }
        if c == '\\' {
            match chars.next() {
                Some((_, escaped)) if escaped == end => inner.push(escaped),
                Some((_, other)) => inner.extend(['\\', other]),
                None => break,
            }
        } else {
            inner.push(c);
        }
    }
    Err(format!("`{end}` has no end"))
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    mark: &'a Mark,
    name: &'a dyn Fn(&str) -> Result<Node, Wrong>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn takes(&mut self, word: &str) -> bool {
        let is = match self.peek() {
            Some(Token::Word(found)) => found == word,
            Some(Token::Sign(found)) => *found == word,
            _ => false,
        };
        self.at += usize::from(is);
        is
    }

    fn or(&mut self) -> Result<Node, Wrong> {
        let mut value = self.and()?;
        while self.takes("or") {
            let other = self.and()?;
            if !truthy(&value) {
                value = other;
            }
        }
        Ok(value)
    }

    fn and(&mut self) -> Result<Node, Wrong> {
        let mut value = self.comparison()?;
        while self.takes("and") {
            let other = self.comparison()?;
            if truthy(&value) {
                value = other;
            }
        }
        Ok(value)
    }

    fn comparison(&mut self) -> Result<Node, Wrong> {
        let left = self.not()?;
        let Some(operator) = self.operator() else {
            return Ok(left);
        };
        let right = self.not()?;
        let result = match operator.as_str() {
            "==" => equal(&left, &right),
            "!=" => !equal(&left, &right),
            "starts-with" => match (left.as_str(), right.as_str()) {
                (Some(text), Some(start)) => text.starts_with(start),
                // A branch of a tag pipeline is nothing, and begins with nothing.
                _ if left.is_null() => false,
                _ => return Err("`starts-with` compares strings".to_owned()),
            },
            "matches" => match (left.as_str(), right.as_str()) {
                (Some(text), Some(pattern)) => Pattern::new(pattern)?.matches(text),
                _ if left.is_null() => false,
                _ => return Err("`matches` takes a string and a pattern".to_owned()),
            },
            order => {
                let (a, b) =
                    numbers(&left, &right).ok_or_else(|| format!("`{order}` compares numbers"))?;
                match order {
                    "<" => a < b,
                    "<=" => a <= b,
                    ">" => a > b,
                    _ => a >= b,
                }
            }
        };
        Ok(self.node(Value::Bool(result)))
    }

    fn operator(&mut self) -> Option<String> {
        let operator = match self.peek()? {
            Token::Sign(sign) if !matches!(*sign, "(" | ")") => (*sign).to_owned(),
            Token::Word(word) if matches!(word.as_str(), "starts-with" | "matches") => word.clone(),
            _ => return None,
        };
        self.at += 1;
        Some(operator)
    }

    fn not(&mut self) -> Result<Node, Wrong> {
        let mut times = 0;
        while self.takes("not") {
            times += 1;
        }
        let value = self.primary()?;
        if times == 0 {
            return Ok(value);
        }
        let negated = truthy(&value) == (times % 2 == 0);
        Ok(self.node(Value::Bool(negated)))
    }

    fn primary(&mut self) -> Result<Node, Wrong> {
        if self.takes("(") {
            self.depth += 1;
            if self.depth > DEPTH {
                return Err(format!("it nests deeper than {DEPTH}"));
            }
            let value = self.or()?;
            self.depth -= 1;
            if !self.takes(")") {
                return Err("`)` is missing".to_owned());
            }
            return Ok(value);
        }
        let token = self.peek().cloned().ok_or("a value is missing")?;
        self.at += 1;
        match token {
            Token::Text(text) | Token::Regex(text) => Ok(self.node(Value::Str(text.into()))),
            Token::Number(number) => Ok(self.node(whole(number))),
            Token::Word(word) => match word.as_str() {
                "true" => Ok(self.node(Value::Bool(true))),
                "false" => Ok(self.node(Value::Bool(false))),
                "null" => Ok(self.node(Value::Null)),
                name => (self.name)(name),
            },
            sign @ Token::Sign(_) => Err(format!("`{sign}` is not expected here")),
        }
    }

    fn node(&self, value: Value) -> Node {
        Node::new(value, self.mark)
    }
}

/// Whether both are the same; numbers count by their value.
#[expect(clippy::float_cmp, reason = "people compare what they wrote")]
fn equal(a: &Node, b: &Node) -> bool {
    a.same(b) || numbers(a, b).is_some_and(|(a, b)| a == b)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "whole numbers of this size are exact"
)]
fn whole(number: f64) -> Value {
    if number.trunc() == number && number.abs() < 9e15 {
        Value::Int(number as i64)
    } else {
        Value::Float(number)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "larger numbers are not compared"
)]
fn numbers(a: &Node, b: &Node) -> Option<(f64, f64)> {
    let number = |node: &Node| match node.value {
        Value::Int(number) => Some(number as f64),
        Value::Float(number) => Some(number),
        _ => None,
    };
    Some((number(a)?, number(b)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<String, Wrong> {
        let mark = Mark::new("f", 1, 1);
        let name = |name: &str| match name {
            "pipeline.git.branch" => Ok(Node::text("main", &mark)),
            "pipeline.git.tag" => Ok(Node::new(Value::Null, &mark)),
            "pipeline.number" => Ok(Node::new(Value::Int(7), &mark)),
            other => Err(format!("no `{other}`")),
        };
        evaluate(text, &mark, &name).map(|node| serde_json::to_string(&node).unwrap())
    }

    #[test]
    fn operators_bind_as_documented() {
        for (text, expected) in [
            ("true and 10 or 1", "10"),
            ("false and 10 or 1", "1"),
            ("not false and true", "true"),
            ("not pipeline.git.tag", "true"),
            ("pipeline.git.branch == \"main\"", "true"),
            ("pipeline.git.branch != 'main'", "false"),
            ("1 == \"1\"", "false"),
            ("pipeline.number >= 7 and 1 < 2.5", "true"),
            ("pipeline.git.branch matches /ma.*/", "true"),
            ("pipeline.git.branch matches /a/", "false"),
            ("pipeline.git.tag matches /v.*/", "false"),
            ("pipeline.git.branch starts-with \"ma\"", "true"),
            (
                "pipeline.git.branch or pipeline.git.tag matches /^v.*/",
                "\"main\"",
            ),
            ("(true or false) and false", "false"),
        ] {
            assert_eq!(value(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for text in [
            "",
            "1 <",
            "1 < \"a\"",
            "(true",
            "true)",
            "\"a",
            "a b",
            "1 starts-with \"1\"",
            "?",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
        assert!(value(&"(".repeat(5000)).is_err());
    }
}
