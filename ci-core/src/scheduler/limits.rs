//! What a machine is told about its surroundings.

use std::collections::HashMap;
use std::time::Duration;

use super::resources::{Demand, Pool};
use crate::id::JobId;

/// What a machine is told about its surroundings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// How many jobs run at once.
    pub slots: usize,
    /// What there is of processors and memory.
    pub capacity: Demand,
    /// What each job takes of it; jobs that are not named take nothing.
    pub demands: HashMap<JobId, Demand>,
    /// Groups and limits of executors.
    pub pools: Vec<Pool>,
    /// How long each job usually takes, in milliseconds; for the critical path.
    pub history: HashMap<JobId, u32>,
    /// Whether the first failure stops the run.
    pub fail_fast: bool,
    /// The time limit of the run.
    pub timeout: Option<Duration>,
    /// The time budgets of stages.
    pub budgets: Vec<crate::workflow::Budget>,
    /// Whether somebody hears what the machine says. If not it says only what is to be done.
    pub heard: bool,
}

impl Limits {
    /// `slots` jobs at once and no other limit.
    #[must_use]
    pub fn slots(slots: usize) -> Self {
        Self {
            slots: slots.max(1),
            capacity: Demand::NONE,
            demands: HashMap::new(),
            pools: Vec::new(),
            history: HashMap::new(),
            fail_fast: false,
            timeout: None,
            budgets: Vec::new(),
            heard: true,
        }
    }
}
