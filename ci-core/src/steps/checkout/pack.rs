//! A directory as a tar archive.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header, HeaderMode};

/// Writes everything below `root`, with modes, times and symbolic links, owned by the superuser:
/// who is to own the files is for the one who unpacks them. Stops when `stop` says so.
pub(super) fn pack(root: &Path, to: impl Write, stop: impl Fn() -> bool) -> io::Result<()> {
    let mut archive = Builder::new(to);
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let mut entries = fs::read_dir(root.join(&below))?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if stop() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let name = below.join(entry.file_name());
            let path = entry.path();
            let meta = fs::symlink_metadata(&path)?;
            let mut header = Header::new_gnu();
            header.set_metadata_in_mode(&meta, HeaderMode::Complete);
            header.set_uid(0);
            header.set_gid(0);
            if meta.is_dir() {
                archive.append_data(&mut header, &name, io::empty())?;
                open.push(name);
            } else if meta.is_symlink() {
                header.set_entry_type(EntryType::Symlink);
                header.set_size(0);
                archive.append_link(&mut header, &name, fs::read_link(&path)?)?;
            } else if meta.is_file() {
                archive.append_data(&mut header, &name, fs::File::open(&path)?)?;
            }
        }
    }
    archive.into_inner()?.flush()
}
