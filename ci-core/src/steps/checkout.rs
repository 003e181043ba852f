//! The step that brings the sources of the project.
use async_trait::async_trait;

use crate::outcome::Outcome;
use crate::step::{CheckoutSpec, Step, StepContext, StepError};

/// Brings the sources.
#[derive(Debug, Clone)]
pub(crate) struct Checkout(pub(crate) CheckoutSpec);

#[async_trait]
impl Step for Checkout {
    fn name(&self) -> &'static str {
        "checkout"
    }

    async fn run(&self, _cx: &StepContext) -> Result<Outcome, StepError> {
        let _ = &self.0;
        Err(StepError::new("not yet"))
    }
}
