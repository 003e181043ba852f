//! A step runner: a server that runs the steps `lint`, `build` and `test` on a commit.
//!
//! # Protocol
//! `POST /step/trigger` with `{"step_name": …, "repo_path": …, "commit_hash": …}` runs a step and
//! answers when it has ended. What counts of the answer, and what else is in it is passed over:
//!
//! | Status | Meaning | What the client does |
//! |---|---|---|
//! | 200 | the step ran; `status` is `success` or `failure` | the step succeeded or failed |
//! | 400, 404, 405, 422 | the request is wrong | infrastructure failure, at once |
//! | 409 | the step does not run beside another one, and one runs | asks again |
//! | 500, and a dropped connection | the runner broke | asks again |
//! | 503, and no connection | the runner is not there | asks again |
//!
//! The body of an answer is a JSON object: `status`, and where they are known `step_name`,
//! `commit_hash`, `exit_code`, `message` and `output`. A status of 200 without a `status` in the body is
//! a success, and a `status` of `failure` is one with a status of 500 too: the step ran.
//!
//! Only an answer decides about a step. Without one within the [budget](StepRunner::budget) the step is
//! an infrastructure failure, never a failed test.

mod answer;
mod client;
mod step;
#[cfg(test)]
mod tests;

pub use client::{StepRunner, StepRunnerError};
pub use step::RunRemote;
