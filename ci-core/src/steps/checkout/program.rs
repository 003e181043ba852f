//! Fetches with the `git` program: HTTPS, SSH, and shallow `file://`.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::error::CheckoutError;
use super::monitor::Monitor;
use super::source::Fetch;

/// How much of what `git` said is kept for an error.
const KEPT: usize = 4096;

/// Whether there is a `git` program on the search path.
pub(super) async fn is_there() -> bool {
    let mut command = Command::new("git");
    command.arg("--version").stdin(Stdio::null());
    let output = command.output().await;
    output.is_ok_and(|output| output.status.success())
}

/// Fetches from the remote `origin` of the repository in `dir`. The URL is in its configuration and
/// not among the arguments, where other users of the machine could read its password.
pub(super) async fn fetch(
    dir: &Path,
    fetch: &Fetch,
    monitor: &Monitor,
) -> Result<(), CheckoutError> {
    let mut command = Command::new("git");
    command
        // Cleaning up in the background would outlive the step.
        .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-C"])
        .arg(dir)
        .args([
            "fetch",
            "--progress",
            "--no-tags",
            "--no-recurse-submodules",
        ])
        .args(fetch.depth.map(|depth| format!("--depth={depth}")))
        .arg("origin")
        .args(&fetch.refspecs)
        // Nobody is there to answer: a question has to be an error.
        .env("GIT_TERMINAL_PROMPT", "0")
        // Its complaints are told apart by their first word.
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if !has_ssh_command() {
        command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
    }
    let mut child = command.spawn().map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            CheckoutError::Refused(
                "this source needs the `git` program, and there is none on this machine".into(),
            )
        } else {
            CheckoutError::broken("`git` could not be started", error)
        }
    })?;
    let mut stderr = child.stderr.take();
    let listen = async {
        let mut tail = Vec::new();
        if let Some(stderr) = &mut stderr {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                tail.extend_from_slice(&buffer[..count]);
                let surplus = tail.len().saturating_sub(KEPT);
                tail.drain(..surplus);
                monitor.progress(|| format!("git: {}", last_line(&tail)));
            }
        }
        tail
    };
    let tail = tokio::select! {
        tail = listen => tail,
        () = monitor.cancellation().cancelled() => {
            let _ = child.kill().await;
            return Err(CheckoutError::Canceled);
        }
    };
    let status = child
        .wait()
        .await
        .map_err(|error| CheckoutError::broken("`git` was lost", error))?;
    if status.success() {
        return Ok(());
    }
    let why = std::io::Error::other(complaint(&tail));
    Err(CheckoutError::broken("`git fetch` failed", why))
}

/// Whether somebody said how `git` is to call SSH; that is not to be overruled.
fn has_ssh_command() -> bool {
    let named = ["GIT_SSH_COMMAND", "GIT_SSH"].map(std::env::var_os);
    named.iter().any(Option::is_some)
        || git2::Config::open_default()
            .is_ok_and(|config| config.get_string("core.sshcommand").is_ok())
}

/// The last line; `git` ends lines of progress with a carriage return.
fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split(['\r', '\n']).map(str::trim);
    lines
        .rfind(|line| !line.is_empty())
        .unwrap_or_default()
        .to_owned()
}

/// What `git` complained about: its lines of errors, or else the last line.
fn complaint(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let errors: Vec<&str> = text
        .split(['\r', '\n'])
        .map(str::trim)
        .filter(|line| {
            ["fatal:", "error:", "remote:", "ssh:"]
                .iter()
                .any(|p| line.starts_with(p))
        })
        .collect();
    if errors.is_empty() {
        last_line(bytes)
    } else {
        errors.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_complaint_is_what_matters_of_many_lines() {
        let text =
            b"Receiving objects:  1%\rReceiving objects: 2%\r\nfatal: no such host\nhint: x\n";
        assert_eq!(complaint(text), "fatal: no such host");
        assert_eq!(complaint(b"a\rb\r\n\n"), "b");
        assert_eq!(last_line(text), "hint: x");
    }
}
