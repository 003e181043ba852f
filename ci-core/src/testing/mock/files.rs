//! The files of a mock session, in memory.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use crate::archive::{ArchiveError, ArchiveErrorKind, EntryKind, Limits, Selector, read_entries};
use crate::session::{
    CopyRoot, SessionError, SessionErrorKind, SessionInfo, TreeReader, TreeSelection,
};

/// Files, directories and links by absolute path.
#[derive(Debug, Clone, Default)]
pub(super) struct Files(BTreeMap<String, Node>);

#[derive(Debug, Clone)]
enum Node {
    File { mode: u32, content: Vec<u8> },
    Directory,
    Symlink(String),
}

impl Files {
    /// Makes a file at an absolute path.
    pub(super) fn write(&mut self, path: String, content: impl Into<Vec<u8>>) {
        let (mode, content) = (0o644, content.into());
        self.0.insert(path, Node::File { mode, content });
    }

    /// Unpacks an archive, read to its end by the caller, below an absolute path.
    pub(super) fn unpack(&mut self, archive: &[u8], dir: &str) -> Result<(), SessionError> {
        self.0.insert(dir.to_owned(), Node::Directory);
        let mut unreadable = None;
        let each = |entry: &mut crate::archive::Entry<'_>| {
            let path = format!("{dir}/{}", entry.path.as_path().display());
            let node = match &entry.kind {
                EntryKind::File | EntryKind::HardLink(_) => {
                    let (mode, mut content) = (entry.mode, Vec::new());
                    if let Err(error) = entry.content.read_to_end(&mut content) {
                        unreadable = Some(error);
                    }
                    Node::File { mode, content }
                }
                EntryKind::Directory => Node::Directory,
                EntryKind::Symlink(target) => Node::Symlink(target.display().to_string()),
            };
            self.0.insert(path.trim_end_matches('/').to_owned(), node);
            Ok(())
        };
        read_entries(archive, &Limits::default(), each).map_err(refused)?;
        unreadable.map_or(Ok(()), |error| Err(other(error)))
    }

    /// Packs what the selection takes.
    pub(super) fn pack(
        &self,
        selection: &TreeSelection,
        info: &SessionInfo,
    ) -> Result<TreeReader, SessionError> {
        let mut builder = tar::Builder::new(Vec::new());
        for root in &selection.roots {
            self.pack_root(root, &info.resolve(&root.dir), &mut builder)?;
        }
        Ok(Box::new(Cursor::new(builder.into_inner().map_err(other)?)))
    }

    fn pack_root(
        &self,
        root: &CopyRoot,
        dir: &str,
        builder: &mut tar::Builder<Vec<u8>>,
    ) -> Result<(), SessionError> {
        let below = format!("{}/", dir.trim_end_matches('/'));
        if !self.0.contains_key(dir) && !self.0.keys().any(|path| path.starts_with(&below)) {
            let text = format!("the directory `{dir}` does not exist");
            return Err(SessionError::new(SessionErrorKind::NotFound, text));
        }
        let selector = Selector::new(&root.include, &root.exclude).map_err(refused)?;
        for (path, node) in &self.0 {
            let Some(name) = path.strip_prefix(&below) else {
                continue;
            };
            if !selector.takes(Path::new(name)) {
                continue;
            }
            let name = match root.prefix.as_str() {
                "" => name.to_owned(),
                prefix => format!("{prefix}/{name}"),
            };
            append(builder, &name, node).map_err(other)?;
        }
        Ok(())
    }
}

fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, node: &Node) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    match node {
        Node::File { mode, content } => {
            header.set_mode(*mode);
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, content.as_slice())
        }
        Node::Directory => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            builder.append_data(&mut header, name, std::io::empty())
        }
        Node::Symlink(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            builder.append_link(&mut header, name, target)
        }
    }
}

fn refused(error: ArchiveError) -> SessionError {
    let kind = match error.kind() {
        ArchiveErrorKind::Io | ArchiveErrorKind::Malformed => SessionErrorKind::Other,
        _ => SessionErrorKind::Refused,
    };
    SessionError::new(kind, error.to_string()).with_source(error)
}

fn other(error: std::io::Error) -> SessionError {
    SessionError::new(
        SessionErrorKind::Other,
        "the archive cannot be made or read",
    )
    .with_source(error)
}
