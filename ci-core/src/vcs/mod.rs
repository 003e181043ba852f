//! What a run can learn from its Git repository: revision, branch, tag, changed paths.

mod changes;
mod discover;
mod error;
mod export;
mod history;
mod remote;
#[cfg(test)]
pub(crate) mod tests;

pub use changes::{ChangeScope, changed_in, changed_paths};
#[cfg(feature = "watch")]
pub(crate) use discover::open;
#[cfg(feature = "watch")]
pub(crate) use error::other as other_error;
pub use error::{VcsError, VcsErrorKind};
pub use export::{CommitInfo, branches, commit_info, export, read_file};
pub use history::{CommitRange, commits_between};
pub use remote::{RemoteInfo, remote_info};
