//! x
use crate::outcome::Outcome;
use crate::step::{CheckoutSpec, Step, StepContext, StepError};
use async_trait::async_trait;
/// x
#[derive(Debug, Clone)]
pub struct Checkout(pub CheckoutSpec);
#[async_trait]
impl Step for Checkout {
    fn name(&self) -> &'static str {
        "checkout"
    }
    async fn run(&self, _cx: &StepContext) -> Result<Outcome, StepError> {
        Err(StepError::new("x"))
    }
}
