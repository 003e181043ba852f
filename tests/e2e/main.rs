//! The engine from end to end, through the `ci` program.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod circleci;
mod commands;
mod crash;
mod damaged;
mod deploy;
mod docker;
mod ec2;
mod faults;
mod gitlab;
mod gitlab_ci_local;
mod images;
mod imported;
mod latest;
mod listed;
mod looked;
#[path = "../../ci-aws/tests/support/machines/mod.rs"]
#[expect(dead_code, reason = "it is shared with the tests of `ci-aws`")]
mod machines;
mod mcp;
mod notified;
mod postgres;
mod quickstart;
mod registry;
mod reported;
mod reports;
mod seeds;
mod settings;
mod setup;
mod shared;
mod support;
mod triggers;
mod typed;
mod unstable;
