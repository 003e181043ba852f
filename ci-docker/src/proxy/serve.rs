//! The socket of a job: takes its connections, filters, and carries the rest to the engine.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::filter::{Kind, Verdict, judge, labelled, narrowed, references};
use super::http::{self, Request};
use crate::engine::{Engine, private_dir};
use crate::error::DockerError;
use crate::labels;

/// How long the head of an answer may be.
const HEAD: usize = 64 * 1024;

/// How much of a request that was refused is still read, and for how long.
const LEFT: u64 = 8 << 20;
const LINGER: Duration = Duration::from_secs(2);

/// The labels by which a job knows what is its own.
const OWN: [&str; 3] = [labels::RUN, labels::JOB, labels::OF_JOB];

/// The socket of one job, open as long as this lives.
#[derive(Debug)]
pub(crate) struct Proxy {
    dir: PathBuf,
    serving: JoinHandle<()>,
}

/// Whose requests go where.
struct Gate {
    engine: Engine,
    /// The engine's own socket.
    upstream: PathBuf,
    labels: HashMap<String, String>,
}

impl Proxy {
    /// Opens a socket to the engine at `upstream` for a job with these labels, which anybody in the
    /// job's container may use.
    pub(crate) fn open(
        engine: Engine,
        upstream: &Path,
        mut labels: HashMap<String, String>,
    ) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        // The container of the job itself is not the job's to touch.
        labels.insert(labels::OF_JOB.to_owned(), "true".to_owned());
        let dir = private_dir()?;
        let made = UnixListener::bind(dir.join("docker")).and_then(|listener| {
            let mode = std::fs::Permissions::from_mode(0o666);
            std::fs::set_permissions(dir.join("docker"), mode)?;
            Ok(listener)
        });
        let listener = made.inspect_err(|_| {
            let _ = std::fs::remove_dir_all(&dir);
        })?;
        let gate = Arc::new(Gate {
            engine,
            upstream: upstream.to_owned(),
            labels,
        });
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let gate = Arc::clone(&gate);
                // A connection that breaks is the client's to tell.
                tokio::spawn(async move { gate.connection(stream).await });
            }
        });
        Ok(Self { dir, serving })
    }

    /// The socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.join("docker")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Why a request does not go to the engine.
enum Refusal {
    Not(String),
    Missing(String),
    Broken(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<DockerError> for Refusal {
    fn from(error: DockerError) -> Self {
        Self::Not(error.to_string())
    }
}

impl Gate {
    /// One connection is one request.
    async fn connection(&self, mut client: UnixStream) -> io::Result<()> {
        let Some(mut request) = http::read(&mut client).await? else {
            return Ok(());
        };
        let answer = match self.look(&mut client, &mut request).await {
            Ok(begin) => return self.carry(client, request, begin).await,
            Err(Refusal::Not(why)) => {
                let (method, path) = (&request.head.method, &request.head.path);
                let text = format!("{method} {path} is not for jobs: {why}");
                http::answer("403 Forbidden", &text)
            }
            Err(Refusal::Missing(what)) => http::answer("404 Not Found", &what),
            Err(Refusal::Broken(error)) => http::answer("400 Bad Request", &error.to_string()),
        };
        client.write_all(&answer).await?;
        client.shutdown().await?;
        // A client that still writes its request would not read the answer.
        let (mut rest, mut nowhere) = (client.take(LEFT), tokio::io::sink());
        let reading = tokio::io::copy(&mut rest, &mut nowhere);
        let _ = tokio::time::timeout(LINGER, reading).await;
        Ok(())
    }

    /// What the engine gets of a request before its body is carried on.
    async fn look(
        &self,
        client: &mut UnixStream,
        request: &mut Request,
    ) -> Result<Vec<u8>, Refusal> {
        let head = &mut request.head;
        head.length()?;
        match judge(&head.method, &head.path) {
            Verdict::Pass => {}
            Verdict::Refuse(why) => return Err(Refusal::Not(why.to_owned())),
            Verdict::Own(kind, name) => self.own(kind, &name).await?,
            Verdict::Narrow => {
                let filters = head.query("filters");
                let own = OWN.map(|name| format!("{name}={}", self.label(name)));
                let narrow = narrowed(filters.as_deref(), &own);
                head.set_query("filters", &narrow.to_string());
            }
            Verdict::LabelBuild => {
                let network = head.query("networkmode").unwrap_or_default();
                if network == "host" || network.starts_with("container:") {
                    return Err(Refusal::Not("`networkmode` is of the machine".to_owned()));
                }
                let own = head.query("labels");
                let own = own.and_then(|text| serde_json::from_str::<Value>(&text).ok());
                let mut all = own.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
                for (name, value) in &self.labels {
                    all[name.as_str()] = Value::String(value.clone());
                }
                head.set_query("labels", &all.to_string());
            }
            Verdict::Label(kind) => {
                let body = http::body(client, head, &mut request.rest).await?;
                let body = labelled(kind, &body, &self.labels).map_err(Refusal::Not)?;
                if kind == Kind::Container {
                    let checked = self.check_references(&body).await;
                    // A client would take what is missing here for the image, and pull that.
                    checked.map_err(|refusal| match refusal {
                        Refusal::Missing(what) => Refusal::Not(what),
                        other => other,
                    })?;
                }
                let mut begin = head.written(Some(body.len()));
                begin.extend_from_slice(&body);
                return Ok(begin);
            }
        }
        // A network of the job takes containers of the job.
        let parts: Vec<&str> = head.path.split('/').collect();
        if let [.., "networks", _, "connect" | "disconnect"] = parts.as_slice() {
            let body = http::body(client, head, &mut request.rest).await?;
            let value: Value = serde_json::from_slice(&body).unwrap_or_default();
            let name = value["Container"].as_str().unwrap_or_default();
            self.own(Kind::Container, name).await?;
            // Written by us: the name that was looked at is the only one.
            let mut clean = serde_json::Map::new();
            for key in ["Container", "EndpointConfig", "Force"] {
                if !value[key].is_null() {
                    clean.insert(key.to_owned(), value[key].clone());
                }
            }
            let body = Value::Object(clean).to_string().into_bytes();
            let mut begin = head.written(Some(body.len()));
            begin.extend_from_slice(&body);
            return Ok(begin);
        }
        if let [.., "containers", _, "exec"] = parts.as_slice() {
            let body = http::body(client, head, &mut request.rest).await?;
            let body = labelled(Kind::Exec, &body, &HashMap::new()).map_err(Refusal::Not)?;
            let mut begin = head.written(Some(body.len()));
            begin.extend_from_slice(&body);
            return Ok(begin);
        }
        Ok(head.written(None))
    }

    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    fn is_own(&self, found: &HashMap<String, String>) -> bool {
        OWN.into_iter()
            .all(|name| found.get(name) == self.labels.get(name))
    }

    /// Whether something is the job's. What is another's is not there.
    async fn own(&self, kind: Kind, name: &str) -> Result<(), Refusal> {
        let engine = &self.engine;
        let found = match kind {
            Kind::Container => engine.labels_of_container(name).await?,
            Kind::Exec => engine.labels_of_exec(name).await?,
            Kind::Network => engine.labels_of_network(name).await?,
            Kind::Volume => engine.labels_of_volume(name).await?,
        };
        // Everybody may look at the networks that every engine has.
        let is_common = kind == Kind::Network && matches!(name, "bridge" | "none");
        if is_common || found.is_some_and(|found| self.is_own(&found)) {
            return Ok(());
        }
        Err(Refusal::Missing(format!("the job has no `{name}`")))
    }

    /// A container gets volumes and networks of the job and of nobody else; volumes are made for it.
    async fn check_references(&self, body: &[u8]) -> Result<(), Refusal> {
        let (volumes, networks) = references(body);
        for volume in volumes {
            if self.engine.labels_of_volume(&volume).await?.is_none() {
                let labels = self.labels.clone();
                self.engine.create_volume(volume.clone(), labels).await?;
            }
            self.own(Kind::Volume, &volume).await?;
        }
        for network in networks {
            self.own(Kind::Network, &network).await?;
        }
        Ok(())
    }

    /// Carries a request to the engine and the answer back.
    async fn carry(&self, client: UnixStream, request: Request, begin: Vec<u8>) -> io::Result<()> {
        let upstream = UnixStream::connect(&self.upstream).await?;
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_engine, mut to_engine) = upstream.into_split();
        to_engine.write_all(&begin).await?;
        if request.head.is_upgrade() {
            // Only what the engine takes for an upgrade is one: else the rest would be a new request.
            let mut rest = request.rest;
            if !ends_with_body(&request.head) {
                let body = http::body(&mut from_client, &request.head, &mut rest).await?;
                to_engine.write_all(&body).await?;
            }
            let answer = head_of(&mut from_engine).await?;
            to_client.write_all(&answer).await?;
            if !answer.starts_with(b"HTTP/1.1 101") {
                to_engine.shutdown().await?;
                tokio::io::copy(&mut from_engine, &mut to_client).await?;
                return to_client.shutdown().await;
            }
            to_engine.write_all(&rest).await?;
        } else {
            to_engine.write_all(&request.rest).await?;
        }
        let there = async {
            tokio::io::copy(&mut from_client, &mut to_engine).await?;
            to_engine.shutdown().await
        };
        let back = async {
            tokio::io::copy(&mut from_engine, &mut to_client).await?;
            to_client.shutdown().await
        };
        tokio::pin!(there, back);
        // A client may close its side first, as at the end of its input.
        tokio::select! {
            ended = &mut back => ended,
            _ = &mut there => back.await,
        }
    }
}

/// Whether the body was already written with the head.
fn ends_with_body(head: &http::Head) -> bool {
    matches!(head.length(), Ok(Some(0)))
}

/// Reads the head of an answer, and what came with it.
async fn head_of(engine: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|it| it == b"\r\n\r\n") {
        if bytes.len() > HEAD || engine.read_buf(&mut bytes).await? == 0 {
            return Ok(bytes);
        }
    }
    Ok(bytes)
}
