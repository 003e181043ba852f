//! Caches, workspaces and artifacts on a content-addressed directory that many processes share.
//!
//! ```text
//! objects/ab/cdef…        contents, named by their BLAKE3 hash
//! caches/….json           one file a cache: its key, what is shown of it, and the objects it is made of
//! runs/RUN/workspace/     one file a job: the layers it added
//! runs/RUN/artifacts/     one file a job: the files it kept
//! tmp/                    what is being written
//! lock                    held for the moments in which names are given or objects removed
//! ```
//!
//! Every file appears under its name in one step, whole or not at all. A crash of the machine may
//! leave a damaged object, which is noticed by its hash when it is read.

mod artifact;
mod cache;
mod error;
mod file;
mod gc;
mod key;
mod manifest;
mod name;
mod object;
#[expect(
    clippy::module_inception,
    reason = "the directory gives the module its name"
)]
mod storage;
mod tree;
mod workspace;

pub(crate) use artifact::ArtifactSource;
pub use artifact::{Artifact, ArtifactKind, ArtifactReader};
pub use cache::CacheInfo;
pub(crate) use cache::{CacheDir, CachePart, Published};
pub use error::{StorageError, StorageErrorKind};
pub use gc::GcReport;
pub use key::{KeyError, KeyLookup, KeyTemplate, KeyValue};
pub use storage::Storage;
pub(crate) use tree::{OutsideLink, slashed};
pub(crate) use workspace::LayerSource;

#[cfg(test)]
mod tests;
