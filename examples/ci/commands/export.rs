//! `ci export compose`: a job with its services as a compose file.

use std::path::PathBuf;

use ci_docker::DockerOptions;
use ci_docker::compose;

use crate::args::WorkflowArgs;
use crate::executors::bad_options;
use crate::failure::{Failure, chain};
use crate::{open, output};

/// What to write in the form of another tool.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Export {
    /// A job with its services as a compose file: `docker compose run --rm JOB`
    Compose(ComposeArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ComposeArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub(crate) job: String,
    /// Where to write it [default: the standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) workflow: WorkflowArgs,
}

/// Writes a job in the form of another tool.
pub(crate) fn export(export: &Export) -> Result<u8, Failure> {
    match export {
        Export::Compose(args) => compose_file(args),
    }
}

fn compose_file(args: &ComposeArgs) -> Result<u8, Failure> {
    let mut asked = args.workflow.clone();
    // Its image is asked for, whether an engine answers here or not.
    asked.executor.get_or_insert_with(|| "docker".to_owned());
    let project = open::project(&asked, std::slice::from_ref(&args.job))?;
    let (workflow, _) = project.settings.apply(project.workflow);
    let found = workflow.jobs.iter().find(|job| *job.name == *args.job);
    let job = found.ok_or_else(|| {
        let names = workflow.jobs.iter().map(|job| format!("`{}`", job.name));
        let names: Vec<String> = names.collect();
        Failure::input(format!("there is no job `{}`", args.job))
            .hint(format!("there are {}", names.join(", ")))
    })?;
    let settings = project.settings.executors.get("docker");
    let options = match settings.filter(|executor| executor.kind == "docker") {
        Some(executor) => DockerOptions::from_settings(&executor.options)
            .map_err(|error| bad_options("docker", executor, &error))?,
        None => DockerOptions::default(),
    };
    let made = compose::export(job, options.common.image.as_deref(), &workflow.env);
    let made = made.map_err(|error| {
        let failure = Failure::input(chain(&error));
        error.hints().iter().fold(failure, Failure::hint)
    })?;
    for left in &made.left_out {
        output::say(format!("not in it: {left}"));
    }
    match &args.output {
        Some(file) => std::fs::write(file, &made.text).map_err(|error| {
            Failure::input(format!("`{}` cannot be written: {error}", file.display()))
        })?,
        None => output::line(made.text.trim_end())?,
    }
    Ok(0)
}
