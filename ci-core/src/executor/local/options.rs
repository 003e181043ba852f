//! The options of the local executor as a settings file has them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;

use super::LocalExecutor;
use crate::executor::{ExecutorError, read_options};

/// What `executors.NAME.options` of the settings may say of an executor of the type `local`.
///
/// ```
/// use std::collections::BTreeMap;
/// use ci_core::executor::{LocalExecutor, LocalOptions};
///
/// let options = BTreeMap::from([("limit".to_owned(), 2.into()), ("work_in".to_owned(), "own".into())]);
/// let executor = LocalExecutor::with_options(LocalOptions::from_settings(&options)?);
/// # Ok::<(), ci_core::executor::ExecutorError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LocalOptions {
    /// How many sessions it can have at once.
    pub limit: Option<NonZeroUsize>,
    /// How many seconds processes may take to end after they were asked to.
    pub grace: Option<u64>,
    /// Where private directories go.
    pub root: Option<PathBuf>,
    /// Where jobs work.
    pub work_in: WorkIn,
    /// Variables that jobs inherit beside the usual ones; `*` is all of them.
    pub inherit: Vec<String>,
}

/// Where the jobs of a local executor work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkIn {
    /// In the project's directory; in one of its own if one of the job's steps is a checkout.
    #[default]
    Auto,
    /// In the project's directory.
    Project,
    /// Each in an empty directory of its own.
    Own,
}

impl LocalOptions {
    /// Reads the options.
    ///
    /// # Errors
    /// For an option that there is not, or a value of the wrong kind.
    pub fn from_settings(
        options: &BTreeMap<String, serde_json::Value>,
    ) -> Result<Self, ExecutorError> {
        read_options(options)
    }
}

impl LocalExecutor {
    /// An executor named `local` with these options.
    #[must_use]
    pub fn with_options(options: LocalOptions) -> Self {
        let mut executor = Self::new();
        if let Some(limit) = options.limit {
            executor = executor.limit(limit.get());
        }
        if let Some(seconds) = options.grace {
            executor = executor.grace(std::time::Duration::from_secs(seconds));
        }
        if let Some(root) = options.root {
            executor = executor.root(root);
        }
        executor = match options.work_in {
            WorkIn::Auto => executor,
            WorkIn::Project => executor.in_place(),
            WorkIn::Own => executor.isolated(),
        };
        for variable in options.inherit {
            executor = if variable == "*" {
                executor.inherit_all_env()
            } else {
                executor.inherit(variable)
            };
        }
        executor
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::executor::Executor;

    fn read(options: serde_json::Value) -> Result<LocalOptions, String> {
        let options: BTreeMap<_, _> = serde_json::from_value(options).unwrap();
        LocalOptions::from_settings(&options).map_err(|error| crate::error::chain(&error))
    }

    #[test]
    fn options_become_an_executor() {
        let options = read(json!({"limit": 3, "work_in": "project", "inherit": ["EDITOR"]}));
        let executor = LocalExecutor::with_options(options.unwrap());
        assert_eq!(Executor::limit(&executor), Some(3));
    }

    #[test]
    fn what_there_is_not_is_named() {
        let error = read(json!({"slots": 3})).unwrap_err();
        assert!(error.contains("unknown field `slots`"), "{error}");
        assert!(read(json!({"limit": 0})).is_err());
    }
}
