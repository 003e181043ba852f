//! The first process of a job's container: a shell that runs the job's commands and our questions.

mod hold;
mod message;
mod splitter;
#[cfg(test)]
mod tests;

pub(crate) use hold::{Answer, Keeper, Turn};
pub(crate) use message::{Done, ToRun, can_export};
