//! GitLab CI: `.gitlab-ci.yml` and what it includes, compiled into a workflow.
//!
//! The order is the vendor's: inputs, includes, `extends`, `!reference`, then the rules of the
//! workflow and of each job, `parallel`, and what each job needs. Nothing is fetched and nothing runs:
//! files come from a [`Files`], those of others from [`Sources`]. What cannot be the same here is in
//! [`Compiled::fidelity`].

mod cache;
mod check;
mod children;
mod compile;
mod container;
mod duration;
mod explain;
mod fidelity;
mod files;
mod globs;
mod include;
mod inputs;
mod job_rules;
mod jobs;
mod keys;
mod lower;
mod merge;
mod needs;
mod notes;
mod only;
mod options;
mod parallel;
mod pipeline;
mod predefined;
mod reference;
mod rules_if;
mod script;
mod storage;
#[cfg(test)]
mod tests;
mod variables;
mod workflow_rules;

pub use children::Child;
pub use compile::{Compiled, ListedJob, Project, SkippedJob};
pub use files::{Directory, Files, MemoryFiles, Sources};
pub use job_rules::When;
pub use options::{Facts, Options};
pub use rules_if::{Expression, ExpressionError, Value};
