//! What the errors of all parts share: the chain of causes in words. The errors themselves stand
//! beside what fails.

use std::error::Error;
use std::fmt::Write as _;

/// An error with its causes: `message: cause: cause`. One that only says again what was just said is
/// left out.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.ends_with(&cause_words) {
            let _ = write!(words, ": {cause_words}");
        }
        source = cause.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::StepError;

    #[test]
    fn nothing_is_said_twice_in_a_row() {
        let refused = "the entry `a` was refused";
        let twice = StepError::new(refused).with_source(StepError::new(refused).with_source("why"));
        let error = StepError::new("the session failed").with_source(twice);
        assert_eq!(
            chain(&error),
            "the session failed: the entry `a` was refused: why"
        );
    }
}
