//! Runs that have begun before: gone on with after a crash, and begun again when somebody asks.

use std::path::PathBuf;

use ci_core::id::RunId;
use ci_core::run::RunOptions;
use ci_core::settings::Settings;
use ci_core::store::{RunQuery, RunStore, StoredRun};
use ci_core::trigger::{Event, EventKind};
use ci_core::vcs;

use super::drive::{Begun, Watch, blocking};
use super::orders::{Order, Start};
use super::plan::{self, CHANGE, Occasion};
use crate::failure::{Failure, chain};
use crate::notify::Telling;
use crate::open;

impl Watch {
    /// Goes on with the runs of changes whose process died.
    pub(super) async fn go_on_with_unfinished(&mut self) -> Result<(), Failure> {
        let page = self.store.runs(&RunQuery::default()).await?;
        let unfinished = page.runs.into_iter().rev();
        for run in unfinished.filter(|run| run.outcome.is_none() && !run.active) {
            let stored = self.store.load(run.id).await?;
            let Some(((options, telling), dir)) = self.options_again(&stored, false).await? else {
                continue;
            };
            match ci_core::run::resume(run.id, options).await {
                Ok(handle) => self.follow((handle, telling), dir, "goes on"),
                Err(error) => self.trouble(&chain(&error)),
            }
        }
        Ok(())
    }

    /// How a run of a repository that is watched is gone on with, or is done again as a new one, and
    /// where the files of its commit are for it; nothing, if it is another's.
    async fn options_again(
        &self,
        stored: &StoredRun,
        is_new: bool,
    ) -> Result<Option<((RunOptions, Telling), Option<PathBuf>)>, Failure> {
        let repository = stored.facts.repository.clone().unwrap_or_default();
        let ours = self.repositories.contains(&repository);
        let Some(id) = stored.facts.variables.get(CHANGE).filter(|_| ours) else {
            return Ok(None);
        };
        let mut event = Event::new(EventKind::Api { branch: None });
        event.revision.clone_from(&stored.facts.revision);
        let own = match (is_new, stored.summary.rerun_of) {
            (false, None) => id.clone(),
            // Several of one change may run beside each other.
            (false, Some(_)) => format!("{id}#{}", stored.summary.id),
            (true, _) => format!("{id}#{}", RunId::new()),
        };
        let occasion = Occasion::new(repository, event, own);
        let facts = &stored.facts;
        if self.runner.is_some() {
            let options = self.options(Settings::default(), None, facts)?;
            return Ok(Some((options, None)));
        }
        let dir = self.dir_of(&occasion);
        let to = dir.clone();
        blocking(move || plan::write_files(&occasion, &to)).await?;
        let options = self.options(open::settings(None, &dir)?, Some(&dir), facts)?;
        Ok(Some((options, Some(dir))))
    }

    /// Does what somebody asks for, and answers. Nobody may wait for the answer any more.
    pub(super) async fn obey(&mut self, order: Order) {
        match order {
            // Dealt with where the loop ends.
            Order::Stop => {}
            Order::Start(start, answer) => {
                let begun = self.start(start).await;
                let _ = answer.send(begun);
            }
            Order::Rerun(run, answer) => {
                let begun = self.again(run, true).await;
                let _ = answer.send(begun);
            }
            Order::Resume(run, answer) => {
                let begun = self.again(run, false).await;
                let _ = answer.send(begun);
            }
        }
    }

    async fn start(&mut self, start: Start) -> Result<RunId, Failure> {
        let repository = match &start.repository {
            None => self.repositories.first().cloned(),
            Some(path) => self.repositories.iter().find(|it| *it == path).cloned(),
        };
        let repository =
            repository.ok_or_else(|| Failure::input("that repository is not watched"))?;
        let at = repository.clone();
        let event = blocking(move || asked_for(&at, start)).await?;
        let id = format!("{}#asked-{}", repository.display(), RunId::new());
        let mut occasion = Occasion::new(repository, event, id);
        occasion.is_asked_for = true;
        match self.begin(&occasion).await? {
            Begun::Run(run) => Ok(run),
            Begun::Known => Err(Failure::engine("it has begun already")),
            Begun::Nothing(why) => Err(Failure::input(why)),
        }
    }

    async fn again(&mut self, run: RunId, from_failed: bool) -> Result<RunId, Failure> {
        let stored = self.store.load(run).await?;
        let ((options, telling), dir) = self
            .options_again(&stored, from_failed)
            .await?
            .ok_or_else(|| {
                Failure::input(format!("the run `{run}` is for nothing that is watched"))
            })?;
        let (handle, what) = if from_failed {
            let handle = ci_core::run::rerun(run, options).await?;
            (handle, format!("repeats what failed in {run}"))
        } else {
            (ci_core::run::resume(run, options).await?, "goes on".into())
        };
        let id = handle.id();
        self.follow((handle, telling), dir, &what);
        Ok(id)
    }

    /// Whether there is a run for the occasion: the process that started it may have died before it
    /// could say that it is done with the change.
    pub(super) async fn has_run(&self, occasion: &Occasion) -> Result<bool, Failure> {
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
}

/// The event of a run that somebody asks for, with the full hash of its commit. Blocks.
fn asked_for(repository: &std::path::Path, start: Start) -> Result<Event, Failure> {
    let wrong = |error: vcs::VcsError| Failure::input(chain(&error));
    let branches = vcs::branches(repository).map_err(wrong)?;
    let (branch, revision) = match (start.branch, start.revision) {
        (branch, Some(revision)) => (branch, revision),
        (Some(branch), None) => {
            let found = branches.into_iter().find(|(name, _)| *name == branch);
            let found = found.ok_or_else(|| {
                Failure::input(format!("the repository has no branch `{branch}`"))
            })?;
            (Some(found.0), found.1)
        }
        (None, None) => {
            let first = branches.into_iter().next();
            let first = first.ok_or_else(|| Failure::input("the repository has no branches"))?;
            (Some(first.0), first.1)
        }
    };
    let commit = vcs::commit_info(repository, &revision).map_err(wrong)?.id;
    let mut event = Event::new(EventKind::Api { branch }).revision(commit);
    event.arguments = start.arguments;
    Ok(event)
}
