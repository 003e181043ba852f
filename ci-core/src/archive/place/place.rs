//! What a place has to do, and why it may refuse.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::archive::EntryPath;

/// Why something could not be put into a place.
#[derive(Debug)]
pub(in crate::archive) enum Trouble {
    /// The entry has to be refused, because it does this.
    Refused(String),
    /// The system said no.
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A directory that is filled. Parents that are missing are made; what stands at a path already is
/// replaced, never followed, except that a directory stays and one that is not empty is in the way
/// of anything else.
pub(in crate::archive) trait Place: Sized {
    /// Opens `root`, which exists and may be reached through links.
    fn open(root: &Path) -> io::Result<Self>;

    /// Makes a directory that its owner may fill.
    fn directory(&mut self, path: &EntryPath) -> Result<(), Trouble>;

    /// Makes an empty file.
    fn file(&mut self, path: &EntryPath) -> Result<File, Trouble>;

    /// Makes a symbolic link, whatever it points to.
    fn symlink(
        &mut self,
        path: &EntryPath,
        target: &Path,
        modified: SystemTime,
    ) -> Result<(), Trouble>;

    /// Gives the file at `original` another name.
    fn hard_link(&mut self, path: &EntryPath, original: &EntryPath) -> Result<(), Trouble>;

    /// Sets what a directory shall look like once it is full.
    fn finish_directory(
        &mut self,
        path: &EntryPath,
        mode: u32,
        modified: SystemTime,
    ) -> Result<(), Trouble>;
}

/// The refusal of an entry below something that is a symbolic link.
pub(super) fn through_link(path: &Path) -> Trouble {
    Trouble::Refused(format!(
        "goes through the symbolic link `{}`",
        path.display()
    ))
}

/// The refusal of an entry that would replace a directory with something in it.
pub(super) fn directory_in_the_way() -> Trouble {
    Trouble::Refused("would replace a directory that is not empty".to_owned())
}

/// The refusal of a hard link to something else than a file.
pub(super) fn no_file(original: &EntryPath) -> Trouble {
    Trouble::Refused(format!("is a hard link to `{original}`, which is no file"))
}
