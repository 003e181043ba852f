//! A job's container: it lives while this process holds its standard input open.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use ci_core::session::Stream as Channel;
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::engine::{ContainerSpec, Engine, Exec, ExecSpec};
use crate::error::{DockerError, DockerErrorKind};
use crate::keeper::Keeper;
use crate::script;
use crate::swarm::{End, Loss, Task};
use crate::trouble::EMULATION;

/// The most that is kept of what a script says.
pub(crate) const MOST: usize = 1024 * 1024;

/// How long an engine may take to tell that a container has ended.
const TOLD: Duration = Duration::from_secs(1);

/// How long a swarm may take to find out that a node is gone.
const VERDICT: Duration = Duration::from_secs(45);

/// A container that runs, and what holds it up.
pub(crate) struct Container {
    engine: Engine,
    id: String,
    name: String,
    /// What it was made of, where no swarm made it.
    image: Option<String>,
    /// The swarm's part, if a swarm runs it.
    task: Option<Task>,
    loss: Loss,
    /// What it lives as long as.
    keeper: Option<Keeper>,
    /// Canceled when the container has ended, by whatever.
    over: CancellationToken,
    /// Whether commands run as somebody else than root, once that is known.
    own_user: OnceLock<bool>,
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Container")
            .field("name", &self.name)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What came of a script that ran beside the commands.
pub(crate) struct Said {
    pub(crate) code: i64,
    pub(crate) text: String,
    pub(crate) errors: String,
}

impl Container {
    /// Makes and starts a container. What fails leaves nothing behind.
    pub(crate) async fn start(engine: Engine, spec: ContainerSpec) -> Result<Self, DockerError> {
        let (name, image) = (spec.name.clone(), spec.image.clone());
        let id = engine.create(spec).await?;
        match Self::hold(&engine, &id).await {
            Ok((keeper, over)) => Ok(Self {
                engine,
                id,
                name,
                image: Some(image),
                task: None,
                loss: Loss::default(),
                keeper: Some(keeper),
                over,
                own_user: OnceLock::new(),
            }),
            Err(error) => {
                // The first error says more than one that comes of it.
                let _ = engine.remove(&id).await;
                Err(error)
            }
        }
    }

    /// Takes hold of a container that a swarm started. What fails leaves nothing behind.
    pub(crate) async fn adopt(
        engine: Engine,
        id: String,
        name: String,
        task: Task,
        loss: Loss,
    ) -> Result<Self, DockerError> {
        let mut held = Self {
            engine,
            id,
            name,
            image: None,
            task: Some(task),
            loss,
            keeper: None,
            over: CancellationToken::new(),
            own_user: OnceLock::new(),
        };
        match held.hold_task().await {
            Ok(()) => Ok(held),
            Err(error) => {
                // The first error says more than one that comes of it.
                let _ = held.remove().await;
                Err(error)
            }
        }
    }

    /// A container of a swarm has no input of its own: a command in it has.
    async fn hold_task(&mut self) -> Result<(), DockerError> {
        let words = ["sh", "-c", script::TETHER].map(str::to_owned);
        let spec = ExecSpec {
            words: words.to_vec(),
            ..ExecSpec::default()
        };
        let mut tether = self.engine.exec_tether(&self.id, spec).await?;
        let first = tether.output.next().await.transpose()?;
        if !first.is_some_and(|(_, bytes)| bytes.starts_with(b"held")) {
            return Err(ended(&self.name));
        }
        self.keeper = Some(Keeper::hold(tether, self.over.clone()));
        Ok(())
    }

    /// Attaches before the start, so that there is no moment in which nobody holds the container.
    async fn hold(engine: &Engine, id: &str) -> Result<(Keeper, CancellationToken), DockerError> {
        let tether = engine.attach(id).await?;
        engine.start(id).await?;
        let over = CancellationToken::new();
        Ok((Keeper::hold(tether, over.clone()), over))
    }

    /// The platform of the image, if it is not that of the machine. Processors that run the programs of
    /// others are none of this: it is asked when a container could not start.
    async fn foreign_platform(&self) -> Option<String> {
        let image = self.engine.image(self.image.as_deref()?).await.ok()??;
        let own = self.engine.facts().await.ok()?.arch;
        (image.arch != own).then(|| format!("{}/{}", image.os, image.arch))
    }

    /// What to say of an error that came soon after the start.
    pub(crate) async fn first_error(&self, error: DockerError) -> DockerError {
        // The engine tells the end of a container after other things that come of it.
        let ended = tokio::time::timeout(TOLD, self.over.cancelled()).await;
        if ended.is_err() {
            return error;
        }
        if let Some(platform) = self.foreign_platform().await {
            let text = format!(
                "the image is for `{platform}`, whose programs the engine's machine does not run"
            );
            return DockerError::new(DockerErrorKind::Unmet, text)
                .with_source(error)
                .with_hint(EMULATION);
        }
        let text = "the container ended as soon as it was started";
        DockerError::new(DockerErrorKind::Refused, text)
            .with_source(error)
            .with_hint("the image needs `sh` and `cat` in its `PATH`")
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Canceled when the container has ended.
    pub(crate) fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Whether a swarm runs it.
    pub(crate) fn is_task(&self) -> bool {
        self.task.is_some()
    }

    /// Whether its machine is gone, and everything on it.
    pub(crate) fn is_lost(&self) -> bool {
        self.loss.is_of_node()
    }

    /// Waits until its swarm has lost it; for ever if it is in none.
    pub(crate) async fn lost(&self) -> End {
        if self.task.is_none() {
            return std::future::pending().await;
        }
        self.loss.seen().await
    }

    /// What a swarm says of the end of a container that cannot be reached. None if it says nothing.
    pub(crate) async fn verdict(&self) -> Option<End> {
        self.task.as_ref()?;
        tokio::time::timeout(VERDICT, self.loss.seen()).await.ok()
    }

    /// Starts a command.
    pub(crate) async fn exec(&self, spec: ExecSpec) -> Result<Exec, DockerError> {
        self.engine.exec(&self.id, spec).await
    }

    /// Runs one of our own scripts to its end; as root, or else as the container's user.
    pub(crate) async fn script(
        &self,
        script: &str,
        arguments: &[&str],
        root: bool,
    ) -> Result<Said, DockerError> {
        let words = ["sh", "-c", script, "ci-core"];
        let spec = ExecSpec {
            words: words
                .iter()
                .chain(arguments)
                .map(|&word| word.to_owned())
                .collect(),
            env: Vec::new(),
            user: root.then(|| "0".to_owned()),
        };
        let Exec { id, mut output } = self.exec(spec).await?;
        let (mut text, mut errors) = (Vec::new(), Vec::new());
        while let Some(piece) = output.next().await {
            let (channel, bytes) = piece?;
            let kept = if channel == Channel::Stderr {
                &mut errors
            } else {
                &mut text
            };
            let rest = MOST.saturating_sub(kept.len());
            kept.extend_from_slice(&bytes[..bytes.len().min(rest)]);
        }
        Ok(Said {
            code: self.exit_code(&id).await?,
            text: String::from_utf8_lossy(&text).into_owned(),
            errors: String::from_utf8_lossy(&errors).into_owned(),
        })
    }

    /// Runs one of our own scripts that soon ends, as [`script`](Self::script) does but cheaper where
    /// that is possible: by the container's first process.
    async fn ask(&self, script: &str, arguments: &[&str], root: bool) -> Result<Said, DockerError> {
        // The first process is who commands run as.
        let can = !root || self.own_user.get() == Some(&false);
        let keeper = self.keeper.as_ref().filter(|_| can);
        match keeper {
            Some(keeper) => {
                let said = keeper.ask(script, arguments).await;
                said.ok_or_else(|| ended(&self.name))
            }
            None => self.script(script, arguments, root).await,
        }
    }

    /// Runs one of our own scripts that soon ends and has to succeed, and gives what it says.
    pub(crate) async fn ask_ok(
        &self,
        what: &str,
        script: &str,
        arguments: &[&str],
        root: bool,
    ) -> Result<String, DockerError> {
        let said = self.ask(script, arguments, root).await?;
        if said.code != 0 {
            let why = format!("{}{}", said.text, said.errors);
            let text = format!("could not {what} in the container: {}", why.trim_end());
            return Err(DockerError::new(DockerErrorKind::Other, text));
        }
        Ok(said.text)
    }

    /// Waits for the exit code of a command whose output has ended: the command may run on.
    pub(crate) async fn exit_code(&self, exec: &str) -> Result<i64, DockerError> {
        let mut pause = Duration::from_millis(2);
        loop {
            if let Some(code) = self.engine.exit_code(exec).await? {
                return Ok(code);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.over.cancelled() => return Err(ended(&self.name)),
            }
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    /// Says who commands run as.
    pub(crate) fn commands_run_as(&self, user: u64) {
        // The first answer is the one: it does not change.
        let _ = self.own_user.set(user != 0);
    }

    /// Lists the processes of commands with `marker`, after sending a signal to those that are not
    /// `spared`.
    pub(crate) async fn hunt(
        &self,
        marker: &str,
        number: &str,
        signal: &str,
        spared: &[String],
    ) -> Result<Vec<String>, DockerError> {
        const WHAT: &str = "look for the processes of a command";
        let spared = format!(" {} ", spared.join(" "));
        let arguments = [marker, number, signal, &spared];
        let as_who = |root| self.ask_ok(WHAT, script::HUNT, &arguments, root);
        // A container's root may end the processes of others but not read their environment
        // (ptrace(2), access mode checking).
        let (own, roots) = tokio::join!(
            async {
                if self.own_user.get() == Some(&true) {
                    as_who(false).await
                } else {
                    Ok(String::new())
                }
            },
            as_who(true),
        );
        let text = own? + &roots?;
        let pids: BTreeSet<&str> = text.split_whitespace().collect();
        Ok(pids.into_iter().map(ToOwned::to_owned).collect())
    }

    /// Ends and removes the container.
    pub(crate) async fn remove(&self) -> Result<(), DockerError> {
        let removed = match &self.task {
            None => self.engine.remove(&self.id).await,
            Some(task) => {
                let removed = task.remove().await;
                if self.is_lost() {
                    // A node that comes back ends by itself what no service wants any more.
                    removed
                } else {
                    removed.and(self.engine.remove(&self.id).await)
                }
            }
        };
        // Also where the engine does not answer: the end of the input is the second way to the end.
        if let Some(keeper) = &self.keeper {
            keeper.let_go();
        }
        removed
    }
}

/// The container has ended under a command that ran.
pub(crate) fn ended(name: &str) -> DockerError {
    let text = format!("the container `{name}` has ended");
    DockerError::new(DockerErrorKind::Unreachable, text)
}
