//! One machine over several commands: `setup`, `build`, `cleanup` and `teardown`, each in a shell of its
//! own, as the jobs of GitLab have them.
//!
//! What one command has to know of the other is in a small file of shell assignments. What must not get
//! lost with that file is in the tags of the machine: whose job it is, how it proves itself, who holds it
//! and until when.

mod agent;
mod manager;
mod remote;
mod state;
mod variables;

pub use manager::E2c;
pub use remote::BuildRequest;
pub use state::StateFile;
pub use variables::{StrategyName, Variables};
