//! The directory that an archive is unpacked into: every write goes through it, none leaves it.
//!
//! The implementation for Unix walks from the root one component at a time and follows no link, so
//! that nobody can swap a directory for a link in between. Elsewhere each directory on the way is
//! looked at before it is used.

#[cfg(any(test, not(unix), ci_core_portable))]
mod portable;
#[cfg(all(unix, not(ci_core_portable)))]
mod unix;

#[expect(
    clippy::module_inception,
    reason = "the trait gives the module its name"
)]
mod place;

pub(super) use place::{Place, Trouble};
#[cfg(any(not(unix), ci_core_portable))]
pub(super) use portable::PortablePlace as HostPlace;
#[cfg(all(test, unix))]
pub(super) use portable::PortablePlace;
#[cfg(all(unix, not(ci_core_portable)))]
pub(super) use unix::UnixPlace as HostPlace;
