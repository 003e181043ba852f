//! The body that all errors of this crate share: a kind, a message, hints, and what caused it.

use std::fmt;

/// What to do where programs for another processor do not run.
pub(crate) const EMULATION: &str = "install QEMU with binfmt on that machine: `apt-get install qemu-user-static binfmt-support`, or `docker run --privileged --rm tonistiigi/binfmt --install all`";

/// Something could not be done. `K` says what kind of trouble there can be.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Trouble<K: fmt::Debug> {
    pub(crate) kind: K,
    pub(crate) message: String,
    pub(crate) hints: Vec<String>,
    #[source]
    pub(crate) source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl<K: Copy + fmt::Debug> Trouble<K> {
    pub(crate) fn new(kind: K, message: impl Into<String>) -> Self {
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
    pub fn kind(&self) -> K {
        self.kind
    }

    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}
