//! The step that brings the sources of the project into the job's directory.

use async_trait::async_trait;

use crate::outcome::Outcome;
use crate::step::{CheckoutSpec, Step, StepContext, StepError};

/// Brings the sources, as they are committed.
#[derive(Debug, Clone)]
pub(crate) struct Checkout(pub(crate) CheckoutSpec);

#[async_trait]
impl Step for Checkout {
    fn name(&self) -> &'static str {
        "checkout"
    }

    #[cfg(feature = "git")]
    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        work::checkout(&self.0, cx).await
    }

    #[cfg(not(feature = "git"))]
    async fn run(&self, _cx: &StepContext) -> Result<Outcome, StepError> {
        let path = self.0.path.as_deref().unwrap_or(".");
        let message = format!("checking out into `{path}` needs the feature `git` of ci-core");
        Err(StepError::new(message))
    }
}

#[cfg(feature = "git")]
mod work {
    //! The work itself.

    use std::path::{Path, PathBuf};

    use crate::outcome::{CancelReason, Outcome};
    use crate::session::{Session, TreeReader};
    use crate::step::{CheckoutSpec, StepContext, StepError};
    use crate::vcs::{self, Fetch, VcsError};

    pub(super) async fn checkout(
        spec: &CheckoutSpec,
        cx: &StepContext,
    ) -> Result<Outcome, StepError> {
        let facts = cx.facts();
        let Some(source) = spec
            .source
            .clone()
            .or_else(|| Some(facts.repository.as_ref()?.display().to_string()))
        else {
            return Ok(Outcome::failed(
                "nothing to check out: the step names no source and the run has no repository",
            ));
        };
        let session = cx.session().await?;
        let target = session.info().resolve(spec.path.as_deref().unwrap_or("."));
        let here = session.info().host_work_dir.is_some();
        if here && same_place(&target, &source) {
            cx.say("the job works in the repository itself: nothing to check out")
                .await;
            return Ok(Outcome::Success);
        }
        // What the run is for, unless the step has a source of its own.
        let default = spec.source.is_none().then(|| {
            facts
                .revision
                .clone()
                .or_else(|| facts.tag.clone())
                .or_else(|| facts.branch.clone())
        });
        let revision = spec.revision.clone().or(default.flatten());
        cx.say(format!(
            "checking out {} of {}",
            revision.as_deref().unwrap_or("the head"),
            vcs::without_password(&source)
        ))
        .await;
        let own = OwnDir::new();
        let dest = if here {
            PathBuf::from(&target)
        } else {
            own.0.clone()
        };
        if here && !is_empty(&dest) {
            return Ok(Outcome::failed(format!(
                "`{}` is not empty: sources are only checked out into an empty directory",
                dest.display()
            )));
        }
        let wanted = Wanted {
            source,
            revision,
            spec: spec.clone(),
        };
        let cancel = cx.cancellation().clone();
        let into = dest.clone();
        let fetched =
            tokio::task::spawn_blocking(move || wanted.fetch(&into, &|| !cancel.is_cancelled()))
                .await
                .map_err(|panic| StepError::new("checking out panicked").with_source(panic))?;
        if cx.cancellation().is_cancelled() {
            return Ok(Outcome::Canceled(CancelReason::Requested));
        }
        match fetched {
            Err(error) => return Ok(Outcome::failed(crate::error::chain(&error))),
            Ok(commit) => cx.say(format!("at {commit}")).await,
        }
        if !here {
            send(&*session, dest, &target).await?;
        }
        Ok(Outcome::Success)
    }

    struct Wanted {
        source: String,
        revision: Option<String>,
        spec: CheckoutSpec,
    }

    impl Wanted {
        fn fetch(
            &self,
            dest: &Path,
            go_on: &(dyn Fn() -> bool + Sync),
        ) -> Result<String, VcsError> {
            let fetch = Fetch {
                source: &self.source,
                revision: self.revision.as_deref(),
                submodules: self.spec.submodules,
                depth: self.spec.depth,
                go_on,
            };
            vcs::fetch(&fetch, dest)
        }
    }

    fn same_place(target: &str, source: &str) -> bool {
        match (std::fs::canonicalize(target), std::fs::canonicalize(source)) {
            (Ok(target), Ok(source)) => target == source,
            _ => false,
        }
    }

    fn is_empty(dir: &Path) -> bool {
        std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none())
    }

    #[cfg(any(feature = "local", feature = "storage"))]
    fn pack(dir: PathBuf) -> Result<TreeReader, StepError> {
        crate::archive::pack_stream(vec![crate::archive::PackRoot::new("", dir)])
            .map_err(|error| StepError::new("the sources could not be packed").with_source(error))
    }

    #[cfg(not(any(feature = "local", feature = "storage")))]
    fn pack(_dir: PathBuf) -> Result<TreeReader, StepError> {
        Err(StepError::new(
            "checking out elsewhere needs the feature `storage` of ci-core",
        ))
    }

    async fn send(session: &dyn Session, dir: PathBuf, target: &str) -> Result<(), StepError> {
        let tree = tokio::task::spawn_blocking(move || pack(dir))
            .await
            .map_err(|panic| StepError::new("packing panicked").with_source(panic))??;
        Ok(session.copy_in(tree, target).await?)
    }

    /// A directory for sources on their way to another machine, removed when they are there.
    struct OwnDir(PathBuf);

    impl OwnDir {
        fn new() -> Self {
            let name = format!("ci-core-checkout-{}", uuid::Uuid::now_v7());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for OwnDir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
