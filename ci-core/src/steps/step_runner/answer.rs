//! What an answer of a step runner means.

use std::time::Duration;

use serde::Deserialize;

use crate::outcome::{Failure, Outcome};

/// What an answer means.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// The step ran and ended so; with what it printed.
    Ended(Outcome, Option<String>),
    /// Another step is in the way, or the runner is about to end.
    Busy(String, Option<Duration>),
    /// The runner broke.
    Broke(String),
    /// Asking again makes no sense.
    Refused(String),
}

/// The part of a body that counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    status: Option<serde_json::Value>,
    exit_code: Option<i32>,
    message: Option<String>,
    error: Option<String>,
    output: Option<String>,
}

/// What a body says about the step.
enum Verdict {
    Success,
    Failure,
    Unknown(String),
    Nothing,
}

impl Body {
    /// Unknown fields are passed over, and so is a body that is no such object.
    fn read(bytes: &[u8]) -> Self {
        let read = || serde_json::from_slice::<Self>(bytes);
        read().unwrap_or_else(|_| {
            // A field of another type than expected must not hide the verdict.
            let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
            Self {
                status: value.get("status").cloned(),
                ..Self::default()
            }
        })
    }

    fn verdict(&self) -> Verdict {
        let Some(status) = &self.status else {
            return Verdict::Nothing;
        };
        let word = status.as_str().unwrap_or_default().to_ascii_lowercase();
        match word.as_str() {
            "success" | "succeeded" | "passed" | "ok" => Verdict::Success,
            "failure" | "failed" => Verdict::Failure,
            _ => Verdict::Unknown(status.to_string()),
        }
    }

    /// Why the step failed.
    fn failure(&self) -> Outcome {
        let mut failure = Failure {
            exit_code: self.exit_code.filter(|code| *code != 0),
            message: self.message.clone().or_else(|| self.error.clone()),
            ..Failure::default()
        };
        if failure == Failure::default() {
            failure.message = Some("the step failed on the step runner".into());
        }
        Outcome::Failed(Box::new(failure))
    }

    fn why(&self, status: u16) -> String {
        let words = self.message.as_ref().or(self.error.as_ref());
        let words = words.map_or(String::new(), |words| format!(": {words}"));
        format!("it answers with status {status}{words}")
    }
}

/// What an answer with this status and body means. `retry_after` is what its header says.
pub(super) fn read(status: u16, body: &[u8], retry_after: Option<Duration>) -> Answer {
    let body = Body::read(body);
    match (status, body.verdict()) {
        (200..=299, Verdict::Success | Verdict::Nothing) => {
            Answer::Ended(Outcome::Success, body.output)
        }
        (200..=299 | 500, Verdict::Failure) => Answer::Ended(body.failure(), body.output.clone()),
        (200..=299, Verdict::Unknown(word)) => {
            Answer::Broke(format!("it answers that the step is {word}"))
        }
        (409 | 423 | 425 | 429 | 503, _) => Answer::Busy(body.why(status), retry_after),
        (408 | 500..=599, _) => Answer::Broke(body.why(status)),
        _ => Answer::Refused(body.why(status)),
    }
}
