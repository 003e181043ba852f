//! Pipelines of other vendors as CircleCI or GitLab files.
//!
//! [`github()`] reads GitHub Actions workflows, [`jenkins()`] declarative Jenkins files. Both give an
//! [`Imported`]: a file that compiles and runs, and a [`Note`] with place and suggestion for everything
//! that did not come along. A step that cannot be converted stays in its place as a command that says
//! so, and is counted; nothing is dropped in silence. Of the 2,969 steps of 196 workflows of published
//! crates 2,808 are converted to CircleCI and the others listed: `tests/import.sh` counts.

mod circleci;
mod convert;
mod github;
mod gitlab;
mod imported;
mod jenkins;
mod pipeline;
#[cfg(test)]
mod tests;
mod text;
mod tree;

pub use convert::{github, jenkins};
pub use imported::{Imported, Note, StepCounts, Target};
