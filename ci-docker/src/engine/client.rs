//! A connection to an engine: containers, commands in them, files, images.

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, ContainerArchiveInfoOptionsBuilder, CreateImageOptionsBuilder,
    DownloadFromContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, UploadToContainerOptionsBuilder,
    WaitContainerOptionsBuilder,
};
use bytes::Bytes;
use ci_core::session::Stream as Channel;
use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio::io::AsyncWrite;

use super::dial::dial;
use super::explain::{explain, is_missing, kind_of_refusal, status};
use super::tunnel::Tunnel;
use crate::credentials::Login;
use crate::error::{DockerError, DockerErrorKind};

/// How long the engine may take to begin an answer. An upload counts as a whole.
const ANSWER: Duration = Duration::from_mins(30);

/// How much output is read at once.
const PIECE: usize = 256 * 1024;

/// What comes over a connection, piece by piece.
pub(crate) type Pieces<T> = Pin<Box<dyn Stream<Item = Result<T, DockerError>> + Send>>;

/// A connection to an engine; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(super) client: Docker,
    /// What the connections go through.
    _tunnel: Option<Arc<Tunnel>>,
}

/// What to run in a container.
#[derive(Debug, Default)]
pub(crate) struct ExecSpec {
    pub(crate) words: Vec<String>,
    /// As `NAME=value`.
    pub(crate) env: Vec<String>,
    /// Who runs it; the container's user by default.
    pub(crate) user: Option<String>,
}

/// A command that runs in a container.
pub(crate) struct Exec {
    pub(crate) id: String,
    pub(crate) output: Pieces<(Channel, Bytes)>,
}

/// The two ends of a container's standard streams.
pub(crate) struct Tether {
    /// Dropping it closes the container's standard input.
    pub(crate) input: Pin<Box<dyn AsyncWrite + Send>>,
    /// Ends when the container does.
    pub(crate) output: Pieces<(Channel, Bytes)>,
}

/// What is known of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    /// The operating system, in Docker's words.
    pub(crate) os: String,
    /// The processor, in Docker's words.
    pub(crate) arch: String,
    /// The TCP ports that it says it listens on, the lowest first.
    pub(crate) ports: Vec<u16>,
    /// Whether it says how to find out that it is ready.
    pub(crate) has_health_check: bool,
}

/// What is known of an engine's machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The number of processors; 0 if it is not told.
    pub(crate) processors: u32,
    /// The processor, in Docker's words.
    pub(crate) arch: String,
}

/// Something that was found by its label.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) labels: HashMap<String, String>,
}

impl Engine {
    /// A connection to `host`, such as `unix:///var/run/docker.sock`. Nothing is sent yet.
    pub(crate) fn connect(host: &str, certificates: Option<&Path>) -> Result<Self, DockerError> {
        let dialed = dial(host, certificates)?;
        Ok(Self {
            client: dialed.client.with_timeout(ANSWER),
            _tunnel: dialed.tunnel,
        })
    }

    /// The versions of the engine and of its API.
    pub(crate) async fn version(&self) -> Result<(String, String), DockerError> {
        let version = self.client.version().await;
        let version = version.map_err(|error| explain("no engine answers", error))?;
        Ok((
            version.version.unwrap_or_default(),
            version.api_version.unwrap_or_default(),
        ))
    }

    /// What the engine's machine has.
    pub(crate) async fn facts(&self) -> Result<Facts, DockerError> {
        let info = self.client.info().await;
        let info = info.map_err(|error| explain("the engine does not tell what it has", error))?;
        let processors = info.ncpu.and_then(|number| u32::try_from(number).ok());
        let arch = info.architecture.unwrap_or_default();
        Ok(Facts {
            processors: processors.unwrap_or_default(),
            arch: match arch.as_str() {
                "x86_64" => "amd64".to_owned(),
                "aarch64" => "arm64".to_owned(),
                _ => arch,
            },
        })
    }

    /// What is known of an image. None if it is not here.
    pub(crate) async fn image(&self, image: &str) -> Result<Option<ImageFacts>, DockerError> {
        match self.client.inspect_image(image).await {
            Ok(found) => {
                let config = found.config.unwrap_or_default();
                let ports = config.exposed_ports.unwrap_or_default();
                let tcp = |port: &String| {
                    let (number, kind) = port.split_once('/').unwrap_or((port, "tcp"));
                    number.parse().ok().filter(|_| kind == "tcp")
                };
                let mut ports: Vec<u16> = ports.iter().filter_map(tcp).collect();
                ports.sort_unstable();
                let test = config.healthcheck.and_then(|check| check.test);
                Ok(Some(ImageFacts {
                    os: found.os.unwrap_or_default(),
                    arch: found.architecture.unwrap_or_default(),
                    ports,
                    has_health_check: test
                        .is_some_and(|test| test.first().is_some_and(|word| word != "NONE")),
                }))
            }
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(explain(
                format!("could not look up the image `{image}`"),
                error,
            )),
        }
    }

    /// Pulls an image. What is told of the progress is in Docker's words.
    pub(crate) fn pull(
        &self,
        image: &str,
        platform: Option<&str>,
        login: Option<Login>,
    ) -> Pieces<String> {
        let mut options = CreateImageOptionsBuilder::default().from_image(image);
        if let Some(platform) = platform {
            options = options.platform(platform);
        }
        // Without a tag or digest the engine would pull all tags there are.
        let name = image.rsplit('/').next().unwrap_or(image);
        if !name.contains([':', '@']) {
            options = options.tag("latest");
        }
        let credentials = login.map(|login| DockerCredentials {
            username: login.user,
            password: login.password,
            identitytoken: login.token,
            serveraddress: Some(login.server),
            ..DockerCredentials::default()
        });
        let what = format!("could not pull the image `{image}`");
        let pulled = self
            .client
            .create_image(Some(options.build()), None, credentials);
        Box::pin(pulled.map(move |piece| match piece {
            Ok(info) => {
                let failed = info.error_detail.and_then(|detail| detail.message);
                if let Some(message) = failed {
                    return Err(DockerError::new(
                        kind_of_refusal(&message),
                        format!("{what}: {message}"),
                    ));
                }
                let status = info.status.unwrap_or_default();
                Ok(match info.id {
                    Some(layer) => format!("{layer}: {status}"),
                    None => status,
                })
            }
            Err(error) => Err(explain(&what, error)),
        }))
    }

    /// Connects to the standard streams of a container that was not started yet.
    pub(crate) async fn attach(&self, id: &str) -> Result<Tether, DockerError> {
        let options = AttachContainerOptionsBuilder::default()
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .stream(true);
        let attached = self.client.attach_container(id, Some(options.build()));
        let attached = attached
            .await
            .map_err(|error| explain("could not attach to the container", error))?;
        Ok(Tether {
            input: attached.input,
            output: channels(attached.output),
        })
    }

    pub(crate) async fn start(&self, id: &str) -> Result<(), DockerError> {
        let started = self
            .client
            .start_container(id, None::<StartContainerOptions>);
        started
            .await
            .map_err(|error| explain("could not start the container", error))
    }

    /// Starts a command in a container. What does not exist there shows in its end.
    pub(crate) async fn exec(&self, id: &str, spec: ExecSpec) -> Result<Exec, DockerError> {
        let (exec, tether) = self.exec_with(id, spec, false).await?;
        Ok(Exec {
            id: exec,
            output: tether.output,
        })
    }

    /// Starts a command in a container whose standard input is held open.
    pub(crate) async fn exec_tether(
        &self,
        id: &str,
        spec: ExecSpec,
    ) -> Result<Tether, DockerError> {
        Ok(self.exec_with(id, spec, true).await?.1)
    }

    async fn exec_with(
        &self,
        id: &str,
        spec: ExecSpec,
        has_input: bool,
    ) -> Result<(String, Tether), DockerError> {
        let config = ExecConfig {
            attach_stdin: has_input.then_some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(spec.words),
            env: Some(spec.env),
            user: spec.user,
            ..ExecConfig::default()
        };
        let failed = |error| explain("could not start a command in the container", error);
        let made = self.client.create_exec(id, config).await.map_err(failed)?;
        let options = StartExecOptions {
            output_capacity: Some(PIECE),
            ..StartExecOptions::default()
        };
        let started = self.client.start_exec(&made.id, Some(options)).await;
        match started.map_err(failed)? {
            StartExecResults::Attached { output, input } => Ok((
                made.id,
                Tether {
                    input,
                    output: channels(output),
                },
            )),
            StartExecResults::Detached => Err(DockerError::new(
                DockerErrorKind::Other,
                "the engine did not attach to the command",
            )),
        }
    }

    /// The exit code of a command; None while it runs.
    pub(crate) async fn exit_code(&self, exec: &str) -> Result<Option<i64>, DockerError> {
        let state = self.client.inspect_exec(exec).await;
        let state = state.map_err(|error| explain("lost sight of the command", error))?;
        if state.running == Some(true) {
            return Ok(None);
        }
        Ok(state.exit_code)
    }

    /// Ends and removes a container. One that is not there any more is no error.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true);
        match self
            .client
            .remove_container(id, Some(options.build()))
            .await
        {
            Ok(()) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            // Somebody else is removing it, such as the engine after its end.
            Err(error) if status(&error) == Some(409) => self.gone(id).await,
            Err(error) => Err(explain(
                format!("could not remove the container `{id}`"),
                error,
            )),
        }
    }

    /// Waits until the engine has removed a container that has ended. False if it does not say so.
    pub(crate) async fn removed(&self, id: &str) -> bool {
        let options = WaitContainerOptionsBuilder::default().condition("removed");
        let waited = self.client.wait_container(id, Some(options.build()));
        match Box::pin(waited).next().await {
            // An exit code that is not 0 is an error to the client.
            Some(Ok(_) | Err(Error::DockerContainerWaitError { .. })) => true,
            Some(Err(error)) => is_missing(&error),
            None => false,
        }
    }

    /// Waits until a container is not there any more.
    async fn gone(&self, id: &str) -> Result<(), DockerError> {
        loop {
            let found = self
                .client
                .inspect_container(id, None::<InspectContainerOptions>);
            match found.await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) if is_missing(&error) => return Ok(()),
                Err(error) => return Err(explain("could not look at the container", error)),
            }
        }
    }

    /// All containers with a label, running or not: `name` or `name=value`.
    pub(crate) async fn labelled(&self, label: String) -> Result<Vec<Found>, DockerError> {
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters);
        let listed = self.client.list_containers(Some(options.build())).await;
        let listed = listed.map_err(|error| explain("could not list the containers", error))?;
        let found = listed.into_iter().filter_map(|container| {
            let names = container.names.unwrap_or_default();
            let name = names
                .first()
                .map_or("", |name| name.trim_start_matches('/'));
            Some(Found {
                id: container.id?,
                name: name.to_owned(),
                labels: container.labels.unwrap_or_default(),
            })
        });
        Ok(found.collect())
    }

    /// Unpacks a tar archive in a directory of a container.
    pub(crate) async fn upload(
        &self,
        id: &str,
        dir: &str,
        archive: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), DockerError> {
        let options = UploadToContainerOptionsBuilder::default()
            .path(dir)
            .no_overwrite_dir_non_dir("true")
            .build();
        let body = bollard::body_try_stream(archive);
        let sent = self.client.upload_to_container(id, Some(options), body);
        sent.await
            .map_err(|error| explain(format!("could not copy files to `{dir}`"), error))
    }

    /// Whether a directory of a container exists.
    pub(crate) async fn has_dir(&self, id: &str, dir: &str) -> Result<bool, DockerError> {
        let options = ContainerArchiveInfoOptionsBuilder::default().path(&format!("{dir}/."));
        let found = self
            .client
            .get_container_archive_info(id, Some(options.build()));
        match found.await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(explain(format!("could not look for `{dir}`"), error)),
        }
    }

    /// Packs a file of a container as a tar archive; a directory with what is in it, or only what is
    /// in it if the path ends in `/.`.
    pub(crate) fn download(&self, id: &str, path: &str) -> Pieces<Bytes> {
        let options = DownloadFromContainerOptionsBuilder::default()
            .path(path)
            .build();
        let what = format!("could not copy files from `{path}`");
        let pieces = self.client.download_from_container(id, Some(options));
        Box::pin(pieces.map_err(move |error| explain(&what, error)))
    }
}

type Raw = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

fn channels(raw: Raw) -> Pieces<(Channel, Bytes)> {
    Box::pin(raw.map(|piece| match piece {
        Ok(LogOutput::StdErr { message }) => Ok((Channel::Stderr, message)),
        Ok(piece) => Ok((Channel::Stdout, piece.into_bytes())),
        Err(error) => Err(explain("the connection to the container broke", error)),
    }))
}
