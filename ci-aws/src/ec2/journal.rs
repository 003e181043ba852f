//! The durable record of what is about to be launched: one file for each launch.
//!
//! A record is on the disk, and the directory's entry for it, before the call that it is about is made.
//! A file that is still there is a launch whose end nobody has seen.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::Ec2Error;

/// Where the records are.
#[derive(Debug, Clone)]
pub struct Journal {
    dir: PathBuf,
}

/// A line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Entry {
    /// An instance is about to be launched, or an existing one about to be used.
    Intent {
        /// The run.
        run: String,
        /// The client token of the call, or the token of the lock.
        token: String,
        /// What is asked for, in words.
        what: String,
        /// Seconds for which it may be billed at most.
        seconds: u64,
    },
    /// The call made this instance.
    Launched {
        /// Its id.
        id: String,
    },
}

/// A launch whose end nobody has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Open {
    /// The run.
    pub run: String,
    /// The tokens of all calls that may have made an instance.
    pub tokens: Vec<String>,
    /// The instances that are known.
    pub ids: Vec<String>,
    /// The most seconds for which it may be billed.
    pub seconds: u64,
    path: PathBuf,
}

/// The record of one launch.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// The journal in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Ec2Error> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(|error| Ec2Error::file("make", &dir, error))?;
        Ok(Self { dir })
    }

    /// Begins the record of a launch.
    pub(super) fn begin(&self, name: &str, first: &Entry) -> Result<Record, Ec2Error> {
        let path = self.dir.join(format!("{name}.jsonl"));
        let made = (|| {
            let mut options = OpenOptions::new();
            options.append(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&path)?;
            append(&mut file, first)?;
            // Without this a crash of the machine may take the file's name away, and all with it.
            File::open(&self.dir)?.sync_all()?;
            Ok(file)
        })();
        match made {
            Ok(file) => Ok(Record { path, file }),
            Err(error) => Err(Ec2Error::file("write", &path, error)),
        }
    }

    /// The launches whose end nobody has seen, oldest first. Lines that were cut count for nothing:
    /// what they are about has not been done.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn unended(&self) -> Result<Vec<Open>, Ec2Error> {
        let listing = fs::read_dir(&self.dir);
        let listing = listing.map_err(|error| Ec2Error::file("read", &self.dir, error))?;
        let mut paths: Vec<PathBuf> = listing
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
            .collect();
        paths.sort();
        let mut all = Vec::new();
        for path in paths {
            match fs::read_to_string(&path) {
                Ok(text) => all.extend(read(&text, &path)),
                // Somebody else has just seen its end.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Ec2Error::file("read", &path, error)),
            }
        }
        Ok(all)
    }

    /// How many seconds the launches of `run` may be billed for, ended ones at their most too.
    pub(super) fn seconds(&self, run: &str) -> Result<u64, Ec2Error> {
        let path = self.tally(run);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.lines().filter_map(|it| it.parse::<u64>().ok()).sum()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(Ec2Error::file("read", &path, error)),
        }
    }

    /// Adds a launch of `run` to what the run may be billed for.
    pub(super) fn count(&self, run: &str, seconds: u64) -> Result<(), Ec2Error> {
        let path = self.tally(run);
        let mut options = OpenOptions::new();
        let opened = options.append(true).create(true).open(&path);
        opened
            .and_then(|mut file| {
                file.write_all(format!("{seconds}\n").as_bytes())?;
                file.sync_all()
            })
            .map_err(|error| Ec2Error::file("write", &path, error))
    }

    fn tally(&self, run: &str) -> PathBuf {
        let name: String = run
            .chars()
            .map(|it| if it.is_ascii_alphanumeric() { it } else { '-' })
            .collect();
        self.dir.join(format!("{name}.seconds"))
    }
}

impl Open {
    /// Whether nothing was added to it for this long.
    pub(super) fn is_older_than(&self, time: std::time::Duration) -> bool {
        let changed = fs::metadata(&self.path).and_then(|it| it.modified());
        let age = changed.ok().and_then(|changed| changed.elapsed().ok());
        age.is_some_and(|age| age > time)
    }

    /// Forgets the launch: its end was seen.
    ///
    /// # Errors
    /// If its file cannot be removed.
    pub fn forget(&self) -> Result<(), Ec2Error> {
        remove(&self.path)
    }
}

impl Record {
    /// Adds a line, and comes back when it is on the disk.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<(), Ec2Error> {
        append(&mut self.file, entry).map_err(|error| Ec2Error::file("write", &self.path, error))
    }

    /// The end was seen: the record is of no use any more.
    pub(super) fn end(self) -> Result<(), Ec2Error> {
        remove(&self.path)
    }
}

fn append(file: &mut File, entry: &Entry) -> io::Result<()> {
    let mut line = serde_json::to_string(entry)?;
    line.push('\n');
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

fn remove(path: &Path) -> Result<(), Ec2Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Ec2Error::file("remove", path, error))
        }
        _ => Ok(()),
    }
}

fn read(text: &str, path: &Path) -> Option<Open> {
    let mut open = Open {
        run: String::new(),
        tokens: Vec::new(),
        ids: Vec::new(),
        seconds: 0,
        path: path.to_owned(),
    };
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(Entry::Intent {
                run,
                token,
                seconds,
                ..
            }) => {
                open.run = run;
                open.tokens.push(token);
                open.seconds = open.seconds.max(seconds);
            }
            Ok(Entry::Launched { id }) => open.ids.push(id),
            Err(_) => {}
        }
    }
    (!open.tokens.is_empty()).then_some(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(token: &str) -> Entry {
        Entry::Intent {
            run: "r".to_owned(),
            token: token.to_owned(),
            what: "c7g.large".to_owned(),
            seconds: 60,
        }
    }

    #[test]
    fn what_has_not_ended_is_found_by_another_process() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path().join("new")).unwrap();
        let mut first = journal.begin("a", &intent("t1")).unwrap();
        first.add(&intent("t2")).unwrap();
        first.add(&Entry::Launched { id: "i-1".into() }).unwrap();
        let second = journal.begin("b", &intent("t3")).unwrap();
        second.end().unwrap();
        let open = Journal::open(dir.path().join("new")).unwrap();
        let open = open.unended().unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].tokens, ["t1", "t2"]);
        assert_eq!(open[0].ids, ["i-1"]);
        open[0].forget().unwrap();
        assert!(journal.unended().unwrap().is_empty());
    }

    #[test]
    fn a_line_that_was_cut_counts_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        drop(journal.begin("a", &intent("t1")).unwrap());
        let path = dir.path().join("a.jsonl");
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{}", &whole[..20])).unwrap();
        assert_eq!(journal.unended().unwrap()[0].tokens, ["t1"]);
        fs::write(&path, &whole[..20]).unwrap();
        assert!(journal.unended().unwrap().is_empty());
    }

    #[test]
    fn the_seconds_of_a_run_add_up() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.seconds("r/1").unwrap(), 0);
        journal.count("r/1", 10).unwrap();
        journal.count("r/1", 5).unwrap();
        journal.count("r/2", 7).unwrap();
        assert_eq!(journal.seconds("r/1").unwrap(), 15);
    }
}
