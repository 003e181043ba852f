//! The trait of a prepared place where one job's commands run.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Command, ExitStatus, KeptTrees, Output, TreeReader, TreeSelection};

/// A prepared place where the steps of one job run, made by an
/// [`Executor`](crate::executor::Executor).
///
/// # Contract
/// - [`exec`](Self::exec) returns when the command has ended *and* all its output has been written.
///   When the token in [`ExecIo`] is canceled it stops the whole process tree of the command (ask,
///   wait the grace period, force) and returns [`ExitStatus::Stopped`]; the engine never drops the
///   future to stop a command.
/// - Several commands may run at once: background steps do.
/// - A broken connection, a missing machine or a vanished container is an error, never an exit code
///   and never success.
/// - [`teardown`](Self::teardown) is called exactly once, by a task that cancellation does not reach.
///   It ends everything that still runs in the session. `Drop` must not do the work.
#[async_trait]
#[diagnostic::on_unimplemented(message = "`{Self}` is not an executor's session")]
pub trait Session: Send + Sync {
    /// What the steps may know of the place.
    fn info(&self) -> &SessionInfo;

    /// The trees that the place keeps from one job of a run to the next, if it does that. By default it
    /// does not.
    fn kept_trees(&self) -> Option<Arc<dyn KeptTrees>> {
        None
    }

    /// Runs a command to its end.
    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError>;

    /// Unpacks a tar archive under `dir` (absolute, or relative to the working directory; `~` is the
    /// home), keeping modes and symbolic links. `dir` is made if it is missing. An entry that would
    /// leave `dir` is refused by name.
    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError>;

    /// Packs the selected files as a tar archive. A root that does not exist is an error of kind
    /// [`SessionErrorKind::NotFound`]; globs that match nothing give an empty archive.
    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError>;

    /// Ends what still runs and gives the place back. What only has to be removed then may go on behind
    /// it: the end of the run waits for that ([`Executor::settle`](crate::executor::Executor::settle)).
    async fn teardown(&self) -> Result<(), SessionError>;
}

/// A pointer to a session is what it points to.
macro_rules! by_pointer {
    ($pointer:ident) => {
        #[async_trait]
        impl<T: Session + ?Sized> Session for $pointer<T> {
            fn info(&self) -> &SessionInfo {
                (**self).info()
            }

            fn kept_trees(&self) -> Option<Arc<dyn KeptTrees>> {
                (**self).kept_trees()
            }

            async fn exec(
                &self,
                command: &Command,
                io: ExecIo,
            ) -> Result<ExitStatus, SessionError> {
                (**self).exec(command, io).await
            }

            async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
                (**self).copy_in(tree, dir).await
            }

            async fn copy_out(
                &self,
                selection: &TreeSelection,
            ) -> Result<TreeReader, SessionError> {
                (**self).copy_out(selection).await
            }

            async fn teardown(&self) -> Result<(), SessionError> {
                (**self).teardown().await
            }
        }
    };
}

by_pointer!(Arc);
by_pointer!(Box);

/// What the steps may know of the place they run in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The name of the executor that made it.
    pub executor: String,
    /// The working directory, absolute, as commands see it.
    pub work_dir: String,
    /// The home directory, absolute, as commands see it.
    pub home: String,
    /// Where `work_dir` is on this machine, if it is on this machine.
    pub host_work_dir: Option<PathBuf>,
    /// The operating system, as in [`std::env::consts::OS`].
    pub os: String,
    /// The processor architecture, as in [`std::env::consts::ARCH`].
    pub arch: String,
}

impl SessionInfo {
    /// A place of `executor` with the given directories on a machine like this one.
    #[must_use]
    pub fn new(
        executor: impl Into<String>,
        work_dir: impl Into<String>,
        home: impl Into<String>,
    ) -> Self {
        Self {
            executor: executor.into(),
            work_dir: work_dir.into(),
            home: home.into(),
            host_work_dir: None,
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
        }
    }

    /// Spells out `path`: `~` becomes the home, and a relative path starts at the working directory.
    #[must_use]
    pub fn resolve(&self, path: &str) -> String {
        match path.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => format!("{}{rest}", self.home),
            _ if path.starts_with('/') => path.to_owned(),
            _ if path.is_empty() || path == "." => self.work_dir.clone(),
            _ => format!("{}/{path}", self.work_dir),
        }
    }
}

/// Where a command's output goes and what stops it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExecIo {
    /// Takes the bytes of both streams as they come.
    pub output: Output,
    /// Canceled when the command has to stop.
    pub cancel: CancellationToken,
}

impl ExecIo {
    /// Output to `output`, stopped by `cancel`.
    #[must_use]
    pub fn new(output: Output, cancel: CancellationToken) -> Self {
        Self { output, cancel }
    }
}

/// A session could not do its work.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SessionError {
    kind: SessionErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of trouble a session had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionErrorKind {
    /// A file, program or directory does not exist.
    NotFound,
    /// The request itself is not possible: an empty command, an archive entry outside its root.
    Refused,
    /// The link to the machine broke; the command's end is unknown.
    Lost,
    /// The machine was taken away by its owner (a reclaimed spot instance).
    Interrupted,
    /// Anything else.
    Other,
}

impl SessionError {
    /// An error in words: a lower-case fragment with values in back-ticks.
    #[must_use]
    pub fn new(kind: SessionErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of trouble it was.
    #[must_use]
    pub fn kind(&self) -> SessionErrorKind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_used_as_objects() {
        fn object_safe(_: Option<Box<dyn Session>>) {}
        object_safe(None);
    }

    #[test]
    fn paths_resolve_against_home_and_working_directory() {
        let info = SessionInfo::new("local", "/w", "/h");
        for (path, expected) in [
            ("~", "/h"),
            ("~/x", "/h/x"),
            ("/a", "/a"),
            ("b/c", "/w/b/c"),
            (".", "/w"),
            ("~x", "/w/~x"),
        ] {
            assert_eq!(info.resolve(path), expected);
        }
    }
}
