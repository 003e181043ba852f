//! The built-in steps.
use std::sync::Arc; use crate::step::*;
pub(crate) fn resolve(action: &Action, _r: &StepRegistry) -> Result<Arc<dyn Step>, StepError> { match action { Action::Code(c) => Ok(Arc::clone(c.step())), _ => Err(StepError::new("stub")) } }
