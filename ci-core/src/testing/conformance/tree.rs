//! File trees as tar archives, made and read for the checks.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::check::{Trouble, ensure};
use crate::session::TreeReader;

/// The time stamp of every file, in seconds since 1970: 2001-09-09 01:46:40 UTC.
pub(super) const MODIFIED: u64 = 1_000_000_000;

/// The owner of every file in the archive: nobody that a session runs as.
const OWNER: u64 = 54_321;

/// Files, directories and links by name, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tree(pub(super) BTreeMap<String, Node>);

/// One name of a tree.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Node {
    File { mode: u32, content: Vec<u8> },
    Directory { mode: u32 },
    Symlink { target: String },
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { mode, content } => write!(f, "file {mode:o} of {} bytes", content.len()),
            Self::Directory { mode } => write!(f, "directory {mode:o}"),
            Self::Symlink { target } => write!(f, "link to `{target}`"),
        }
    }
}

impl Tree {
    pub(super) fn file(self, name: &str, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        self.with(name, Node::File { mode, content })
    }

    pub(super) fn directory(self, name: &str, mode: u32) -> Self {
        self.with(name, Node::Directory { mode })
    }

    pub(super) fn symlink(self, name: &str, target: &str) -> Self {
        let target = target.to_owned();
        self.with(name, Node::Symlink { target })
    }

    fn with(mut self, name: &str, node: Node) -> Self {
        self.0.insert(name.to_owned(), node);
        self
    }

    /// The names, in order.
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The whole tree as an archive. Directories come before what is in them.
    pub(super) fn archive(&self) -> io::Result<Vec<u8>> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, node) in &self.0 {
            let mut header = tar::Header::new_gnu();
            header.set_mtime(MODIFIED);
            header.set_uid(OWNER);
            header.set_gid(OWNER);
            header.set_size(0);
            match node {
                Node::File { mode, content } => {
                    header.set_entry_type(tar::EntryType::Regular);
                    header.set_mode(*mode);
                    header.set_size(content.len() as u64);
                    builder.append_data(&mut header, name, content.as_slice())?;
                }
                Node::Directory { mode } => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_mode(*mode);
                    builder.append_data(&mut header, format!("{name}/"), io::empty())?;
                }
                Node::Symlink { target } => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    builder.append_link(&mut header, name, target)?;
                }
            }
        }
        builder.into_inner()
    }

    /// Reads an archive to its end. The time stamps of its files are checked on the way.
    pub(super) async fn read(archive: TreeReader) -> Result<Self, Trouble> {
        tokio::task::spawn_blocking(move || read(archive))
            .await
            .map_err(|error| Trouble::failed(format!("reading the archive panicked: {error}")))?
    }

    /// Fails unless both trees are the same, with the first difference.
    pub(super) fn same(&self, expected: &Self) -> Result<(), Trouble> {
        for (name, node) in &expected.0 {
            let got = self.0.get(name);
            ensure(got.is_some(), || format!("`{name}` is missing"))?;
            ensure(got == Some(node), || match (got, node) {
                (
                    Some(Node::File { mode, content }),
                    Node::File {
                        content: expected, ..
                    },
                ) if content != expected && content.len() == expected.len() => {
                    format!("`{name}` ({mode:o}) has other content of the same length")
                }
                _ => format!("`{name}` is {got:?} instead of {node:?}"),
            })?;
        }
        let more = self.0.keys().find(|name| !expected.0.contains_key(*name));
        ensure(more.is_none(), || format!("{more:?} should not be there"))
    }
}

fn read(archive: TreeReader) -> Result<Tree, Trouble> {
    let mut archive = tar::Archive::new(archive);
    let mut tree = Tree::default();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = path.trim_start_matches("./").trim_end_matches('/');
        if name.is_empty() || name == "." {
            continue;
        }
        let mode = entry.header().mode()? & 0o7777;
        let node = match entry.header().entry_type() {
            tar::EntryType::Directory => Node::Directory { mode },
            tar::EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = String::from_utf8_lossy(&target).into_owned();
                Node::Symlink { target }
            }
            tar::EntryType::Regular => {
                let modified = entry.header().mtime()?;
                ensure(modified == MODIFIED, || {
                    format!("`{name}` was modified at {modified} instead of {MODIFIED}")
                })?;
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                Node::File { mode, content }
            }
            other => return Err(Trouble::failed(format!("`{name}` is {other:?}"))),
        };
        ensure(!tree.0.contains_key(name), || {
            format!("`{name}` comes twice")
        })?;
        tree = tree.with(name, node);
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Tree {
        Tree::default()
            .file("a", 0o644, "one")
            .directory("d", 0o700)
            .symlink("d/l", "../a")
    }

    #[tokio::test]
    async fn a_tree_survives_its_archive() {
        let archive = small().archive().unwrap();
        let read = Tree::read(Box::new(io::Cursor::new(archive)))
            .await
            .unwrap();
        read.same(&small()).unwrap();
    }

    #[test]
    fn every_difference_is_named() {
        for (other, word) in [
            (small().file("a", 0o600, "one"), "600"),
            (small().file("a", 0o644, "two"), "other content"),
            (small().symlink("a", "x"), "link to `x`"),
            (small().directory("more", 0o755), "more"),
            (Tree::default(), "`a` is missing"),
        ] {
            let Err(Trouble::Failed(text)) = other.same(&small()) else {
                panic!("{other:?} is no {:?}", small());
            };
            assert!(text.contains(word), "{text}");
        }
    }
}
