//! Makes the executors of the type `ec2`, and gives back what they keep when the program ends.

use std::sync::{Arc, Mutex, PoisonError};

use ci_aws::ec2::{Access, Ec2Error, Ec2Executor, Ec2Options, SdkEc2, Strategy, retry_interrupted};
use ci_core::executor::Executor;
use ci_core::settings::{ExecutorSettings, Settings};
use ci_core::workflow::WorkflowSpec;

use super::EC2;
use crate::executors::bad_options;
use crate::failure::{Failure, chain};

/// Those that may keep machines between jobs.
static MADE: Mutex<Vec<Ec2Executor>> = Mutex::new(Vec::new());

/// The executor of the settings with this name. Nothing is connected to before a job needs it.
pub(crate) fn executor(
    name: &str,
    settings: &ExecutorSettings,
) -> Result<Arc<dyn Executor>, Failure> {
    let (access, options) = read(settings).map_err(|error| bad_options(name, settings, &error))?;
    let keeps = !options.keep.is_zero();
    let api = Arc::new(SdkEc2::new(access));
    let executor = Ec2Executor::new(api, options)
        .map_err(|error| Failure::input(format!("executor `{name}`: {}", chain(&error))))?;
    let executor = executor.name(name);
    if keeps {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(executor.clone());
    }
    Ok(Arc::new(executor))
}

/// The options of an executor, and where its EC2 is.
pub(super) fn read(
    settings: &ExecutorSettings,
) -> Result<(Access, Ec2Options), ci_core::executor::ExecutorError> {
    Ok((
        Access::from_settings(&settings.options)?,
        Ec2Options::from_settings(&settings.options)?,
    ))
}

/// The JSON schema of the options.
#[expect(clippy::unnecessary_wraps, reason = "without EC2 there is none")]
pub(crate) fn schema() -> Option<serde_json::Value> {
    Some(Ec2Options::json_schema())
}

/// An executor that can only clean up, with what the environment says of AWS.
pub(crate) fn reaper_of_nothing() -> Result<Arc<dyn Executor>, Failure> {
    let options = Ec2Options::new(Strategy::Existing(String::new()));
    let api = Arc::new(SdkEc2::new(Access::default()));
    Ok(Arc::new(Ec2Executor::new(api, options)?))
}

/// Lets jobs on machines of EC2 run once more when their machine is taken away.
pub(crate) fn interruptible(settings: &Settings, mut workflow: WorkflowSpec) -> WorkflowSpec {
    let is_ec2 = |name: &str| {
        settings
            .executors
            .get(name)
            .is_some_and(|it| it.kind == EC2)
    };
    if !settings.executors.keys().any(|name| is_ec2(name)) {
        return workflow;
    }
    let (applied, _) = settings.apply(workflow.clone());
    let on_ec2 = |at: usize| {
        let place = applied.jobs.get(at).map(|job| settings.place(job));
        matches!(place, Some(Ok(place)) if is_ec2(&place.executor))
    };
    for (at, job) in Arc::make_mut(&mut workflow.jobs).iter_mut().enumerate() {
        if on_ec2(at) {
            *job = retry_interrupted(job.clone());
        }
    }
    workflow
}

/// Gives back the machines that are kept for more jobs: there are none any more.
pub(crate) async fn close() -> Result<(), Failure> {
    let made = std::mem::take(&mut *MADE.lock().unwrap_or_else(PoisonError::into_inner));
    let mut closed = Ok(());
    for executor in made {
        closed = closed.and(executor.close().await);
    }
    Ok(closed?)
}

impl From<Ec2Error> for Failure {
    fn from(error: Ec2Error) -> Self {
        use ci_aws::ec2::Ec2ErrorKind as Kind;
        let failure = match error.kind() {
            Kind::Options | Kind::State => Self::input(chain(&error)),
            _ => Self::engine(chain(&error)),
        };
        let hints = error.hints().iter();
        hints.fold(failure, |failure, hint| failure.hint(hint.clone()))
    }
}
