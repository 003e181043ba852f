//! A socket of this machine that leads to the engine of another, over `ssh`.
//!
//! As the docker client does it: each connection is a `docker system dial-stdio` over there. All of them
//! share one login (`ControlMaster`, see `ssh_config`(5)), which ends a minute after the last of them.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

/// How long the last words of a login that failed may take.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A socket that leads to another machine as long as this lives.
#[derive(Debug)]
pub(crate) struct Tunnel {
    dir: PathBuf,
    serving: JoinHandle<()>,
}

impl Tunnel {
    /// Opens a tunnel to `login`, as `[user@]host[:port]`. Nothing is connected to yet.
    pub(crate) fn open(login: &str) -> io::Result<Self> {
        let refused = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let login = login.trim_end_matches('/');
        let (target, port) = match login.rsplit_once(':') {
            Some((target, port)) => (target, Some(port)),
            None => (login, None),
        };
        // A word that begins with a hyphen would be an option of the program.
        if target.is_empty() || target.starts_with('-') {
            return Err(refused(format!("`{login}` is no login")));
        }
        if let Some(port) = port.filter(|port| port.parse::<u16>().is_err()) {
            return Err(refused(format!("`{port}` is no port")));
        }
        let dir = private_dir()?;
        let listener = match UnixListener::bind(dir.join("engine")) {
            Ok(listener) => listener,
            Err(error) => {
                let _ = std::fs::remove_dir_all(&dir);
                return Err(error);
            }
        };
        let mut words = vec![
            "-T".to_owned(),
            "-o".to_owned(),
            "ControlMaster=auto".to_owned(),
            "-o".to_owned(),
            format!("ControlPath={}", dir.join("login").display()),
            "-o".to_owned(),
            "ControlPersist=60".to_owned(),
            "-o".to_owned(),
            "BatchMode=yes".to_owned(),
            "-o".to_owned(),
            "ServerAliveInterval=15".to_owned(),
        ];
        if let Some(port) = port {
            words.extend(["-p".to_owned(), port.to_owned()]);
        }
        words.extend(["--".to_owned(), target.to_owned()]);
        words.push("docker system dial-stdio".to_owned());
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, words.clone()));
            }
        });
        Ok(Self { dir, serving })
    }

    /// The socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.join("engine")
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.serving.abort();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Carries one connection. Where there is no way to the engine, the client gets an answer that says why.
async fn carry(stream: UnixStream, words: Vec<String>) {
    let (mut from, mut to) = stream.into_split();
    let child = Command::new("ssh")
        .args(&words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Not this program's own: the login outlives it for a moment and would hold it open.
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return answer(&mut to, &format!("`ssh` cannot be started: {error}")).await,
    };
    let (Some(mut input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
        return;
    };
    let there = async move {
        let _ = tokio::io::copy(&mut from, &mut input).await;
        drop(input);
        // The engine's side decides when it is over.
        std::future::pending::<()>().await;
    };
    let back = tokio::io::copy(&mut output, &mut to);
    let came = tokio::select! {
        came = back => came,
        () = there => return,
    };
    if let (Ok(0), Some(mut errors)) = (came, child.stderr.take()) {
        let mut said = Vec::new();
        // It never ends where the login goes on.
        let reading = async { while let Ok(1..) = errors.read_buf(&mut said).await {} };
        let _ = tokio::time::timeout(LAST_WORDS, reading).await;
        let said = String::from_utf8_lossy(&said);
        answer(&mut to, &format!("`ssh` says: {}", said.trim())).await;
    }
}

/// Answers a request in the form of the engine's errors.
async fn answer(to: &mut (impl AsyncWrite + Unpin), message: &str) {
    let body = serde_json::json!({ "message": message }).to_string();
    let length = body.len();
    let text = format!(
        "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    // A client that is gone does not want it.
    let _ = to.write_all(text.as_bytes()).await;
    let _ = to.shutdown().await;
}

/// A new directory that nobody else may enter, with a short name: those of sockets are limited
/// (unix(7)).
pub(crate) fn private_dir() -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let name = format!("ci-core-{}", uuid::Uuid::now_v7().simple());
    let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let base = base.filter(|dir| dir.is_dir() && dir.as_os_str().len() < 40);
    let dir = base
        .unwrap_or_else(|| Path::new("/tmp").to_owned())
        .join(name);
    std::fs::DirBuilder::new().mode(0o700).create(&dir)?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_login_is_no_option_and_its_socket_goes_with_it() {
        for wrong in ["", "-oProxyCommand=x", ":22", "host:x"] {
            let error = Tunnel::open(wrong).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{wrong}");
        }
        let tunnel = Tunnel::open("ci@build.example:2222").unwrap();
        let socket = tunnel.socket();
        assert!(socket.exists());
        drop(tunnel);
        assert!(!socket.exists());
    }
}
