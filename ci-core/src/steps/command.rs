//! The step that runs a command.

use async_trait::async_trait;

use crate::outcome::Outcome;
use crate::session::{Command, Program};
use crate::step::{CommandSpec, Step, StepContext, StepError};

/// The shell of scripts whose job names none.
const DEFAULT_SHELL: [&str; 3] = ["sh", "-e", "-c"];

/// Runs a script or a program.
#[derive(Debug, Clone)]
pub(crate) struct RunCommand(pub(crate) CommandSpec);

impl RunCommand {
    /// The command with the job's shell and directory where the step names none.
    fn command(&self, cx: &StepContext) -> Command {
        let options = &cx.job().options;
        let command = match &self.0.program {
            Program::Argv(words) => Command::argv(words.iter().cloned()),
            Program::Shell { shell, script } => {
                let words: Vec<String> = if !shell.is_empty() {
                    shell.clone()
                } else if !options.shell.is_empty() {
                    options.shell.clone()
                } else {
                    DEFAULT_SHELL.map(str::to_owned).to_vec()
                };
                Command::shell(words, script.clone())
            }
        };
        match self.0.dir.as_ref().or(options.working_dir.as_ref()) {
            Some(dir) => command.dir(dir),
            None => command,
        }
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
        cx.session().await?;
        for (name, value) in cx.env().iter() {
            command
                .env
                .entry(name.clone())
                .or_insert_with(|| value.clone());
        }
        cx.services().background(command, cx.output().clone());
        Ok(Outcome::Success)
    }
}
