//! What only a store in a file can meet: full disks, locks, damage, other versions, permissions.

mod commits;
mod files;
mod full;
mod kit;
mod locked;
#[cfg(feature = "archive")]
mod packed;
#[cfg(unix)]
mod permissions;
mod pruned;
