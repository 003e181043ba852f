//! Checks every value of a workflow that needs no other job to be judged.

mod job;
mod name;
mod step;
mod workflow;

pub(super) use workflow::check;
