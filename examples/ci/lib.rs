//! The `ci` command line: runs workflows on this machine and looks at what happened. A library, so that
//! `python -m ci_core` is the same program.

mod args;
mod aws;
mod commands;
mod examples;
mod executors;
mod failure;
mod image_args;
mod kept;
mod library;
mod notify;
mod open;
mod origin;
mod output;
mod registries;
mod report_args;
mod setup;
mod signals;
mod typed;
mod watch;
mod workflow_args;

use std::ffi::OsString;

use clap::Parser;

use args::{Args, Command, Format, ReportCommand, ShimCommand};
pub use commands::flaky::{bad_in_the_end, history};
pub use library::{
    Project, UsageError, close, executor_of, executors_of, interruptible, load, set_program,
};
pub use watch::{Start, Watching};

/// Does what was typed: the name of the program and its words. Gives the exit code.
///
/// Makes its own threads, so it has to be called outside of any asynchronous task. While it runs a
/// workflow, Ctrl-C stops that.
pub fn main(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> u8 {
    obey(Args::try_parse_from(words))
}

/// Not generic, so that all of this is compiled here and not once more in each program.
fn obey(args: Result<Args, clap::Error>) -> u8 {
    let args = match args {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                failure::INPUT
            } else {
                0
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&failure::Failure::engine(format!(
                "no threads to be had: {error}"
            )));
            return failure::ENGINE;
        }
    };
    let program = args.global.program();
    let mut result = runtime.block_on(dispatch(args));
    let closed = runtime.block_on(aws::close());
    result = result.and_then(|code| closed.map(|()| code));
    // A sink or a reader that hangs must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match result {
        Ok(code) => code,
        Err(failure) => {
            let failure = failure.typed(&program);
            output::error(&failure);
            failure.code()
        }
    }
}

async fn dispatch(args: Args) -> Result<u8, failure::Failure> {
    let global = args.global;
    let is_common = matches!(global.format, Format::Text | Format::Json);
    if !(is_common || matches!(args.command, Command::Report(_))) {
        return Err(failure::Failure::input("that format is for reports")
            .hint("the commands of `ci report` have it"));
    }
    match args.command {
        Command::Run(args) => commands::run::run(&global, *args).await,
        Command::Resume(args) => commands::run::resume(&global, args).await,
        Command::Rerun(args) => commands::run::rerun(&global, args).await,
        Command::Compile(args) => commands::vendor::compile(&global, &args),
        Command::Validate(args) => commands::vendor::validate(&global, &args),
        Command::Explain(args) => commands::vendor::explain(&global, &args),
        Command::Graph(args) => commands::graph::graph(&global, &args),
        Command::List(args) => commands::graph::list(&global, &args),
        Command::Runs(args) => commands::runs::runs(&global, &args).await,
        Command::Show(args) => commands::show::show(&global, &args).await,
        Command::Logs(args) => commands::logs::logs(&global, &args).await,
        Command::Cancel(args) => commands::requests::cancel(&global, args).await,
        Command::Approve(args) => commands::requests::approve(&global, args).await,
        Command::Artifacts(args) => commands::artifacts::artifacts(&global, &args).await,
        Command::Cache(args) => commands::cache::cache(&global, &args),
        Command::Report(ReportCommand::Tests(args)) => commands::report::tests(&global, &args),
        Command::Report(ReportCommand::Coverage(args)) => {
            commands::report::coverage(&global, &args)
        }
        Command::Report(ReportCommand::Failed(args)) => {
            commands::flaky::failed(&global, &args).await
        }
        Command::Report(ReportCommand::Findings(args)) => {
            commands::findings::findings(&global, &args)
        }
        Command::Report(ReportCommand::Metrics(args)) => {
            commands::trends::metrics(&global, &args).await
        }
        Command::Trends(args) => commands::trends::show(&global, &args).await,
        Command::Report(ReportCommand::Run(args)) => commands::page::run(&global, &args).await,
        Command::Report(ReportCommand::Html(args)) => commands::page::html(&global, &args).await,
        Command::Flaky(args) => commands::flaky::flaky(&global, &args).await,
        Command::Split(args) => commands::split::split(&global, &args).await,
        Command::Bake(args) => commands::bake::run(&global, args).await,
        Command::Image(command) => commands::image::run(&global, command).await,
        Command::Ec2(command) => aws::ec2(&global, command).await,
        Command::E2c(command) => aws::e2c(&global, command).await,
        Command::Latest(args) => commands::latest::run(&global, args).await,
        Command::Import(command) => commands::import::import(&global, &command),
        Command::Mcp(args) => commands::mcp::mcp(&global, args).await,
        Command::Glob { patterns } => commands::split::glob(&patterns),
        Command::Shim(ShimCommand::Circleci { words }) => {
            commands::shim::circleci(&global, &words).await
        }
        Command::Shim(ShimCommand::Jobs { words }) => commands::completions::jobs(&words),
        Command::Prune(args) => commands::runs::prune(&global, &args).await,
        Command::Reap(args) => commands::reap::reap(&global, &args).await,
        Command::Export(args) => commands::export::export(&args),
        Command::Schema(args) => commands::graph::schema(&args),
        Command::Changed(args) => commands::changed::changed(&global, &args),
        Command::Watch(args) => watch::watch(&global, args).await,
        Command::Completions(args) => {
            commands::completions::completions(&args)?;
            Ok(0)
        }
    }
}
