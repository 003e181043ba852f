//! `ci run`, `ci resume` and `ci rerun`.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;

use ci_core::config::fidelity::Fidelity;
use ci_core::event::{
    Choice, ChromeTrace, Console, ConsoleOptions, Environment, JsonLines, Verbosity,
};
use ci_core::id::RunId;
use ci_core::job::{JobSpec, Start};
use ci_core::outcome::{CancelReason, OutcomeKind};
use ci_core::run::{Hold, RunControl, RunHandle, RunOptions, RunReport};
use ci_core::settings::Settings;
use ci_core::store::{RunStore, SqliteStore, StoredRun};
use ci_core::view::FIDELITY;
use ci_core::workflow::{RunFacts, WorkflowSpec};

use super::page;
use super::written::{Noted, Written};
use crate::args::{AgainArgs, Color, Format, Global, HoldChoice, HowArgs, RerunArgs, RunArgs};
use crate::failure::{self, Failure};
use crate::kept::Kept;
use crate::notify::Telling;
use crate::setup::Setup;
use crate::{executors, notify, open, output, signals};

/// Where a run is recorded and keeps its files.
type Places<'a> = (&'a Kept, &'a Arc<SqliteStore>);

/// Who hears of a run: whom the settings name, and standard output.
type Told = (Telling, Written);

/// Runs a workflow.
pub(crate) async fn run(global: &Global, args: RunArgs) -> Result<u8, Failure> {
    let mut project = open::project(&args.workflow, &args.jobs)?;
    args.rules
        .apply(&mut project.settings, args.workflow.base.as_deref());
    start_named(&mut project.workflow, &args.jobs);
    keep_fidelity(&mut project.workflow, &project.origin.fidelity);
    let (how, origin) = (&args.how, &project.origin);
    let left = origin.skipped.iter().map(|job| (&*job.name, &*job.why));
    let nothing = project.workflow.jobs.is_empty();
    tell(global, how.verbose || nothing, &origin.fidelity, left);
    if global.format == Format::Text {
        executors::say_choice(&project.chosen);
        if nothing {
            output::say("no job runs for this branch, tag and event; `ci list` shows all of them");
        }
    }
    executors::sweep(&project.settings, &project.workflow).await?;
    let kept = Kept::of(global, &project.settings, &project.dir);
    let store = kept.store()?;
    // Jobs of this machine find the times of tests there.
    let path = std::path::absolute(store.path())?.display().to_string();
    let env = &mut project.workflow.env;
    env.entry("CI_STORE".into()).or_insert(path);
    let workflow = &project.workflow;
    let places = (&kept, &store);
    let setup = Setup::of(&project.workflow)?;
    let of_setup = |job: &String| setup.as_ref().is_none_or(|setup| !setup.jobs.contains(job));
    let jobs: Vec<String> = args
        .jobs
        .iter()
        .filter(|job| of_setup(job))
        .cloned()
        .collect();
    let subject = (workflow, &project.facts);
    let (mut options, told) = options(global, how, places, project.settings, subject).await?;
    options = options
        .facts(project.facts)
        .project_dir(project.dir)
        .only(jobs);
    if args.supersede {
        options = options.supersede();
    }
    let handle = ci_core::run::start(project.workflow, options).await;
    let handle = handle.map_err(|error| origin.refused(error))?;
    let course = Course {
        global,
        how,
        settings: args.workflow.settings.as_deref(),
    };
    course.finish(places, (handle, told), setup).await
}

/// Lets jobs that were asked for by name start by themselves, as if somebody had pressed their button.
fn start_named(workflow: &mut WorkflowSpec, names: &[String]) {
    let is_manual = |job: &JobSpec| matches!(job.options.start, Start::Manual { .. });
    let asked = |job: &JobSpec| names.iter().any(|name| **name == *job.name) && is_manual(job);
    // A job without steps only asks, and is asked for to be asked.
    if !workflow
        .jobs
        .iter()
        .any(|job| asked(job) && !job.steps.is_empty())
    {
        return;
    }
    for job in Arc::make_mut(&mut workflow.jobs) {
        if asked(job) && !job.steps.is_empty() {
            Arc::make_mut(&mut job.options).start = Start::Auto;
        }
    }
}

/// Keeps with the run what differs from the vendor's machines, for its page.
fn keep_fidelity(workflow: &mut WorkflowSpec, fidelity: &Fidelity) {
    let rows: Vec<String> = fidelity.rows().iter().map(ToString::to_string).collect();
    if rows.is_empty() {
        return;
    }
    if let Some(job) = Arc::make_mut(&mut workflow.jobs).first_mut() {
        let options = Arc::make_mut(&mut job.options);
        options.extra.insert(FIDELITY.to_owned(), rows.into());
    }
}

/// Says what differs from the vendor's machines, and in detail which jobs do not run.
fn tell<'a>(
    global: &Global,
    verbose: bool,
    fidelity: &Fidelity,
    left: impl Iterator<Item = (&'a str, &'a str)>,
) {
    if global.format != Format::Text {
        return;
    }
    if let Some(summary) = fidelity.summary() {
        output::say(format!("{summary}; `ci explain` lists them"));
    }
    if verbose {
        for (job, why) in left {
            output::say(format!("{job} does not run: {why}"));
        }
    }
}

/// Goes on with a run.
pub(crate) async fn resume(global: &Global, args: AgainArgs) -> Result<u8, Failure> {
    let kept = Kept::here(global)?;
    let store = kept.store_to_read()?;
    let places = (&kept, &store);
    let id = open::run_id(&*store, &args.run.run).await?;
    let (options, told, stored) = again(global, &args, places, id).await?;
    let setup = Setup::of(&stored.workflow)?;
    let handle = ci_core::run::resume(id, options).await?;
    Course::of(global, &args)
        .finish(places, (handle, told), setup)
        .await
}

/// Runs again what did not succeed, or everything.
pub(crate) async fn rerun(global: &Global, args: RerunArgs) -> Result<u8, Failure> {
    let kept = Kept::here(global)?;
    let store = kept.store_to_read()?;
    let places = (&kept, &store);
    let id = open::run_id(&*store, &args.again.run.run).await?;
    let (options, told, stored) = again(global, &args.again, places, id).await?;
    let setup = Setup::of(&stored.workflow)?;
    let handle = if args.from_failed {
        ci_core::run::rerun(id, options).await?
    } else {
        let options = options.facts(stored.facts);
        ci_core::run::start(stored.workflow, options).await?
    };
    Course::of(global, &args.again)
        .finish(places, (handle, told), setup)
        .await
}

async fn again(
    global: &Global,
    args: &AgainArgs,
    places: Places<'_>,
    id: RunId,
) -> Result<(RunOptions, Told, StoredRun), Failure> {
    let stored = places.1.load(id).await?;
    let dir = stored.facts.repository.clone();
    let settings = open::settings(
        args.settings.as_deref(),
        dir.as_deref().unwrap_or(Path::new(".")),
    )?;
    executors::sweep(&settings, &stored.workflow).await?;
    let subject = (&*stored.workflow, &stored.facts);
    let (options, told) = options(global, &args.how, places, settings, subject).await?;
    let options = match dir {
        Some(dir) => options.project_dir(dir),
        None => options,
    };
    Ok((options, told, stored))
}

async fn options(
    global: &Global,
    how: &HowArgs,
    (kept, store): Places<'_>,
    settings: Settings,
    (workflow, facts): (&WorkflowSpec, &RunFacts),
) -> Result<(RunOptions, Told), Failure> {
    let mut options = RunOptions::new().storage(kept.storage()?);
    for executor in executors::executors(&settings)? {
        options = options.executor(executor);
    }
    let contexts = open::contexts(&how.context)?;
    let runs = Arc::clone(store) as Arc<dyn RunStore>;
    let (told, telling) = notify::tell(options, &settings.notify, &contexts, facts, &runs);
    options = told.settings(settings).store(runs);
    for (name, variables) in contexts {
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
        let written = Written::default();
        let sink = JsonLines::new(Noted::stdout(&written));
        return Ok((options.sink(sink), (telling, written)));
    }
    let history = store.durations(&workflow.name).await?;
    let options = options.sink(console(global, how, history));
    Ok((options, (telling, Written::default())))
}

fn console(
    global: &Global,
    how: &HowArgs,
    history: std::collections::HashMap<Arc<str>, std::time::Duration>,
) -> Console<io::Stderr> {
    let mut options = ConsoleOptions::from_env(Environment::of_stderr());
    options.history = history;
    options.hints = Some(global.program());
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

/// How a run is driven to its end.
struct Course<'a> {
    global: &'a Global,
    how: &'a HowArgs,
    settings: Option<&'a Path>,
}

impl<'a> Course<'a> {
    fn of(global: &'a Global, args: &'a AgainArgs) -> Self {
        let (how, settings) = (&args.how, args.settings.as_deref());
        Self {
            global,
            how,
            settings,
        }
    }

    /// Waits for the run and for what its pipeline goes on with, tells their end by the exit code, and
    /// removes runs that are old by now.
    async fn finish(
        &self,
        places: Places<'_>,
        (handle, told): (RunHandle, Told),
        setup: Option<Setup>,
    ) -> Result<u8, Failure> {
        let id = handle.id();
        let mut code = self.wait(places, handle, told).await?;
        if let Some(setup) = setup
            && code != failure::INTERRUPTED
        {
            let next = self.go_on(places, id, &setup).await?;
            code = next.map_or(code, |next| code.max(next));
        }
        places.0.forget_old().await?;
        Ok(code)
    }

    /// Runs the configuration that the run of a setup workflow asked for.
    async fn go_on(
        &self,
        places: Places<'_>,
        id: RunId,
        setup: &Setup,
    ) -> Result<Option<u8>, Failure> {
        let facts = places.1.load(id).await?.facts;
        let storage = places.0.storage()?;
        let dir = facts.repository.clone().unwrap_or_else(|| ".".into());
        let settings = open::settings(self.settings, &dir)?;
        let Some(continued) = setup.continued(id, &facts, &storage, &settings)? else {
            if self.global.format == Format::Text {
                output::say("no job of the setup workflow continued the pipeline");
            }
            return Ok(None);
        };
        let left = continued.skipped.iter().map(|(job, why)| (&**job, &**why));
        tell(self.global, self.how.verbose, &continued.fidelity, left);
        if self.global.format == Format::Text {
            executors::say_choice(&continued.chosen);
        }
        let workflow = continued.workflow;
        let mut how = self.how.clone();
        // The trace of the setup's run stays.
        how.trace = how.trace.map(|file| {
            let mut name = file.into_os_string();
            name.push(".continued");
            name.into()
        });
        let subject = (&workflow, &facts);
        let (options, told) = options(self.global, &how, places, settings, subject).await?;
        let options = options.facts(facts).project_dir(dir);
        let options = options.only(setup.jobs.iter().cloned());
        let handle = ci_core::run::start(workflow, options).await?;
        self.wait(places, handle, told).await.map(Some)
    }

    /// Waits for a run and gives the exit code that tells its end.
    async fn wait(
        &self,
        places: Places<'_>,
        handle: RunHandle,
        (telling, written): Told,
    ) -> Result<u8, Failure> {
        let id = handle.id();
        if self.global.format == Format::Text {
            output::say(format!("run {id}"));
        }
        let control = handle.control();
        let signals = tokio::spawn(async move { obey_signals(&control).await });
        let result = handle.wait().await;
        telling.finish().await;
        let interrupted = signals.is_finished();
        signals.abort();
        let report = result?;
        if let Some(file) = self.how.report.as_ref().or(places.0.page.as_ref()) {
            match page::write_page(places.0, places.1, id, file).await {
                Ok(file) if self.global.format == Format::Text => {
                    output::say(format!("page    {}", file.display()));
                }
                Ok(_) => {}
                // How the run ended stays true.
                Err(failure) => output::error(&failure),
            }
        }
        if self.how.keep_report || places.0.keeps_page {
            match page::keep_page(places.0, places.1, id).await {
                Ok(()) if self.global.format == Format::Text => {
                    output::say(format!("page    artifact `{}` of the run", page::PAGE));
                }
                Ok(()) => {}
                Err(failure) => output::error(&failure),
            }
        }
        if interrupted {
            return Ok(failure::INTERRUPTED);
        }
        written.check()?;
        Ok(exit_code(&report))
    }
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
    signals::any().await;
    output::say("stopping; once more to stop teardown as well");
    control.cancel(CancelReason::Requested);
    let control = control.clone();
    tokio::spawn(async move {
        // A terminal that is closed says so more than once.
        signals::order().await;
        control.cancel_with_teardown(CancelReason::Requested);
    });
}
