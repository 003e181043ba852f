//! Files on their way in or out of a session: always a tar stream, so that a local directory, a
//! container and a remote machine look the same.

use std::io::Read;

/// A tar archive as it is read. Reading may block: use it off the async threads.
pub type TreeReader = Box<dyn Read + Send>;

/// Which files a [`Session::copy_out`](super::Session::copy_out) takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TreeSelection {
    /// The places to take from, in this order.
    pub roots: Vec<CopyRoot>,
}

/// One directory of a session and the part of the archive that stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyRoot {
    /// The first component of every entry's name; empty for none.
    pub prefix: String,
    /// The directory, absolute or relative to the session's working directory; `~` is its home.
    pub dir: String,
    /// Globs relative to `dir`; a directory that matches is taken whole. Empty takes everything.
    pub include: Vec<String>,
    /// Globs relative to `dir` of what is left out.
    pub exclude: Vec<String>,
}

impl TreeSelection {
    /// Everything under `dir`.
    #[must_use]
    pub fn all(dir: impl Into<String>) -> Self {
        Self {
            roots: vec![CopyRoot::new("", dir)],
        }
    }

    /// Adds a root.
    #[must_use]
    pub fn root(mut self, root: CopyRoot) -> Self {
        self.roots.push(root);
        self
    }
}

impl CopyRoot {
    /// Everything under `dir`, named `prefix/…` in the archive.
    #[must_use]
    pub fn new(prefix: impl Into<String>, dir: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            dir: dir.into(),
            include: Vec::new(),
            exclude: Vec::new(),
        }
    }

    /// Takes only what matches `glob` (and what was added before).
    #[must_use]
    pub fn include(mut self, glob: impl Into<String>) -> Self {
        self.include.push(glob.into());
        self
    }

    /// Leaves out what matches `glob`.
    #[must_use]
    pub fn exclude(mut self, glob: impl Into<String>) -> Self {
        self.exclude.push(glob.into());
        self
    }
}
