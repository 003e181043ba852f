//! A step that exists only as code, inside a spec that is otherwise data.

use std::fmt;
use std::sync::Arc;

use super::Step;

/// A step of the embedding program. In JSON it is only its name; a spec that was read back finds the
/// code again by that name in [`RunOptions::step`](crate::run::RunOptions::step).
#[derive(Clone)]
pub struct CodeStep(Arc<dyn Step>);

impl CodeStep {
    /// Wraps a step.
    pub fn new(step: impl Step + 'static) -> Self {
        Self(Arc::new(step))
    }

    /// The step itself.
    pub fn step(&self) -> &Arc<dyn Step> {
        &self.0
    }
}

impl fmt::Debug for CodeStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CodeStep").field(&self.0.name()).finish()
    }
}

impl PartialEq for CodeStep {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
