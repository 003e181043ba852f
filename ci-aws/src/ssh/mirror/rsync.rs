//! `rsync` over the connection of a session, see rsync(1).

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ci_core::shell::quote;

use super::super::client::Client;

/// Files that went away while it read them.
const VANISHED: i32 = 24;

/// One call.
pub(super) struct Call<'a> {
    pub(super) program: &'a Path,
    /// The program on the machine.
    pub(super) path: &'a str,
    pub(super) project: &'a Path,
    /// The directory on the machine.
    pub(super) dir: &'a str,
    pub(super) client: &'a Client,
}

/// The program on this host.
pub(super) fn here() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|place| place.join("rsync"));
    places.find(|place| place.is_file())
}

/// Sends these files; false if it could not. Then another way sends them, and tells what is wrong.
pub(super) fn run(call: &Call<'_>, files: &[PathBuf]) -> bool {
    let Some(arguments) = arguments(call) else {
        return false;
    };
    let mut command = Command::new(call.program);
    // A group of its own: what a terminal sends to the engine's group is not for it.
    command.args(arguments).process_group(0);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        return false;
    };
    if let Some(mut names) = child.stdin.take() {
        for file in files {
            let name = [file.as_os_str().as_bytes(), b"\0"].concat();
            // Its end says why it does not read on.
            let _ = names.write_all(&name);
        }
    }
    let ended = child.wait();
    ended.is_ok_and(|status| matches!(status.code(), Some(0 | VANISHED)))
}

/// What the program is called with. `None` where a path cannot be said.
fn arguments(call: &Call<'_>) -> Option<Vec<OsString>> {
    let mut arguments: Vec<OsString> = [
        "--links",
        "--hard-links",
        "--perms",
        "--times",
        "--dirs",
        // They are known to differ.
        "--ignore-times",
        // Names are not for the shell of the machine to read.
        "--protect-args",
        "--from0",
        "--files-from=-",
    ]
    .map(OsString::from)
    .to_vec();
    arguments.push(format!("--rsync-path={}", quote(call.path)).into());
    arguments.push("-e".into());
    arguments.push(format!("sh {}", call.client.shell().ok()?).into());
    arguments.push("--".into());
    let mut from = call.project.canonicalize().ok()?.into_os_string();
    from.push("/");
    arguments.push(from);
    // The shell knows the host; here it only says that there is one.
    arguments.push(format!("machine:{}/", call.dir).into());
    Some(arguments)
}
