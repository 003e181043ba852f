//! The CI engine that other tools embed.
//!
//! Build a [`WorkflowSpec`](workflow::WorkflowSpec) of jobs and steps and run it.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "local", feature = "storage", feature = "testing"))]
pub mod archive;
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
pub mod step;
pub mod steps;
#[cfg(feature = "storage")]
pub mod storage;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod workflow;
