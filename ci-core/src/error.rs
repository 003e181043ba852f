//! What the errors of all parts share: the chain of causes in words. The errors themselves stand
//! beside what fails.

use std::error::Error;
use std::fmt::Write as _;

/// An error with its causes: `message: cause: cause`.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(words, ": {cause}");
        source = cause.source();
    }
    words
}
