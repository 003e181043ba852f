//! What a run can learn from its Git repository: revision, branch, tag, changed paths.

mod changes;
mod discover;
mod error;
#[cfg(test)]
pub(crate) mod tests;

pub use changes::{ChangeScope, changed_paths};
pub use error::{VcsError, VcsErrorKind};
