//! Makes the executors that the settings name.

use std::sync::Arc;

use ci_core::executor::{Executor, LocalExecutor, LocalOptions};
use ci_core::settings::{ExecutorSettings, Settings};

use crate::failure::{Failure, chain};

/// The kinds of executors of this program.
const KINDS: &str = "`local`";

/// The executors of a project; the one that is always there comes first.
pub(crate) fn executors(settings: &Settings) -> Result<Vec<Arc<dyn Executor>>, Failure> {
    let mut executors: Vec<Arc<dyn Executor>> = vec![Arc::new(LocalExecutor::new())];
    for (name, executor) in &settings.executors {
        if name == "local" {
            executors[0] = make(name, executor)?;
        } else {
            executors.push(make(name, executor)?);
        }
    }
    // The first is the default.
    let default = executors
        .iter()
        .position(|executor| executor.name() == settings.default_executor);
    if let Some(default) = default {
        executors.swap(0, default);
    }
    Ok(executors)
}

fn make(name: &str, settings: &ExecutorSettings) -> Result<Arc<dyn Executor>, Failure> {
    match settings.kind.as_str() {
        "local" => {
            let options = LocalOptions::from_settings(&settings.options)
                .map_err(|error| Failure::input(format!("executor `{name}`: {}", chain(&error))))?;
            Ok(Arc::new(LocalExecutor::with_options(options).name(name)))
        }
        other => Err(Failure::input(format!(
            "executor `{name}` of the settings is of the type `{other}`, which this program does not have"
        ))
        .hint(format!("it has {KINDS}"))),
    }
}
