//! What an import gives: the file, and what did not come along.

use std::fmt;

use super::pipeline::Pipeline;
use crate::yaml::{Mark, Node};

/// The vendor whose file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Target {
    /// `.circleci/config.yml`.
    #[default]
    CircleCi,
    /// `.gitlab-ci.yml`.
    GitLab,
}

impl Target {
    /// Where the vendor looks for the file.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::CircleCi => ".circleci/config.yml",
            Self::GitLab => ".gitlab-ci.yml",
        }
    }
}

/// A pipeline that was converted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Imported {
    /// The vendor whose file it is.
    pub target: Target,
    /// What did not come along, or means something else, in the order of the file.
    pub notes: Vec<Note>,
    /// What became of the steps.
    pub steps: StepCounts,
    config: Node,
}

/// What became of the steps of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StepCounts {
    /// How many there were.
    pub total: usize,
    /// Those that were converted; some of them with a note.
    pub converted: usize,
    /// Those that were not: each has a note, and a command in its place that says so.
    pub listed: usize,
}

/// Something that did not come along, or means something else.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Note {
    /// Where it stands.
    pub mark: Mark,
    /// What it is, with values in back-ticks.
    pub message: String,
    /// What to do about it.
    pub suggestion: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mark, message) = (&self.mark, &self.message);
        write!(
            f,
            "{}:{}: {message}\n  hint: {}",
            mark.file, mark.line, self.suggestion
        )
    }
}

impl Imported {
    pub(super) fn new(config: Node, target: Target, pipelines: &[Pipeline]) -> Self {
        let jobs = || pipelines.iter().flat_map(|pipeline| &pipeline.jobs);
        let mut notes: Vec<Note> = pipelines.iter().flat_map(|it| it.notes.clone()).collect();
        notes.sort_by_key(|note| note.mark.place());
        notes.dedup();
        let steps = || jobs().flat_map(|job| &job.steps);
        let total = steps().filter(|step| step.counted).count();
        let listed = steps()
            .filter(|step| step.counted && step.is_placeholder())
            .count();
        Self {
            target,
            notes,
            steps: StepCounts {
                total,
                converted: total - listed,
                listed,
            },
            config,
        }
    }

    /// The file as values.
    #[must_use]
    pub fn config(&self) -> &Node {
        &self.config
    }

    /// The file as text.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        self.config.to_yaml()
    }
}
