//! The arguments of a question.

use rmcp::model::{JsonObject, Tool};
use serde_json::Value;

use crate::failure::Failure;

/// The arguments of a question.
pub(super) struct Asks(JsonObject);

impl Asks {
    pub(super) fn new(arguments: JsonObject) -> Self {
        Self(arguments)
    }

    /// Whether the tool has these arguments, of these types.
    pub(super) fn check(&self, tool: &Tool) -> Result<(), Failure> {
        let schema = &tool.input_schema;
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, value) in &self.0 {
            let Some(property) = properties.and_then(|all| all.get(name)) else {
                let message = format!("`{}` has no argument `{name}`", tool.name);
                return Err(Failure::input(message));
            };
            let kind = property.get("type").and_then(Value::as_str);
            let minimum = property.get("minimum").and_then(Value::as_i64);
            let fits = match kind {
                Some("integer") => value
                    .as_i64()
                    .is_some_and(|it| minimum.is_none_or(|least| it >= least)),
                Some("boolean") => value.is_boolean(),
                _ => value.is_string(),
            };
            if !fits {
                let message = format!("the argument `{name}` is {value}, which it cannot be");
                return Err(Failure::input(message));
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !self.0.contains_key(name) {
                return Err(Failure::input(format!(
                    "`{}` needs the argument `{name}`",
                    tool.name
                )));
            }
        }
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    /// A number from 0 to `most`.
    pub(super) fn count(&self, name: &str, default: u64, most: u64) -> u64 {
        let number = self.0.get(name).and_then(Value::as_u64);
        number.unwrap_or(default).min(most)
    }

    pub(super) fn truth(&self, name: &str, default: bool) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    /// The run that is asked about.
    pub(super) fn run(&self) -> &str {
        self.text("run").unwrap_or("last")
    }
}
