//! Files and directories that may not be written. Root may write everywhere, so these tests give up
//! root's rights on a thread of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::kit::{Place, bytes};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// Makes sure that the modes count, and gives what `test` gives.
fn unprivileged<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            drop_privileges();
            test()
        });
        thread.join().expect("the test ends")
    })
}

/// On Linux rights belong to threads (capabilities(7)): this thread loses those that pass over modes.
#[cfg(target_os = "linux")]
fn drop_privileges() {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).expect("a thread may give up rights");
}

#[cfg(not(target_os = "linux"))]
fn drop_privileges() {
    let root = rustix::process::geteuid().is_root();
    assert!(!root, "run the tests as an ordinary user");
}

#[tokio::test]
async fn a_file_that_may_only_be_read() {
    let place = Place::new();
    place.filled(3).await;
    set_mode(&place.path(), 0o444);
    let before = bytes(&place.path());
    let error = unprivileged(|| place.try_open().expect_err("read-only"));
    insta::assert_snapshot!(place.read(&error), @r"
    Other: the run store `DIR/runs.db` cannot be opened for writing
    hint: check the directory and its permissions
    ");
    assert_eq!(bytes(&place.path()), before);
}

#[test]
fn a_directory_that_may_only_be_read() {
    let place = Place::new();
    set_mode(place.dir.path(), 0o555);
    let error = unprivileged(|| place.try_open().expect_err("read-only"));
    insta::assert_snapshot!(place.read(&error), @r"
    Other: the run store `DIR/runs.db` cannot be opened for writing: unable to open database file: DIR/runs.db
    hint: check the directory and its permissions
    ");
    let below = place.dir.path().join("state/runs.db");
    let error = unprivileged(|| crate::store::SqliteStore::open(below).expect_err("read-only"));
    insta::assert_snapshot!(place.read(&error), @"Other: `DIR/state` could not be made: Permission denied (os error 13)");
    set_mode(place.dir.path(), 0o755);
}
