//! The loop: takes what is new, starts runs, and tells how they end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ci_core::event::JsonLines;
use ci_core::id::RunId;
use ci_core::outcome::CancelReason;
use ci_core::run::{Hold, RunControl, RunError, RunHandle, RunOptions, RunReport};
use ci_core::settings::Settings;
use ci_core::steps::step_runner::StepRunner;
use ci_core::store::{RunStore, SqliteStore};
use ci_core::trigger::watch::{ChangeKind, Found, Positions};
use ci_core::trigger::{Event, EventKind};
use ci_core::workflow::RunFacts;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::args::WatchArgs;
use super::feeds::{self, Incoming};
use super::orders::Order;
use super::plan::{self, Occasion, Plan, Planned};
use crate::args::{Format, Global};
use crate::failure::{self, Failure, chain};
use crate::kept::Kept;
use crate::notify::Telling;
use crate::signals;
use crate::{executors, notify, open, output};

/// How often a step that runs one at a time asks whether it is its turn.
const TURN: Duration = Duration::from_millis(100);

/// Watches until a signal, or with `--once` until nothing is left.
pub(crate) async fn watch(global: &Global, args: WatchArgs) -> Result<u8, Failure> {
    let mut watch = Watch::open(global.clone(), args)?;
    watch.go_on_with_unfinished().await?;
    watch.drive(signals()).await
}

/// What became of an occasion.
pub(super) enum Begun {
    Run(RunId),
    /// There is a run for it.
    Known,
    /// Nothing runs, and why.
    Nothing(String),
}

pub(super) struct Watch {
    global: Global,
    args: WatchArgs,
    pub(super) runner: Option<StepRunner>,
    kept: Kept,
    pub(super) store: Arc<SqliteStore>,
    /// Where the files of commits go while their runs go on.
    files: PathBuf,
    pub(super) repositories: Vec<PathBuf>,
    positions: Option<Positions>,
    running: JoinSet<(RunId, Result<RunReport, RunError>)>,
    controls: HashMap<RunId, (RunControl, Option<PathBuf>)>,
    failed: bool,
}

impl Watch {
    pub(super) fn open(global: Global, args: WatchArgs) -> Result<Self, Failure> {
        let mut repositories = Vec::new();
        for dir in &args.dirs {
            let dir = std::fs::canonicalize(dir)
                .map_err(|error| Failure::input(format!("`{}`: {error}", dir.display())))?;
            if !repositories.contains(&dir) {
                repositories.push(dir);
            }
        }
        let kept = Kept::here(&global)?;
        let runner = args.step_runner.as_deref().map(StepRunner::new).transpose();
        let runner = runner.map_err(|error| Failure::input(error.to_string()))?;
        let store = kept.store()?;
        let mut files = store.path().as_os_str().to_owned();
        files.push(".commits");
        Ok(Self {
            runner: runner.map(|it| it.reply_timeout(args.reply_timeout).budget(args.budget)),
            global,
            args,
            kept,
            store,
            files: PathBuf::from(files),
            repositories,
            positions: None,
            running: JoinSet::new(),
            controls: HashMap::new(),
            failed: false,
        })
    }

    /// Runs what comes in, and obeys orders, until it is told to stop.
    pub(super) async fn drive(
        &mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) -> Result<u8, Failure> {
        let (sender, mut incoming) = mpsc::channel(1);
        let commits = feeds::commits(&self.args, &self.store, &self.repositories, sender.clone());
        self.positions = Some(commits?);
        if !self.args.once {
            feeds::schedules(&self.store, &self.repositories, sender.clone());
        }
        drop(sender);
        let names: Vec<String> = self
            .repositories
            .iter()
            .map(|it| it.display().to_string())
            .collect();
        self.tell(&format!("watching {}", names.join(", ")));
        let (mut is_open, mut stops) = (true, 0_u8);
        while is_open || !self.running.is_empty() {
            let has_room = self.running.len() < usize::from(self.args.runs) && stops == 0;
            tokio::select! {
                biased;
                Some(order) = orders.recv() => match order {
                    Order::Stop => {
                        stops = stops.saturating_add(1);
                        is_open = false;
                        self.stop(stops);
                    }
                    order => self.obey(order).await,
                },
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => {
                    if let Ok((run, result)) = ended {
                        self.ended(run, result).await;
                    }
                }
                next = incoming.recv(), if is_open && has_room => match next {
                    Some(next) => is_open = self.take(next).await? && is_open,
                    None => is_open = false,
                },
                // Nobody can give orders any more, and nothing is left to wait for.
                else => break,
            }
        }
        Ok(match (stops, self.failed) {
            (0, true) => failure::WORKFLOW,
            (0, false) => 0,
            _ => failure::INTERRUPTED,
        })
    }

    /// The first signal lets what runs end, the second stops it, the third stops teardown too.
    fn stop(&self, times: u8) {
        let count = self.running.len();
        match times {
            1 if count > 0 => output::say(format!(
                "no new runs; waiting for {count}, once more to stop them"
            )),
            1 => {}
            2 => self.each(|run| run.cancel(CancelReason::Requested)),
            _ => self.each(|run| run.cancel_with_teardown(CancelReason::Requested)),
        }
    }

    fn each(&self, act: impl Fn(&RunControl)) {
        self.controls.values().for_each(|(run, _)| act(run));
    }

    /// Deals with what came in. False if nothing more will come.
    async fn take(&mut self, incoming: Incoming) -> Result<bool, Failure> {
        match incoming {
            Incoming::Nothing => return Ok(false),
            Incoming::Trouble(why) => self.trouble(&why),
            Incoming::Due(occasion) => drop(self.begin(&occasion).await?),
            Incoming::Found(found) => {
                if let Some(occasion) = self.occasion(&found) {
                    self.begin(&occasion).await?;
                }
                if let Some(positions) = &self.positions {
                    let done = positions.done(&found).await;
                    done.map_err(|error| Failure::engine(chain(&error)))?;
                }
            }
        }
        Ok(true)
    }

    /// What a change is an occasion for; nothing, if another change stands for it.
    fn occasion(&self, found: &Found) -> Option<Occasion> {
        let change = &found.change;
        let loose = matches!(change.kind, ChangeKind::TaggedCommit { .. }) && self.runner.is_some();
        let event = match change.event() {
            Some(event) => event,
            // The step runner does every commit.
            None if loose => Event::new(EventKind::Api { branch: None }).revision(&change.commit),
            None => return None,
        };
        let id = format!("{}#{}", found.repository.display(), change.number);
        Some(Occasion::new(found.repository.clone(), event, id))
    }

    /// Starts the run of an occasion, unless there is one.
    pub(super) async fn begin(&mut self, occasion: &Occasion) -> Result<Begun, Failure> {
        if self.has_run(occasion).await? {
            return Ok(Begun::Known);
        }
        let dir = self.dir_of(occasion);
        let (owned, runner, to) = (occasion.clone(), self.runner.clone(), dir.clone());
        let plan = blocking(move || plan::plan(&owned, runner.as_ref(), &to)).await;
        let planned = match plan {
            Ok(Plan::Run(planned)) => *planned,
            Ok(Plan::Skip(why)) => {
                self.tell(&format!("{} does not run: {why}", shown(occasion)));
                let _ = std::fs::remove_dir_all(&dir);
                return Ok(Begun::Nothing(why));
            }
            // Whoever asked is told, and nobody else need be.
            Err(failure) if occasion.is_asked_for => {
                let _ = std::fs::remove_dir_all(&dir);
                return Err(failure);
            }
            Err(failure) => {
                self.trouble(&failure.message);
                return Ok(Begun::Nothing(failure.message));
            }
        };
        let Planned {
            workflow,
            facts,
            settings,
            dir,
            supersede,
        } = planned;
        let (options, telling) = self.options(settings, dir.as_deref(), &facts)?;
        let mut options = options.facts(facts);
        if supersede || self.args.supersede {
            options = options.supersede();
        }
        Ok(match ci_core::run::start(workflow, options).await {
            Ok(handle) => {
                let run = handle.id();
                self.follow(
                    (handle, telling),
                    dir,
                    &format!("is for {}", shown(occasion)),
                );
                Begun::Run(run)
            }
            Err(error) => {
                let why = chain(&error);
                self.trouble(&why);
                Begun::Nothing(why)
            }
        })
    }

    pub(super) fn options(
        &self,
        settings: Settings,
        dir: Option<&Path>,
        facts: &RunFacts,
    ) -> Result<(RunOptions, Telling), Failure> {
        let store = Arc::clone(&self.store) as Arc<dyn RunStore>;
        let mut options = RunOptions::new()
            .storage(self.kept.storage()?)
            .store(Arc::clone(&store))
            // What waits for a person must not keep others waiting: it can be resumed.
            .hold(Hold::Finish);
        for executor in executors::executors(&settings)? {
            options = options.executor(executor);
        }
        let contexts = open::contexts(&self.args.context)?;
        let (told, telling) = notify::tell(options, &settings.notify, &contexts, facts, &store);
        options = told.settings(settings);
        for (name, variables) in contexts {
            options = options.context(name, variables);
        }
        if let Some(slots) = self.args.slots {
            options = options.slots(usize::from(slots));
        }
        if let Some(dir) = dir {
            options = options.project_dir(dir);
        }
        if let Some(runner) = &self.runner {
            // Its steps wait for another machine: they take none of this one's places.
            options = runner.register(options).slots(3).poll_interval(TURN);
        }
        if self.global.format == Format::Json {
            options = options.sink(JsonLines::new(std::io::stdout()));
        }
        Ok((options, telling))
    }

    /// Waits for the end of a run beside everything else.
    pub(super) fn follow(
        &mut self,
        (handle, telling): (RunHandle, Telling),
        dir: Option<PathBuf>,
        what: &str,
    ) {
        let run = handle.id();
        self.tell(&format!("run {run} {what}"));
        self.controls.insert(run, (handle.control(), dir));
        self.running.spawn(async move {
            let result = handle.wait().await;
            telling.finish().await;
            (run, result)
        });
    }

    async fn ended(&mut self, run: RunId, result: Result<RunReport, RunError>) {
        if let Some((_, Some(dir))) = self.controls.remove(&run) {
            // What was left lies in a directory of its own and is in nobody's way.
            let _ = tokio::fs::remove_dir_all(dir).await;
        }
        match result {
            Ok(report) => {
                self.failed |= !report.is_success();
                let jobs = report.jobs.iter().filter(|job| !job.outcome.is_success());
                let jobs: Vec<String> = jobs
                    .map(|job| format!("{} {}", job.name, job.outcome))
                    .collect();
                let jobs = if jobs.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", jobs.join("; "))
                };
                self.tell(&format!("run {run} ended: {}{jobs}", report.outcome));
            }
            Err(error) => self.trouble(&format!("run {run}: {}", chain(&error))),
        }
        if let Err(failure) = self.kept.forget_old().await {
            self.trouble(&failure.message);
        }
    }

    /// Where the files of the commit of an occasion go.
    pub(super) fn dir_of(&self, occasion: &Occasion) -> PathBuf {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        occasion.id.hash(&mut hasher);
        self.files.join(format!("{:016x}", hasher.finish()))
    }

    fn tell(&self, line: &str) {
        if self.global.format == Format::Text {
            output::say(line);
        }
    }

    pub(super) fn trouble(&mut self, why: &str) {
        self.failed = true;
        output::say(format!("error: {why}"));
    }
}

/// Takes each signal for an order to stop.
fn signals() -> mpsc::UnboundedReceiver<Order> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        signals::any().await;
        while sender.send(Order::Stop).is_ok() {
            // A terminal that is closed says so more than once.
            signals::order().await;
        }
    });
    receiver
}

/// What an occasion is, in words.
fn shown(occasion: &Occasion) -> String {
    let commit = occasion.event.revision.as_deref().unwrap_or("HEAD");
    let commit = commit.get(..10).unwrap_or(commit);
    match &occasion.event.kind {
        EventKind::Tag { name, .. } => format!("{commit} with the tag {name}"),
        EventKind::Schedule { name, .. } => format!("{commit} by the schedule {name}"),
        kind => kind.branch().map_or_else(
            || commit.to_owned(),
            |branch| format!("{commit} on {branch}"),
        ),
    }
}

/// Does what blocks on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(Failure::engine(panic.to_string())))
}
