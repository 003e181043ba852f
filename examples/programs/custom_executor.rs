//! An executor of one's own: every command of every job runs with a lower priority, under `nice`, on
//! whatever executor it wraps. Run it: `cargo run -p ci-examples --example custom_executor`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::error::Error;

use async_trait::async_trait;
use ci_core::event::Collect;
use ci_core::executor::{
    Executor, ExecutorError, LocalExecutor, PrepareRequest, ReapReport, ReapScope,
};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::run::{RunOptions, run};
use ci_core::session::{
    Command, ExecIo, ExitStatus, Program, Session, SessionError, SessionInfo, TreeReader,
    TreeSelection,
};
use ci_core::workflow::WorkflowSpec;

/// Wraps an executor.
struct Nice<E>(E);

#[async_trait]
impl<E: Executor> Executor for Nice<E> {
    fn name(&self) -> &'static str {
        "nice"
    }

    fn limit(&self) -> Option<usize> {
        self.0.limit()
    }

    async fn prepare(
        &self,
        request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        let session = self.0.prepare(request).await?;
        Ok(Box::new(NiceSession(session)))
    }

    async fn settle(&self, run: RunId) -> Result<ReapReport, ExecutorError> {
        self.0.settle(run).await
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        self.0.reap(scope).await
    }
}

/// Wraps a session: changes the commands, and hands the rest on.
struct NiceSession(Box<dyn Session>);

#[async_trait]
impl Session for NiceSession {
    fn info(&self) -> &SessionInfo {
        self.0.info()
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        let mut command = command.clone();
        let words = ["nice", "-n", "7"].into_iter().chain(command.words());
        command.program = Program::Argv(words.map(str::to_owned).collect());
        self.0.exec(&command, io).await
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        self.0.copy_in(tree, dir).await
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        self.0.copy_out(selection).await
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        self.0.teardown().await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let workflow = WorkflowSpec::builder("polite")
        .job(JobSpec::new("work").run(r#"echo "priority $(nice)""#))
        .build()?;
    let (sink, seen) = Collect::new();
    let options = RunOptions::new()
        .executor(Nice(LocalExecutor::new()))
        .sink(sink);
    let report = run(&workflow, options).await?;
    print!("{}", seen.output("work"));
    println!("the run ended as {}", report.outcome);
    Ok(())
}
