//! What there is to say where the program was built without EC2.

use std::sync::Arc;

use ci_core::executor::Executor;
use ci_core::settings::{ExecutorSettings, Settings};
use ci_core::workflow::WorkflowSpec;

use super::args::{E2cCommand, Ec2Command};
use crate::args::Global;
use crate::failure::Failure;

fn missing(what: &str) -> Failure {
    let failure = Failure::input(format!("this `ci` was built without EC2: {what}"));
    if cfg!(unix) {
        failure.hint("build it in: `cargo install --path examples --profile dist --features aws`")
    } else {
        failure.hint("it needs `ssh` and a system of the Unix kind")
    }
}

pub(crate) fn executor(
    name: &str,
    _settings: &ExecutorSettings,
) -> Result<Arc<dyn Executor>, Failure> {
    let what = format!("the executor `{name}` of the settings is of the type `ec2`");
    Err(missing(&what))
}

pub(crate) fn schema() -> Option<serde_json::Value> {
    None
}

pub(crate) fn reaper_of_nothing() -> Result<Arc<dyn Executor>, Failure> {
    Err(missing("there is no `ci reap --aws`"))
}

pub(crate) fn interruptible(_settings: &Settings, workflow: WorkflowSpec) -> WorkflowSpec {
    workflow
}

pub(crate) async fn close() -> Result<(), Failure> {
    Ok(())
}

pub(crate) async fn ec2(_global: &Global, _command: Ec2Command) -> Result<u8, Failure> {
    Err(missing("there is no `ci ec2`"))
}

pub(crate) async fn e2c(_global: &Global, _command: E2cCommand) -> Result<u8, Failure> {
    Err(missing("there is no `ci e2c`"))
}
