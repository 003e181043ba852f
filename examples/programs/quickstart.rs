//! A workflow built in code and run on this machine: lint, two test shards side by side, a build that
//! waits for both, and a teardown job. Run it: `cargo run -p ci-examples --example quickstart`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::error::Error;
use std::time::Duration;

use ci_core::event::Console;
use ci_core::executor::LocalExecutor;
use ci_core::job::JobSpec;
use ci_core::run::{RunOptions, run};
use ci_core::workflow::WorkflowSpec;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let workflow = WorkflowSpec::builder("quickstart")
        .job(JobSpec::new("lint").run("echo 'every file is tidy'"))
        .job(
            JobSpec::new("test")
                .run(r#"echo "shard $CI_NODE_INDEX of $CI_NODE_TOTAL"; sleep 0.3"#)
                .parallelism(2)
                .timeout(Duration::from_mins(1)),
        )
        .job(
            // `test` stands for both of its shards.
            JobSpec::new("build")
                .needs_all(["lint", "test"])
                .run("echo 'linking'; sleep 0.2"),
        )
        .job(
            // Runs whatever the outcome of the build, also after the run was canceled.
            JobSpec::new("teardown")
                .needs("build")
                .run("echo 'nothing is left behind'")
                .always(),
        )
        .build()?;

    let options = RunOptions::new()
        .executor(LocalExecutor::new())
        .sink(Console::stderr());
    let report = run(&workflow, options).await?;

    println!("{} jobs, {:.1?}", report.jobs.len(), report.duration);
    if report.is_success() {
        Ok(())
    } else {
        Err(format!("the run ended as {}", report.outcome).into())
    }
}
