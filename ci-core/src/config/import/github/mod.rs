//! Reads GitHub Actions workflows
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>).

mod actions;
mod convert;
mod expression;
mod inputs;
mod jobs;
mod matrix;
mod steps;
mod triggers;
mod workflow;

pub(super) use workflow::read;
