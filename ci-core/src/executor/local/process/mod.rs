//! What only the operating system can do: the table of processes, signals, orphans.
//!
//! Linux looks at `/proc`; other Unix systems know process groups; Windows has job objects.

#[cfg(all(target_os = "linux", not(ci_core_portable)))]
mod linux;
#[cfg(unix)]
mod spawn_unix;
#[cfg(windows)]
mod spawn_windows;
#[cfg(all(unix, any(not(target_os = "linux"), ci_core_portable)))]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(all(target_os = "linux", not(ci_core_portable)))]
pub(super) use linux::{Contained, adopt_orphans, find, owner_lives, reap, something_lives};
#[cfg(unix)]
pub(super) use spawn_unix::{Spawned, Status, mark_owner, signal};
#[cfg(windows)]
pub(super) use spawn_windows::{Spawned, Status, mark_owner, signal};
#[cfg(all(unix, any(not(target_os = "linux"), ci_core_portable)))]
pub(super) use unix::{Contained, adopt_orphans, find, owner_lives, reap, something_lives};
#[cfg(windows)]
pub(super) use windows::{Contained, adopt_orphans, find, owner_lives, reap, something_lives};

/// What a process is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// To end.
    Terminate,
    /// Nothing: it is ended.
    Kill,
}
