//! Directory trees as tar archives, packed with globs and unpacked without trusting the archive.
//!
//! Packing never follows a symbolic link below a root and never waits on a pipe. Unpacking never
//! writes outside its directory, whatever the archive says and whatever links stand in the directory
//! already.

mod error;
mod glob;
mod pack;
mod path;
mod place;
mod read;
mod stream;
mod unpack;

pub use error::{ArchiveError, ArchiveErrorKind};
pub use glob::Selector;
pub use pack::{PackRoot, Packed, pack};
pub use path::EntryPath;
pub use read::{Entry, EntryKind, Limits, Totals, read_entries};
pub use stream::pack_stream;
#[cfg(feature = "storage")]
pub(crate) use unpack::Tree;
pub use unpack::{Unpacked, unpack};

#[cfg(test)]
pub(crate) mod raw;
#[cfg(test)]
mod tests;
