//! The four commands.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ci_core::executor::PrepareRequest;
use ci_core::id::RunId;
use ci_core::job::{JobOptions, JobSpec};
use ci_core::session::{Command, ExecIo, ExitStatus, Output, Session};
use tokio_util::sync::CancellationToken;

use super::agent::Agent;
use super::remote::{self, BuildRequest};
use super::state::StateFile;
use super::variables::Variables;
use crate::ec2::{Ec2Api, Ec2Error, Ec2ErrorKind, Keeper, Kept};
use crate::ssh::{Mirror, SshSession};

/// What is never copied, and the credentials of the job on the machine.
const OWN: [&str; 2] = [".e2c_instance_state_*", ".e2c-docker"];

/// One job's machine, from one command to the next.
#[derive(Debug)]
pub struct E2c {
    api: Arc<dyn Ec2Api>,
    variables: Variables,
    project: PathBuf,
    output: Output,
    cancel: CancellationToken,
}

/// What one command needs while it runs.
struct Work {
    keeper: Keeper,
    /// Ends with the command.
    _agent: Option<Agent>,
}

impl E2c {
    /// For the job of `variables`, whose files are in `project`. What there is to see goes to `output`,
    /// which should mask [the secrets](Variables::secrets).
    #[must_use]
    pub fn new(
        api: Arc<dyn Ec2Api>,
        variables: Variables,
        project: impl Into<PathBuf>,
        output: Output,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            api,
            variables,
            project: project.into(),
            output,
            cancel,
        }
    }

    fn path(&self) -> PathBuf {
        StateFile::path(&self.project, &self.variables.job)
    }

    async fn work(&self, with_key: bool) -> Result<Work, Ec2Error> {
        let mut options = self.variables.options.clone();
        let agent = match &self.variables.key {
            Some(key) if with_key => Some(Agent::start(key).await?),
            _ => None,
        };
        options.reach.agent = agent.as_ref().map(|agent| agent.socket().to_owned());
        let keeper = Keeper::new(
            Arc::clone(&self.api),
            options,
            self.variables.run(),
            self.output.clone(),
            self.cancel.clone(),
        )?;
        Ok(Work {
            keeper,
            _agent: agent,
        })
    }

    /// Gets the machine, waits until it lets us in, and copies the project to it. If it fails the machine
    /// is given back.
    ///
    /// # Errors
    /// Why there is no machine, or why it cannot be used.
    pub async fn setup(&self) -> Result<StateFile, Ec2Error> {
        let work = self.work(true).await?;
        let noted = self.noted().await;
        // A second `setup` of the same job goes on with the same machine.
        let kept = match work.keeper.again(noted.as_deref()).await? {
            Some(kept) => kept,
            None => work.keeper.get().await?,
        };
        match self.furnish(&work, &kept).await {
            Ok(state) => Ok(state),
            Err(error) => {
                let given = work.keeper.give_back(Some(&kept.id)).await;
                let _ = std::fs::remove_file(self.path());
                Err(match given {
                    Ok(_) => error,
                    Err(worse) => error.with_hint(format!("giving it back failed too: {worse}")),
                })
            }
        }
    }

    async fn furnish(&self, work: &Work, kept: &Kept) -> Result<StateFile, Ec2Error> {
        let state = StateFile::new(&kept.id, &kept.address, self.variables.strategy);
        state.write(&self.path())?;
        let session = self.session(work, kept).await?;
        let copied = self.copy(&session).await;
        let ended = session.teardown().await;
        copied?;
        ended.map_err(|error| broken("leave the machine", error))?;
        self.output
            .say(format!("`{}` at {} has the project", kept.id, kept.address))
            .await;
        Ok(state)
    }

    async fn copy(&self, session: &SshSession) -> Result<(), Ec2Error> {
        let dir = self.variables.job_dir();
        let mirror = Mirror::new(&self.project, dir).exclude(OWN);
        let copied = tokio::select! {
            copied = session.mirror(&mirror) => copied,
            () = self.cancel.cancelled() => {
                let text = "copying the project was canceled";
                return Err(Ec2Error::new(Ec2ErrorKind::Canceled, text));
            }
        };
        let copied = copied.map_err(|error| broken("copy the project", error))?;
        if let Some(sent) = copied.sent {
            let removed = copied.removed;
            let words = format!("copied {sent} changed files, removed {removed}");
            self.output.say(words).await;
        }
        Ok(())
    }

    /// Builds and pushes on the machine.
    ///
    /// # Errors
    /// If there is no machine, or the link to it breaks. A build that fails is no error.
    pub async fn build(&self, request: &BuildRequest) -> Result<ExitStatus, Ec2Error> {
        let work = self.work(true).await?;
        let kept = work.keeper.again(self.noted().await.as_deref()).await?;
        let kept = kept.ok_or_else(|| {
            let text = format!("there is no machine of the job `{}`", self.variables.job);
            Ec2Error::new(Ec2ErrorKind::State, text).with_hint("`ci e2c setup` gets one")
        })?;
        let dir = self.variables.job_dir();
        let command = remote::build(request, &dir, &self.variables.passed);
        self.run(&work, &kept, &command).await
    }

    /// Takes the credentials and the directory of the job off the machine. Without a machine there is
    /// nothing to do.
    ///
    /// # Errors
    /// If the link breaks, or something could not be removed.
    pub async fn cleanup(&self) -> Result<(), Ec2Error> {
        let work = self.work(true).await?;
        let Some(kept) = work.keeper.again(self.noted().await.as_deref()).await? else {
            self.output.say("there is no machine to clean up").await;
            return Ok(());
        };
        let session = self.session(&work, &kept).await?;
        let dir = session.info().resolve(&self.variables.job_dir());
        let command = remote::cleanup(&dir, &self.variables.passed);
        let io = ExecIo::new(self.output.clone(), self.cancel.clone());
        let done = session.exec(&command, io).await;
        let ended = session.teardown().await;
        let status = done.map_err(|error| broken("clean up", error))?;
        ended.map_err(|error| broken("leave the machine", error))?;
        if status.success() {
            self.output
                .say(format!("removed `{dir}` on `{}`", kept.id))
                .await;
            return Ok(());
        }
        let text = format!("could not remove `{dir}` on `{}`", kept.id);
        Err(Ec2Error::new(Ec2ErrorKind::Machine, text))
    }

    /// Gives the machine back, and forgets it. It is found by its tags if the state file is not there.
    ///
    /// # Errors
    /// If it could not be given back: then it goes on costing money.
    pub async fn teardown(&self) -> Result<Vec<String>, Ec2Error> {
        let work = self.work(false).await?;
        let given = work.keeper.give_back(self.noted().await.as_deref()).await?;
        match std::fs::remove_file(self.path()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Ec2Error::file("remove", &self.path(), error));
            }
            _ => {}
        }
        if given.is_empty() {
            self.output.say("there is no machine of this job").await;
        }
        for id in &given {
            self.output.say(format!("gave `{id}` back")).await;
        }
        Ok(given)
    }

    /// The instance that the state file names. A file that is not whole is told, and the tags count.
    async fn noted(&self) -> Option<String> {
        match StateFile::read(&self.path()) {
            Ok(state) => state.map(|state| state.instance),
            Err(error) => {
                self.output
                    .say(format!("{error}; the machine is looked for by its tags"))
                    .await;
                None
            }
        }
    }

    async fn run(
        &self,
        work: &Work,
        kept: &Kept,
        command: &Command,
    ) -> Result<ExitStatus, Ec2Error> {
        let session = self.session(work, kept).await?;
        let io = ExecIo::new(self.output.clone(), self.cancel.clone());
        let done = session.exec(command, io).await;
        let ended = session.teardown().await;
        let status = done.map_err(|error| broken("build", error))?;
        ended.map_err(|error| broken("leave the machine", error))?;
        Ok(status)
    }

    async fn session(&self, work: &Work, kept: &Kept) -> Result<SshSession, Ec2Error> {
        let mut job = JobSpec::new("e2c");
        // `~` is the home of the user: what is there outlives the session.
        let mut options = JobOptions::default();
        options.private_home = Some(false);
        job.options = Arc::new(options);
        let env = BTreeMap::new();
        let mut request = PrepareRequest::new(RunId::new(), &job, &env);
        request.output = self.output.clone();
        request.cancel = self.cancel.clone();
        work.keeper.connect(kept, request).await
    }
}

fn broken(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Ec2Error {
    let text = format!("could not {what}: {error}");
    Ec2Error::new(Ec2ErrorKind::Machine, text).with_source(error)
}
