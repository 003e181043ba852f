//! Caches, workspaces and artifacts on a content-addressed directory.

/// Where caches, workspaces and artifacts are kept.
#[derive(Debug)]
pub struct Storage {}
