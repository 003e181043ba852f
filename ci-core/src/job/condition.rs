//! Conditions on the branch, the tag, the changed paths and the variables of a run.

use serde::{Deserialize, Serialize};

/// Whether a job is part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Condition {
    /// All of them hold; true when empty.
    All(Vec<Condition>),
    /// One of them holds; false when empty.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// The run is for a branch whose name matches.
    Branch(Pattern),
    /// The run is for a tag whose name matches.
    Tag(Pattern),
    /// A changed path matches one of the globs. Where the changed paths are not known it holds.
    Changed(Vec<String>),
    /// The variable exists and its value matches; an unset variable matches nothing.
    Variable {
        /// The variable's name.
        name: String,
        /// What its value has to match.
        matches: Pattern,
    },
}

/// How a name has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pattern {
    /// Exactly this.
    Is(String),
    /// Matches this glob; `*` and `?` do not cross `/`, `**` does.
    Glob(String),
    /// Matches this regular expression from beginning to end.
    Regex(String),
}
