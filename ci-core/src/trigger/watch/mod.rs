//! Finds every new commit and tag of repositories, each once and in order.
//!
//! [`scan()`] compares the branches and tags of a repository with a [`Position`] and says what is new.
//! [`CommitWatcher`] does that again whenever a repository changes, keeps the positions in a store, and
//! hands out what it finds until the caller says that it is [done](CommitWatcher::done) with it.

mod events;
mod position;
mod scan;
#[cfg(test)]
mod tests;
mod watcher;

pub use position::{Change, ChangeKind, Position};
pub use scan::{First, ScanOptions, scan};
pub use watcher::{CommitWatcher, Found, Positions};
