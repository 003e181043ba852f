//! A step that is left out where a script succeeds.

use std::sync::Arc;

use async_trait::async_trait;

use crate::outcome::Outcome;
use crate::session::{Command, ExitStatus};
use crate::step::{SessionUse, Step, StepContext, StepError};

/// Asks a script in the session whether the step behind it is left out.
pub(super) struct SkipIf {
    script: String,
    step: Arc<dyn Step>,
}

impl SkipIf {
    pub(super) fn new(script: impl Into<String>, step: Arc<dyn Step>) -> Self {
        let script = script.into();
        Self { script, step }
    }
}

#[async_trait]
impl Step for SkipIf {
    fn name(&self) -> &str {
        self.step.name()
    }

    fn session_use(&self) -> SessionUse {
        SessionUse::AtStart
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        // Whatever else the script says, a step that is in doubt runs.
        if cx.exec(Command::sh(&self.script)).await? == ExitStatus::Code(0) {
            cx.say("left out").await;
            return Ok(Outcome::Success);
        }
        self.step.run(cx).await
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use crate::job::JobSpec;
    use crate::outcome::Outcome;
    use crate::step::StepSpec;
    use crate::steps::test_support::Bench;

    #[tokio::test]
    async fn a_step_is_left_out_where_the_script_succeeds() {
        let steps = [
            StepSpec::run("touch done").skip_if("[ -e done ]"),
            StepSpec::run("exit 3").skip_if("[ -e done ]"),
            StepSpec::run("exit 3").skip_if("no such program at all"),
        ];
        let bench = Bench::new(JobSpec::new("j").steps(steps.to_vec()));
        assert_eq!(bench.run(0).await.unwrap(), Outcome::Success);
        assert!(bench.work_dir().join("done").exists());
        assert_eq!(bench.run(1).await.unwrap(), Outcome::Success);
        assert!(!bench.run(2).await.unwrap().is_success());
        assert!(bench.log().await.contains("left out"));
    }
}
