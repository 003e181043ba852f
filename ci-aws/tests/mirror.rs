//! A directory on a real OpenSSH server is kept like one here: by `rsync`, and without it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ci_aws::ssh::{HostKey, Mirror, Mirrored, SshExecutor, SshSession, Way};
use ci_core::executor::PrepareRequest;
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{Session as _, SessionErrorKind};

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;
use support::machines::sshd::{Sshd, keygen, missing};

struct Both {
    sshd: Sshd,
    session: SshSession,
    rsync: bool,
}

impl Both {
    async fn new(rsync: bool) -> Self {
        let sshd = Sshd::start();
        let (job, env) = (JobSpec::new("mirror"), BTreeMap::new());
        let request = PrepareRequest::new(RunId::new(), &job, &env);
        let session = sshd.executor().open(request).await.unwrap();
        let both = Self {
            sshd,
            session,
            rsync,
        };
        fs::create_dir(both.here("")).unwrap();
        both
    }

    fn here(&self, name: &str) -> PathBuf {
        self.sshd.path("a project's").join(name)
    }

    fn there(&self, name: &str) -> PathBuf {
        self.sshd.path("the $(copy)").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.here(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        // With a fraction of a second, which has to come through as well.
        let time = SystemTime::now() - Duration::from_millis(3_600_250);
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    }

    async fn mirror(&self) -> Result<Mirrored, ci_core::session::SessionError> {
        let mirror = Mirror::new(self.here(""), self.there("").to_str().unwrap())
            .exclude([".own", ".state_*"])
            .rsync(self.rsync.then_some(1));
        self.session.mirror(&mirror).await
    }

    fn way(&self) -> Way {
        if self.rsync { Way::Rsync } else { Way::Changes }
    }

    fn assert_same(&self) {
        assert_eq!(tree(&self.there("")), tree(&self.here("")));
    }

    async fn end(self) {
        self.session.teardown().await.unwrap();
    }
}

/// Everything below a directory: kind, mode and content.
fn tree(dir: &Path) -> BTreeMap<PathBuf, String> {
    let (mut found, mut open) = (BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let about = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(dir).unwrap().to_owned();
            if name.starts_with(".own") {
                continue;
            }
            let mode = about.mode() & 0o777;
            let text = if about.is_dir() {
                open.push(path);
                format!("directory {mode:o}")
            } else if about.is_symlink() {
                format!("link to {}", fs::read_link(path).unwrap().display())
            } else {
                let text = fs::read_to_string(&path).unwrap();
                format!("file {mode:o} {}: {text}", about.nlink())
            };
            found.insert(name, text);
        }
    }
    found
}

fn make(both: &Both) {
    for file in 0..300 {
        both.write(&format!("src/{}/{file}", file % 7), &format!("{file}\n"));
    }
    both.write("old", "old");
    both.write("was dir/in/it", "it");
    both.write("was file", "file");
    both.write("gone/deep/er", "er");
    both.write("odd [n]*m{e}", "odd");
    both.write("-n", "dash");
    both.write("program", "program");
    both.write("twice", "twice");
    fs::hard_link(both.here("twice"), both.here("once more")).unwrap();
    fs::create_dir(both.here("empty")).unwrap();
    symlink("src/1", both.here("link")).unwrap();
    symlink("nowhere", both.here("old link")).unwrap();
    symlink("twice", both.here("was link")).unwrap();
}

fn change(both: &Both) {
    let gone = |name: &str| fs::remove_file(both.here(name)).unwrap();
    for name in ["old", "old link", "was link", "was file", "link"] {
        gone(name);
    }
    for name in ["gone", "was dir", "empty"] {
        fs::remove_dir_all(both.here(name)).unwrap();
    }
    both.write("was dir", "a file now");
    both.write("was file/in", "a directory now");
    both.write("was link", "a file now");
    both.write("new/deep/er", "er");
    both.write("src/3/3", "other\n");
    both.write("odd [n]*m{e}", "new");
    both.write("-n", "sash");
    symlink("src/2", both.here("link")).unwrap();
    fs::create_dir(both.here("empty too")).unwrap();
    fs::set_permissions(both.here("program"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_time_only_what_differs_is_sent_and_what_is_gone_goes() {
    if missing() {
        return;
    }
    for rsync in [true, false] {
        let both = Both::new(rsync).await;
        make(&both);
        let first = both.mirror().await.unwrap();
        assert_eq!((first.way, first.sent), (Way::Whole, None));
        both.assert_same();
        // What is the machine's own is left alone.
        fs::create_dir(both.there(".own")).unwrap();
        fs::write(both.there(".own/secret"), "own").unwrap();
        both.write(".state_7", "mine");
        // Nobody lists where a link leads to, so they are sent.
        let same = both.mirror().await.unwrap();
        let expected = (Way::Changes, Some(3), 0);
        assert_eq!((same.way, same.sent, same.removed), expected);
        fs::remove_file(both.here(".state_7")).unwrap();
        change(&both);
        let second = both.mirror().await.unwrap();
        assert_eq!((second.way, second.sent), (Way::Changes, Some(10)));
        assert_eq!(second.removed, 11);
        both.assert_same();
        // Now nothing is in the way of anything.
        fs::remove_file(both.here("program")).unwrap();
        both.write("src/4/4", "another\n");
        both.write("new/deep/more", "more");
        fs::hard_link(both.here("new/deep/more"), both.here("new/deep/same")).unwrap();
        let third = both.mirror().await.unwrap();
        assert_eq!((third.way, third.removed), (both.way(), 1));
        both.assert_same();
        assert_eq!(fs::read(both.there(".own/secret")).unwrap(), b"own");
        both.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_twice_in_one_second_is_sent_twice() {
    if missing() {
        return;
    }
    for rsync in [true, false] {
        let both = Both::new(rsync).await;
        both.write("other", "other");
        fs::write(both.here("file"), "1").unwrap();
        both.mirror().await.unwrap();
        for text in ["2", "3", "4"] {
            fs::write(both.here("file"), text).unwrap();
            assert_eq!(both.mirror().await.unwrap().way, both.way());
            assert_eq!(fs::read_to_string(both.there("file")).unwrap(), text);
        }
        both.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_leaves_is_refused_both_ways() {
    if missing() {
        return;
    }
    for rsync in [true, false] {
        let both = Both::new(rsync).await;
        both.write("file", "file");
        both.mirror().await.unwrap();
        symlink("../../etc/passwd", both.here("link")).unwrap();
        let error = both.mirror().await.unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Refused, "{error}");
        assert!(!both.there("link").exists());
        both.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_rsync_fails_the_listing_does_it() {
    if missing() {
        return;
    }
    let keys = tempfile::tempdir().unwrap();
    for key in ["host", "user"] {
        keygen(&keys.path().join(key));
    }
    let bin = keys.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(
        bin.join("rsync"),
        "#!/bin/sh\n: >\"${0%/bin/*}/called\"; exit 12\n",
    )
    .unwrap();
    fs::set_permissions(bin.join("rsync"), fs::Permissions::from_mode(0o755)).unwrap();
    let key = |name: &str| fs::read_to_string(keys.path().join(name)).unwrap();
    let path = format!("PATH={}:/usr/bin:/bin", bin.display());
    let sshd = Sshd::with_keys(&key("host"), &key("user.pub"), &path);
    let executor = SshExecutor::new("127.0.0.1")
        .port(sshd.port)
        .identity(keys.path().join("user"))
        .config_file("none")
        .host_key(HostKey::Pinned(key("host.pub")))
        .root(sshd.path("root").to_str().unwrap());
    let (job, env) = (JobSpec::new("mirror"), BTreeMap::new());
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    let session = executor.open(request).await.unwrap();
    let both = Both {
        sshd,
        session,
        rsync: true,
    };
    both.write("dir/file", "file");
    assert_eq!(both.mirror().await.unwrap().way, Way::Whole);
    both.write("dir/file", "files");
    let called = keys.path().join("called");
    let again = both.mirror().await.unwrap();
    assert_eq!((again.way, again.sent), (Way::Changes, Some(1)));
    assert!(called.exists());
    both.assert_same();
    both.end().await;
}
