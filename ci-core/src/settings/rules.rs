//! A map from names with wildcards to values that keeps the order of the file.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::wildcard;

/// Values for names that fit a pattern, in the order of the file. In a pattern `*` stands for any
/// characters and `?` for one. Where several patterns fit a name, a later one wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules<T>(Vec<(String, T)>);

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromIterator<(String, T)> for Rules<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(rules: I) -> Self {
        Self(rules.into_iter().collect())
    }
}

impl<T> Rules<T> {
    /// Adds a rule behind the others, over which it wins.
    pub fn push(&mut self, pattern: impl Into<String>, value: T) {
        self.0.push((pattern.into(), value));
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns with their values, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0
            .iter()
            .map(|(pattern, value)| (pattern.as_str(), value))
    }

    /// The rules that fit `name`, in the order of the file.
    pub fn fitting(&self, name: &str) -> impl Iterator<Item = (&str, &T)> {
        self.iter()
            .filter(move |(pattern, _)| wildcard::fits(pattern, name))
    }

    /// The last value that fits `name`: the one that wins.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        self.fitting(name).last().map(|(_, value)| value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rules<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Rules<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut rules = Vec::new();
                while let Some(rule) = map.next_entry()? {
                    rules.push(rule);
                }
                Ok(Rules(rules))
            }
        }

        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Rules<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("RulesOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<T>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_fits_wins() -> Result<(), serde_json::Error> {
        let rules: Rules<u8> = serde_json::from_str(r#"{"z*": 1, "*": 2, "za": 3, "b": 4}"#)?;
        assert_eq!(rules.get("za"), Some(&3));
        assert_eq!(rules.get("zz"), Some(&2));
        assert_eq!(rules.fitting("zz").count(), 2);
        Ok(())
    }
}
