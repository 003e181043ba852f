//! Runs a command in the job's session.

use async_trait::async_trait;

use super::job_env;
use crate::outcome::Outcome;
use crate::session::{Command, Program};
use crate::step::{CommandSpec, SessionUse, Step, StepContext, StepError};

/// Runs a command in the job's session. Its exit decides the outcome.
///
/// A script that names no shell gets the job's, or else `sh -e -c`. The directory is relative to the
/// job's. A background command is left running until the job ends; its step succeeds at once.
#[derive(Debug, Clone)]
pub struct RunCommand(pub CommandSpec);

impl RunCommand {
    fn command(&self, cx: &StepContext) -> Command {
        let job = cx.job();
        let mut command = match &self.0.program {
            Program::Shell { shell, script } => {
                Command::shell(job_env::shell(job, shell), script.as_str())
            }
            Program::Argv(words) => Command::argv(words.iter().map(String::as_str)),
        };
        command.dir = job_env::dir(job, self.0.dir.as_deref());
        command.image.clone_from(&self.0.image);
        command
    }
}

#[async_trait]
impl Step for RunCommand {
    fn name(&self) -> &'static str {
        "run"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let mut command = self.command(cx);
        if !self.0.background {
            return cx.run(command).await;
        }
        command.env = (*cx.env()).clone();
        cx.services().background(command, cx.output().clone());
        Ok(Outcome::Success)
    }

    fn session_use(&self) -> SessionUse {
        SessionUse::AtStart
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::job::JobSpec;
    use crate::outcome::{CancelReason, Failure};
    use crate::step::StepSpec;
    use crate::steps::test_support::Bench;

    #[tokio::test]
    async fn the_exit_decides_the_outcome() {
        for (script, expected) in [
            ("true", Outcome::Success),
            ("false; true", Outcome::from_exit_code(1)),
            ("exit 7", Outcome::from_exit_code(7)),
            ("kill -9 $$", Outcome::Failed(Box::new(Failure::signal(9)))),
        ] {
            let bench = Bench::new(JobSpec::new("j").run(script));
            assert_eq!(bench.run(0).await.unwrap(), expected, "{script}");
        }
    }

    #[tokio::test]
    async fn the_job_gives_shell_directory_and_variables() {
        let job = JobSpec::new("j")
            .step(
                StepSpec::run("echo \"$0 $A $B $(basename \"$PWD\")\"")
                    .env("B", "two")
                    .dir("sub"),
            )
            .with(|options| {
                options.shell = ["sh", "-c", "eval \"$0\""].map(String::from).to_vec();
                options.working_dir = Some("app".into());
            });
        let bench = Bench::new(job).env("A", "one").env("B", "job");
        std::fs::create_dir_all(bench.work_dir().join("app/sub")).unwrap();
        assert!(bench.run(0).await.unwrap().is_success());
        let log = bench.log().await;
        assert!(log.ends_with("one two sub\n"), "{log}");
    }

    #[tokio::test]
    async fn a_program_runs_without_a_shell() {
        let bench = Bench::new(JobSpec::new("j").step(StepSpec::argv(["echo", "$A", "a  b"])));
        assert!(bench.run(0).await.unwrap().is_success());
        assert_eq!(bench.log().await, "$A a  b\n");
    }

    #[tokio::test]
    async fn a_background_command_is_handed_over_with_its_variables() {
        let step = StepSpec::run("exit 1").env("B", "two").background();
        let bench = Bench::new(JobSpec::new("j").step(step)).env("A", "one");
        assert!(bench.run(0).await.unwrap().is_success());
        let background = bench.background();
        assert_eq!(background.len(), 1);
        assert_eq!(background[0].words(), ["sh", "-e", "-c", "exit 1"]);
        assert_eq!(
            (&*background[0].env["A"], &*background[0].env["B"]),
            ("one", "two")
        );
    }

    #[tokio::test]
    async fn cancellation_stops_the_command() {
        let bench = Bench::new(JobSpec::new("j").run("exec sleep 1000"));
        let cancel = bench.cancellation();
        let (outcome, ()) = tokio::join!(bench.run(0), async { cancel.cancel() });
        assert_eq!(outcome.unwrap(), Outcome::Canceled(CancelReason::Requested));
    }
}
