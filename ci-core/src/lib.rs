//! The CI engine that other tools embed.
//!
//! Build a [`WorkflowSpec`](workflow::WorkflowSpec) of jobs and steps and run it.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod clock;
mod error;
pub mod event;
pub mod executor;
pub mod graph;
pub mod id;
pub mod job;
pub mod outcome;
pub mod run;
pub mod scheduler;
pub mod secret;
pub mod session;
pub mod settings;
mod similar;
pub mod step;
pub mod steps;
#[cfg(feature = "storage")]
pub mod storage;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod units;
#[cfg(feature = "git")]
pub mod vcs;
pub mod workflow;
