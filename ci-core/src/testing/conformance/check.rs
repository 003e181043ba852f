//! A check, and what may come of it.

use std::fmt::Display;
use std::pin::Pin;

use super::bench::Bench;
use crate::error::chain;
use crate::executor::ExecutorError;
use crate::session::SessionError;

/// What a check gives back: what it measured, in words, or what was wrong.
pub(super) type Verdict = Result<String, Trouble>;

/// Why a check did not pass.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The executor does not keep the contract.
    Failed(String),
    /// The check says nothing here.
    Skipped(String),
}

/// A check by name. It owns what it needs, so that it can run in a task of its own and panic there.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) run: fn(Bench) -> Pin<Box<dyn Future<Output = Verdict> + Send>>,
}

/// A check made of its name and an `async fn(Bench) -> Verdict`.
macro_rules! check {
    ($name:literal, $run:path) => {
        $crate::testing::conformance::check::Check {
            name: $name,
            run: |bench| Box::pin($run(bench)),
        }
    };
}
pub(super) use check;

impl Trouble {
    pub(super) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    pub(super) fn skipped(text: impl Into<String>) -> Self {
        Self::Skipped(text.into())
    }

    /// Says where the trouble was.
    pub(super) fn at(self, place: impl Display) -> Self {
        match self {
            Self::Failed(text) => Self::Failed(format!("{place}: {text}")),
            Self::Skipped(text) => Self::Skipped(text),
        }
    }
}

impl From<SessionError> for Trouble {
    fn from(error: SessionError) -> Self {
        Self::Failed(format!("{} ({:?})", chain(&error), error.kind()))
    }
}

impl From<ExecutorError> for Trouble {
    fn from(error: ExecutorError) -> Self {
        Self::Failed(format!("{} ({:?})", chain(&error), error.kind()))
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Fails a check unless `condition` holds.
pub(super) fn ensure(condition: bool, text: impl FnOnce() -> String) -> Result<(), Trouble> {
    if condition {
        Ok(())
    } else {
        Err(Trouble::Failed(text()))
    }
}

/// Fails a check unless both are equal. `what` names the value.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(
    what: impl Display,
    got: &T,
    expected: &T,
) -> Result<(), Trouble> {
    ensure(got == expected, || {
        let got = shorten(format!("{got:?}"));
        format!(
            "{what} is {got} instead of {}",
            shorten(format!("{expected:?}"))
        )
    })
}

/// No more of a text than a table can show.
pub(super) fn shorten(text: String) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}
