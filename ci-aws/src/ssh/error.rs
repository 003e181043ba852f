//! What can go wrong between this machine and a remote one.

use std::error::Error;

use ci_core::executor::{ExecutorError, ExecutorErrorKind};
use ci_core::session::{SessionError, SessionErrorKind};

/// A remote machine could not be used. It is the source of the errors that [`SshExecutor`] and its
/// sessions give.
///
/// [`SshExecutor`]: super::SshExecutor
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SshError {
    kind: SshErrorKind,
    message: String,
    hint: Option<String>,
    #[source]
    source: Option<std::io::Error>,
}

/// What kind of trouble a remote machine made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SshErrorKind {
    /// The machine's host key is not known, or is not the one that was pinned.
    HostKey,
    /// The machine did not let us in.
    Denied,
    /// No connection could be made.
    Unreachable,
    /// The link broke after it was made.
    Lost,
    /// There is no `ssh` program, or it could not be started.
    Client,
    /// The machine cannot hold a session: no place to write, or a directory that others can change.
    Machine,
}

impl SshError {
    pub(super) fn new(kind: SshErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// The `ssh` program could not be started.
    pub(super) fn client(source: std::io::Error) -> Self {
        let mut error = Self::new(SshErrorKind::Client, "could not start the program `ssh`");
        error.hint = Some("install the OpenSSH client".to_owned());
        error.source = Some(source);
        error
    }

    /// What `said`, the errors of an `ssh` that got no session on `destination`, means.
    pub(super) fn no_connection(destination: &str, said: &str) -> Self {
        let has = |text: &str| said.contains(text);
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        let last = last.unwrap_or("it said nothing").trim();
        if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
            let text = format!("the host key of `{destination}` is not the one that is known");
            let mut error = Self::new(SshErrorKind::HostKey, text);
            error.hint = Some(
                "if the machine was made anew, replace its key in the known hosts; else somebody \
                 may be in between"
                    .to_owned(),
            );
            return error;
        }
        if has("Host key verification failed") || has("host key is known for") {
            let text = format!("the host key of `{destination}` is not known");
            let mut error = Self::new(SshErrorKind::HostKey, text);
            error.hint = Some(
                "pin the machine's key, or let the first one be taken with `accept-new`".to_owned(),
            );
            return error;
        }
        if has("Permission denied") || has("Too many authentication failures") {
            let text = format!("`{destination}` did not let us in: {last}");
            return Self::new(SshErrorKind::Denied, text);
        }
        let text = format!("could not connect to `{destination}`: {last}");
        Self::new(SshErrorKind::Unreachable, text)
    }

    /// The link to `destination` broke.
    pub(super) fn lost(destination: &str) -> Self {
        let text = format!("the link to `{destination}` broke");
        Self::new(SshErrorKind::Lost, text)
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> SshErrorKind {
        self.kind
    }

    /// What to do next, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl From<SshError> for ExecutorError {
    fn from(error: SshError) -> Self {
        let hint = error.hint.clone();
        let wrapped = Self::new(ExecutorErrorKind::Other, error.to_string()).with_source(error);
        match hint {
            Some(hint) => wrapped.with_hint(hint),
            None => wrapped,
        }
    }
}

impl From<SshError> for SessionError {
    fn from(error: SshError) -> Self {
        let kind = match error.kind {
            SshErrorKind::Lost => SessionErrorKind::Lost,
            _ => SessionErrorKind::Other,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}

/// An error of a session of no particular kind.
pub(super) fn other(
    text: impl Into<String>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> SessionError {
    SessionError::new(SessionErrorKind::Other, text).with_source(source)
}
