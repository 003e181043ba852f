//! Parameters: what a definition declares, and the arguments that it gets.

use std::sync::Arc;

use super::scope::Arg;
use super::value::boolean;
use crate::similar::closest;
use crate::yaml::problem::{Problem, Problems};
use crate::yaml::{Mark, Node, Value};

/// The kind of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Boolean,
    Integer,
    Enum,
    Executor,
    Steps,
    EnvVarName,
}

const TYPES: [(&str, Type); 7] = [
    ("string", Type::String),
    ("boolean", Type::Boolean),
    ("integer", Type::Integer),
    ("enum", Type::Enum),
    ("executor", Type::Executor),
    ("steps", Type::Steps),
    ("env_var_name", Type::EnvVarName),
];

/// A declared parameter.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    /// Where it is declared.
    pub(super) mark: Mark,
    pub(super) kind: Type,
    pub(super) default: Option<Node>,
    values: Vec<Node>,
}

/// The parameters that a definition declares, in their order.
pub(super) fn declared(definition: &Node, problems: &mut Problems) -> Vec<(Arc<str>, Parameter)> {
    let Some(parameters) = definition.get("parameters") else {
        return Vec::new();
    };
    let Some(map) = parameters.as_map() else {
        if !parameters.is_null() {
            let message = format!("`parameters` takes a map, not {}", parameters.kind());
            problems.push(Problem::error(&parameters.mark, message));
        }
        return Vec::new();
    };
    let one = |(name, node): (&Arc<str>, &Node)| {
        let parameter = parameter(name, node, problems);
        (Arc::clone(name), parameter)
    };
    map.iter().map(one).collect()
}

/// Refuses the parameters of a pipeline or an executor that only jobs and commands can have.
pub(super) fn only_values(of: &str, declared: &[(Arc<str>, Parameter)], problems: &mut Problems) {
    for (name, parameter) in declared {
        let word = match parameter.kind {
            Type::Executor => "executor",
            Type::Steps => "steps",
            Type::EnvVarName => "env_var_name",
            Type::String | Type::Boolean | Type::Integer | Type::Enum => continue,
        };
        let message = format!("{of} has no parameters of the type `{word}`: `{name}`");
        let problem = Problem::error(&parameter.mark, message);
        problems.push(problem.hint("it is one of `string`, `boolean`, `integer`, `enum`"));
    }
}

fn parameter(name: &str, node: &Node, problems: &mut Problems) -> Parameter {
    let Some(kind) = node.get("type").and_then(Node::as_str) else {
        let message = format!("the parameter `{name}` has no type");
        problems.push(Problem::error(&node.mark, message).hint("write `type: string`"));
        return Parameter::of_text(node);
    };
    let Some((_, kind)) = TYPES.iter().find(|(word, _)| *word == kind) else {
        let message = format!("`{kind}` is no type of a parameter");
        let meant = closest(kind, TYPES.iter().map(|(word, _)| *word));
        problems.push(Problem::error(&node.mark, message).did_you_mean(meant));
        return Parameter::of_text(node);
    };
    let values = node.get("enum").and_then(Node::as_seq).unwrap_or_default();
    let parameter = Parameter {
        mark: node.mark.clone(),
        kind: *kind,
        default: node.get("default").cloned(),
        values: values.to_vec(),
    };
    if *kind == Type::Enum && values.is_empty() {
        let message = format!("the parameter `{name}` lists no values");
        problems.push(Problem::error(&node.mark, message).hint("write `enum: [a, b]`"));
    }
    // A value of the pipeline is not known before it is filled in.
    if let Some(default) = &parameter.default
        && !is_template(default)
        && let Err(why) = parameter.check(default)
    {
        let message = format!("the default of the parameter `{name}` {why}");
        problems.push(Problem::error(&default.mark, message));
    }
    parameter
}

impl Parameter {
    /// What a parameter is taken for whose type has been found wrong.
    fn of_text(node: &Node) -> Self {
        Self {
            mark: node.mark.clone(),
            kind: Type::String,
            default: node.get("default").cloned(),
            values: Vec::new(),
        }
    }

    /// What stands for an argument that is missing or wrong, so that what uses it says nothing more.
    pub(super) fn stand_in(&self, mark: &Mark) -> Option<Arg> {
        let value = match self.kind {
            Type::String | Type::Enum | Type::EnvVarName => Value::Str("".into()),
            Type::Boolean => Value::Bool(false),
            Type::Integer => Value::Int(1),
            Type::Steps => return Some(Arg::Steps(Vec::new())),
            Type::Executor => return None,
        };
        Some(Arg::Plain(Node::new(value, mark)))
    }

    /// The value as this parameter takes it, or what is wrong with it.
    pub(super) fn check(&self, node: &Node) -> Result<Node, String> {
        let is = |what: &str| format!("is {}, not {what}", node.kind());
        match self.kind {
            Type::String | Type::EnvVarName => match &node.value {
                Value::Str(text) => {
                    if self.kind == Type::EnvVarName && !is_variable(text) {
                        return Err(format!("is `{text}`, which is no name of a variable"));
                    }
                    Ok(node.clone())
                }
                Value::Null => Ok(Node::text("", &node.mark)),
                _ => Err(is("a string: put it in quotes")),
            },
            Type::Boolean => match boolean(node) {
                Some(value) => Ok(Node::new(Value::Bool(value), &node.mark)),
                None => Err(is("a boolean")),
            },
            Type::Integer => match &node.value {
                Value::Int(_) => Ok(node.clone()),
                Value::Str(text) if text.parse::<i64>().is_ok() => {
                    let number = text.parse().unwrap_or_default();
                    Ok(Node::new(Value::Int(number), &node.mark))
                }
                _ => Err(is("an integer")),
            },
            Type::Enum => {
                let same = |value: &&Node| value.scalar() == node.scalar();
                match (node.scalar(), self.values.iter().find(same)) {
                    // That it lists none has been told.
                    _ if self.values.is_empty() => Ok(node.clone()),
                    (Some(_), Some(value)) => Ok(Node {
                        mark: node.mark.clone(),
                        ..value.clone()
                    }),
                    (text, _) => {
                        let values = self.values.iter().filter_map(Node::scalar);
                        let values: Vec<_> = values.map(|value| format!("`{value}`")).collect();
                        Err(format!(
                            "is `{}`, which is none of {}",
                            text.unwrap_or_default(),
                            values.join(", ")
                        ))
                    }
                }
            }
            Type::Executor => match &node.value {
                Value::Str(_) | Value::Map(_) => Ok(node.clone()),
                _ => Err(is("the name of an executor")),
            },
            Type::Steps => match &node.value {
                Value::Seq(_) => Ok(node.clone()),
                Value::Null => Ok(Node::seq(Vec::new(), &node.mark)),
                _ => Err(is("a list of steps")),
            },
        }
    }
}

/// Whether a value is yet to be filled in.
pub(super) fn is_template(node: &Node) -> bool {
    node.as_str().is_some_and(|text| text.contains("<<"))
}

fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
