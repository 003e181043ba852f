//! Evaluates an expression with the truth of Ruby, as GitLab does: within it, empty text is true.

use regex::Regex;

use super::lexer::Operator;
use super::parser::{Expression, Item};
use super::pattern;

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: `null`, or a variable that is not set.
    Null,
    /// The outcome of a comparison.
    Bool(bool),
    /// Text; a pattern that is compared to nothing is its own.
    Text(String),
}

impl Value {
    /// Whether an expression that comes to this holds: it is there, and not blank.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Text(text) => !text.trim().is_empty(),
        }
    }
}

impl Expression {
    /// Whether it holds, given the values of variables. Values are taken as they are: a variable in a
    /// value is not replaced.
    pub fn holds(&self, variable: impl Fn(&str) -> Option<String>) -> bool {
        self.evaluate(variable).is_true()
    }

    /// What it comes to.
    pub fn evaluate(&self, variable: impl Fn(&str) -> Option<String>) -> Value {
        let mut stack: Vec<Operand<'_>> = Vec::new();
        for item in &self.code {
            let operand = match item {
                Item::Null => Operand::Value(Value::Null),
                Item::Text(text) => Operand::Value(Value::Text(text.clone())),
                Item::Variable(name) => {
                    Operand::Value(variable(name).map_or(Value::Null, Value::Text))
                }
                Item::Pattern(pattern) => Operand::Pattern(pattern),
                Item::Operator(operator) => {
                    let right = stack.pop().unwrap_or(Operand::Value(Value::Null));
                    let left = stack.pop().unwrap_or(Operand::Value(Value::Null));
                    apply(*operator, left, right)
                }
            };
            stack.push(operand);
        }
        stack.pop().map_or(Value::Null, Operand::into_value)
    }
}

/// What stands on a side of an operator.
enum Operand<'a> {
    Value(Value),
    Pattern(&'a Regex),
}

impl Operand<'_> {
    fn into_value(self) -> Value {
        match self {
            Self::Value(value) => value,
            Self::Pattern(pattern) => Value::Text(pattern.to_string()),
        }
    }

    /// Whether it counts as true between `&&` and `||`.
    fn is_true_within(&self) -> bool {
        !matches!(self, Self::Value(Value::Null | Value::Bool(false)))
    }

    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(a), Self::Value(b)) => a == b,
            (Self::Pattern(a), Self::Pattern(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

fn apply<'a>(operator: Operator, left: Operand<'a>, right: Operand<'a>) -> Operand<'a> {
    let verdict = match operator {
        Operator::Equals => left.same(&right),
        Operator::NotEquals => !left.same(&right),
        Operator::Matches => matches(left, right),
        Operator::NotMatches => !matches(left, right),
        Operator::And => return if left.is_true_within() { right } else { left },
        Operator::Or => return if left.is_true_within() { left } else { right },
    };
    Operand::Value(Value::Bool(verdict))
}

/// Whether `left` matches `right`. Text on the right may hold a pattern; where it holds none, it
/// matches if it has the left side in it. Nothing matches no pattern, whatever it is.
fn matches(left: Operand<'_>, right: Operand<'_>) -> bool {
    let text = match left.into_value() {
        Value::Null => None,
        Value::Bool(value) => Some(value.to_string()),
        Value::Text(text) => Some(text),
    };
    let found = |pattern: &Regex| text.as_deref().is_some_and(|text| pattern.is_match(text));
    match right {
        Operand::Pattern(pattern) => found(pattern),
        Operand::Value(Value::Text(written)) => match pattern::compile(&written) {
            Some(Ok(pattern)) => found(&pattern),
            Some(Err(_)) | None => written.contains(text.as_deref().unwrap_or_default()),
        },
        Operand::Value(_) => false,
    }
}
