//! What can go wrong with rented machines.

use std::error::Error;

use ci_core::executor::{ExecutorError, ExecutorErrorKind};
use ci_core::session::{SessionError, SessionErrorKind};

use super::api::ApiError;
use super::codes::Trouble;

/// An instance could not be had, kept or given back.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Ec2Error {
    kind: Ec2ErrorKind,
    message: String,
    hints: Vec<String>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of trouble it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ec2ErrorKind {
    /// The options or the variables say something that cannot be.
    Options,
    /// No type, zone or market that was allowed has a machine.
    NoCapacity,
    /// There are no credentials, they have expired, or they do not allow it.
    Denied,
    /// It would cost more than the run may.
    Budget,
    /// Somebody else uses the instance.
    Locked,
    /// The instance is protected against its end, and goes on being billed.
    Protected,
    /// It was canceled.
    Canceled,
    /// It took too long.
    TimedOut,
    /// The machine was taken away by its owner.
    Interrupted,
    /// The journal or the state file cannot be read or written.
    State,
    /// EC2 answered something that there is no way around.
    Api,
    /// The machine is there, and cannot be used.
    Machine,
}

impl Ec2Error {
    pub(crate) fn new(kind: Ec2ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// EC2 did not do `what`.
    pub(crate) fn api(what: &str, error: ApiError) -> Self {
        let kind = match error.trouble() {
            Trouble::Denied => Ec2ErrorKind::Denied,
            Trouble::Protected => Ec2ErrorKind::Protected,
            trouble if trouble.wants_another_place() => Ec2ErrorKind::NoCapacity,
            _ => Ec2ErrorKind::Api,
        };
        let new = Self::new(kind, format!("could not {what}: {error}"));
        let new = match error.code() {
            Some("UnauthorizedOperation") => new.with_hint(
                "`ci ec2 check` says what is missing, and `ci ec2 policy` prints the policy",
            ),
            Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired") => {
                new.with_hint("the credentials have expired; get new ones and run it again")
            }
            Some(code) if code.contains("NotFound") || code.contains("Malformed") => {
                new.with_hint("is its id or name right, and is it in this region and account?")
            }
            _ if kind == Ec2ErrorKind::Denied => new.with_hint(
                "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or name a profile, and a region in `AWS_REGION`",
            ),
            None if kind == Ec2ErrorKind::Api => new.with_hint(
                "does the network reach EC2, and is `AWS_ENDPOINT_URL` right where it is set?",
            ),
            _ => new,
        };
        new.with_source(error)
    }

    /// Something with a file went wrong.
    pub(crate) fn file(what: &str, path: &std::path::Path, error: std::io::Error) -> Self {
        let text = format!("could not {what} `{}`", path.display());
        Self::new(Ec2ErrorKind::State, text).with_source(error)
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> Ec2ErrorKind {
        self.kind
    }

    /// What to do next.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl From<Ec2Error> for ExecutorError {
    fn from(error: Ec2Error) -> Self {
        let kind = match error.kind {
            Ec2ErrorKind::Options | Ec2ErrorKind::Budget => ExecutorErrorKind::Unsupported,
            Ec2ErrorKind::NoCapacity | Ec2ErrorKind::Locked => ExecutorErrorKind::Capacity,
            Ec2ErrorKind::Canceled => ExecutorErrorKind::Canceled,
            Ec2ErrorKind::TimedOut => ExecutorErrorKind::TimedOut,
            _ => ExecutorErrorKind::Other,
        };
        let hints = error.hints.clone();
        let new = Self::new(kind, error.to_string()).with_source(error);
        hints.into_iter().fold(new, Self::with_hint)
    }
}

impl From<Ec2Error> for SessionError {
    fn from(error: Ec2Error) -> Self {
        let kind = match error.kind {
            Ec2ErrorKind::Interrupted => SessionErrorKind::Interrupted,
            _ => SessionErrorKind::Other,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
