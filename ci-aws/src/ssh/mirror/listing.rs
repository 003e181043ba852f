//! What both ends have, by names, kinds, sizes and times, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ci_core::archive::Selector;
use ci_core::held::is_held;

/// Above so many changed files everything is sent.
const MOST: usize = 1000;

/// The kind of a file in its mode, see inode(7).
const KIND: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

/// What a machine said of a directory.
#[derive(Debug, Default)]
pub(super) struct There {
    /// Where `rsync` is, if it has it.
    pub(super) rsync: Option<String>,
    pub(super) files: Files<Written>,
}

/// A file as both ends see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    size: u64,
    modified: Moment,
    /// With its kind.
    mode: u32,
}

/// Seconds since 1970, and nanoseconds, which not every machine tells.
type Moment = (i64, u32);

/// A file of the machine, and the second in which it was written there.
pub(super) type Written = (Seen, i64);

/// Files by their path below the project.
pub(super) type Files<T> = BTreeMap<Vec<u8>, T>;

/// What has to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// What has to be removed first, what is in a directory before it.
    pub(super) gone: Vec<Vec<u8>>,
    /// Whether something of it is in the way of something of another kind.
    pub(super) is_in_the_way: bool,
    /// Everything that has to be sent.
    pub(super) changed: Vec<PathBuf>,
    /// The same as globs, each directory with all that is in it; `None` if it is better to send all.
    pub(super) globs: Option<Vec<String>>,
    /// The links in it.
    pub(super) links: Vec<PathBuf>,
    /// How many bytes of it are there in an older form.
    pub(super) older: u64,
}

/// Compares both ends.
pub(super) fn plan(here: &Files<Seen>, there: &Files<Written>, selector: &Selector) -> Plan {
    let is_left = |path: &[u8]| !selector.takes(path_of(path));
    let is_gone = |path: &[u8], (other, _): &Written| match here.get(path) {
        // What is of another kind is not written over.
        Some(seen) => seen.mode & KIND != other.mode & KIND,
        None => !is_left(path),
    };
    let gone = there.iter().filter(|(path, other)| is_gone(path, other));
    let mut plan = Plan {
        // Backwards, a directory comes after what is in it.
        gone: gone.map(|(path, _)| path.clone()).rev().collect(),
        is_in_the_way: false,
        changed: Vec::new(),
        globs: None,
        links: Vec::new(),
        older: 0,
    };
    plan.is_in_the_way = plan.gone.iter().any(|path| here.contains_key(path));
    let changed = here
        .iter()
        .filter(|(path, seen)| !is_same(seen, there.get(*path)));
    let changed: Vec<(&Vec<u8>, &Seen)> = changed.collect();
    for (path, seen) in &changed {
        let path = path_of(path).to_owned();
        match seen.mode & KIND {
            REGULAR if there.contains_key(path.as_os_str().as_bytes()) => plan.older += seen.size,
            REGULAR | DIRECTORY => {}
            _ => plan.links.push(path.clone()),
        }
        plan.changed.push(path);
    }
    plan.globs = globs(&changed);
    plan
}

fn path_of(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

fn is_same(seen: &Seen, there: Option<&Written>) -> bool {
    let Some((other, written)) = there else {
        return false;
    };
    match seen.mode & KIND {
        DIRECTORY => seen.mode == other.mode,
        REGULAR if (seen.mode, seen.size) != (other.mode, other.size) => false,
        REGULAR if seen.modified.1 != 0 && other.modified.1 != 0 => seen.modified == other.modified,
        // What was changed once more in the second in which it was sent would look the same.
        REGULAR => seen.modified.0 == other.modified.0 && *written > seen.modified.0 + 1,
        // Where a link leads to is not listed.
        _ => false,
    }
}

fn globs(changed: &[(&Vec<u8>, &Seen)]) -> Option<Vec<String>> {
    let mut whole: BTreeSet<&[u8]> = BTreeSet::new();
    let mut globs = Vec::new();
    for (path, seen) in changed {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        if slashes
            .map(|(at, _)| &path[..at])
            .any(|dir| whole.contains(dir))
        {
            continue;
        }
        if seen.mode & KIND == DIRECTORY {
            whole.insert(path);
        }
        if globs.len() == MOST {
            return None;
        }
        globs.push(literal(std::str::from_utf8(path).ok()?));
    }
    Some(globs)
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

/// The files, links and directories of the project, without those that an archive leaves out.
pub(super) fn here(project: &Path, selector: &Selector) -> io::Result<Files<Seen>> {
    let mut files = Files::new();
    let mut open = vec![PathBuf::new()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(project.join(&dir))? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            // Only names of the top are left out.
            if dir.as_os_str().is_empty() && !selector.takes(&path) {
                continue;
            }
            let about = match entry.metadata() {
                Ok(about) => about,
                // Somebody removes files while we look.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if !(about.is_file() || about.is_dir() || about.is_symlink()) {
                continue;
            }
            if is_held(&entry.path(), &about) {
                continue;
            }
            let seen = Seen {
                size: about.size(),
                modified: (
                    about.mtime(),
                    u32::try_from(about.mtime_nsec()).unwrap_or(0),
                ),
                // As an archive has it.
                mode: about.mode() & (KIND | 0o777),
            };
            files.insert(path.as_os_str().as_bytes().to_vec(), seen);
            if about.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(files)
}

/// What the machine says it has: where `rsync` is, then a line for each name, then an empty one.
pub(super) fn there(mut from: impl BufRead) -> io::Result<There> {
    let mut there = There::default();
    let mut text = Vec::new();
    from.read_until(b'\n', &mut text)?;
    let path = String::from_utf8_lossy(&text).trim_end().to_owned();
    there.rsync = Some(path).filter(|path| path.starts_with('/'));
    loop {
        text.clear();
        if from.read_until(b'\n', &mut text)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if text == b"\n" {
            return Ok(there);
        }
        there
            .files
            .extend(line(text.strip_suffix(b"\n").unwrap_or(&text)));
    }
}

/// `F` and what `find -printf` says, or `S` and what `stat` says; anything else is the rest of a name.
fn line(line: &[u8]) -> Option<(Vec<u8>, Written)> {
    let mut parts = line.splitn(5, |byte| *byte == b' ');
    let mut word = || std::str::from_utf8(parts.next()?).ok();
    let mode = mode(word()?)?;
    let size = word()?.parse().ok()?;
    let modified = moment(word()?)?;
    let (written, _) = moment(word()?)?;
    let path = parts.next()?;
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let seen = Seen {
        size,
        modified,
        mode: mode & (KIND | 0o777),
    };
    (!path.is_empty()).then(|| (path.to_vec(), (seen, written)))
}

fn mode(word: &str) -> Option<u32> {
    if let Some(hex) = word.strip_prefix('S') {
        return u32::from_str_radix(hex, 16).ok();
    }
    let word = word.strip_prefix('F')?;
    let kind = match word.chars().next()? {
        'f' => REGULAR,
        'd' => DIRECTORY,
        'l' => 0o120_000,
        _ => 0,
    };
    let bits = u32::from_str_radix(word.get(1..)?, 8).ok()?;
    Some(kind | bits)
}

/// `seconds.fraction`.
fn moment(word: &str) -> Option<Moment> {
    let (seconds, fraction) = word.split_once('.').unwrap_or((word, ""));
    let nanos = format!("{fraction:0<9}");
    Some((seconds.parse().ok()?, nanos.get(..9)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_what_is_none_is_not() {
        let (name, (seen, written)) = line(b"Ff644 5 100.0000000070 107.5 a b/c").unwrap();
        assert_eq!((name, written), (b"a b/c".to_vec(), 107));
        assert_eq!((seen.mode, seen.size), (0o100_644, 5));
        assert_eq!(seen.modified, (100, 7));
        let (name, (seen, _)) = line(b"Sa1ff 5 100 107 ./l").unwrap();
        assert_eq!(
            (name, seen.mode, seen.modified),
            (b"l".to_vec(), 0o120_777, (100, 0))
        );
        for wrong in [
            "",
            "Ff644 5 100 107",
            "Ff644 x 1 1 a",
            "Sxyz 1 1 1 ./a",
            "Ff644 1 1 1 ./",
            "rest of a name",
        ] {
            assert_eq!(line(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_list_ends_with_an_empty_line() {
        let whole = "/usr/bin/rsync\nFf644 5 1 2 a\nrest\nFd755 1 1 1 d\n\nmore";
        let read = there(whole.as_bytes()).unwrap();
        assert_eq!(read.rsync.unwrap(), "/usr/bin/rsync");
        assert_eq!(read.files.len(), 2);
        assert_eq!(there("\n\n".as_bytes()).unwrap().rsync, None);
        let error = there("\nFf644 5 1 2 a\n".as_bytes()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    fn seen(size: u64, modified: i64, mode: u32) -> Seen {
        Seen {
            size,
            modified: (modified, 0),
            mode,
        }
    }

    fn file(size: u64, modified: i64) -> Seen {
        seen(size, modified, 0o100_644)
    }

    fn fine(size: u64, modified: Moment) -> Seen {
        Seen {
            modified,
            ..file(size, 0)
        }
    }

    fn files<T: Copy>(all: &[(&str, T)]) -> Files<T> {
        let all = all.iter();
        all.map(|(name, it)| (name.as_bytes().to_vec(), *it))
            .collect()
    }

    #[test]
    fn what_this_process_holds_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        fs::write(dir.path().join("runs.db"), "").unwrap();
        let hold = ci_core::held::Hold::new(dir.path().join("runs.db"), ["-wal"]);
        let everything = Selector::new(&[], &[]).unwrap();
        let names = || here(dir.path(), &everything).unwrap().into_keys();
        assert_eq!(names().collect::<Vec<_>>(), [b"file"]);
        drop(hold);
        assert_eq!(names().len(), 2);
    }

    #[test]
    fn what_differs_or_may_differ_is_sent() {
        let link = seen(1, 100, 0o120_777);
        let here = files(&[
            ("same", file(1, 100)),
            ("larger", file(2, 100)),
            ("later", file(1, 101)),
            ("fine", fine(1, (100, 5))),
            ("finer", fine(1, (100, 5))),
            ("at once", file(1, 100)),
            ("n*w", file(1, 100)),
            ("link", link),
            ("dir", seen(9, 9, 0o040_755)),
            ("dir/same", file(1, 100)),
            ("new", seen(9, 9, 0o040_755)),
            ("new/in", file(1, 100)),
            ("new-too", file(1, 100)),
        ]);
        let there = files(&[
            ("same", (file(1, 100), 200)),
            ("larger", (file(1, 100), 200)),
            ("later", (file(1, 100), 200)),
            ("fine", (fine(1, (100, 5)), 100)),
            ("finer", (fine(1, (100, 6)), 200)),
            ("link", (link, 200)),
            ("at once", (file(1, 100), 100)),
            ("dir", (seen(1, 1, 0o040_755), 1)),
            ("dir/same", (file(1, 100), 200)),
        ]);
        let everything = Selector::new(&[], &[]).unwrap();
        let plan = plan(&here, &there, &everything);
        let expected = [
            "at once", "finer", "larger", "later", "link", "n[*]w", "new", "new-too",
        ];
        assert_eq!(plan.globs.unwrap(), expected);
        assert_eq!(plan.changed.len(), expected.len() + 1);
        assert_eq!(plan.links, [Path::new("link")]);
        assert_eq!(plan.older, 5);
        assert_eq!(plan.gone, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn what_is_gone_or_of_another_kind_is_removed() {
        let dir = seen(1, 1, 0o040_755);
        let here = files(&[("was dir", file(1, 100)), ("was file", dir)]);
        let there = files(&[
            ("was dir", (dir, 1)),
            ("was dir/in", (file(1, 1), 1)),
            ("was file", (file(1, 1), 1)),
            ("old", (dir, 1)),
            ("old/link", (seen(1, 1, 0o120_777), 1)),
            (".own", (dir, 1)),
            (".own/in", (file(1, 1), 1)),
        ]);
        let selector = Selector::new(&[], &[".own".to_owned()]).unwrap();
        let plan = plan(&here, &there, &selector);
        let gone = plan.gone.iter().map(|it| String::from_utf8_lossy(it));
        let expected = ["was file", "was dir/in", "was dir", "old/link", "old"];
        assert_eq!(gone.collect::<Vec<_>>(), expected);
        assert!(plan.is_in_the_way);
        assert_eq!(plan.globs.unwrap(), ["was dir", "was file"]);
    }
}
