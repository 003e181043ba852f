//! Approval from code, in both ways: a closure that is asked, and a handle that decides from outside.
//! Run it: `cargo run -p ci-examples --example approval`
#![expect(clippy::print_stdout, reason = "a program prints")]

use std::error::Error;

use ci_core::event::{RunEvent, channel};
use ci_core::job::JobSpec;
use ci_core::run::{RunOptions, approve_fn, run, start};
use ci_core::step::{StepSpec, step_fn};
use ci_core::workflow::WorkflowSpec;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    asked().await?;
    steered().await
}

/// A release in which `deploy` waits for a decision.
fn release() -> Result<WorkflowSpec, Box<dyn Error>> {
    let say = |words: &'static str| {
        StepSpec::code(step_fn("say", move |_| async move {
            println!("  {words}");
            Ok::<_, std::io::Error>(())
        }))
    };
    Ok(WorkflowSpec::builder("release")
        .job(JobSpec::new("build").step(say("building")))
        .job(
            JobSpec::new("deploy")
                .needs("build")
                .step(say("deploying"))
                .manual("Deploy to production?"),
        )
        .build()?)
}

/// The run asks a closure. `None` would leave the decision to others.
async fn asked() -> Result<(), Box<dyn Error>> {
    let office_hours = approve_fn(|request| async move {
        println!("  asked: {}", request.prompt.as_deref().unwrap_or_default());
        Some(&*request.job == "deploy")
    });
    println!("a closure decides");
    let report = run(&release()?, RunOptions::new().approver(office_hours)).await?;
    println!("  the run ended as {}", report.outcome);
    Ok(())
}

/// The program watches the events and decides when it likes, from any task.
async fn steered() -> Result<(), Box<dyn Error>> {
    println!("the handle decides");
    let (sink, mut events) = channel(64.try_into()?);
    let run = start(&release()?, RunOptions::new().sink(sink)).await?;
    let control = run.control();
    while let Some(record) = events.recv().await {
        if let RunEvent::JobHeld { job, .. } = &record.event {
            control.approve(job, "the approval program");
        }
    }
    let report = run.wait().await?;
    println!("  the run ended as {}", report.outcome);
    Ok(())
}
