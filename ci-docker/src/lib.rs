//! Executor of ci-core on the Docker Engine API: containers, services, images and swarm jobs.
//!
//! [`DockerExecutor`] runs each job in a container of its own and each command as an exec in it. The
//! container lives as long as the engine's connection to it: what kills the engine ends the job.
//!
//! The image needs a POSIX `sh` and the programs `cat`, `id`, `mkdir`, `chown` and `kill`; those of
//! busybox are enough.

mod command;
mod container;
mod copy;
mod engine;
mod error;
mod executor;
mod labels;
mod run;
mod script;
mod session;
mod sweep;

pub use error::{DockerError, DockerErrorKind};
pub use executor::{DockerExecutor, EngineVersion, PullPolicy};
