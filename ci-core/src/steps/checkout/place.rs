//! Where the files of a checkout go.

use std::path::{Component, Path, PathBuf};

use crate::session::SessionInfo;

/// Where the directory `dir` of a session is on this machine, if it is on this machine and for certain
/// the same directory.
pub(super) fn on_this_machine(info: &SessionInfo, dir: &str) -> Option<PathBuf> {
    let host = info.host_work_dir.as_deref()?;
    let seen = PathBuf::from(info.resolve(dir));
    if host == Path::new(&info.work_dir) {
        return Some(seen);
    }
    // Only what is below the working directory is known to be shared, and `..` could lead out of it.
    let below = seen.strip_prefix(&info.work_dir).ok()?;
    let plain = below
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    plain.then(|| host.join(below))
}

/// Whether two paths are the same directory.
pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_directories_are_on_this_machine() {
        let mut info = SessionInfo::new("docker", "/work", "/root");
        assert_eq!(on_this_machine(&info, "."), None);
        info.host_work_dir = Some("/srv/job".into());
        for (dir, expected) in [
            (".", Some("/srv/job")),
            ("a/b", Some("/srv/job/a/b")),
            ("/work/a", Some("/srv/job/a")),
            ("~/a", None),
            ("/tmp", None),
            ("../a", None),
            ("a/../../b", None),
        ] {
            assert_eq!(
                on_this_machine(&info, dir).as_deref(),
                expected.map(Path::new),
                "{dir}"
            );
        }
        info.work_dir = "/srv/job".into();
        assert_eq!(
            on_this_machine(&info, "~/a").as_deref(),
            Some(Path::new("/root/a"))
        );
    }
}
