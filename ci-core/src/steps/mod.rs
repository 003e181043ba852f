//! The built-in steps.
mod command;
use std::sync::Arc; use crate::step::*;
pub(crate) fn resolve(action: &Action, _r: &StepRegistry) -> Result<Arc<dyn Step>, StepError> { match action { Action::Code(c) => Ok(Arc::clone(c.step())), Action::Run(c) => Ok(Arc::new(command::RunCommand(c.clone()))), _ => Err(StepError::new("stub")) } }
