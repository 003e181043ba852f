//! The session of one job on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::process::{self, Contained};
use super::tree::{self, Marks};
use super::{dirs, exec, programs};
use crate::archive::{self, ArchiveError, ArchiveErrorKind, PackRoot};
use crate::session::{
    Command, ExecIo, ExitStatus, Session, SessionError, SessionErrorKind, SessionInfo, TreeReader,
    TreeSelection,
};

/// What a session is made from.
#[derive(Debug)]
pub(super) struct SessionPlan {
    pub(super) executor: String,
    pub(super) work_dir: PathBuf,
    /// The directories that were made for the session and go with it.
    pub(super) own_dirs: Vec<PathBuf>,
    pub(super) run_dir: PathBuf,
    pub(super) home: PathBuf,
    /// What the job sees of this process's variables.
    pub(super) inherited: Arc<BTreeMap<String, String>>,
    /// The variables of the job.
    pub(super) env: BTreeMap<String, String>,
    pub(super) marks: Marks,
    pub(super) grace: Duration,
}

/// A session of one job on this machine.
#[derive(Debug)]
pub(super) struct LocalSession {
    plan: SessionPlan,
    info: SessionInfo,
    contained: Contained,
    commands: AtomicU32,
    dirs_made: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The groups that commands led.
    groups: Vec<u32>,
    /// Pipes that outlived their command.
    leftovers: Vec<JoinHandle<()>>,
}

impl LocalSession {
    pub(super) fn new(plan: SessionPlan) -> Self {
        let text = |path: &Path| path.display().to_string();
        let mut info = SessionInfo::new(
            plan.executor.clone(),
            text(&plan.work_dir),
            text(&plan.home),
        );
        info.host_work_dir = Some(plan.work_dir.clone());
        let name = format!(
            "{}-{}",
            plan.marks.run,
            plan.marks.session.as_deref().unwrap_or("")
        );
        Self {
            info,
            contained: Contained::new(&name),
            commands: AtomicU32::new(0),
            dirs_made: AtomicBool::new(false),
            state: Mutex::default(),
            plan,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the session's own directories when they are first needed: many jobs need none.
    fn make_dirs(&self) -> Result<(), SessionError> {
        if self.plan.own_dirs.is_empty() || self.dirs_made.load(Ordering::Acquire) {
            return Ok(());
        }
        let run_dir = &self.plan.run_dir;
        let made = if run_dir.is_dir() {
            Ok(())
        } else {
            dirs::make(run_dir).and_then(|()| process::mark_owner(run_dir))
        };
        made.and_then(|()| {
            self.plan
                .own_dirs
                .iter()
                .try_for_each(|dir| dirs::make(dir))
        })
        .map_err(|error| {
            let message = format!("`{}` could not be made", run_dir.display());
            SessionError::new(SessionErrorKind::Other, message).with_source(error)
        })?;
        self.dirs_made.store(true, Ordering::Release);
        Ok(())
    }

    fn command(&self, command: &Command, words: &[&str], dir: &Path) -> tokio::process::Command {
        let path = [&command.env, &self.plan.env, &*self.plan.inherited]
            .into_iter()
            .find_map(|variables| variables.get("PATH"));
        // Found here and not by the child: the standard library then starts it with `posix_spawn`,
        // which copies no page tables.
        let program = programs::find(words[0], path.map_or("", String::as_str), dir);
        let mut process = tokio::process::Command::new(program);
        process.args(&words[1..]).current_dir(dir).env_clear();
        process.envs(&*self.plan.inherited).envs(&self.plan.env);
        process.env("HOME", &self.plan.home).envs(&command.env);
        process
    }
}

#[async_trait]
impl Session for LocalSession {
    fn info(&self) -> &SessionInfo {
        &self.info
    }

    async fn exec(&self, command: &Command, io: ExecIo) -> Result<ExitStatus, SessionError> {
        let words = command.words();
        if words.first().is_none_or(|word| word.is_empty()) {
            return Err(SessionError::new(
                SessionErrorKind::Refused,
                "the command is empty",
            ));
        }
        self.make_dirs()?;
        let dir = PathBuf::from(self.info.resolve(command.dir.as_deref().unwrap_or(".")));
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let marks = Marks {
            command: Some(number.to_string()),
            ..self.plan.marks.clone()
        };
        let job = exec::Job {
            command: self.command(command, &words, &dir),
            program: words[0],
            dir: &dir,
            marks,
            grace: self.plan.grace,
            contained: &self.contained,
        };
        let done = exec::run(job, &io).await?;
        let mut state = self.state();
        state.groups.push(done.group);
        if let Some(leftover) = done.leftover {
            state.leftovers.push(tokio::spawn(leftover));
        }
        Ok(done.status)
    }

    async fn copy_in(&self, tree: TreeReader, dir: &str) -> Result<(), SessionError> {
        self.make_dirs()?;
        let dest = PathBuf::from(self.info.resolve(dir));
        blocking(move || {
            std::fs::create_dir_all(&dest).map_err(|error| {
                let message = format!("`{}` could not be made", dest.display());
                SessionError::new(SessionErrorKind::Other, message).with_source(error)
            })?;
            archive::unpack(tree, &dest, &archive::Limits::default()).map_err(refused)?;
            Ok(())
        })
        .await
    }

    async fn copy_out(&self, selection: &TreeSelection) -> Result<TreeReader, SessionError> {
        self.make_dirs()?;
        let roots: Vec<PackRoot> = selection
            .roots
            .iter()
            .map(|root| {
                PackRoot::new(root.prefix.clone(), self.info.resolve(&root.dir))
                    .include(root.include.clone())
                    .exclude(root.exclude.clone())
            })
            .collect();
        blocking(move || archive::pack_stream(roots).map_err(refused)).await
    }

    async fn teardown(&self) -> Result<(), SessionError> {
        let (groups, leftovers) = {
            let mut state = self.state();
            (
                std::mem::take(&mut state.groups),
                std::mem::take(&mut state.leftovers),
            )
        };
        let mut left = Vec::new();
        let contained = self.contained.is_populated();
        if contained || process::something_lives(&groups, &exec::direct_children()) {
            let ended = tree::end(&self.plan.marks, &groups, self.plan.grace).await;
            left.extend(ended.left);
        }
        // What is in the group and carries no mark has hidden itself: it is not asked.
        if contained && self.contained.is_populated() {
            self.contained.kill();
        }
        leftovers.iter().for_each(JoinHandle::abort);
        self.contained.remove();
        if self.dirs_made.load(Ordering::Acquire) {
            for dir in &self.plan.own_dirs {
                dirs::remove(dir).map_err(|error| {
                    let message = format!("`{}` could not be removed", dir.display());
                    SessionError::new(SessionErrorKind::Other, message).with_source(error)
                })?;
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        let message = format!("these processes could not be ended: {left:?}");
        Err(SessionError::new(SessionErrorKind::Other, message))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SessionError> + Send + 'static,
) -> Result<T, SessionError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| {
            Err(SessionError::new(SessionErrorKind::Other, "copying panicked").with_source(panic))
        })
}

fn refused(error: ArchiveError) -> SessionError {
    let kind = match error.kind() {
        ArchiveErrorKind::NotFound => SessionErrorKind::NotFound,
        ArchiveErrorKind::Refused | ArchiveErrorKind::TooLarge | ArchiveErrorKind::Glob => {
            SessionErrorKind::Refused
        }
        _ => SessionErrorKind::Other,
    };
    SessionError::new(kind, error.to_string()).with_source(error)
}
