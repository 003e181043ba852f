//! Compose files (compose-spec.io): the services of a job out of one, and a job with its services as one.

mod read;
mod substitute;
mod write;

pub(crate) use read::with_services;
pub use read::{ComposeServices, read_services};
pub use write::{ComposeExport, export};
