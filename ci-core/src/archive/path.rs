//! The name of an archive entry once it is known to stay below its root.

#[cfg(unix)]
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Longer names are refused; no supported system can use them.
const LONGEST: usize = 4096;

/// A relative path without `.` and `..`: the only form in which an entry's name is used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath(PathBuf);

impl EntryPath {
    /// Reads the name of an entry. The name of the root itself (`./`) gives an empty path; a name
    /// that would leave the root gives why it is refused.
    pub fn parse(name: &[u8]) -> Result<Self, &'static str> {
        if name.len() > LONGEST {
            return Err("has a name of more than 4096 bytes");
        }
        if name.contains(&0) {
            return Err("has a zero byte in its name");
        }
        let name = os_string(name).ok_or("has a name that is not UTF-8")?;
        let mut path = PathBuf::new();
        for component in Path::new(&name).components() {
            match component {
                Component::Normal(part) => path.push(part),
                Component::CurDir => {}
                Component::ParentDir => return Err("has `..` in its name"),
                Component::RootDir | Component::Prefix(_) => return Err("has an absolute name"),
            }
        }
        Ok(Self(path))
    }

    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// Whether it is the root itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.as_os_str().is_empty()
    }

    /// The directory it stands in; empty for the root.
    pub(super) fn parent(&self) -> &Path {
        self.0.parent().unwrap_or(Path::new(""))
    }

    /// Its last component; empty for the root.
    #[cfg(all(unix, not(ci_core_portable)))]
    pub(super) fn name(&self) -> &OsStr {
        self.0.file_name().unwrap_or_default()
    }

    /// Whether a symbolic link at this path to `target` would leave `root`. The answer holds
    /// also where directories of the target are links themselves, because `..` is only accepted in
    /// front, where it stands for directories that are known to be none.
    ///
    /// Without a `root` every absolute target leaves.
    #[must_use]
    pub fn link_leaves(&self, target: &Path, root: Option<&Path>) -> bool {
        if target.is_absolute() {
            let plain = target.components().all(|part| part != Component::ParentDir);
            return !(plain && root.is_some_and(|root| target.starts_with(root)));
        }
        let mut depth = self.0.components().count().saturating_sub(1);
        let mut descended = false;
        for component in target.components() {
            match component {
                Component::CurDir => {}
                Component::Normal(_) => descended = true,
                Component::ParentDir if descended || depth == 0 => return true,
                Component::ParentDir => depth -= 1,
                Component::RootDir | Component::Prefix(_) => return true,
            }
        }
        false
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// The bytes of an archive as a path of this system.
#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere not all bytes are a name"
)]
pub(super) fn os_string(bytes: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(OsStr::from_bytes(bytes).to_owned())
}

/// The bytes of an archive as a path of this system.
#[cfg(not(unix))]
pub(super) fn os_string(bytes: &[u8]) -> Option<OsString> {
    std::str::from_utf8(bytes).ok().map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_root_or_are_refused() {
        for (name, expected) in [
            ("a/b", Some("a/b")),
            ("./a//b/", Some("a/b")),
            ("./", Some("")),
            ("a/./b", Some("a/b")),
            ("..a/b..", Some("..a/b..")),
            ("..", None),
            ("a/../b", None),
            ("/a", None),
            ("a\0b", None),
        ] {
            let parsed = EntryPath::parse(name.as_bytes()).ok();
            let expected = expected.map(|path| EntryPath(PathBuf::from(path)));
            assert_eq!(parsed, expected, "{name}");
        }
        assert!(EntryPath::parse(&[b'a'; 5000]).is_err());
    }

    #[test]
    fn links_may_point_only_below_the_root() {
        for (link, target, leaves) in [
            ("a", "b", false),
            ("d/a", "../b", false),
            ("d/e/a", "../../b/c", false),
            ("a", "./b", false),
            ("a", "..", true),
            ("d/a", "../..", true),
            ("d/a", "../../x", true),
            // The `..` after `b` depends on what `b` is: nobody can tell where it ends.
            ("a", "b/../c", true),
            ("a", "/etc/passwd", true),
            ("a", "/root/dir/x", false),
            ("a", "/root/dir/../x", true),
            ("a", "/root/dirt", true),
        ] {
            let path = EntryPath::parse(link.as_bytes()).unwrap();
            let found = path.link_leaves(Path::new(target), Some(Path::new("/root/dir")));
            assert_eq!(found, leaves, "{link} -> {target}");
        }
    }
}
