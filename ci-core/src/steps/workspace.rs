//! The steps that add files to the workspace of a run and bring them to another job.

use std::sync::Arc;

use async_trait::async_trait;

use super::files::{Base, Place, places};
use super::transfer::{base, blocking, copy_in, copy_out, ended, size, storage, warn};
use crate::event::StoredKind;
use crate::outcome::Outcome;
use crate::step::{Step, StepContext, StepError, StepRecord, WorkspaceSpec};
use crate::storage::LayerSource;

/// How many conflicts are named one by one.
const NAMED: usize = 10;

/// Adds files to the workspace of the run.
#[derive(Debug, Clone)]
pub struct PersistWorkspace(pub WorkspaceSpec);

/// Brings the files that the jobs before this one added, the later job's over the earlier one's.
#[derive(Debug, Clone)]
pub struct AttachWorkspace(pub WorkspaceSpec);

#[async_trait]
impl Step for PersistWorkspace {
    fn name(&self) -> &'static str {
        "persist workspace"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let result = self.persist(cx).await;
        ended(cx, result)
    }
}

impl PersistWorkspace {
    async fn persist(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let storage = storage(cx)?;
        let outer = base(cx).await?;
        let root = root(&outer, &self.0.root);
        let mut paths = self.0.paths.clone();
        if paths.is_empty() {
            paths.push(".".to_owned());
        }
        for path in paths.iter_mut().filter(|path| path.starts_with('~')) {
            *path = outer.absolute(path);
        }
        let mut place = match self.place(&root, &paths) {
            Ok(place) => place,
            Err(problem) => return Ok(Outcome::failed(problem)),
        };
        place.dir.clone_from(&root);
        let Some(reader) = copy_out(cx, &place).await? else {
            let words = format!("the root `{}` of the workspace does not exist", self.0.root);
            return Ok(Outcome::failed(words));
        };
        let source = LayerSource {
            run: cx.run_id(),
            job: Arc::clone(&cx.job().name),
            attempt: cx.attempt(),
            step: cx.index(),
            upstream: cx.services().upstream(),
        };
        let (place, seen, tree) = blocking("add to the workspace", move || {
            let mut seen = 0_u64;
            let tree = storage.persist_layer(&source, reader, |path| {
                seen += 1;
                place.saw(path);
            })?;
            Ok((place, seen, tree))
        })
        .await?;
        if seen == 0 {
            let words = format!(
                "nothing below `{}` matches `{}`",
                self.0.root,
                paths.join("`, `")
            );
            return Ok(Outcome::failed(words));
        }
        for path in place.unmatched() {
            warn(cx, format!("there is no `{path}` to add to the workspace")).await;
        }
        let bytes = tree.object.bytes;
        cx.say(format!(
            "added {seen} entries ({}) to the workspace",
            size(bytes)
        ))
        .await;
        cx.record(StepRecord::Stored {
            kind: StoredKind::Workspace,
            name: self.0.root.clone(),
            bytes,
            digest: Some(tree.object.digest),
        });
        Ok(Outcome::Success)
    }

    /// The files to add. Paths are relative to the root here, and to another root in the job that
    /// attaches them: none may lead out of it.
    fn place(&self, root: &str, paths: &[String]) -> Result<Place, String> {
        let mut found = places(&Base::below(root), paths, &self.0.exclude)
            .map_err(|problem| problem.to_string())?;
        let outside = found.iter().find(|place| place.dir != ".");
        if let Some(path) = outside.and_then(|place| place.unmatched().next()) {
            return Err(format!("`{path}` is not below the root `{}`", self.0.root));
        }
        found.pop().ok_or_else(|| "no path is named".to_owned())
    }
}

#[async_trait]
impl Step for AttachWorkspace {
    fn name(&self) -> &'static str {
        "attach workspace"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let result = self.attach(cx).await;
        ended(cx, result)
    }
}

impl AttachWorkspace {
    async fn attach(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let storage = storage(cx)?;
        let root = root(&base(cx).await?, &self.0.root);
        let workspace = {
            let (storage, run) = (Arc::clone(&storage), cx.run_id());
            let mut jobs = cx.services().upstream();
            if !self.0.from.is_empty() {
                jobs.retain(|job| self.0.from.iter().any(|name| **name == **job));
            }
            blocking("read the workspace", move || storage.workspace(run, &jobs)).await?
        };
        if workspace.layers.is_empty() {
            cx.say("no job before this one added to the workspace")
                .await;
        }
        for (job, tree) in &workspace.layers {
            let reader = {
                let (storage, tree) = (Arc::clone(&storage), tree.clone());
                let what = format!("read what `{job}` added to the workspace");
                blocking(&what, move || storage.open_layer(&tree)).await?
            };
            copy_in(cx, reader, &root, &tree.links).await?;
            let bytes = size(tree.object.bytes);
            cx.say(format!("attached what `{job}` added ({bytes})"))
                .await;
        }
        for conflict in workspace.conflicts.iter().take(NAMED) {
            let words = format!(
                "`{}` and `{}` both added `{}` to the workspace, with different content; \
                 that of `{}` stays",
                conflict.earlier, conflict.later, conflict.path, conflict.later
            );
            warn(cx, words).await;
        }
        let more = workspace.conflicts.len().saturating_sub(NAMED);
        if more > 0 {
            let words = format!("{more} more files were added to the workspace twice");
            warn(cx, words).await;
        }
        Ok(Outcome::Success)
    }
}

fn root(base: &Base, path: &str) -> String {
    base.absolute(if path.is_empty() { "." } else { path })
}
