//! Options of executors as a settings file has them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ExecutorError, ExecutorErrorKind};

/// The longest value that is quoted.
const MOST: usize = 60;

/// Reads `executors.NAME.options` of the settings as the options of one type of executors.
///
/// # Errors
/// [`ExecutorErrorKind::Unsupported`] for an option that there is not, or a value of the wrong kind: it
/// names the option and its value, and its source says what there is instead.
pub fn read_options<T: DeserializeOwned>(
    options: &BTreeMap<String, Value>,
) -> Result<T, ExecutorError> {
    let map = options
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()));
    let all = Value::Object(map.collect());
    serde_json::from_value(all.clone()).map_err(|error: serde_json::Error| {
        let message = error.to_string();
        let path = culprit::<T>(&all, &message);
        let found = path.iter().try_fold(&all, |value, key| value.get(key));
        let text = match found {
            // A value may be a secret only if somebody wrote it where none belongs: it is short then.
            Some(value) if !path.is_empty() && value.to_string().len() <= MOST => {
                let (name, value) = (path.join("."), value.to_string());
                format!(
                    "the option `{name}` cannot be `{}`",
                    value.trim_matches('"')
                )
            }
            Some(_) if !path.is_empty() => {
                format!("the option `{}` cannot be used", path.join("."))
            }
            _ => "the options cannot be used".to_owned(),
        };
        let refused = ExecutorError::new(ExecutorErrorKind::Unsupported, text).with_source(error);
        if path.is_empty() {
            return refused;
        }
        refused.with_option(path.join("."))
    })
}

/// The option that is refused, as the keys that lead to it: the one that is refused in the same words
/// when it is alone.
fn culprit<T: DeserializeOwned>(all: &Value, message: &str) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let mut inside = all;
    while let Value::Object(map) = inside {
        let alone = |key: &String| {
            let keys = path.iter().chain([key]);
            let one = keys.rev().fold(map[key].clone(), |value, key| {
                Value::Object([(key.clone(), value)].into_iter().collect())
            });
            serde_json::from_value::<T>(one).is_err_and(|error| error.to_string() == message)
        };
        let Some(key) = map.keys().find(|key| alone(key)) else {
            break;
        };
        path.push(key.clone());
        inside = &map[key];
    }
    path
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Options {
        pull: Pull,
        container: BTreeMap<String, u32>,
        limit: u32,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Pull {
        #[default]
        Never,
        IfMissing,
    }

    fn refused(options: Value) -> String {
        let options: BTreeMap<String, Value> = serde_json::from_value(options).unwrap();
        let error = read_options::<Options>(&options).unwrap_err();
        crate::error::chain(&error)
    }

    #[test]
    fn a_value_that_cannot_be_is_named_with_its_option_and_what_can() {
        for (options, expected) in [
            (
                json!({"limit": 1, "pull": "if_missing"}),
                "the option `pull` cannot be `if_missing`: unknown variant `if_missing`, expected `never` or `if-missing`",
            ),
            (
                json!({"container": {"a": 1, "memory": "much"}}),
                "the option `container.memory` cannot be `much`: invalid type: string \"much\", expected u32",
            ),
        ] {
            assert_eq!(refused(options), expected);
        }
        let unknown = refused(json!({"pul": "x".repeat(999)}));
        assert!(
            unknown.starts_with("the option `pul` cannot be used: unknown field `pul`"),
            "{unknown}"
        );
    }
}
