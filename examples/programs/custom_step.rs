//! A step of one's own: a struct that implements `Step`, beside a closure wrapped by `step_fn`.
//! Run it: `cargo run -p ci-examples --example custom_step`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::error::Error;
use std::path::PathBuf;

use async_trait::async_trait;
use ci_core::job::JobSpec;
use ci_core::outcome::Outcome;
use ci_core::run::{RunOptions, run};
use ci_core::step::{SessionUse, Step, StepContext, StepError, StepSpec, step_fn};
use ci_core::workflow::WorkflowSpec;

/// Fails where a file has more lines than it may, and tells the later steps how many there are.
struct LineLimit {
    dir: PathBuf,
    limit: usize,
}

#[async_trait]
impl Step for LineLimit {
    fn name(&self) -> &'static str {
        "line limit"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let mut total = 0;
        // A directory that cannot be read is trouble of the machine: `Err`.
        let files = std::fs::read_dir(&self.dir)
            .map_err(|error| StepError::new("cannot list the directory").with_source(error))?;
        for file in files.flatten().filter(|file| file.path().is_file()) {
            let Ok(text) = std::fs::read_to_string(file.path()) else {
                continue;
            };
            let (name, lines) = (file.file_name(), text.lines().count());
            cx.say(format!("{lines:>5} {}", name.display())).await;
            // A file that is too long is the step's verdict: `Ok`, with a failure.
            if lines > self.limit {
                let name = name.display();
                return Ok(Outcome::failed(format!("`{name}` has {lines} lines")));
            }
            total += lines;
        }
        cx.set_env("LINES", &total.to_string());
        Ok(Outcome::Success)
    }

    // It only reads files of this machine, so the job needs no session for it.
    fn session_use(&self) -> SessionUse {
        SessionUse::OnDemand
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let count = LineLimit {
        dir: concat!(env!("CARGO_MANIFEST_DIR"), "/programs").into(),
        limit: 100,
    };
    let report_lines = step_fn("report", |cx| async move {
        match cx.env().get("LINES") {
            Some(lines) => println!("{lines} lines in all programs together"),
            None => return Err("no step has counted the lines"),
        }
        Ok(())
    });
    let workflow = WorkflowSpec::builder("counting")
        .job(
            JobSpec::new("count")
                .step(StepSpec::code(count))
                .step(StepSpec::code(report_lines)),
        )
        .build()?;
    let report = run(&workflow, RunOptions::new()).await?;
    println!("the run ended as {}", report.outcome);
    Ok(())
}
