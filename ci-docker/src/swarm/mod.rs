//! Jobs on a swarm of engines: which node takes a job is the swarm's to say.

mod executor;
mod hold;
mod options;
mod place;
mod sweep;

pub use executor::SwarmExecutor;
pub(crate) use hold::{End, Loss, Task};
pub use options::{SwarmJobOptions, SwarmOptions};
