//! Finds the step behind an action.

use std::sync::Arc;

use super::skip::SkipIf;
use super::{Approval, Checkout, RunCommand, WaitFor};
use crate::step::{Action, Step, StepError, StepRegistry, StepSpec};

/// The step that does what `step` asks for, unless its `skip_if` says otherwise. An error if nothing stands behind its action: a name that
/// is not registered, or a capability that this build does not have.
pub(crate) fn builtin(
    step: &StepSpec,
    registry: &StepRegistry,
) -> Result<Arc<dyn Step>, StepError> {
    let does = behind(&step.action, registry)?;
    Ok(match &step.skip_if {
        Some(script) => Arc::new(SkipIf::new(script.as_str(), does)),
        None => does,
    })
}

fn behind(action: &Action, registry: &StepRegistry) -> Result<Arc<dyn Step>, StepError> {
    Ok(match action {
        Action::Run(spec) => Arc::new(RunCommand(spec.clone())),
        Action::Checkout(spec) => Arc::new(Checkout(spec.clone())),
        Action::WaitFor(spec) => Arc::new(WaitFor(spec.clone())),
        Action::Approval(spec) => Arc::new(Approval(spec.clone())),
        Action::Custom(spec) => registry.make(spec)?,
        Action::Code(code) => Arc::clone(code.step()),
        stored => return keeping(stored),
    })
}

/// The steps that use the storage of the run.
#[cfg(feature = "storage")]
fn keeping(action: &Action) -> Result<Arc<dyn Step>, StepError> {
    use super::{
        AttachWorkspace, PersistWorkspace, RestoreCache, SaveCache, StoreArtifacts, StoreCoverage,
        StoreFindings, StoreMetrics, StoreTestResults,
    };
    Ok(match action {
        Action::RestoreCache(spec) => Arc::new(RestoreCache(spec.clone())),
        Action::SaveCache(spec) => Arc::new(SaveCache(spec.clone())),
        Action::PersistWorkspace(spec) => Arc::new(PersistWorkspace(spec.clone())),
        Action::AttachWorkspace(spec) => Arc::new(AttachWorkspace(spec.clone())),
        Action::StoreArtifacts(spec) => Arc::new(StoreArtifacts(spec.clone())),
        Action::StoreTestResults(spec) => Arc::new(StoreTestResults(spec.clone())),
        Action::StoreCoverage(spec) => Arc::new(StoreCoverage(spec.clone())),
        Action::StoreMetrics(spec) => Arc::new(StoreMetrics(spec.clone())),
        Action::StoreFindings(spec) => Arc::new(StoreFindings(spec.clone())),
        other => {
            let message = format!("`{}` does not use the storage", other.kind());
            return Err(StepError::new(message));
        }
    })
}

#[cfg(not(feature = "storage"))]
fn keeping(action: &Action) -> Result<Arc<dyn Step>, StepError> {
    let kind = action.kind();
    Err(StepError::new(format!(
        "`{kind}` needs the feature `storage` of ci-core, which this build does not have"
    )))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::step::{CustomSpec, WaitProbe, step_fn};

    #[test]
    fn every_action_without_storage_has_its_step() {
        let registry = StepRegistry::new().register("greet", |_| {
            Ok::<_, String>(step_fn("hello", |_| async { Ok::<_, StepError>(()) }))
        });
        let custom = CustomSpec {
            step: "greet".into(),
            with: serde_json::Value::Null,
        };
        let code = step_fn("mine", |_| async { Ok::<_, StepError>(()) });
        for (step, name) in [
            (StepSpec::run("true"), "run"),
            (StepSpec::checkout(), "checkout"),
            (
                StepSpec::wait_for(WaitProbe::Tcp("h:1".into()), Duration::ZERO),
                "wait for",
            ),
            (StepSpec::approval("go?"), "approval"),
            (StepSpec::new(Action::Custom(custom)), "hello"),
            (StepSpec::code(code), "mine"),
        ] {
            assert_eq!(builtin(&step, &registry).unwrap().name(), name);
        }
    }

    #[test]
    fn a_step_that_nobody_registered_is_an_error() {
        let spec = CustomSpec {
            step: "gone".into(),
            with: serde_json::Value::Null,
        };
        let step = StepSpec::new(Action::Custom(spec));
        assert!(builtin(&step, &StepRegistry::new()).is_err());
    }
}
