//! Options of executors as a settings file has them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::{ExecutorError, ExecutorErrorKind};

/// Reads `executors.NAME.options` of the settings as the options of one type of executors.
///
/// # Errors
/// [`ExecutorErrorKind::Unsupported`] for an option that there is not, or a value of the wrong kind; its
/// source says which.
pub fn read_options<T: DeserializeOwned>(
    options: &BTreeMap<String, serde_json::Value>,
) -> Result<T, ExecutorError> {
    let map = options
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()));
    serde_json::from_value(serde_json::Value::Object(map.collect())).map_err(|error| {
        ExecutorError::new(ExecutorErrorKind::Unsupported, "the options cannot be used")
            .with_source(error)
    })
}
