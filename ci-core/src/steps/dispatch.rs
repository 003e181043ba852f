//! From a step as data to the step that does it.

use std::sync::Arc;

use super::approval::WaitForApproval;
use super::checkout::Checkout;
use super::command::RunCommand;
use super::wait::WaitForService;
use crate::step::{Action, Step, StepError, StepRegistry};

/// The step that does `action`.
pub(crate) fn resolve(
    action: &Action,
    registry: &StepRegistry,
) -> Result<Arc<dyn Step>, StepError> {
    Ok(match action {
        Action::Code(code) => Arc::clone(code.step()),
        Action::Custom(custom) => return registry.make(&custom.step, &custom.with),
        Action::Run(spec) => Arc::new(RunCommand(spec.clone())),
        Action::Checkout(spec) => Arc::new(Checkout(spec.clone())),
        Action::WaitFor(spec) => Arc::new(WaitForService(spec.clone())),
        Action::Approval(spec) => Arc::new(WaitForApproval(spec.clone())),
        stored => return keeping(stored),
    })
}

#[cfg(feature = "storage")]
fn keeping(action: &Action) -> Result<Arc<dyn Step>, StepError> {
    use super::{
        AttachWorkspace, PersistWorkspace, RestoreCache, SaveCache, StoreArtifacts, StoreCoverage,
        StoreTestResults,
    };
    Ok(match action {
        Action::RestoreCache(spec) => Arc::new(RestoreCache(spec.clone())),
        Action::SaveCache(spec) => Arc::new(SaveCache(spec.clone())),
        Action::PersistWorkspace(spec) => Arc::new(PersistWorkspace(spec.clone())),
        Action::AttachWorkspace(spec) => Arc::new(AttachWorkspace(spec.clone())),
        Action::StoreArtifacts(spec) => Arc::new(StoreArtifacts(spec.clone())),
        Action::StoreTestResults(spec) => Arc::new(StoreTestResults(spec.clone())),
        Action::StoreCoverage(spec) => Arc::new(StoreCoverage(spec.clone())),
        other => {
            return Err(StepError::new(format!(
                "`{}` is no stored step",
                other.kind()
            )));
        }
    })
}

#[cfg(not(feature = "storage"))]
fn keeping(action: &Action) -> Result<Arc<dyn Step>, StepError> {
    let message = format!("`{}` needs the feature `storage` of ci-core", action.kind());
    Err(StepError::new(message))
}
