//! Files on their way into a container and out of it: archives are checked and written anew, because
//! neither the engine nor the job is trusted to know whose files they are and where they may go.

use std::collections::HashSet;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ci_core::archive::{
    ArchiveError, ArchiveErrorKind, Entry, EntryKind, EntryPath, Limits, Selector, read_entries,
};
use ci_core::session::{CopyRoot, SessionError, SessionErrorKind, TreeReader, TreeSelection};
use futures_util::TryStreamExt;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc as queue;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::container::Container;

/// How much goes from one side to the other at once.
const CHUNK: usize = 64 * 1024;

/// How many chunks may wait for the slower side.
const WAITING: usize = 4;

/// Who files in a container belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u64,
    pub(crate) group: u64,
}

/// Unpacks `tree` in `dir` of the container, which exists.
pub(crate) async fn copy_in(
    container: &Container,
    tree: TreeReader,
    dir: &str,
    owner: Owner,
) -> Result<(), SessionError> {
    let (sender, mut receiver) = queue::channel(WAITING);
    let root = PathBuf::from(dir);
    let rewriting = tokio::task::spawn_blocking(move || {
        let rewritten = rewrite(tree, &root, owner, Sending(sender.clone()));
        if rewritten.is_err() {
            // The engine must not take what it has for the whole.
            let _ = sender.blocking_send(Err(io::ErrorKind::InvalidData.into()));
        }
        rewritten
    });
    let archive = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let sent = container
        .engine()
        .upload(container.id(), dir, archive)
        .await;
    let rewritten = rewriting.await.unwrap_or_else(|error| {
        Err(ArchiveError::io(
            "read",
            "the archive",
            io::Error::other(error),
        ))
    });
    match (sent, rewritten) {
        (Ok(()), Ok(())) => Ok(()),
        // A connection that the engine closed also ends the rewriting; the engine says why.
        (Err(sent), Err(error)) if error.kind() == ArchiveErrorKind::Io => Err(sent.into()),
        (_, Err(error)) => Err(archive_error(error)),
        (Err(sent), Ok(())) => Err(sent.into()),
    }
}

/// Writes an archive anew for `root`, everything belonging to `owner`.
fn rewrite(tree: impl Read, root: &Path, owner: Owner, to: impl Write) -> Result<(), ArchiveError> {
    let mut into = Builder::new(BufWriter::with_capacity(CHUNK, to));
    let mut made = HashSet::new();
    read_entries(tree, &Limits::default(), |entry| {
        if entry.path.is_root() {
            return Ok(());
        }
        let name = entry.path.to_string();
        // Directories that the archive does not name would belong to root.
        if owner.user != 0 {
            for parent in missing_parents(entry, &mut made) {
                let mut header = header(EntryType::Directory, 0o755, owner);
                into.append_data(&mut header, &parent, io::empty())
                    .map_err(|error| ArchiveError::io("copy", &name, error))?;
            }
        }
        write_entry(&mut into, entry, root, owner, &name)
    })?;
    into.into_inner()
        .and_then(|mut buffer| buffer.flush())
        .map_err(|error| ArchiveError::io("copy", "the archive", error))
}

/// The directories above an entry that were not there yet, the uppermost first.
fn missing_parents(entry: &Entry<'_>, made: &mut HashSet<PathBuf>) -> Vec<PathBuf> {
    let path = entry.path.as_path();
    if entry.kind == EntryKind::Directory {
        made.insert(path.to_owned());
    }
    let parents = path.ancestors().skip(1);
    let mut missing: Vec<PathBuf> = parents
        .filter(|parent| !parent.as_os_str().is_empty())
        .filter(|parent| made.insert((*parent).to_owned()))
        .map(Path::to_owned)
        .collect();
    missing.reverse();
    missing
}

fn write_entry(
    into: &mut Builder<impl Write>,
    entry: &mut Entry<'_>,
    root: &Path,
    owner: Owner,
    name: &str,
) -> Result<(), ArchiveError> {
    let io = |error| ArchiveError::io("copy", name, error);
    let path = entry.path.as_path();
    let (seconds, fraction) = since_1970(entry.modified);
    if let Some(fraction) = fraction {
        let time = format!("{seconds}.{fraction:09}");
        into.append_pax_extensions([("mtime", time.as_bytes())])
            .map_err(io)?;
    }
    let dated = |kind| {
        let mut header = header(kind, entry.mode, owner);
        header.set_mtime(seconds);
        header
    };
    match &entry.kind {
        EntryKind::File => {
            let mut header = dated(EntryType::Regular);
            header.set_size(entry.size);
            into.append_data(&mut header, path, &mut entry.content)
                .map_err(io)
        }
        EntryKind::Directory => {
            let mut header = dated(EntryType::Directory);
            into.append_data(&mut header, path, io::empty()).map_err(io)
        }
        EntryKind::Symlink(target) => {
            if entry.path.link_leaves(target, Some(root)) {
                let why = format!("links to `{}`, outside of its directory", target.display());
                return Err(ArchiveError::refused(name, &why));
            }
            into.append_link(&mut dated(EntryType::Symlink), path, target)
                .map_err(io)
        }
        EntryKind::HardLink(target) => into
            .append_link(&mut dated(EntryType::Link), path, target.as_path())
            .map_err(io),
        _ => Err(ArchiveError::refused(name, "is of an unknown kind")),
    }
}

fn header(kind: EntryType, mode: u32, owner: Owner) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner.user);
    header.set_gid(owner.group);
    header.set_size(0);
    header
}

/// Seconds, and nanoseconds if there are any. What is older than 1970 counts as 1970.
fn since_1970(time: SystemTime) -> (u64, Option<u32>) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = since.subsec_nanos();
    (since.as_secs(), (fraction != 0).then_some(fraction))
}

/// Packs what `selection` takes; its directories are absolute.
pub(crate) async fn copy_out(
    container: &Container,
    selection: TreeSelection,
) -> Result<TreeReader, SessionError> {
    let mut roots = Vec::new();
    for root in selection.roots {
        let selector = Selector::new(&root.include, &root.exclude).map_err(archive_error)?;
        if !container
            .engine()
            .has_dir(container.id(), &root.dir)
            .await?
        {
            let text = format!(
                "the directory `{}` does not exist in the container",
                root.dir
            );
            return Err(SessionError::new(SessionErrorKind::NotFound, text));
        }
        roots.push((root, selector));
    }
    let (engine, id) = (container.engine().clone(), container.id().to_owned());
    let open = move |path: &str| {
        let pieces = engine.download(&id, path).map_err(io::Error::other);
        SyncIoBridge::new(StreamReader::new(pieces))
    };
    let runtime = tokio::runtime::Handle::current();
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    let work = move || {
        // The bridge looks for the runtime that it is made in.
        let _entered = runtime.enter();
        let mut into = Builder::new(BufWriter::with_capacity(CHUNK, Piping(sender.clone())));
        let packed = roots
            .iter()
            .try_for_each(|(root, selector)| select(&open, root, selector, &mut into))
            .and_then(|()| into.into_inner()?.flush());
        if let Err(error) = packed {
            let _ = sender.send(Err(error));
        }
    };
    std::thread::Builder::new()
        .name("copy-out".to_owned())
        .spawn(work)
        .map_err(|error| archive_error(ArchiveError::io("start", "the copy", error)))?;
    Ok(Box::new(Piped {
        receiver,
        chunk: Bytes::new(),
    }))
}

/// Writes those files that a root takes. `open` gives the archive of a path.
fn select<R: Read>(
    open: &impl Fn(&str) -> R,
    root: &CopyRoot,
    selector: &Selector,
    into: &mut Builder<impl Write>,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(open(&format!("{}/.", root.dir)));
    let nobody = Owner { user: 0, group: 0 };
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = EntryPath::parse(&entry.path_bytes()).map_err(io::Error::other)?;
        if path.is_root() || !selector.takes(path.as_path()) {
            continue;
        }
        let name = Path::new(&root.prefix).join(path.as_path());
        let kind = entry.header().entry_type();
        let mode = entry.header().mode()? & 0o777;
        let mut header = header(kind, mode, nobody);
        header.set_mtime(entry.header().mtime()?);
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                header.set_size(entry.size());
                into.append_data(&mut header, name, &mut entry)?;
            }
            EntryType::Directory => into.append_data(&mut header, name, io::empty())?,
            EntryType::Symlink => {
                let target = entry.link_name()?.ok_or(io::ErrorKind::InvalidData)?;
                into.append_link(&mut header, name, target)?;
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().ok_or(io::ErrorKind::InvalidData)?;
                let target = EntryPath::parse(&target).map_err(io::Error::other)?;
                if !selector.takes(target.as_path()) {
                    // The content stands in the archive under a name that is left out.
                    let place = format!("{}/{target}", root.dir);
                    copy_file(open(&place), header, &name, into)?;
                    continue;
                }
                let target = Path::new(&root.prefix).join(target.as_path());
                into.append_link(&mut header, name, target)?;
            }
            // Pipes, sockets and devices have no place in an archive.
            _ => {}
        }
    }
    Ok(())
}

/// Writes the only file of an archive under another name.
fn copy_file(
    archive: impl Read,
    mut header: Header,
    name: &Path,
    into: &mut Builder<impl Write>,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(archive);
    let mut entry = archive
        .entries()?
        .next()
        .ok_or(io::ErrorKind::UnexpectedEof)??;
    header.set_entry_type(EntryType::Regular);
    header.set_size(entry.size());
    into.append_data(&mut header, name, &mut entry)
}

/// The writing end of what goes to an engine.
struct Sending(queue::Sender<io::Result<Bytes>>);

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Ok(Bytes::copy_from_slice(bytes));
        self.0
            .blocking_send(chunk)
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The writing end of what somebody reads.
struct Piping(mpsc::SyncSender<io::Result<Bytes>>);

impl Write for Piping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Ok(Bytes::copy_from_slice(bytes));
        self.0.send(chunk).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The reading end of [`Piping`].
struct Piped {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    chunk: Bytes,
}

impl Read for Piped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.recv() {
                Ok(chunk) => self.chunk = chunk?,
                // The end; without an end mark before it nobody takes the archive for whole.
                Err(_) => return Ok(0),
            }
        }
        let size = into.len().min(self.chunk.len());
        into[..size].copy_from_slice(&self.chunk.split_to(size));
        Ok(size)
    }
}

pub(crate) fn archive_error(error: ArchiveError) -> SessionError {
    let kind = match error.kind() {
        ArchiveErrorKind::NotFound => SessionErrorKind::NotFound,
        ArchiveErrorKind::Refused | ArchiveErrorKind::TooLarge | ArchiveErrorKind::Glob => {
            SessionErrorKind::Refused
        }
        _ => SessionErrorKind::Other,
    };
    SessionError::new(kind, error.to_string()).with_source(error)
}
