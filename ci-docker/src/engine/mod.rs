//! The Docker Engine API as this crate needs it: the only folder that names the client, beside that of
//! images.

mod around;
mod client;
mod create;
mod dial;
mod explain;
mod look;
mod swarm;
mod task;
mod tunnel;

pub(crate) use around::State;
pub(crate) use client::{Engine, Exec, ExecSpec, Facts, Found, ImageFacts, Tether};
pub(crate) use create::ContainerSpec;
pub(crate) use dial::dial;
pub(crate) use swarm::{Node, Stage, TaskFacts};
pub(crate) use task::{SecretFile, TaskSpec};
pub(crate) use tunnel::{Tunnel, private_dir};
