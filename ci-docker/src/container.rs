//! A job's container: it lives while this process holds its standard input open.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ci_core::session::{Output, Stream as Channel};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::engine::{ContainerSpec, Engine, Exec, ExecSpec};
use crate::error::{DockerError, DockerErrorKind};
use crate::keeper::{Answer, Done, Keeper, ToRun, Turn, can_export};
use crate::script;
use crate::swarm::{End, Loss, Task};
use crate::trouble::EMULATION;

/// The most that is kept of what a script says.
const MOST: usize = 1024 * 1024;

/// Where the words of [`crate::script::BEGIN`] begin in those of a command: after `sh -c BEGIN ci-core`.
const COMMAND: usize = 4;

/// How long an engine may take to tell that a container has ended.
const TOLD: Duration = Duration::from_secs(1);

/// How long a container may take to end by itself.
const LEFT: Duration = Duration::from_secs(2);

/// How long an engine may take to remove by itself what has ended.
const REMOVED: Duration = Duration::from_secs(20);

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
    /// What it said at once of who commands run as.
    who: Option<Said>,
    /// Canceled when the container has ended, by whatever.
    over: CancellationToken,
    /// Whether commands run as somebody else than root, once that is known.
    own_user: OnceLock<bool>,
    /// How many commands began.
    begun: AtomicU64,
    /// How many had begun when no process of any was there.
    empty_at: AtomicU64,
}

/// A command that was started.
pub(crate) enum Begun<'a> {
    /// By the engine, which costs it a good deal.
    Exec(Exec),
    /// By the container's first process, as soon as it is told what.
    Kept(Turn<'a>, ExecSpec),
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

/// Keeps a piece of what a script says, as far as there is room.
pub(crate) fn keep(kept: &mut Vec<u8>, piece: &[u8]) {
    let rest = MOST.saturating_sub(kept.len());
    kept.extend_from_slice(&piece[..piece.len().min(rest)]);
}

impl Said {
    pub(crate) fn new(code: i64, text: &[u8], errors: &[u8]) -> Self {
        Self {
            code,
            text: String::from_utf8_lossy(text).into_owned(),
            errors: String::from_utf8_lossy(errors).into_owned(),
        }
    }
}

impl Container {
    /// Makes and starts a container. What fails leaves nothing behind.
    pub(crate) async fn start(engine: Engine, spec: ContainerSpec) -> Result<Self, DockerError> {
        let (name, image) = (spec.name.clone(), spec.image.clone());
        let id = engine.create(spec).await?;
        match Self::hold(&engine, &id).await {
            Ok((keeper, over, who)) => Ok(Self {
                engine,
                id,
                name,
                image: Some(image),
                task: None,
                loss: Loss::default(),
                keeper: Some(keeper),
                who,
                over,
                own_user: OnceLock::new(),
                begun: AtomicU64::new(0),
                empty_at: AtomicU64::new(0),
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
            who: None,
            over: CancellationToken::new(),
            own_user: OnceLock::new(),
            begun: AtomicU64::new(0),
            empty_at: AtomicU64::new(0),
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

    /// Attaches before the start, so that there is no moment in which nobody holds the container. What
    /// it is asked first is answered before the engine has told that it started.
    async fn hold(
        engine: &Engine,
        id: &str,
    ) -> Result<(Keeper, CancellationToken, Option<Said>), DockerError> {
        let tether = engine.attach(id).await?;
        let over = CancellationToken::new();
        let keeper = Keeper::hold(tether, over.clone());
        let who = async {
            Ok(match keeper.ask(script::WHO, &[]).await {
                Answer::Said(said) => Some(said),
                Answer::Busy | Answer::Ended => None,
            })
        };
        let ((), who) = tokio::try_join!(engine.start(id), who)?;
        Ok((keeper, over, who))
    }

    /// Who commands run as, in the words of [`script::WHO`].
    pub(crate) async fn who(&self) -> Result<String, DockerError> {
        let what = "find out who commands run as";
        match &self.who {
            Some(said) if said.code == 0 => Ok(said.text.clone()),
            _ => self.ask_ok(what, script::WHO, &[], false).await,
        }
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

    async fn exec(&self, spec: ExecSpec) -> Result<Exec, DockerError> {
        self.engine.exec(&self.id, spec).await
    }

    /// Starts a command, by the cheapest way there is.
    pub(crate) async fn begin(&self, spec: ExecSpec) -> Result<Begun<'_>, DockerError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let exported = |line: &String| line.split_once('=').is_some_and(|(it, _)| can_export(it));
        if let Some(keeper) = &self.keeper
            && spec.env.iter().all(exported)
            && let Some(turn) = keeper.free().await
        {
            return Ok(Begun::Kept(turn, spec));
        }
        let exec = self.exec(spec).await?;
        // What looked while it was not there yet has not seen it.
        self.begun.fetch_add(1, Ordering::SeqCst);
        Ok(Begun::Exec(exec))
    }

    /// Writes the output of a command until it ends, and gives the exit code.
    pub(crate) async fn follow(
        &self,
        begun: Begun<'_>,
        output: &Output,
    ) -> Result<i64, DockerError> {
        match begun {
            Begun::Exec(Exec {
                id,
                output: mut pieces,
            }) => {
                while let Some(piece) = pieces.next().await {
                    let (channel, bytes) = piece?;
                    output.write(channel, &bytes).await;
                }
                self.exit_code(&id).await
            }
            Begun::Kept(turn, spec) => {
                let begun = self.begun.load(Ordering::SeqCst);
                let task = ToRun {
                    words: &spec.words[COMMAND..],
                    env: &spec.env,
                };
                let done = turn.run(&task, output).await;
                let Done { code, alone, .. } = done.ok_or_else(|| ended(&self.name))?;
                if alone {
                    self.empty_at.store(begun, Ordering::SeqCst);
                }
                Ok(code)
            }
        }
    }

    /// Whether it is certain that no process of any command lives.
    pub(crate) fn is_empty(&self) -> bool {
        self.empty_at.load(Ordering::SeqCst) == self.begun.load(Ordering::SeqCst)
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
            keep(kept, &bytes);
        }
        Ok(Said::new(self.exit_code(&id).await?, &text, &errors))
    }

    /// Runs one of our own scripts that soon ends, as [`script`](Self::script) does but cheaper where
    /// that is possible: by the container's first process.
    pub(crate) async fn ask(
        &self,
        script: &str,
        arguments: &[&str],
        root: bool,
    ) -> Result<Said, DockerError> {
        // The first process is who commands run as.
        let can = !root || self.own_user.get() == Some(&false);
        let answer = match self.keeper.as_ref().filter(|_| can) {
            Some(keeper) => keeper.ask(script, arguments).await,
            None => Answer::Busy,
        };
        match answer {
            Answer::Said(said) => Ok(said),
            Answer::Ended => Err(ended(&self.name)),
            Answer::Busy => self.script(script, arguments, root).await,
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

    /// Says who commands run as, and whether its first process can run them.
    pub(crate) fn commands_run(&self, user: u64, by_first: bool) {
        // The first answer is the one: it does not change.
        let _ = self.own_user.set(user != 0);
        if let Some(keeper) = self.keeper.as_ref().filter(|_| by_first) {
            keeper.can_run();
        }
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
        let Some(task) = &self.task else {
            // What ends by itself costs the engine less than what it has to kill.
            let left = tokio::time::timeout(LEFT, self.leave()).await;
            if left.is_ok_and(|left| left) {
                let removed = self.engine.removed(&self.id);
                let removed = tokio::time::timeout(REMOVED, removed).await;
                if removed.is_ok_and(|removed| removed) {
                    return Ok(());
                }
            }
            return self.engine.remove(&self.id).await;
        };
        let removed = task.remove().await;
        let removed = if self.is_lost() {
            // A node that comes back ends by itself what no service wants any more.
            removed
        } else {
            removed.and(self.engine.remove(&self.id).await)
        };
        // Also where the engine does not answer: the end of the input is the second way to the end.
        let _ = tokio::time::timeout(LEFT, self.leave()).await;
        removed
    }

    /// Lets the container's first process end, and waits for that. False if nothing holds it.
    async fn leave(&self) -> bool {
        let Some(keeper) = &self.keeper else {
            return false;
        };
        keeper.let_go().await;
        self.over.cancelled().await;
        true
    }
}

/// The container has ended under a command that ran.
pub(crate) fn ended(name: &str) -> DockerError {
    let text = format!("the container `{name}` has ended");
    DockerError::new(DockerErrorKind::Unreachable, text)
}
