//! Removes directory trees, also those that were made read-only.

use std::fs;
use std::io;
use std::path::Path;

/// Removes `path` and the directories `names` in it, all of which must be empty.
pub(super) fn empty(path: &Path, names: &[&str]) -> io::Result<()> {
    for name in names {
        fs::remove_dir(path.join(name))?;
    }
    fs::remove_dir(path)
}

/// Removes `path` with all that is in it, following no symbolic link. Tools make parts of their
/// caches read-only (Go its modules, for one), and what is in a read-only directory cannot be removed.
pub(super) fn tree(path: &Path) -> io::Result<()> {
    let mut removed = fs::remove_dir_all(path);
    if let Err(error) = &removed {
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                unlock(path);
                removed = fs::remove_dir_all(path);
            }
            // Something was added meanwhile.
            io::ErrorKind::DirectoryNotEmpty => removed = fs::remove_dir_all(path),
            _ => {}
        }
    }
    match removed {
        // Another may have been at it as well.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
    .map_err(|error| {
        let text = format!("could not remove `{}`: {error}", path.display());
        io::Error::new(error.kind(), text)
    })
}

/// Lets the owner into every directory of a tree, as far as possible.
fn unlock(path: &Path) {
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let is_dir = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        if is_dir {
            let _ = allow(&path);
            let entries = fs::read_dir(&path).into_iter().flatten();
            pending.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        } else if cfg!(windows) {
            // There a read-only file stands in the way itself.
            let _ = allow(&path);
        }
    }
}

fn allow(path: &Path) -> io::Result<()> {
    let mut permissions = fs::symlink_metadata(path)?.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        permissions.set_mode(permissions.mode() | 0o700);
    }
    #[cfg(not(unix))]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn read_only_directories_open_up_and_links_are_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let outside = place.path().join("outside");
        let inner = place.path().join("tree/a/b");
        fs::create_dir(&outside).unwrap();
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, inner.join("link")).unwrap();
        for path in [&inner, &place.path().join("tree/a"), &outside] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o500)).unwrap();
        }
        let path = place.path().join("tree");
        unlock(&path);
        assert_eq!(mode(&inner), 0o700);
        assert_eq!(mode(&outside), 0o500);
        tree(&path).unwrap();
        assert!(!path.exists());
        assert!(outside.exists());
        tree(&path).unwrap();
    }
}
