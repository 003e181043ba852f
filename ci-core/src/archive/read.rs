//! The entries of an archive that nobody trusts, each checked before anybody sees it.

use std::cell::Cell;
use std::io::{self, Read};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tar::{Archive, EntryType};

use super::path::os_string;
use super::{ArchiveError, ArchiveErrorKind, EntryPath};

/// What one entry may take in the archive beside its content: names and extended headers. More is an
/// attack on memory.
const HEADERS: u64 = 1024 * 1024;

/// The most that an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The number of entries.
    pub entries: u64,
    /// The bytes of all files together, unpacked.
    pub bytes: u64,
}

impl Default for Limits {
    /// Ten million entries, 256 GiB.
    fn default() -> Self {
        Self {
            entries: 10_000_000,
            bytes: 256 << 30,
        }
    }
}

impl Limits {
    /// Sets the most bytes that all files may have together.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the most entries.
    #[must_use]
    pub fn entries(mut self, entries: u64) -> Self {
        self.entries = entries;
        self
    }
}

/// What an archive held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Totals {
    /// The number of entries.
    pub entries: u64,
    /// The bytes of all files together.
    pub bytes: u64,
}

/// An entry whose name is safe to use below a root.
#[non_exhaustive]
pub struct Entry<'a> {
    /// Its name.
    pub path: EntryPath,
    /// What it is.
    pub kind: EntryKind,
    /// The permission bits; set-user-id, set-group-id and sticky are never kept.
    pub mode: u32,
    /// When it was last changed.
    pub modified: SystemTime,
    /// The size of a file's content; zero for all others.
    pub size: u64,
    /// A file's content.
    pub content: &'a mut dyn Read,
}

impl std::fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("path", &self.path)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link to this target, which may be anywhere.
    Symlink(PathBuf),
    /// Another name of the file at this path of the same root.
    HardLink(EntryPath),
}

/// Calls `each` for every entry of a tar archive. Names that would leave the root and entries that
/// are no file, directory or link are refused; so is an archive that ends before its end mark.
/// Memory does not grow with the archive.
pub fn read_entries(
    reader: impl Read,
    limits: &Limits,
    mut each: impl FnMut(&mut Entry<'_>) -> Result<(), ArchiveError>,
) -> Result<Totals, ArchiveError> {
    let gauge = Gauge::default();
    let mut archive = Archive::new(Gauged {
        inner: reader,
        gauge: gauge.clone(),
    });
    let mut totals = Totals::default();
    let mut last = String::new();
    let broken = |last: &str, gauge: &Gauge, error| broken(last, gauge, error);
    gauge.allow(HEADERS);
    let entries = archive
        .entries()
        .map_err(|error| broken(&last, &gauge, error))?;
    for entry in entries {
        let mut raw = entry.map_err(|error| broken(&last, &gauge, error))?;
        last = String::from_utf8_lossy(&raw.path_bytes()).into_owned();
        totals.entries += 1;
        if totals.entries > limits.entries {
            let words = format!("has more than {} entries", limits.entries);
            return Err(too_large(&last, &words));
        }
        let Some(kind) = kind_of(&mut raw, &last)? else {
            gauge.allow(HEADERS);
            continue;
        };
        let size = match kind {
            EntryKind::File => raw.size(),
            _ => 0,
        };
        totals.bytes = totals.bytes.saturating_add(size);
        if totals.bytes > limits.bytes {
            let words = format!("unpacks to more than {} bytes", limits.bytes);
            return Err(too_large(&last, &words));
        }
        gauge.allow(size.saturating_add(HEADERS));
        let path =
            EntryPath::parse(&raw.path_bytes()).map_err(|why| ArchiveError::refused(&last, why))?;
        let modified = modified(&mut raw);
        let mut entry = Entry {
            path,
            kind,
            mode: raw.header().mode().unwrap_or(0o644) & 0o777,
            modified,
            size,
            content: &mut raw,
        };
        each(&mut entry)?;
        io::copy(&mut raw, &mut io::sink()).map_err(|error| broken(&last, &gauge, error))?;
        gauge.allow(HEADERS);
    }
    if gauge.0.ended.get() {
        let words = "the archive ends without its end mark: it was cut off";
        return Err(ArchiveError::new(ArchiveErrorKind::Malformed, words));
    }
    Ok(totals)
}

/// What the entry is; `None` for headers that describe the archive and not a file.
fn kind_of<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    name: &str,
) -> Result<Option<EntryKind>, ArchiveError> {
    let target = |entry: &tar::Entry<'_, R>| {
        let bytes = entry.link_name_bytes().unwrap_or_default().into_owned();
        if bytes.is_empty() || bytes.contains(&0) {
            return Err(ArchiveError::refused(name, "is a link to nothing"));
        }
        Ok(bytes)
    };
    Ok(Some(match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            // Archives older than POSIX mark a directory only by the slash.
            if name.ends_with('/') {
                EntryKind::Directory
            } else {
                EntryKind::File
            }
        }
        EntryType::Directory => EntryKind::Directory,
        EntryType::Symlink => {
            let bytes = target(entry)?;
            let name = os_string(&bytes)
                .ok_or_else(|| ArchiveError::refused(name, "links to a name that is not UTF-8"))?;
            EntryKind::Symlink(name.into())
        }
        EntryType::Link => {
            let bytes = target(entry)?;
            let original = EntryPath::parse(&bytes).map_err(|why| {
                let to = String::from_utf8_lossy(&bytes);
                let why = format!("is a hard link to `{to}`, which {why}");
                ArchiveError::refused(name, &why)
            })?;
            EntryKind::HardLink(original)
        }
        EntryType::XGlobalHeader => return Ok(None),
        EntryType::Char | EntryType::Block => {
            return Err(ArchiveError::refused(name, "is a device"));
        }
        EntryType::Fifo => return Err(ArchiveError::refused(name, "is a named pipe")),
        _ => return Err(ArchiveError::refused(name, "is of an unknown kind")),
    }))
}

/// When the entry was last changed: the fraction of a second is only in the extended header.
fn modified<R: Read>(entry: &mut tar::Entry<'_, R>) -> SystemTime {
    let seconds = entry.header().mtime().unwrap_or(0);
    let exact = entry
        .pax_extensions()
        .ok()
        .flatten()
        .and_then(|extensions| {
            extensions
                .filter_map(Result::ok)
                .find(|extension| extension.key_bytes() == b"mtime")
                .and_then(|extension| parse_time(extension.value().ok()?))
        });
    let since = exact.unwrap_or(Duration::from_secs(seconds));
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

/// Reads `seconds.fraction` without rounding.
fn parse_time(text: &str) -> Option<Duration> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    Some(Duration::new(seconds.parse().ok()?, digits.parse().ok()?))
}

fn too_large(name: &str, what: &str) -> ArchiveError {
    let words = format!("the archive {what}: refused at the entry `{name}`");
    ArchiveError::new(ArchiveErrorKind::TooLarge, words).at(name)
}

fn broken(last: &str, gauge: &Gauge, error: io::Error) -> ArchiveError {
    if gauge.0.exceeded.get() {
        return too_large(last, "has headers of more than 1 MiB after an entry");
    }
    let place = if last.is_empty() {
        "at its start".to_owned()
    } else {
        format!("after the entry `{last}`")
    };
    // A reader that failed says so with its own error; the parser's are made of words only.
    let kind = if gauge.0.failed.get() {
        super::error::kind_of(&error)
    } else {
        ArchiveErrorKind::Malformed
    };
    ArchiveError::new(kind, format!("the archive cannot be read {place}")).caused_by(error)
}

/// How much more may be read before the next entry is known.
#[derive(Clone, Default)]
struct Gauge(Rc<GaugeState>);

#[derive(Default)]
struct GaugeState {
    left: Cell<u64>,
    exceeded: Cell<bool>,
    ended: Cell<bool>,
    failed: Cell<bool>,
}

impl Gauge {
    fn allow(&self, bytes: u64) {
        self.0.left.set(bytes);
    }
}

struct Gauged<R> {
    inner: R,
    gauge: Gauge,
}

impl<R: Read> Read for Gauged<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let state = &self.gauge.0;
        let most = usize::try_from(state.left.get()).unwrap_or(usize::MAX);
        if most == 0 && !into.is_empty() {
            state.exceeded.set(true);
            return Err(io::Error::other("too many bytes before the next entry"));
        }
        let most = most.min(into.len());
        let read = self.inner.read(&mut into[..most]);
        match &read {
            Ok(0) if most > 0 => state.ended.set(true),
            Ok(read) => state.left.set(state.left.get() - *read as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => state.failed.set(true),
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_without_rounding() {
        for (text, expected) in [
            ("5", Some(Duration::new(5, 0))),
            ("5.25", Some(Duration::new(5, 250_000_000))),
            ("5.0000000019", Some(Duration::new(5, 1))),
            ("-1", None),
            ("x", None),
            ("1.x", None),
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
    }
}
