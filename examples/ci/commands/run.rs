//! `ci run`, `ci resume` and `ci rerun`.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;

use ci_core::event::{
    Choice, ChromeTrace, Console, ConsoleOptions, Environment, JsonLines, Verbosity,
};
use ci_core::outcome::{CancelReason, OutcomeKind};
use ci_core::run::{Hold, RunControl, RunHandle, RunOptions, RunReport};
use ci_core::settings::Settings;
use ci_core::store::{RunStore, SqliteStore};

use crate::args::{AgainArgs, Color, Format, Global, HoldChoice, HowArgs, RerunArgs, RunArgs};
use crate::executors::executors;
use crate::failure::{self, Failure};
use crate::kept::Kept;
use crate::{open, output};

/// Where a run is recorded and keeps its files.
type Places<'a> = (&'a Kept, &'a Arc<SqliteStore>);

/// Runs a workflow.
pub(crate) async fn run(global: &Global, args: RunArgs) -> Result<u8, Failure> {
    let mut project = open::project(&args.workflow)?;
    args.rules
        .apply(&mut project.settings, args.workflow.base.as_deref());
    if let Some(summary) = project.fidelity.summary()
        && global.format == Format::Text
    {
        output::say(format!("{summary}; `ci explain` lists them"));
    }
    for (job, why) in &project.skipped {
        if global.format == Format::Text && args.how.verbose {
            output::say(format!("{job} does not run: {why}"));
        }
    }
    let kept = Kept::of(global, &project.settings, &project.dir);
    let store = kept.store()?;
    // Jobs of this machine find the times of tests there.
    let path = std::path::absolute(store.path())?.display().to_string();
    let env = &mut project.workflow.env;
    env.entry("CI_STORE".into()).or_insert(path);
    let workflow = &project.workflow.name;
    let places = (&kept, &store);
    let mut options = options(global, &args.how, places, project.settings, workflow).await?;
    options = options
        .facts(project.facts)
        .project_dir(project.dir)
        .only(args.jobs);
    if args.supersede {
        options = options.supersede();
    }
    let handle = ci_core::run::start(project.workflow, options).await?;
    finish(global, &kept, handle).await
}

/// Goes on with a run.
pub(crate) async fn resume(global: &Global, args: AgainArgs) -> Result<u8, Failure> {
    let kept = Kept::here(global)?;
    let store = kept.store()?;
    let id = open::run_id(&*store, &args.run.run).await?;
    let options = again(global, &args, (&kept, &store), id).await?;
    finish(global, &kept, ci_core::run::resume(id, options).await?).await
}

/// Runs again what did not succeed, or everything.
pub(crate) async fn rerun(global: &Global, args: RerunArgs) -> Result<u8, Failure> {
    let kept = Kept::here(global)?;
    let store = kept.store()?;
    let id = open::run_id(&*store, &args.again.run.run).await?;
    let options = again(global, &args.again, (&kept, &store), id).await?;
    if args.from_failed {
        return finish(global, &kept, ci_core::run::rerun(id, options).await?).await;
    }
    let stored = store.load(id).await?;
    let options = options.facts(stored.facts);
    let handle = ci_core::run::start(stored.workflow, options).await?;
    finish(global, &kept, handle).await
}

async fn again(
    global: &Global,
    args: &AgainArgs,
    places: Places<'_>,
    id: ci_core::id::RunId,
) -> Result<RunOptions, Failure> {
    let stored = places.1.load(id).await?;
    let dir = stored.facts.repository.clone();
    let settings = open::settings(
        args.settings.as_deref(),
        dir.as_deref().unwrap_or(Path::new(".")),
    )?;
    let options = options(global, &args.how, places, settings, &stored.workflow.name).await?;
    Ok(match dir {
        Some(dir) => options.project_dir(dir),
        None => options,
    })
}

async fn options(
    global: &Global,
    how: &HowArgs,
    (kept, store): Places<'_>,
    settings: Settings,
    workflow: &str,
) -> Result<RunOptions, Failure> {
    let mut options = RunOptions::new().storage(kept.storage()?);
    for executor in executors(&settings)? {
        options = options.executor(executor);
    }
    options = options.settings(settings);
    options = options.store(Arc::clone(store) as Arc<dyn RunStore>);
    for (name, variables) in open::contexts(&how.context)? {
        options = options.context(name, variables);
    }
    if let Some(slots) = how.slots {
        options = options.slots(usize::from(slots));
    }
    options = options.hold(match how.hold {
        HoldChoice::Wait => Hold::Wait,
        HoldChoice::Finish => Hold::Finish,
    });
    if let Some(path) = &how.trace {
        let file = File::create(path).map_err(|error| {
            Failure::input(format!("the trace file `{}`: {error}", path.display()))
        })?;
        options = options.sink(ChromeTrace::new(BufWriter::new(file)));
    }
    if global.format == Format::Json {
        return Ok(options.sink(JsonLines::new(io::stdout())));
    }
    let history = store.durations(workflow).await?;
    Ok(options.sink(console(global, how, history)))
}

fn console(
    global: &Global,
    how: &HowArgs,
    history: std::collections::HashMap<Arc<str>, std::time::Duration>,
) -> Console<io::Stderr> {
    let mut options = ConsoleOptions::from_env(Environment::of_stderr());
    options.history = history;
    options.hints = Some("ci".to_owned());
    match global.color {
        Color::Auto => {}
        Color::Always => options.color = Choice::Always,
        Color::Never => options.color = Choice::Never,
    }
    if how.verbose {
        options.verbosity = Verbosity::Verbose;
    } else if how.quiet {
        options.verbosity = Verbosity::Quiet;
    }
    Console::new(io::stderr(), options)
}

/// Waits for the run, tells its end by the exit code, and removes runs that are old by now.
async fn finish(global: &Global, kept: &Kept, handle: RunHandle) -> Result<u8, Failure> {
    if global.format == Format::Text {
        output::say(format!("run {}", handle.id()));
    }
    let control = handle.control();
    let signals = tokio::spawn(async move { obey_signals(&control).await });
    let result = handle.wait().await;
    let interrupted = signals.is_finished();
    signals.abort();
    let report = result?;
    kept.forget_old().await?;
    Ok(if interrupted {
        failure::INTERRUPTED
    } else {
        exit_code(&report)
    })
}

fn exit_code(report: &RunReport) -> u8 {
    match report.outcome {
        OutcomeKind::Success | OutcomeKind::OnHold => 0,
        OutcomeKind::InfrastructureFailure | OutcomeKind::Interrupted => failure::ENGINE,
        _ => failure::WORKFLOW,
    }
}

/// The first signal stops the run, and its teardown jobs still run; the second stops those too. Ready
/// after the first.
async fn obey_signals(control: &RunControl) {
    next_signal().await;
    output::say("stopping; once more to stop teardown as well");
    control.cancel(CancelReason::Requested);
    let control = control.clone();
    tokio::spawn(async move {
        next_signal().await;
        control.cancel_with_teardown(CancelReason::Requested);
    });
}

#[cfg(unix)]
pub(crate) async fn next_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
pub(crate) async fn next_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
