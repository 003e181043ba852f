//! Trees on their way in and out, as the output and the input of the machine's `tar`.
//!
//! What comes in is checked here, entry by entry, and written anew: the machine's `tar` sees nothing
//! that would leave the directory. What goes out is filtered here, so that globs mean the same
//! everywhere.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use ci_core::archive::{
    ArchiveError, ArchiveErrorKind, Entry, EntryKind, Limits, Selector, read_entries,
};
use ci_core::session::{CopyRoot, SessionError, SessionErrorKind, TreeReader};
use tar::{Builder, EntryType, Header};

use super::error::other;

/// Writes the checked entries of `tree` to the input of `command`, which unpacks them in `dir`.
pub(super) fn copy_in(
    tree: TreeReader,
    dir: &str,
    mut command: std::process::Command,
) -> Result<(), SessionError> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| other("could not start `ssh`", error))?;
    let Some(stdin) = child.stdin.take() else {
        return Err(SessionError::new(
            SessionErrorKind::Other,
            "`ssh` has no input",
        ));
    };
    let said = errors(&mut child);
    let checked = check(tree, dir, io::BufWriter::with_capacity(256 * 1024, stdin));
    if matches!(checked, Err(Bad::Refused(_))) {
        let _ = child.kill();
    }
    let status = child
        .wait()
        .map_err(|error| other("lost sight of `ssh`", error))?;
    match checked {
        Err(Bad::Refused(error)) => Err(error),
        // What the machine says of it is the reason why nothing could be written.
        Err(Bad::Pipe(_)) | Ok(()) if !status.success() => Err(failed(status, "unpack", &said())),
        Err(Bad::Pipe(error)) => Err(other("could not write to the machine", error)),
        Ok(()) => Ok(()),
    }
}

/// Why an archive did not get through.
pub(super) enum Bad {
    Refused(SessionError),
    Pipe(io::Error),
}

/// Writes the entries of `tree` anew, those that do not leave `dir`.
pub(super) fn check(tree: TreeReader, dir: &str, out: impl Write) -> Result<(), Bad> {
    // Half an archive shall not get the end mark that makes it whole.
    let open = Arc::new(AtomicBool::new(true));
    let mut builder = Builder::new(Gate {
        out,
        open: Arc::clone(&open),
    });
    let mut bad = None;
    let stop = Arc::clone(&open);
    let tree = Stopper {
        inner: tree,
        open: Arc::clone(&open),
    };
    let read = read_entries(tree, &Limits::default(), |entry| {
        if bad.is_none()
            && let Err(why) = put(&mut builder, entry, dir)
        {
            bad = Some(why);
            stop.store(false, Ordering::Relaxed);
        }
        Ok(())
    });
    if bad.is_none()
        && let Err(error) = read
    {
        bad = Some(Bad::Refused(archive_error(error)));
    }
    if let Some(bad) = bad {
        open.store(false, Ordering::Relaxed);
        return Err(bad);
    }
    let mut gate = builder.into_inner().map_err(Bad::Pipe)?;
    gate.flush().map_err(Bad::Pipe)
}

fn put(builder: &mut Builder<impl Write>, entry: &mut Entry<'_>, dir: &str) -> Result<(), Bad> {
    let path = entry.path.clone();
    let refused = |why: String| {
        let text = format!("the entry `{path}` was refused: it {why}");
        Bad::Refused(SessionError::new(SessionErrorKind::Refused, text))
    };
    if path.is_root() {
        return match entry.kind {
            EntryKind::Directory => Ok(()),
            _ => Err(refused("would replace the directory itself".to_owned())),
        };
    }
    let mut header = Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_mtime(
        entry
            .modified
            .duration_since(UNIX_EPOCH)
            .map_or(0, |it| it.as_secs()),
    );
    let name = path.as_path();
    fraction(builder, entry).map_err(Bad::Pipe)?;
    match &entry.kind {
        EntryKind::File => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(entry.size);
            builder.append_data(&mut header, name, &mut entry.content)
        }
        EntryKind::Directory => {
            header.set_entry_type(EntryType::Directory);
            builder.append_data(&mut header, name, io::empty())
        }
        EntryKind::Symlink(target) if path.link_leaves(target, Some(Path::new(dir))) => {
            let target = target.display();
            let why = format!("is a symbolic link to `{target}`, outside of the directory");
            return Err(refused(why));
        }
        EntryKind::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            builder.append_link(&mut header, name, target)
        }
        EntryKind::HardLink(original) => {
            header.set_entry_type(EntryType::Link);
            builder.append_link(&mut header, name, original.as_path())
        }
        _ => return Err(refused("is of a kind that is not known".to_owned())),
    }
    .map_err(Bad::Pipe)
}

/// Says the fraction of a second of a time before its entry: POSIX.1-2001 `pax`. Without it what is
/// compared later would differ.
fn fraction(builder: &mut Builder<impl Write>, entry: &Entry<'_>) -> io::Result<()> {
    let since = entry
        .modified
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // A long name has a header of another kind before it, and not every `tar` knows both together.
    let is_short = |path: &Path| path.as_os_str().len() < 100;
    if since.subsec_nanos() == 0
        || !matches!(entry.kind, EntryKind::File)
        || !is_short(entry.path.as_path())
    {
        return Ok(());
    }
    let (seconds, fraction) = (since.as_secs(), since.subsec_nanos());
    let rest = format!(" mtime={seconds}.{fraction:09}\n");
    // A line begins with its own length, which has two digits here (POSIX, pax, "Extended Header").
    let line = format!("{}{rest}", rest.len() + 2);
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::XHeader);
    header.set_mode(0o644);
    header.set_size(line.len() as u64);
    // To the `tar` of busybox a header without a name is the end of the archive.
    builder.append_data(&mut header, "PaxHeaders", line.as_bytes())
}

/// Packs what `roots` select, each the output of its command, while it is read.
pub(super) fn copy_out(
    roots: Vec<(CopyRoot, std::process::Command)>,
) -> Result<TreeReader, SessionError> {
    let mut chosen = Vec::new();
    for (root, command) in roots {
        let selector = Selector::new(&root.include, &root.exclude).map_err(archive_error)?;
        chosen.push((root.prefix, selector, command));
    }
    let (reader, writer) = io::pipe().map_err(|error| other("could not make a pipe", error))?;
    let failure = Arc::new(Mutex::new(None));
    let told = Arc::clone(&failure);
    let work = move || {
        let open = Arc::new(AtomicBool::new(true));
        let out = io::BufWriter::with_capacity(256 * 1024, writer);
        let mut builder = Builder::new(Gate {
            out,
            open: Arc::clone(&open),
        });
        for (prefix, selector, command) in chosen {
            if let Err(error) = take(&mut builder, &prefix, &selector, command) {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                open.store(false, Ordering::Relaxed);
                return;
            }
        }
        let ended = builder.into_inner().and_then(|mut gate| gate.flush());
        if let Err(error) = ended {
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    };
    std::thread::Builder::new()
        .name("copy-out".to_owned())
        .spawn(work)
        .map_err(|error| other("could not start a thread", error))?;
    Ok(Box::new(Packed { reader, failure }))
}

/// Copies the entries that `selector` takes from the output of `command`.
fn take(
    builder: &mut Builder<impl Write>,
    prefix: &str,
    selector: &Selector,
    mut command: std::process::Command,
) -> io::Result<()> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let said = errors(&mut child);
    let Some(stdout) = child.stdout.take() else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let mut archive = tar::Archive::new(stdout);
    let copied = entries(builder, Path::new(prefix), selector, &mut archive);
    let mut stdout = archive.into_inner();
    if copied.is_ok() {
        // A writer that is not read to its end would die of it.
        io::copy(&mut stdout, &mut io::sink())?;
    } else {
        let _ = child.kill();
    }
    drop(stdout);
    let status = child.wait()?;
    copied?;
    // Only the machine's own word makes a stream whole: one that was cut can look whole as well.
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(failed(status, "pack", &said())))
    }
}

fn entries(
    builder: &mut Builder<impl Write>,
    prefix: &Path,
    selector: &Selector,
    archive: &mut tar::Archive<impl Read>,
) -> io::Result<()> {
    for entry in archive.entries()? {
        let mut entry = entry?;
        let found = entry.path()?.into_owned();
        let path: PathBuf = found.strip_prefix(".").unwrap_or(&found).to_owned();
        let kind = entry.header().entry_type();
        let known = kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_hard_link();
        let is_root = path.as_os_str().is_empty();
        if is_root || !known || !selector.takes(&path) {
            continue;
        }
        let name = prefix.join(&path);
        let mut header = entry.header().clone();
        if kind.is_symlink() || kind.is_hard_link() {
            let target = entry.link_name()?.unwrap_or_default().into_owned();
            let target = if kind.is_hard_link() {
                prefix.join(target.strip_prefix(".").unwrap_or(&target))
            } else {
                target
            };
            header.set_size(0);
            builder.append_link(&mut header, &name, &target)?;
        } else {
            header.set_size(entry.size());
            builder.append_data(&mut header, &name, &mut entry)?;
        }
    }
    Ok(())
}

/// Takes nothing any more once an archive has failed.
struct Gate<W> {
    out: W,
    open: Arc<AtomicBool>,
}

impl<W: Write> Write for Gate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.open.load(Ordering::Relaxed) {
            self.out.write(bytes)
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads nothing any more once an archive has failed.
struct Stopper {
    inner: TreeReader,
    open: Arc<AtomicBool>,
}

impl Read for Stopper {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.open.load(Ordering::Relaxed) {
            self.inner.read(into)
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}

/// An archive that is read while it is packed.
struct Packed {
    reader: io::PipeReader,
    failure: Arc<Mutex<Option<io::Error>>>,
}

impl Read for Packed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        if read == 0 && !into.is_empty() {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(error) = failure.take() {
                return Err(error);
            }
        }
        Ok(read)
    }
}

/// Collects what a child says on its standard error, so that it never waits for somebody to read it.
pub(super) fn errors(child: &mut Child) -> impl FnOnce() -> String + use<> {
    let stderr = child.stderr.take();
    let thread = stderr.map(|stderr| {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let mut stderr = stderr;
            let _ = (&mut stderr).take(16 * 1024).read_to_end(&mut said);
            let _ = io::copy(&mut stderr, &mut io::sink());
            String::from_utf8_lossy(&said).into_owned()
        })
    });
    move || {
        thread
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default()
    }
}

/// What the end of an `ssh` means.
pub(super) fn failed(status: std::process::ExitStatus, what: &str, said: &str) -> SessionError {
    // `ssh` gives 255 where it has a trouble of its own, and so does one that was killed give none.
    let kind = match status.code() {
        Some(255) | None => SessionErrorKind::Lost,
        Some(_) => SessionErrorKind::Other,
    };
    SessionError::new(
        kind,
        format!("the machine could not {what} the files: {}", said.trim()),
    )
}

fn archive_error(error: ArchiveError) -> SessionError {
    let kind = match error.kind() {
        ArchiveErrorKind::NotFound => SessionErrorKind::NotFound,
        ArchiveErrorKind::Refused | ArchiveErrorKind::TooLarge | ArchiveErrorKind::Glob => {
            SessionErrorKind::Refused
        }
        _ => SessionErrorKind::Other,
    };
    SessionError::new(kind, error.to_string()).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::MetadataExt as _;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use ci_core::archive::{PackRoot, pack_stream};

    use super::*;

    #[test]
    fn a_time_with_a_fraction_of_a_second_is_no_trouble_to_any_tar() {
        let from = tempfile::tempdir().unwrap();
        let file = File::create(from.path().join("file")).unwrap();
        let modified = UNIX_EPOCH + Duration::from_millis(1_000_000_000_250);
        file.set_modified(modified).unwrap();
        let mut archive = Vec::new();
        let tree = pack_stream(vec![PackRoot::new("", from.path())]).unwrap();
        assert!(check(tree, "/there", &mut archive).is_ok());
        // Busybox knows no fractions.
        for (tar, fraction) in [(&["tar"][..], 250_000_000), (&["busybox", "tar"], 0)] {
            let to = tempfile::tempdir().unwrap();
            let mut child = Command::new(tar[0])
                .args(&tar[1..])
                .args(["-xf", "-", "-C"])
                .arg(to.path())
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let mut input = child.stdin.take().unwrap();
            input.write_all(&archive).unwrap();
            drop(input);
            assert!(child.wait().unwrap().success(), "{tar:?}");
            let found = to.path().join("file").metadata().unwrap();
            let times = (found.mtime(), found.mtime_nsec());
            assert_eq!(times, (1_000_000_000, fraction), "{tar:?}");
        }
    }
}
