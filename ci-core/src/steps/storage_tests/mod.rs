//! The steps that use the storage, in a session that is a directory.
#![cfg(all(unix, feature = "storage"))]

mod artifacts;
mod cache;
mod kit;
mod workspace;
