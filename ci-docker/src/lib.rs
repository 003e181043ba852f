//! Executor of ci-core on the Docker Engine API: jobs in containers.
//!
//! [`DockerExecutor`] runs each job in a container of its own, and each command as a child of its first
//! process. The container lives as long as the engine's connection to it: what kills the engine ends the
//! job.
//! [`SwarmExecutor`] does the same on whatever node a swarm chooses.
//!
//! [`image`] builds images and bakes files of many, [`registry`] copies, merges and tags what is in
//! registries.
//!
//! The image of a job needs a POSIX `sh` and the programs `cat`, `chmod`, `chown`, `id` and `mkdir`; those of
//! busybox are enough. With `mkfifo`, `rm` and `setsid` commands start in milliseconds.

mod command;
pub mod compose;
mod container;
mod copy;
mod credentials;
mod dind;
mod engine;
mod error;
mod executor;
pub mod image;
mod keeper;
mod labels;
mod leaving;
mod make;
mod options;
mod plan;
mod proxy;
mod pull;
pub mod registry;
mod run;
mod script;
mod service;
mod session;
mod swarm;
mod sweep;
mod trouble;

pub use error::{DockerError, DockerErrorKind};
pub use executor::{DockerExecutor, EngineVersion};
pub use options::{
    CommonOptions, ContainerOptions, DockerAccess, DockerOptions, Gpus, PullPolicy, Ulimit, Unmet,
    Workspace,
};
pub use swarm::{SwarmExecutor, SwarmJobOptions, SwarmOptions};
pub use trouble::Trouble;
