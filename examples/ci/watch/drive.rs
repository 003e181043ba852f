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
use ci_core::store::{RunQuery, RunStore, SqliteStore};
use ci_core::trigger::watch::{ChangeKind, CommitWatcher, First, Found, Positions, ScanOptions};
use ci_core::trigger::{Event, EventKind};
use ci_core::workflow::RunFacts;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::args::{FirstChoice, WatchArgs};
use super::plan::{self, CHANGE, Occasion, Plan, Planned};
use super::schedules;
use crate::args::{Format, Global};
use crate::commands::run::next_signal;
use crate::executors::executors;
use crate::failure::{self, Failure, chain};
use crate::kept::Kept;
use crate::notify::Telling;
use crate::{notify, open, output};

/// How often a step that runs one at a time asks whether it is its turn.
const TURN: Duration = Duration::from_millis(100);
/// How often schedules are read again from the repositories.
const REREAD: Duration = Duration::from_secs(30);

/// Watches until a signal, or with `--once` until nothing is left.
pub(crate) async fn watch(global: &Global, args: WatchArgs) -> Result<u8, Failure> {
    let mut watch = Watch::open(global, args)?;
    watch.go_on_with_unfinished().await?;
    watch.drive().await
}

/// What comes in from the tasks that wait.
enum Incoming {
    Found(Found),
    Due(Occasion),
    Trouble(String),
    /// With `--once`: nothing is new.
    Nothing,
}

struct Watch<'a> {
    global: &'a Global,
    args: WatchArgs,
    runner: Option<StepRunner>,
    kept: Kept,
    store: Arc<SqliteStore>,
    /// Where the files of commits go while their runs go on.
    files: PathBuf,
    repositories: Vec<PathBuf>,
    positions: Option<Positions>,
    running: JoinSet<(RunId, Result<RunReport, RunError>)>,
    controls: HashMap<RunId, (RunControl, Option<PathBuf>)>,
    failed: bool,
}

impl<'a> Watch<'a> {
    fn open(global: &'a Global, args: WatchArgs) -> Result<Self, Failure> {
        let mut repositories = Vec::new();
        for dir in &args.dirs {
            let dir = std::fs::canonicalize(dir)
                .map_err(|error| Failure::input(format!("`{}`: {error}", dir.display())))?;
            if !repositories.contains(&dir) {
                repositories.push(dir);
            }
        }
        let kept = Kept::here(global)?;
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

    /// Goes on with the runs of changes whose process died.
    async fn go_on_with_unfinished(&mut self) -> Result<(), Failure> {
        let page = self.store.runs(&RunQuery::default()).await?;
        let unfinished = page.runs.into_iter().rev();
        for run in unfinished.filter(|run| run.outcome.is_none() && !run.active) {
            let stored = self.store.load(run.id).await?;
            let repository = stored.facts.repository.clone().unwrap_or_default();
            let ours = self.repositories.contains(&repository);
            let Some(id) = stored.facts.variables.get(CHANGE).filter(|_| ours) else {
                continue;
            };
            let mut event = Event::new(EventKind::Api { branch: None });
            event.revision.clone_from(&stored.facts.revision);
            let occasion = Occasion {
                repository,
                event,
                id: id.clone(),
                workflow: None,
            };
            let dir = self.dir_of(&occasion);
            let (settings, dir) = if self.runner.is_some() {
                (Settings::default(), None)
            } else {
                let to = dir.clone();
                blocking(move || plan::write_files(&occasion, &to)).await?;
                (open::settings(None, &dir)?, Some(dir))
            };
            let (options, telling) = self.options(settings, dir.as_deref(), &stored.facts)?;
            match ci_core::run::resume(run.id, options).await {
                Ok(handle) => self.follow((handle, telling), dir, "goes on"),
                Err(error) => self.trouble(&chain(&error)),
            }
        }
        Ok(())
    }

    async fn drive(&mut self) -> Result<u8, Failure> {
        let (sender, mut incoming) = mpsc::channel(1);
        self.watch_commits(sender.clone())?;
        if !self.args.once {
            self.watch_schedules(sender.clone());
        }
        drop(sender);
        let names: Vec<String> = self
            .repositories
            .iter()
            .map(|it| it.display().to_string())
            .collect();
        self.tell(&format!("watching {}", names.join(", ")));
        let mut signals = signals();
        let (mut is_open, mut stops) = (true, 0_u8);
        while is_open || !self.running.is_empty() {
            let has_room = self.running.len() < usize::from(self.args.runs) && stops == 0;
            tokio::select! {
                biased;
                Some(()) = signals.recv() => {
                    stops = stops.saturating_add(1);
                    is_open = false;
                    self.stop(stops);
                }
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => {
                    if let Ok((run, result)) = ended {
                        self.ended(run, result).await;
                    }
                }
                next = incoming.recv(), if is_open && has_room => match next {
                    Some(next) => is_open = self.take(next).await? && is_open,
                    None => is_open = false,
                },
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

    /// Waits for commits in a task of its own.
    fn watch_commits(&mut self, sender: mpsc::Sender<Incoming>) -> Result<(), Failure> {
        let mut options = ScanOptions::default();
        options.remotes = self.args.remotes;
        options.first = match self.args.first {
            FirstChoice::Nothing => First::Nothing,
            FirstChoice::Tips => First::Tips,
            FirstChoice::Everything => First::Everything,
        };
        let store = Arc::clone(&self.store) as Arc<dyn RunStore>;
        let mut watcher = CommitWatcher::new(store).options(options);
        if let Some(interval) = self.args.poll {
            watcher = watcher.poll_every(interval);
        }
        for repository in &self.repositories {
            watcher
                .add(repository)
                .map_err(|error| Failure::input(chain(&error)))?;
        }
        self.positions = Some(watcher.positions());
        let once = self.args.once;
        tokio::spawn(async move {
            loop {
                let next = if once {
                    watcher.try_next().await
                } else {
                    watcher.next().await.map(Some)
                };
                let incoming = match next {
                    Ok(Some(found)) => Incoming::Found(found),
                    Ok(None) => Incoming::Nothing,
                    Err(error) => Incoming::Trouble(chain(&error)),
                };
                if sender.send(incoming).await.is_err() {
                    return;
                }
            }
        });
        Ok(())
    }

    /// Waits for schedules in a task of its own. They are read again from time to time, because a commit
    /// may change them.
    fn watch_schedules(&self, sender: mpsc::Sender<Incoming>) {
        let store = Arc::clone(&self.store) as Arc<dyn RunStore>;
        let repositories = self.repositories.clone();
        tokio::spawn(async move {
            let mut told: HashMap<PathBuf, String> = HashMap::new();
            loop {
                let mut pause = REREAD;
                for repository in &repositories {
                    let result = schedules::due(repository, &store).await;
                    let news = match result {
                        Ok((occasions, soon)) => {
                            pause = pause.min(soon);
                            told.remove(repository);
                            occasions.into_iter().map(Incoming::Due).collect()
                        }
                        // Once is enough.
                        Err(failure) if told.get(repository) == Some(&failure.message) => vec![],
                        Err(failure) => {
                            told.insert(repository.clone(), failure.message.clone());
                            vec![Incoming::Trouble(failure.message)]
                        }
                    };
                    for incoming in news {
                        if sender.send(incoming).await.is_err() {
                            return;
                        }
                    }
                }
                tokio::time::sleep(pause.max(Duration::from_millis(10))).await;
            }
        });
    }

    /// Deals with what came in. False if nothing more will come.
    async fn take(&mut self, incoming: Incoming) -> Result<bool, Failure> {
        match incoming {
            Incoming::Nothing => return Ok(false),
            Incoming::Trouble(why) => self.trouble(&why),
            Incoming::Due(occasion) => self.begin(&occasion).await?,
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
        Some(Occasion {
            repository: found.repository.clone(),
            event,
            id: format!("{}#{}", found.repository.display(), change.number),
            workflow: None,
        })
    }

    /// Starts the run of an occasion, unless there is one.
    async fn begin(&mut self, occasion: &Occasion) -> Result<(), Failure> {
        if self.has_run(occasion).await? {
            return Ok(());
        }
        let dir = self.dir_of(occasion);
        let (owned, runner, to) = (occasion.clone(), self.runner.clone(), dir.clone());
        let plan = blocking(move || plan::plan(&owned, runner.as_ref(), &to)).await;
        let planned = match plan {
            Ok(Plan::Run(planned)) => *planned,
            Ok(Plan::Skip(why)) => {
                self.tell(&format!("{} does not run: {why}", shown(occasion)));
                let _ = std::fs::remove_dir_all(&dir);
                return Ok(());
            }
            Err(failure) => {
                self.trouble(&failure.message);
                return Ok(());
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
        match ci_core::run::start(workflow, options).await {
            Ok(handle) => {
                let what = format!("is for {}", shown(occasion));
                self.follow((handle, telling), dir, &what);
            }
            Err(error) => self.trouble(&chain(&error)),
        }
        Ok(())
    }

    /// Whether there is a run for the occasion: the process that started it may have died before it
    /// could say that it is done with the change.
    async fn has_run(&self, occasion: &Occasion) -> Result<bool, Failure> {
        let query = RunQuery {
            revision: occasion.event.revision.clone(),
            ..RunQuery::default()
        };
        for run in self.store.runs(&query).await?.runs {
            let facts = self.store.load(run.id).await?.facts;
            if facts.variables.get(CHANGE) == Some(&occasion.id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn options(
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
        for executor in executors(&settings)? {
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
    fn follow(
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
    fn dir_of(&self, occasion: &Occasion) -> PathBuf {
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

    fn trouble(&mut self, why: &str) {
        self.failed = true;
        output::say(format!("error: {why}"));
    }
}

/// Counts signals, also while nobody waits for one.
fn signals() -> mpsc::UnboundedReceiver<()> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            next_signal().await;
            if sender.send(()).is_err() {
                return;
            }
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
