//! Typed parameters of a trigger, and the arguments for them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{TriggerError, TriggerErrorKind};
use crate::similar::{closest, did_you_mean};

/// A parameter that whoever starts a run may or has to give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: ParameterKind,
    /// The values of an enum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What it is where nobody says; without it somebody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ParameterValue>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ParameterKind {
    /// `true` or `false`.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// Any text.
    String,
    /// One of a list of words.
    Enum,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text, or a word of an enum.
    String(String),
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::String(value) => f.pad(value),
        }
    }
}

impl Parameter {
    /// A parameter of this type that has to be given.
    #[must_use]
    pub fn new(kind: ParameterKind) -> Self {
        Self {
            kind,
            values: Vec::new(),
            default: None,
            description: None,
        }
    }

    /// One of these words.
    #[must_use]
    pub fn one_of<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Self {
        let mut parameter = Self::new(ParameterKind::Enum);
        parameter.values = values.into_iter().map(Into::into).collect();
        parameter
    }

    /// What it is where nobody says.
    #[must_use]
    pub fn default(mut self, value: ParameterValue) -> Self {
        self.default = Some(value);
        self
    }

    /// The value that was typed; an error in words if it is none of this type.
    pub fn parse(&self, text: &str) -> Result<ParameterValue, String> {
        match self.kind {
            ParameterKind::Boolean => match text {
                "true" => Ok(ParameterValue::Boolean(true)),
                "false" => Ok(ParameterValue::Boolean(false)),
                _ => Err(format!("takes `true` or `false`, not `{text}`")),
            },
            ParameterKind::Integer => text
                .parse()
                .map(ParameterValue::Integer)
                .map_err(|_| format!("takes a whole number, not `{text}`")),
            ParameterKind::String => Ok(ParameterValue::String(text.to_owned())),
            ParameterKind::Enum if self.values.iter().any(|value| value == text) => {
                Ok(ParameterValue::String(text.to_owned()))
            }
            ParameterKind::Enum => {
                let meant = did_you_mean(closest(text, self.values.iter().map(String::as_str)));
                let values = self.values.join("`, `");
                Err(format!("takes one of `{values}`, not `{text}`{meant}"))
            }
        }
    }
}

/// The values of all parameters: those that were given, checked, and the defaults of the rest.
///
/// # Errors
/// Of kind [`Parameter`](TriggerErrorKind::Parameter), with everything that is wrong: an unknown name,
/// a value of another type, nothing where something has to be given, a default of another type.
pub fn arguments(
    parameters: &BTreeMap<String, Parameter>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, ParameterValue>, TriggerError> {
    let (mut values, mut wrong) = (BTreeMap::new(), Vec::new());
    for (name, parameter) in parameters {
        let value = match (given.get(name), &parameter.default) {
            (Some(text), _) => parameter.parse(text),
            // As text, because a default in a file may be of any type.
            (None, Some(default)) => parameter
                .parse(&default.to_string())
                .map_err(|why| format!("{why} as its default")),
            (None, None) => Err("has to be given".to_owned()),
        };
        match value {
            Ok(value) => {
                values.insert(name.clone(), value);
            }
            Err(why) => wrong.push(format!("the parameter `{name}` {why}")),
        }
    }
    for name in given.keys().filter(|name| !parameters.contains_key(*name)) {
        let meant = did_you_mean(closest(name, parameters.keys().map(String::as_str)));
        wrong.push(format!("there is no parameter `{name}`{meant}"));
    }
    if wrong.is_empty() {
        Ok(values)
    } else {
        let message = wrong.join("; ");
        Err(TriggerError::new(TriggerErrorKind::Parameter, message))
    }
}
