//! Registries: digests, tags, copies, indexes for several platforms, and the `latest` tag.
//!
//! A [`Registry`] speaks the protocol of the OCI distribution specification, version 1.1, with what
//! `docker login` left behind or credentials of its own. Manifests travel as the bytes they are, so
//! that digests stay what they were.

mod client;
mod copy;
mod credentials;
mod error;
mod forge;
mod index;
mod latest;
mod manifest;
mod name;

pub use client::Registry;
pub use copy::Copied;
pub use credentials::Credentials;
pub use error::{RegistryError, RegistryErrorKind};
pub use forge::{ForgeToken, gitlab_tag};
pub use index::Merged;
pub use latest::{LatestChange, LatestReport, MoveLatest};
pub use name::{ImageName, ParseImageNameError};
