//! A checkout that did not come to its end.

use crate::outcome::{CancelReason, Outcome};
use crate::session::SessionError;
use crate::step::StepError;

/// A checkout that did not come to its end.
#[derive(Debug)]
pub(super) enum CheckoutError {
    /// What was asked for is not there or not possible: the step fails.
    Refused(String),
    /// Fetching or writing broke: the machine or the network, not the project.
    Broken(StepError),
    /// The step was canceled.
    Canceled,
}

impl CheckoutError {
    pub(super) fn broken(what: impl Into<String>, error: impl std::error::Error) -> Self {
        // The chain in words: errors of libgit2 may hold the URL, which is masked where it is shown.
        let why = crate::error::chain(&error);
        Self::Broken(StepError::new(format!("{}: {why}", what.into())))
    }

    /// The outcome or error of the step, with what is secret in `url` masked.
    pub(super) fn into_result(self, url: &str) -> Result<Outcome, StepError> {
        let mask = |text: &str| crate::steps::mask_in(text, url);
        match self {
            Self::Refused(why) => Ok(Outcome::failed(mask(&why))),
            Self::Broken(error) => Err(StepError::new(mask(&crate::error::chain(&error)))),
            Self::Canceled => Ok(Outcome::Canceled(CancelReason::Requested)),
        }
    }
}

impl From<SessionError> for CheckoutError {
    fn from(error: SessionError) -> Self {
        Self::Broken(error.into())
    }
}
