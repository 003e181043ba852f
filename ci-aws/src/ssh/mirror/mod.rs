//! A directory of the machine that is kept like one of this host, with little to send the second time.
//!
//! One command does it. The machine lists what it has; what is gone here is removed there, and what differs
//! by kind, size, time or mode comes as an archive. Large files that are there in an older form come by
//! `rsync`, where both ends have it: it sends only the parts that differ. For everything else it would be
//! slower than the list, which is there already.

mod listing;
mod project;
mod rsync;

pub use project::{Mirror, Mirrored, Way};
