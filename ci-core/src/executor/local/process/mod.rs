//! The process trees of a session, by platform.
//!
//! Every platform has the same types. `Trees` belongs to a session: it starts commands, and in the
//! end leaves none of their processes behind. `Running` is one command. `Options` says what the
//! platform may use.

#[cfg(all(target_os = "linux", not(ci_core_portable)))]
mod linux;
#[cfg(all(unix, any(not(target_os = "linux"), ci_core_portable)))]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(all(target_os = "linux", not(ci_core_portable)))]
pub(super) use linux::{Options, Running, Trees, reap};
#[cfg(all(unix, any(not(target_os = "linux"), ci_core_portable)))]
pub(super) use unix::{Options, Running, Trees, reap};
#[cfg(windows)]
pub(super) use windows::{Options, Running, Trees, reap};

/// How a command's direct process ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself, or by a signal from elsewhere.
    Exited(std::process::ExitStatus),
    /// Because it was asked to; with what could not be ended, in words.
    Stopped(Vec<String>),
}
