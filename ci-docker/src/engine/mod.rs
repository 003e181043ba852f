//! The Docker Engine API as this crate needs it: the only folder that names the client.

mod around;
mod client;
mod create;

pub(crate) use around::State;
pub(crate) use client::{Engine, Exec, ExecSpec, Facts, Found, ImageFacts, Pieces};
pub(crate) use create::ContainerSpec;
