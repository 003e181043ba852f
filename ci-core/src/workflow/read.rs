//! Reads and writes workflows as JSON and YAML.

use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::form::WorkflowForm;
use super::{SpecError, SpecSource, WorkflowSpec};
#[cfg(feature = "yaml")]
use crate::yaml;

impl Serialize for WorkflowSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WorkflowForm::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WorkflowSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WorkflowForm::deserialize(deserializer).map(Self::from)
    }
}

impl WorkflowSpec {
    /// Reads the JSON form. What the jobs say is not judged yet: see [`validate`](Self::validate).
    ///
    /// ```
    /// use ci_core::workflow::WorkflowSpec;
    ///
    /// let json = r#"{"version": 1, "name": "ci", "jobs": {"test": {"steps": [{"run": "cargo test"}]}}}"#;
    /// assert_eq!(WorkflowSpec::from_json(json)?.jobs.len(), 1);
    ///
    /// let error = WorkflowSpec::from_json(r#"{"version": 2}"#).unwrap_err();
    /// assert_eq!(error.line(), Some(1));
    /// # Ok::<(), ci_core::workflow::SpecError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, SpecError> {
        serde_json::from_str(text).map_err(|error| SpecError::json(&error))
    }

    /// Writes the JSON form, which [`from_json`](Self::from_json) reads back. A step that is code of
    /// this program is written as its name only, and read back as
    /// [`Action::Custom`](crate::step::Action::Custom).
    pub fn to_json(&self) -> Result<String, SpecError> {
        serde_json::to_string_pretty(self).map_err(|error| SpecError::json(&error))
    }

    /// Reads the YAML form, which is the same as the JSON form: YAML 1.2 with anchors and merge keys.
    #[cfg(feature = "yaml")]
    pub fn from_yaml(text: &str) -> Result<Self, SpecError> {
        yaml::document(text, yaml::SPEC_LIMITS)
            .and_then(|document| yaml::from_node(&document))
            .map_err(|error| SpecError::yaml(&error))
    }

    /// Writes the YAML form, which [`from_yaml`](Self::from_yaml) reads back. Of steps that are code it
    /// says what [`to_json`](Self::to_json) says.
    #[cfg(feature = "yaml")]
    pub fn to_yaml(&self) -> Result<String, SpecError> {
        // By way of JSON, for which the form is written anyway, and which keeps its order.
        yaml::of_json(&self.to_json()?).map_err(|error| SpecError::json(&error))
    }

    /// Reads a file: JSON if its name ends with `.json`, else YAML. [`SpecSource`] also tells where in
    /// the file the problems of its workflow are.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, SpecError> {
        SpecSource::read(path)?.spec()
    }

    /// The JSON Schema (draft 2020-12) of the form, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(WorkflowForm).to_value()
    }
}
