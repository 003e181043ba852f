//! The session of one job on this machine.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::command::{self, Variables};
use super::dirs::JobDir;
use super::env;
use super::exec::{Done, follow, swallow};
use super::process::{Running, Trees};
use super::shelf::JobShelf;
use crate::archive::{self, ArchiveError, ArchiveErrorKind, Limits, PackRoot};
use crate::session::{
    Command, ExecIo, ExitStatus, KeptTrees, Session, SessionError, SessionErrorKind, SessionInfo,
    TreeReader, TreeSelection,
};

/// The processes and private directories of one attempt of a job.
pub(super) struct LocalSession {
    pub(super) info: SessionInfo,
    pub(super) work_dir: PathBuf,
    pub(super) variables: Variables,
    pub(super) dir: Arc<JobDir>,
    pub(super) shelf: Arc<JobShelf>,
    pub(super) trees: Trees,
    pub(super) grace: Duration,
    /// Canceled when the session is torn down.
    pub(super) over: CancellationToken,
}

impl fmt::Debug for LocalSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSession")
            .field("work_dir", &self.work_dir)
            .field("trees", &self.trees)
            .finish_non_exhaustive()
    }
}

impl LocalSession {
    fn start(&self, command: &Command) -> Result<Running, SessionError> {
        self.make_dirs()?;
        self.shelf.commands_begin();
        let dir = match &command.dir {
            Some(dir) => PathBuf::from(self.info.resolve(dir)),
            None => self.work_dir.clone(),
        };
        let (number, marker) = self.trees.next();
        let mut process = command::build(command, &dir, &self.variables)?;
        let outer = self.variables.get(command, env::COMMAND);
        process.env(env::COMMAND, env::chain(outer, &marker));
        self.trees
            .spawn(number, process)
            .map_err(|error| command::explain(error, command, &dir))
    }

    fn make_dirs(&self) -> Result<(), SessionError> {
        self.dir
            .make()
            .map_err(|error| other("could not make the job's directories", error))
    }

    fn check_open(&self) -> Result<(), SessionError> {
        if self.over.is_cancelled() {
            let text = "the session has been torn down";
            return Err(SessionError::new(SessionErrorKind::Refused, text));
        }
        Ok(())
    }

    /// Puts the job's tree by, if it has one and left it untouched.
    async fn give_back(&self) {
        match self.shelf.entries() {
            None => {}
            // Going to another thread and back would take longer.
            Some(few) if few < 500 => self.shelf.give_back(),
            Some(_) => {
                let shelf = Arc::clone(&self.shelf);
                // If it breaks off the tree goes the way of the directory that it is in.
                let _ = tokio::task::spawn_blocking(move || shelf.give_back()).await;
            }
        }
    }

    fn resolve(&self, path: &str) -> PathBuf {
        self.info.resolve(path).into()
    }
}

#[async_trait]
impl Session for LocalSession {
    fn info(&self) -> &SessionInfo {
        &self.info
    }

    fn kept_trees(&self) -> Option<Arc<dyn KeptTrees>> {
        Some(Arc::clone(&self.shelf) as Arc<dyn KeptTrees>)
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        self.check_open()?;
        if io.cancel.is_cancelled() {
            return Ok(ExitStatus::Stopped);
        }
        if let Some(image) = &command.image {
            let text = format!("there are no containers here for the image `{image}` of the step");
            return Err(SessionError::new(SessionErrorKind::Refused, text));
        }
        let running = self.start(command)?;
        let Done { status, open } = follow(running, &io, self.grace).await;
        if !open.is_empty() {
            io.output
                .say("a process that was left running holds the output; what it writes from here on is not shown")
                .await;
        }
        for pipe in open {
            tokio::spawn(swallow(pipe, self.over.clone()));
        }
        status.map_err(|error| other("lost sight of the process", error))
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        self.check_open()?;
        self.make_dirs()?;
        let dir = self.resolve(dir);
        blocking(move || {
            std::fs::create_dir_all(&dir)
                .map_err(|error| other(format!("could not make `{}`", dir.display()), error))?;
            archive::unpack(tree, &dir, &Limits::default()).map_err(archive_error)?;
            Ok(())
        })
        .await
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        self.check_open()?;
        let roots = selection.roots.iter().map(|root| {
            PackRoot::new(root.prefix.clone(), self.resolve(&root.dir))
                .include(root.include.iter().cloned())
                .exclude(root.exclude.iter().cloned())
        });
        let roots: Vec<PackRoot> = roots.collect();
        blocking(move || archive::pack_stream(roots).map_err(archive_error)).await
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        self.over.cancel();
        let left = self.trees.end(self.grace).await;
        let mut removed = Ok(());
        if left.is_empty() {
            self.give_back().await;
        }
        if !self.dir.recycle() {
            let dir = Arc::clone(&self.dir);
            removed = tokio::task::spawn_blocking(move || dir.remove())
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error)));
        }
        if !left.is_empty() {
            let text = format!("could not end {}", left.join(", "));
            return Err(SessionError::new(SessionErrorKind::Other, text));
        }
        removed.map_err(|error| other("could not remove the job's directories", error))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SessionError> + Send + 'static,
) -> Result<T, SessionError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(other("copying did not end", error)))
}

fn archive_error(error: ArchiveError) -> SessionError {
    let kind = match error.kind() {
        ArchiveErrorKind::NotFound => SessionErrorKind::NotFound,
        ArchiveErrorKind::Refused | ArchiveErrorKind::TooLarge | ArchiveErrorKind::Glob => {
            SessionErrorKind::Refused
        }
        _ => SessionErrorKind::Other,
    };
    SessionError::new(kind, error.to_string()).with_source(error)
}

fn other(
    text: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SessionError {
    SessionError::new(SessionErrorKind::Other, text).with_source(source)
}
