//! Something that may start a run.

use std::collections::BTreeMap;

use crate::workflow::RunFacts;

/// Something that may start a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The commit it is about, as its full hash.
    pub revision: Option<String>,
    /// The commit's message.
    pub message: Option<String>,
    /// The paths that changed against the base; `None` where that is not known.
    pub changed_paths: Option<Vec<String>>,
    /// Arguments of the trigger's parameters, as they were typed.
    pub arguments: BTreeMap<String, String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A commit came to a branch.
    Push {
        /// The branch.
        branch: String,
    },
    /// A pull or merge request was made or got a commit.
    MergeRequest {
        /// The branch it comes from.
        source: String,
        /// The branch it wants to go to.
        target: String,
        /// Its number.
        number: u64,
    },
    /// A tag was made or moved.
    Tag {
        /// The tag.
        name: String,
        /// Whether it has a message and an author of its own.
        annotated: bool,
    },
    /// A schedule was due.
    Schedule {
        /// The schedule.
        name: String,
        /// The branch that it runs for.
        branch: Option<String>,
    },
    /// A person asked.
    Manual {
        /// For this branch.
        branch: Option<String>,
    },
    /// A program asked.
    Api {
        /// For this branch.
        branch: Option<String>,
    },
}

impl EventKind {
    /// The word for it in `CI_TRIGGER`, such as `merge_request`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Push { .. } => "push",
            Self::MergeRequest { .. } => "merge_request",
            Self::Tag { .. } => "tag",
            Self::Schedule { .. } => "schedule",
            Self::Manual { .. } => "manual",
            Self::Api { .. } => "api",
        }
    }

    /// The branch that a run for it is on.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        match self {
            Self::Push { branch } => Some(branch),
            Self::MergeRequest { source, .. } => Some(source),
            Self::Tag { .. } => None,
            Self::Schedule { branch, .. } | Self::Manual { branch } | Self::Api { branch } => {
                branch.as_deref()
            }
        }
    }
}

impl Event {
    /// Something that happened, of which nothing more is known.
    #[must_use]
    pub fn new(kind: EventKind) -> Self {
        Self {
            kind,
            revision: None,
            message: None,
            changed_paths: None,
            arguments: BTreeMap::new(),
        }
    }

    /// A commit came to a branch.
    #[must_use]
    pub fn push(branch: impl Into<String>) -> Self {
        let branch = branch.into();
        Self::new(EventKind::Push { branch })
    }

    /// Sets the commit.
    #[must_use]
    pub fn revision(mut self, hash: impl Into<String>) -> Self {
        self.revision = Some(hash.into());
        self
    }

    /// Sets the commit's message.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Sets the paths that changed.
    #[must_use]
    pub fn changed_paths<S: Into<String>>(mut self, paths: impl IntoIterator<Item = S>) -> Self {
        self.changed_paths = Some(paths.into_iter().map(Into::into).collect());
        self
    }

    /// Gives an argument for a parameter.
    #[must_use]
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.arguments.insert(name.into(), value.into());
        self
    }

    /// What a run for it is for. Variables tell where it comes from: `CI_TRIGGER`, and
    /// `CI_MERGE_REQUEST`, `CI_MERGE_REQUEST_SOURCE` and `CI_MERGE_REQUEST_TARGET`, or `CI_SCHEDULE`.
    #[must_use]
    pub fn facts(&self) -> RunFacts {
        let mut facts = RunFacts::default().variable("CI_TRIGGER", self.kind.as_str());
        facts.branch = self.kind.branch().map(str::to_owned);
        facts.revision.clone_from(&self.revision);
        facts.changed_paths.clone_from(&self.changed_paths);
        match &self.kind {
            EventKind::MergeRequest {
                source,
                target,
                number,
            } => {
                facts = facts
                    .variable("CI_MERGE_REQUEST", number.to_string())
                    .variable("CI_MERGE_REQUEST_SOURCE", source)
                    .variable("CI_MERGE_REQUEST_TARGET", target);
            }
            EventKind::Tag { name, .. } => facts.tag = Some(name.clone()),
            EventKind::Schedule { name, .. } => facts = facts.variable("CI_SCHEDULE", name),
            _ => {}
        }
        facts
    }
}
