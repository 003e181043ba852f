//! What can go wrong when images are built.

use crate::registry::RegistryError;
use crate::trouble::Trouble;

/// An image could not be built or pushed.
pub type ImageError = Trouble<ImageErrorKind>;

/// What kind of trouble it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageErrorKind {
    /// What is wanted makes no sense.
    Invalid,
    /// What is wanted is known, but cannot be done here.
    Unsupported,
    /// The files of the context cannot be read.
    Context,
    /// A step of the build failed.
    Failed,
    /// A program for another processor was to run, and this machine has no emulation for it.
    Emulation,
    /// The engine could not do its part.
    Engine,
    /// The registry could not do its part.
    Registry,
    /// The build was canceled.
    Canceled,
}

impl From<RegistryError> for ImageError {
    fn from(error: RegistryError) -> Self {
        let mut into = Self::new(ImageErrorKind::Registry, error.to_string());
        into.hints = error.hints().to_vec();
        into.with_source(error)
    }
}
