//! What can go wrong when images are built.

use crate::registry::RegistryError;

/// An image could not be built or pushed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ImageError {
    kind: ImageErrorKind,
    message: String,
    hints: Vec<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

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

impl ImageError {
    pub(crate) fn new(kind: ImageErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
            source: None,
        }
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> ImageErrorKind {
        self.kind
    }

    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl From<RegistryError> for ImageError {
    fn from(error: RegistryError) -> Self {
        let mut into = Self::new(ImageErrorKind::Registry, error.to_string());
        into.hints = error.hints().to_vec();
        into.with_source(error)
    }
}
