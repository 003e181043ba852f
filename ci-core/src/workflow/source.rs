//! The file of a workflow, which tells where in it something is wrong.

use std::path::{Path, PathBuf};

#[cfg(feature = "yaml")]
use super::{InvalidWorkflow, locate};
use super::{SpecError, WorkflowSpec};
#[cfg(feature = "yaml")]
use crate::yaml::problem::ConfigError;

/// The file of a workflow. It gives the workflow, and tells where in the file the problems are that
/// checks find in it.
///
/// ```
/// use ci_core::workflow::SpecSource;
///
/// let text = "version: 1\nname: ci\njobs:\n  lint: {}\n  test: {needs: [lnit]}\n";
/// let source = SpecSource::new("workflow.yml", text);
/// let error = source.spec()?.validate().unwrap_err();
/// # #[cfg(feature = "yaml")]
/// assert_eq!(
///     source.locate(&error).to_string(),
///     "workflow.yml:5:18: `test` needs `lnit`, which is no job (did you mean `lint`?)"
/// );
/// # Ok::<(), ci_core::workflow::SpecError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SpecSource {
    path: PathBuf,
    text: String,
}

impl SpecSource {
    /// A file that was read already: JSON if its name ends with `.json`, else YAML.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// Reads a file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SpecError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|error| SpecError::unreadable(error).in_file(path))?;
        Ok(Self::new(path, text))
    }

    /// The workflow. A file without any job is a mistake; what the jobs say is not judged yet: see
    /// [`WorkflowSpec::validate`].
    pub fn spec(&self) -> Result<WorkflowSpec, SpecError> {
        let spec = if self.is_json() {
            WorkflowSpec::from_json(&self.text)
        } else {
            self.parse_yaml()
        };
        let spec = match spec {
            Ok(spec) if spec.jobs.is_empty() => Err(SpecError::no_job(self.jobs())),
            spec => spec,
        };
        spec.map_err(|error| error.in_file(&self.path))
    }

    fn is_json(&self) -> bool {
        let extension = self.path.extension();
        extension.is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
    }

    #[cfg(feature = "yaml")]
    fn parse_yaml(&self) -> Result<WorkflowSpec, SpecError> {
        WorkflowSpec::from_yaml(&self.text)
    }

    #[cfg(not(feature = "yaml"))]
    #[expect(clippy::unused_self, reason = "the same signature as with YAML")]
    fn parse_yaml(&self) -> Result<WorkflowSpec, SpecError> {
        Err(SpecError::no_yaml())
    }

    /// Line and column of the jobs.
    #[cfg(feature = "yaml")]
    fn jobs(&self) -> Option<(u32, u32)> {
        locate::jobs(&self.text)
    }

    #[cfg(not(feature = "yaml"))]
    #[expect(clippy::unused_self, reason = "the same signature as with YAML")]
    fn jobs(&self) -> Option<(u32, u32)> {
        None
    }

    /// The problems with their places in this file, in the order of those; those that are not about
    /// what the file says come first and have none.
    #[cfg(feature = "yaml")]
    #[must_use]
    pub fn locate(&self, error: &InvalidWorkflow) -> ConfigError {
        let file = self.path.display().to_string();
        locate::problems(&file, &self.text, error.problems())
    }
}
