//! What can go wrong between this crate and a Docker Engine.

use ci_core::executor::{ExecutorError, ExecutorErrorKind};
use ci_core::session::{SessionError, SessionErrorKind};

use crate::trouble::Trouble;

/// A Docker Engine could not do what it was asked for.
pub type DockerError = Trouble<DockerErrorKind>;

/// What kind of trouble an engine made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DockerErrorKind {
    /// No engine answers, or the connection to it broke.
    Unreachable,
    /// The engine does not have what was asked for: an image, a container, a file.
    NotFound,
    /// What was asked for does not fit the state of things, such as a container that has ended.
    Conflict,
    /// The request is not possible.
    Refused,
    /// The engine did not answer in time.
    TimedOut,
    /// The machine does not have what the job asks for: a GPU, a device, a platform.
    Unmet,
    /// There is no room now: no free network, no space on the disk.
    Capacity,
    /// A service of the job did not become ready.
    Service,
    /// What the request was for has been canceled.
    Canceled,
    /// Anything else.
    Other,
}

impl DockerError {
    pub(crate) fn canceled() -> Self {
        Self::new(DockerErrorKind::Canceled, "preparing was canceled")
    }
}

impl From<DockerError> for ExecutorError {
    fn from(error: DockerError) -> Self {
        let kind = match error.kind {
            DockerErrorKind::Canceled => ExecutorErrorKind::Canceled,
            DockerErrorKind::TimedOut => ExecutorErrorKind::TimedOut,
            DockerErrorKind::Capacity => ExecutorErrorKind::Capacity,
            DockerErrorKind::NotFound | DockerErrorKind::Refused | DockerErrorKind::Unmet => {
                ExecutorErrorKind::Unsupported
            }
            _ => ExecutorErrorKind::Other,
        };
        let mut into = Self::new(kind, error.message);
        for hint in error.hints {
            into = into.with_hint(hint);
        }
        match error.source {
            Some(source) => into.with_source(source),
            None => into,
        }
    }
}

impl From<DockerError> for SessionError {
    fn from(error: DockerError) -> Self {
        let kind = match error.kind {
            DockerErrorKind::NotFound => SessionErrorKind::NotFound,
            DockerErrorKind::Refused => SessionErrorKind::Refused,
            DockerErrorKind::Unreachable | DockerErrorKind::TimedOut => SessionErrorKind::Lost,
            _ => SessionErrorKind::Other,
        };
        let into = Self::new(kind, error.message);
        match error.source {
            Some(source) => into.with_source(source),
            None => into,
        }
    }
}
