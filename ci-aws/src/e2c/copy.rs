//! Copies a project to a machine that may have most of it: by sizes and times, as `rsync` does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ci_core::archive::{PackRoot, pack_stream};
use ci_core::clock::Clock;
use ci_core::session::{
    Command, ExecIo, LogSink, Output, OutputChunk, OutputOptions, Session, SessionError,
    SessionErrorKind,
};
use tokio_util::sync::CancellationToken;

/// What is never copied, and the credentials of the job on the machine.
const OWN: [&str; 2] = [".e2c_instance_state_*", ".e2c-docker"];

/// Above so many changed files everything is sent.
const MOST: usize = 1000;

/// How many bytes of names are removed with one command.
const NAMES: usize = 32 * 1024;

/// What is there, one file a line. A machine whose `stat` is another one says nothing, and gets
/// everything.
const LIST: &str = r#"cd "$E2C_JOB_DIR" 2>/dev/null || exit 0
find . -type f -exec stat -c '%s %Y %Z %a %n' {} + 2>/dev/null || :"#;

const REMOVE: &str = r#"cd "$E2C_JOB_DIR" || exit 1
printf '%s\n' "$E2C_REMOVED" | while IFS= read -r ci_name; do rm -f -- "$ci_name"; done"#;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copied {
    /// How many files were sent; `None` for all of them.
    pub(super) sent: Option<usize>,
    pub(super) removed: usize,
}

/// A file as both ends see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    size: u64,
    /// Seconds since 1970.
    modified: i64,
    mode: u32,
}

/// Files by their path below the project.
type Files<T> = BTreeMap<Vec<u8>, T>;

/// Makes `dir` on the machine what `project` is here.
pub(super) async fn project(
    session: &dyn Session,
    project: &Path,
    dir: &str,
    cancel: &CancellationToken,
) -> Result<Copied, SessionError> {
    let dir = session.info().resolve(dir);
    let there = there(session, &dir, cancel).await?;
    let mut root = PackRoot::new("", project).exclude(OWN);
    let mut copied = Copied {
        sent: None,
        removed: 0,
    };
    if !there.is_empty() {
        let from = project.to_owned();
        let here = tokio::task::spawn_blocking(move || here(&from)).await;
        let here = here.map_err(broken)?.map_err(broken)?;
        let gone: Vec<&[u8]> = there
            .keys()
            .filter(|path| !here.contains_key(*path) && !path.starts_with(b".e2c-docker/"))
            .map(Vec::as_slice)
            .collect();
        remove(session, &dir, &gone, cancel).await?;
        copied.removed = gone.len();
        if let Some(changed) = changed(&here, &there) {
            copied.sent = Some(changed.len());
            if changed.is_empty() {
                return Ok(copied);
            }
            root = root.include(changed);
        }
    }
    let tree = pack_stream(vec![root]).map_err(broken)?;
    session.copy_in(tree, &dir).await?;
    Ok(copied)
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> SessionError {
    SessionError::new(SessionErrorKind::Other, error.to_string()).with_source(error)
}

/// The files that have to be sent, as globs; `None` if it is better to send all.
fn changed(here: &Files<Option<Seen>>, there: &Files<(Seen, i64)>) -> Option<Vec<String>> {
    let is_same = |path: &Vec<u8>, seen: &Option<Seen>| {
        let (Some(seen), Some((other, written))) = (seen, there.get(path)) else {
            return false;
        };
        // What was changed once more in the second in which it was sent would look the same.
        seen == other && *written > seen.modified + 1
    };
    let changed = here.iter().filter(|(path, seen)| !is_same(path, seen));
    let globs: Option<Vec<String>> = changed
        .map(|(path, _)| Some(literal(std::str::from_utf8(path).ok()?)))
        .collect();
    globs.filter(|globs| globs.len() <= MOST)
}

/// A glob that matches this path alone.
fn literal(path: &str) -> String {
    let mut glob = String::with_capacity(path.len());
    for letter in path.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '{' | '}' | '!' | '\\') {
            glob.push('[');
            glob.push(letter);
            glob.push(']');
        } else {
            glob.push(letter);
        }
    }
    glob
}

/// The files of the project; what is no plain file has no size, and is always sent.
fn here(project: &Path) -> io::Result<Files<Option<Seen>>> {
    let mut files = Files::new();
    let mut open = vec![project.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let Ok(name) = path.strip_prefix(project) else {
                continue;
            };
            let bytes = name.as_os_str().as_bytes();
            let about = fs::symlink_metadata(&path)?;
            if bytes.starts_with(b".e2c_instance_state_") || bytes == b".e2c-docker" {
                continue;
            }
            if about.is_dir() {
                open.push(path);
                continue;
            }
            let seen = about.is_file().then(|| Seen {
                size: about.size(),
                modified: about.mtime(),
                mode: about.mode() & 0o7777,
            });
            files.insert(bytes.to_vec(), seen);
        }
    }
    Ok(files)
}

/// The files on the machine, and when each was written there.
async fn there(
    session: &dyn Session,
    dir: &str,
    cancel: &CancellationToken,
) -> Result<Files<(Seen, i64)>, SessionError> {
    let kept = Kept::default();
    let options = OutputOptions::new(Arc::default(), Clock::system());
    let output = Output::new(&options, Box::new(kept.clone()));
    let command = Command::sh(LIST).dir("/").env("E2C_JOB_DIR", dir);
    session
        .exec(&command, ExecIo::new(output, cancel.clone()))
        .await?;
    let text = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(text.split(|byte| *byte == b'\n').filter_map(line).collect())
}

fn line(line: &[u8]) -> Option<(Vec<u8>, (Seen, i64))> {
    let mut parts = line.splitn(5, |byte| *byte == b' ');
    let mut number = || std::str::from_utf8(parts.next()?).ok();
    let size = number()?.parse().ok()?;
    let modified = number()?.parse().ok()?;
    let written = number()?.parse().ok()?;
    let mode = u32::from_str_radix(number()?, 8).ok()?;
    let path = parts.next()?.strip_prefix(b"./")?;
    let seen = Seen {
        size,
        modified,
        mode,
    };
    Some((path.to_vec(), (seen, written)))
}

async fn remove(
    session: &dyn Session,
    dir: &str,
    gone: &[&[u8]],
    cancel: &CancellationToken,
) -> Result<(), SessionError> {
    // A name that is no text cannot be said; it stays.
    let mut names = gone
        .iter()
        .filter_map(|name| std::str::from_utf8(name).ok());
    loop {
        let mut some = String::new();
        for name in names.by_ref() {
            some.push_str("./");
            some.push_str(name);
            some.push('\n');
            if some.len() > NAMES {
                break;
            }
        }
        if some.is_empty() {
            return Ok(());
        }
        let command = Command::sh(REMOVE).dir("/").env("E2C_JOB_DIR", dir);
        let command = command.env("E2C_REMOVED", some.trim_end_matches('\n'));
        let io = ExecIo::new(Output::discard(), cancel.clone());
        session.exec(&command, io).await?;
    }
}

/// Keeps what it is given.
#[derive(Debug, Default, Clone)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl LogSink for Kept {
    fn write(&mut self, chunk: &OutputChunk) -> io::Result<()> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&chunk.bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_what_is_none_is_not() {
        let seen = Seen {
            size: 5,
            modified: 100,
            mode: 0o644,
        };
        let read = line(b"5 100 107 644 ./a b/c").unwrap();
        assert_eq!(read, (b"a b/c".to_vec(), (seen, 107)));
        for wrong in [
            "",
            "5 100 107 644",
            "x 1 1 644 ./a",
            "1 1 1 999 ./a",
            "rest of a name",
        ] {
            assert_eq!(line(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn what_differs_or_may_differ_is_sent() {
        let seen = |size, modified| Seen {
            size,
            modified,
            mode: 0o644,
        };
        let here = Files::from([
            (b"same".to_vec(), Some(seen(1, 100))),
            (b"larger".to_vec(), Some(seen(2, 100))),
            (b"later".to_vec(), Some(seen(1, 101))),
            (b"at once".to_vec(), Some(seen(1, 100))),
            (b"n*w".to_vec(), Some(seen(1, 100))),
            (b"link".to_vec(), None),
        ]);
        let there = ["same", "larger", "later", "link"]
            .map(|name| (name.as_bytes().to_vec(), (seen(1, 100), 200)));
        let mut there = Files::from(there);
        there.insert(b"at once".to_vec(), (seen(1, 100), 100));
        let sent = changed(&here, &there).unwrap();
        assert_eq!(sent, ["at once", "larger", "later", "link", "n[*]w"]);
    }
}
