//! What a place keeps from one job to the next.

use std::fmt;
use std::path::Path;

/// Directory trees that jobs of a run were given and left untouched, for the next job of the run that
/// asks for the same.
pub trait KeptTrees: fmt::Debug + Send + Sync {
    /// Moves the tree that `key` names to `dir`, an empty directory, which takes no longer for a large one.
    /// False, and nothing has happened, if there is none.
    fn take(&self, key: &str, dir: &Path) -> bool;

    /// Notes that `dir` holds what `key` names, all of it and nothing else. If it is untouched when the
    /// session ends it is kept. What comes and goes in the directory `except` of it does not count. Blocks
    /// for as long as looking through the tree takes.
    fn note(&self, key: &str, dir: &Path, except: &str);
}
