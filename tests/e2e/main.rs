//! The engine from end to end, through the `ci` program.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod circleci;
mod commands;
mod crash;
mod docker;
mod faults;
mod gitlab;
mod gitlab_ci_local;
mod images;
mod latest;
mod quickstart;
mod registry;
mod reported;
mod reports;
mod settings;
mod setup;
mod shared;
mod support;
mod triggers;
mod unstable;
