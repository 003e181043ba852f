//! The checkout step: in place, into a directory of this machine, or by way of one.

use std::path::Path;

use async_trait::async_trait;

use super::place;
use crate::outcome::Outcome;
use crate::session::Session;
use crate::step::{CheckoutSpec, SessionUse, Step, StepContext, StepError};
use crate::steps::job_env;

/// Puts the sources of a project into a directory, at a commit (its hash may be abbreviated), a tag or
/// a branch, with its history in `.git`. Files that are not committed do not come along, as on a CI
/// server.
///
/// By default it is the run's own repository at the run's revision, on the run's branch, or else its
/// branch, or else what it has checked out. A job that works in the project's own directory is left
/// alone: its files are there already. A directory with anything in it but an earlier checkout of the
/// same source is refused, and so is a revision that is not there; both fail the step. What breaks on
/// the way is an error.
#[derive(Debug, Clone, Default)]
pub struct Checkout(pub CheckoutSpec);

#[async_trait]
impl Step for Checkout {
    fn name(&self) -> &'static str {
        "checkout"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let session = cx.session().await?;
        let dir = job_env::dir(cx.job(), self.0.path.as_deref()).unwrap_or_else(|| ".".into());
        let here = place::on_this_machine(session.info(), &dir);
        let project = cx.facts().repository.as_deref();
        if let (Some(here), Some(project)) = (&here, project)
            && place::is_same(here, project)
        {
            return self.in_place(cx, project).await;
        }
        self.bring(cx, &*session, &dir, here.as_deref()).await
    }

    fn session_use(&self) -> SessionUse {
        SessionUse::AtStart
    }
}

impl Checkout {
    /// Whether the spec names a source that is not the project itself.
    fn is_elsewhere(&self, project: &Path) -> bool {
        self.0.source.as_ref().is_some_and(|source| {
            source.contains("://") || !place::is_same(&project.join(source), project)
        })
    }

    /// The sources are there already: the step only makes sure that they are what it was asked for.
    async fn in_place(&self, cx: &StepContext, project: &Path) -> Result<Outcome, StepError> {
        let shown = project.display();
        if self.is_elsewhere(project) {
            let source = crate::steps::mask_url(self.0.source.as_deref().unwrap_or_default());
            return Ok(Outcome::failed(format!(
                "the job works in place in `{shown}`, where `{source}` cannot be checked out"
            )));
        }
        let wanted = self
            .0
            .revision
            .as_deref()
            .or(cx.facts().revision.as_deref());
        if let Some(revision) = wanted
            && !self.is_checked_out(project, revision).await?
        {
            return Ok(Outcome::failed(format!(
                "the job works in place in `{shown}`, where something else than `{revision}` is \
                 checked out"
            )));
        }
        cx.say(format!(
            "the job works in place in `{shown}`: nothing to check out"
        ))
        .await;
        Ok(Outcome::Success)
    }
}

#[cfg(feature = "git")]
impl Checkout {
    async fn is_checked_out(&self, project: &Path, revision: &str) -> Result<bool, StepError> {
        let (project, revision) = (project.to_owned(), revision.to_owned());
        let compare = move || {
            let head = super::library::head(&project);
            head.is_some() && head == super::library::find(&project, &revision)
        };
        tokio::task::spawn_blocking(compare)
            .await
            .map_err(|error| StepError::new("the repository cannot be read").with_source(error))
    }

    async fn bring(
        &self,
        cx: &StepContext,
        session: &dyn Session,
        dir: &str,
        here: Option<&Path>,
    ) -> Result<Outcome, StepError> {
        use std::sync::Arc;

        use super::monitor::{Monitor, narrate};

        let Some(wanted) = self.wanted(cx) else {
            return Ok(Outcome::failed(
                "there is nothing to check out: the run has no repository, and the step names no source",
            ));
        };
        let (source, revision) = (wanted.source.clone(), wanted.revision.clone());
        let shown = crate::steps::mask_url(&source);
        cx.say(format!("checking out `{revision}` of `{shown}`"))
            .await;
        let (monitor, lines) = Monitor::new(cx);
        let monitor = Arc::new(monitor);
        let brought = match here {
            Some(here) => {
                let here = here.to_owned();
                let kept = session.kept_trees();
                let bringing = super::again::take_or_bring(wanted, here, kept, &monitor);
                narrate(cx, lines, bringing).await
            }
            None => narrate(cx, lines, super::send::send(wanted, session, dir, &monitor)).await,
        };
        match brought {
            Ok(commit) => {
                cx.say(format!("checked out {commit}")).await;
                Ok(Outcome::Success)
            }
            Err(error) => error.into_result(&source),
        }
    }

    /// What to bring, with what the run says where the spec says nothing. `None` if neither names a
    /// source.
    fn wanted(&self, cx: &StepContext) -> Option<super::bring::Wanted> {
        let facts = cx.facts();
        let own = facts.repository.as_ref();
        let source = match (&self.0.source, own) {
            (Some(source), _) => source.clone(),
            (None, Some(own)) => own.to_string_lossy().into_owned(),
            (None, None) => return None,
        };
        // What the run knows of its own repository says nothing about another one.
        let is_own = own.is_some_and(|own| !self.is_elsewhere(own));
        let of_run = is_own && self.0.revision.is_none();
        let known = facts
            .revision
            .as_ref()
            .or(facts.branch.as_ref())
            .filter(|_| of_run);
        let revision = self.0.revision.as_ref().or(known);
        Some(super::bring::Wanted {
            source,
            base: own.cloned(),
            revision: revision.map_or_else(|| "HEAD".into(), String::clone),
            branch: facts.branch.clone().filter(|_| of_run),
            depth: self.0.depth,
            submodules: self.0.submodules,
        })
    }
}

#[cfg(not(feature = "git"))]
impl Checkout {
    #[expect(
        clippy::unused_async,
        reason = "with the feature `git` it waits for the disk"
    )]
    async fn is_checked_out(&self, _: &Path, revision: &str) -> Result<bool, StepError> {
        // Without git nobody can tell; only a revision that the step itself names is in doubt.
        match &self.0.revision {
            Some(_) => Err(StepError::new(format!(
                "whether `{revision}` is checked out cannot be told without the feature `git` of ci-core"
            ))),
            None => Ok(true),
        }
    }

    #[expect(
        clippy::unused_async,
        reason = "with the feature `git` it waits for the transfer"
    )]
    async fn bring(
        &self,
        _: &StepContext,
        _: &dyn Session,
        _: &str,
        _: Option<&Path>,
    ) -> Result<Outcome, StepError> {
        Err(StepError::new(
            "`checkout` needs the feature `git` of ci-core, which this build does not have",
        ))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use crate::job::JobSpec;
    use crate::step::StepSpec;
    use crate::steps::test_support::Bench;
    use crate::workflow::RunFacts;

    #[tokio::test]
    async fn a_project_without_git_can_be_worked_on_in_place() {
        let project = tempfile::tempdir().unwrap();
        let bench = Bench::new(JobSpec::new("j").step(StepSpec::checkout()))
            .in_dir(project.path())
            .facts(RunFacts::default().repository(project.path()));
        assert!(bench.run(0).await.unwrap().is_success());
        let log = bench.log().await;
        assert!(log.ends_with("`: nothing to check out\n"), "{log}");
    }

    #[cfg(not(feature = "git"))]
    #[tokio::test]
    async fn without_the_feature_the_error_names_it() {
        let bench = Bench::new(JobSpec::new("j").step(StepSpec::checkout()));
        let error = bench.run(0).await.unwrap_err();
        assert!(error.to_string().contains("the feature `git`"), "{error}");
    }
}
