//! Puts the sources of a project into a directory, at a commit, a tag or a branch.
//!
//! # Transports
//! Local paths, `file://`, `git://` and `http://` are read by libgit2, which is compiled in. `https`
//! and SSH need the `git` program on this machine: so its credential helpers, the SSH agent, known
//! hosts and proxies hold as they do for a person. Everything but the transfer is libgit2 in either
//! case. Of what libgit2 does not do, files of Git LFS stay pointers.
//!
//! # History
//! All history comes along, unless a depth is asked for. A local path is copied with hard links where
//! the file system allows it, whatever the depth; with `file://` a depth needs the `git` program.
//!
//! # Where the files go
//! A session on this machine gets them at once. For any other session they are checked out here and
//! sent as an archive, owned by whoever unpacks it. A place that keeps
//! [trees](crate::session::KeptTrees) gives a job the checkout of an earlier one that left it untouched.

#[cfg(feature = "git")]
mod again;
#[cfg(feature = "git")]
mod bring;
#[cfg(feature = "git")]
mod error;
#[cfg(feature = "git")]
mod library;
#[cfg(feature = "git")]
mod monitor;
#[cfg(feature = "git")]
mod pack;
mod place;
#[cfg(feature = "git")]
mod program;
#[cfg(feature = "git")]
mod send;
#[cfg(feature = "git")]
mod source;
mod step;
#[cfg(test)]
#[cfg(all(unix, feature = "git"))]
mod tests;

pub use step::Checkout;
