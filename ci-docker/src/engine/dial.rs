//! How an engine is reached: a socket, plain TCP, TCP with TLS, or a login on another machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::{API_DEFAULT_VERSION, Docker};

use super::tunnel::Tunnel;
use crate::error::{DockerError, DockerErrorKind};

/// Seconds until an answer has to begin; every caller sets its own.
const ANSWER: u64 = 120;

/// A client and what carries its connections.
#[derive(Debug, Clone)]
pub(crate) struct Dialed {
    pub(crate) client: Docker,
    /// Closed when nobody uses the client any more.
    pub(crate) tunnel: Option<Arc<Tunnel>>,
}

/// Connects to `host`; nothing is sent yet. `certificates` is the directory of `ca.pem`, `cert.pem` and
/// `key.pem`, which makes TCP connections TLS ones; `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` mean the
/// same as to the docker client.
pub(crate) fn dial(host: &str, certificates: Option<&Path>) -> Result<Dialed, DockerError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        let text = format!("the engine `{host}` cannot be connected to");
        DockerError::new(DockerErrorKind::Unreachable, text)
            .with_source(error)
            .with_hint("start it, or name another one in `DOCKER_HOST`")
            .with_hint(
                "an engine is named as `unix://<path>`, `tcp://<host>:<port>` or `ssh://<user>@<host>`",
            )
    };
    if let Some(login) = host.strip_prefix("ssh://") {
        let tunnel = Tunnel::open(login).map_err(|error| failed(error.into()))?;
        let socket = format!("unix://{}", tunnel.socket().display());
        let client = Docker::connect_with_unix(&socket, ANSWER, API_DEFAULT_VERSION);
        return Ok(Dialed {
            client: client.map_err(|error| failed(error.into()))?,
            tunnel: Some(Arc::new(tunnel)),
        });
    }
    let is_tcp = ["tcp://", "http://"].iter().any(|it| host.starts_with(it));
    let certificates = certificates.map(Path::to_owned).or_else(own_certificates);
    let wants_tls = certificates.is_some() && is_tcp || host.starts_with("https://");
    let client = if wants_tls {
        // Another part of the program may have chosen; either does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = certificates.or_else(default_certificates);
        let dir = dir.ok_or_else(|| failed("there are no certificates".into()))?;
        let file = |name: &str| -> Result<PathBuf, DockerError> {
            let path = dir.join(name);
            if path.is_file() {
                return Ok(path);
            }
            Err(failed(format!("`{}` is missing", path.display()).into()))
        };
        let (key, certificate, ca) = (file("key.pem")?, file("cert.pem")?, file("ca.pem")?);
        let bare = host.trim_start_matches("http://");
        Docker::connect_with_ssl(bare, &key, &certificate, &ca, ANSWER, API_DEFAULT_VERSION)
    } else {
        Docker::connect_with_host(host)
    };
    Ok(Dialed {
        client: client.map_err(|error| failed(error.into()))?,
        tunnel: None,
    })
}

/// The certificates that the environment asks for.
fn own_certificates() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("DOCKER_TLS_VERIFY")?;
    set("DOCKER_CERT_PATH")
        .map(PathBuf::from)
        .or_else(default_certificates)
}

/// Where the docker client looks for certificates.
fn default_certificates() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".docker"))
}
