//! Runs the real command of a step on the files of a commit.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::args::Args;
use crate::serve::{Reply, Request};

/// The most of what a command printed that is in the answer, in bytes: the end of it.
const MOST: usize = 256 << 10;

/// Runs a step. An error in words if it could not be run at all.
pub(crate) async fn run(args: &Args, request: &Request) -> Result<Reply, String> {
    let dir = TempDir::new()?;
    let (repository, commit) = (request.repo_path.clone(), request.commit_hash.clone());
    let place = dir.0.clone();
    let exported = tokio::task::spawn_blocking(move || {
        ci_core::vcs::export(Path::new(&repository), &commit, &place)
    });
    let exported = exported.await.map_err(|error| error.to_string())?;
    exported.map_err(|error| error.to_string())?;
    let command = match request.step_name.as_str() {
        "lint" => &args.lint,
        "build" => &args.build,
        _ => &args.test,
    };
    // Both streams in the order in which they were written; the client that goes away ends the shell.
    let mut child = Command::new("sh");
    child
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(&dir.0)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(args.timeout, child.output());
    let Ok(output) = output.await else {
        let mut reply = Reply::new(request, false);
        reply.message = Some(format!("`{command}` took too long"));
        return Ok(reply);
    };
    let output = output.map_err(|error| format!("`{command}` does not start: {error}"))?;
    let start = output.stdout.len().saturating_sub(MOST);
    let mut reply = Reply::new(request, output.status.success());
    reply.exit_code = output.status.code();
    reply.output = output
        .stdout
        .get(start..)
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    Ok(reply)
}

/// A directory that goes when it is dropped.
struct TempDir(std::path::PathBuf);

impl TempDir {
    fn new() -> Result<Self, String> {
        let name = format!("step-runner-{}", ci_core::id::RunId::new());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).map_err(|error| format!("`{}`: {error}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
