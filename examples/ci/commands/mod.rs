//! One file for each group of commands.

pub(crate) mod artifacts;
pub(crate) mod bake;
pub(crate) mod cache;
pub(crate) mod changed;
pub(crate) mod completions;
pub(crate) mod flaky;
pub(crate) mod graph;
pub(crate) mod image;
pub(crate) mod import;
pub(crate) mod latest;
pub(crate) mod logs;
pub(crate) mod mcp;
pub(crate) mod page;
pub(crate) mod reap;
pub(crate) mod report;
pub(crate) mod requests;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod shim;
pub(crate) mod show;
pub(crate) mod split;
pub(crate) mod timings;
pub(crate) mod vendor;
