//! What a project is compiled for: the run, and what stands for files that are not in the repository.

use std::collections::BTreeMap;

use super::Sources;
use crate::workflow::RunFacts;

/// How a project is compiled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The path of the configuration in the repository.
    pub file: String,
    /// What the pipeline is for.
    pub facts: Facts,
    /// The files of others that are at hand.
    pub sources: Sources,
    /// Whether an include that is not at hand is left out, with a row in the fidelity report, where it
    /// would be an error else.
    pub stub_missing: bool,
    /// The inputs of the configuration.
    pub inputs: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            file: ".gitlab-ci.yml".to_owned(),
            facts: Facts::default(),
            sources: Sources::default(),
            stub_missing: false,
            inputs: BTreeMap::new(),
        }
    }
}

impl Options {
    /// `.gitlab-ci.yml` for a push to the branch `main`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the pipeline is for.
    #[must_use]
    pub fn facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// Sets the path of the configuration.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>) -> Self {
        self.file = path.into();
        self
    }

    /// Sets the files of others.
    #[must_use]
    pub fn sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// Goes on without includes that are not at hand.
    #[must_use]
    pub fn stub_missing(mut self) -> Self {
        self.stub_missing = true;
        self
    }

    /// Sets an input of the configuration.
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.inputs.insert(name.into(), value.into());
        self
    }
}

/// What a pipeline is for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Facts {
    /// Branch or tag, revision, changed paths. Its variables are those given to the pipeline, which
    /// win over all others.
    pub run: RunFacts,
    /// What started it, as `CI_PIPELINE_SOURCE` says it: `push`, `schedule`, `merge_request_event`.
    pub source: String,
    /// The default branch of the project.
    pub default_branch: String,
    /// The path of the project, such as `group/project`.
    pub project: String,
    /// The branch that a merge request goes to.
    pub target_branch: Option<String>,
    /// The message of the commit.
    pub message: Option<String>,
    /// Who wrote the commit, as `Name <address>`.
    pub author: Option<String>,
    /// When it was written, as in ISO 8601.
    pub timestamp: Option<String>,
    /// Variables of the project's settings: they win over those of the file.
    pub variables: BTreeMap<String, String>,
    /// The texts of variables of the type file: jobs find them in files, whose paths the variables
    /// hold; see [`file`](Self::file).
    pub(super) files: BTreeMap<String, String>,
}

impl Default for Facts {
    fn default() -> Self {
        Self::of(RunFacts::default().branch("main"))
    }
}

impl Facts {
    /// A push of the branch or tag that `run` names; of `main` if it names none.
    #[must_use]
    pub fn of(run: RunFacts) -> Self {
        let run = if run.branch.is_none() && run.tag.is_none() {
            run.branch("main")
        } else {
            run
        };
        Self {
            run,
            source: "push".to_owned(),
            default_branch: "main".to_owned(),
            project: "local/project".to_owned(),
            target_branch: None,
            message: None,
            author: None,
            timestamp: None,
            variables: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// A push to a branch.
    #[must_use]
    pub fn branch(name: impl Into<String>) -> Self {
        Self::of(RunFacts::default().branch(name))
    }

    /// A push of a tag.
    #[must_use]
    pub fn tag(name: impl Into<String>) -> Self {
        Self::of(RunFacts::default().tag(name))
    }

    /// A merge request from `source` to `target`.
    #[must_use]
    pub fn merge_request(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            source: "merge_request_event".to_owned(),
            target_branch: Some(target.into()),
            ..Self::branch(source)
        }
    }

    /// Says what started the pipeline.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// Gives the pipeline a variable.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.run.variables.insert(name.into(), value.into());
        self
    }

    /// Gives the pipeline a variable of the type file.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        let name = name.into();
        let path = format!("{}/{name}", super::script::FILES);
        self.variables.insert(name.clone(), path);
        self.files.insert(name, text.into());
        self
    }

    /// Sets the changed paths.
    #[must_use]
    pub fn changed<S: Into<String>>(mut self, paths: impl IntoIterator<Item = S>) -> Self {
        self.run = self.run.changed_paths(paths);
        self
    }

    /// Whether it is for a merge request.
    #[must_use]
    pub fn is_merge_request(&self) -> bool {
        self.source == "merge_request_event"
    }

    /// The branch or tag.
    #[must_use]
    pub fn ref_name(&self) -> &str {
        self.run
            .tag
            .as_deref()
            .or(self.run.branch.as_deref())
            .unwrap_or_default()
    }
}
