//! Facts of repositories made for each test.

use super::*;
use crate::workflow::RunFacts;

pub(crate) mod repo {
    //! Small repositories for tests.

    use std::path::{Path, PathBuf};

    use git2::{Oid, Repository, RepositoryInitOptions, Signature};

    /// A repository in a directory of its own, on the branch `main`.
    pub(crate) struct TestRepo {
        pub(crate) git: Repository,
        pub(crate) dir: tempfile::TempDir,
    }

    impl TestRepo {
        pub(crate) fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let mut options = RepositoryInitOptions::new();
            options.initial_head("main");
            let git = Repository::init_opts(dir.path(), &options).unwrap();
            Self { git, dir }
        }

        /// Its root, with no symbolic link in the way.
        pub(crate) fn root(&self) -> PathBuf {
            self.dir.path().canonicalize().unwrap()
        }

        pub(crate) fn write(&self, path: &str, text: &str) {
            let path = self.dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        /// Commits the working tree as it is.
        pub(crate) fn commit(&self, message: &str) -> Oid {
            let mut index = self.git.index().unwrap();
            index
                .add_all(["*"], git2::IndexAddOption::DEFAULT, None)
                .unwrap();
            index.update_all(["*"], None).unwrap();
            index.write().unwrap();
            let tree = self.git.find_tree(index.write_tree().unwrap()).unwrap();
            let parent = self
                .git
                .head()
                .ok()
                .map(|head| head.peel_to_commit().unwrap());
            let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
            let author = author();
            self.git
                .commit(Some("HEAD"), &author, &author, message, &tree, &parents)
                .unwrap()
        }

        /// Writes and commits one file.
        pub(crate) fn put(&self, path: &str, text: &str) -> Oid {
            self.write(path, text);
            self.commit(path)
        }

        pub(crate) fn tag(&self, name: &str, annotated: bool) {
            let head = self
                .git
                .head()
                .unwrap()
                .peel(git2::ObjectType::Commit)
                .unwrap();
            if annotated {
                self.git.tag(name, &head, &author(), name, false).unwrap();
            } else {
                self.git.tag_lightweight(name, &head, false).unwrap();
            }
        }

        /// Makes a branch at `HEAD`, and checks it out.
        pub(crate) fn branch(&self, name: &str) {
            let head = self.git.head().unwrap().peel_to_commit().unwrap();
            self.git.branch(name, &head, false).unwrap();
            self.switch(name);
        }

        pub(crate) fn switch(&self, name: &str) {
            self.git.set_head(&format!("refs/heads/{name}")).unwrap();
            let mut options = git2::build::CheckoutBuilder::new();
            self.git.checkout_head(Some(options.force())).unwrap();
        }

        /// Adds another repository as a submodule, and commits it.
        pub(crate) fn submodule(&self, other: &Path, path: &str) -> Oid {
            let url = other.to_str().unwrap();
            let mut module = self.git.submodule(url, Path::new(path), true).unwrap();
            module.clone(None).unwrap();
            module.add_finalize().unwrap();
            self.commit("submodule")
        }
    }

    fn author() -> Signature<'static> {
        Signature::now("Ada", "ada@example.invalid").unwrap()
    }
}

use repo::TestRepo;

#[test]
fn a_branch_a_tag_and_a_revision_are_found_from_below() {
    let repo = TestRepo::new();
    let first = repo.put("src/a.txt", "1");
    repo.tag("v1", true);
    repo.tag("plain", false);
    let facts = RunFacts::discover(&repo.dir.path().join("src")).unwrap();
    assert_eq!(facts.repository, Some(repo.root()));
    assert_eq!(facts.revision, Some(first.to_string()));
    assert_eq!(facts.branch.as_deref(), Some("main"));
    assert_eq!(facts.tag.as_deref(), Some("v1"));
    let second = repo.put("b.txt", "2");
    repo.git.set_head_detached(second).unwrap();
    let facts = RunFacts::discover(repo.dir.path()).unwrap();
    assert_eq!(facts.revision, Some(second.to_string()));
    assert_eq!((facts.branch, facts.tag), (None, None));
}

#[test]
fn a_repository_without_commits_has_only_a_branch() {
    let repo = TestRepo::new();
    let facts = RunFacts::discover(repo.dir.path()).unwrap();
    assert_eq!(facts.branch.as_deref(), Some("main"));
    assert_eq!((facts.revision, facts.tag), (None, None));
}

#[test]
fn a_directory_outside_is_no_repository() {
    let dir = tempfile::tempdir().unwrap();
    let error = RunFacts::discover(dir.path()).unwrap_err();
    assert_eq!(error.kind(), VcsErrorKind::NotARepository);
}

#[test]
fn changes_count_from_where_the_branch_began() {
    let repo = TestRepo::new();
    repo.put("a.txt", "1");
    repo.put("old.txt", "moved");
    repo.branch("topic");
    repo.put("b/c.txt", "2");
    std::fs::rename(
        repo.dir.path().join("old.txt"),
        repo.dir.path().join("new.txt"),
    )
    .unwrap();
    repo.commit("move");
    repo.switch("main");
    repo.put("only-on-main.txt", "3");
    repo.switch("topic");
    let facts = RunFacts::discover(repo.dir.path()).unwrap();
    let changed = |scope| {
        facts
            .clone()
            .changed_since("main", scope)
            .unwrap()
            .changed_paths
            .unwrap()
    };
    assert_eq!(
        changed(ChangeScope::Commits),
        ["b/c.txt", "new.txt", "old.txt"]
    );
    repo.write(".gitignore", "*.log");
    repo.write("x.log", "ignored");
    repo.write("d/untracked.txt", "");
    repo.write("a.txt", "changed");
    assert_eq!(
        changed(ChangeScope::WorkingTree),
        [
            ".gitignore",
            "a.txt",
            "b/c.txt",
            "d/untracked.txt",
            "new.txt",
            "old.txt"
        ]
    );
    assert_eq!(
        changed(ChangeScope::Commits),
        ["b/c.txt", "new.txt", "old.txt"]
    );
}

#[test]
fn a_base_that_is_not_there_or_not_related_is_an_error() {
    let repo = TestRepo::new();
    repo.put("a.txt", "1");
    let kind = |base| {
        changed_paths(repo.dir.path(), base, ChangeScope::Commits)
            .unwrap_err()
            .kind()
    };
    assert_eq!(kind("nope"), VcsErrorKind::UnknownRevision);
    repo.git.set_head("refs/heads/island").unwrap();
    repo.commit("island");
    assert_eq!(kind("main"), VcsErrorKind::NoCommonAncestor);
}

#[test]
fn a_commit_tells_what_it_changed_and_says() {
    let repo = TestRepo::new();
    let first = repo.put("a.txt", "1");
    repo.write("b/c.txt", "2");
    let second = repo.commit("More\n\n[skip ci]");
    let changed = |id: git2::Oid| changed_in(repo.dir.path(), &id.to_string()).unwrap();
    assert_eq!(changed(first), ["a.txt"]);
    assert_eq!(changed(second), ["b/c.txt"]);
    let info = commit_info(repo.dir.path(), "HEAD").unwrap();
    assert_eq!(info.id, second.to_string());
    assert_eq!(info.message, "More\n\n[skip ci]");
    assert_eq!(info.author, "Ada <ada@example.invalid>");
}

#[test]
fn the_files_of_a_commit_come_without_touching_the_working_tree() {
    let repo = TestRepo::new();
    let first = repo.put("a.txt", "1");
    repo.put("b/c.txt", "2");
    repo.write("a.txt", "not committed");
    let out = tempfile::tempdir().unwrap();
    export(repo.dir.path(), &first.to_string(), out.path()).unwrap();
    let read = |path: &str| std::fs::read_to_string(out.path().join(path)).ok();
    assert_eq!(
        (read("a.txt").as_deref(), read("b/c.txt")),
        (Some("1"), None)
    );
    let own = std::fs::read_to_string(repo.dir.path().join("a.txt")).unwrap();
    assert_eq!(own, "not committed");
    let file = |path| read_file(repo.dir.path(), "HEAD", path).unwrap();
    assert_eq!(
        (file("b/c.txt"), file("b"), file("x")),
        (Some(b"2".to_vec()), None, None)
    );
    let next = tempfile::tempdir().unwrap();
    export(repo.dir.path(), "HEAD", next.path()).unwrap();
    assert!(next.path().join("a.txt").exists() && next.path().join("b/c.txt").exists());
    let status = repo.git.statuses(None).unwrap();
    assert_eq!(
        status.iter().map(|it| it.status()).collect::<Vec<_>>(),
        [git2::Status::WT_MODIFIED]
    );
}

#[test]
fn the_branch_that_is_checked_out_comes_first() {
    let repo = TestRepo::new();
    repo.put("a.txt", "1");
    repo.branch("a");
    repo.branch("b");
    let names: Vec<String> = branches(repo.dir.path())
        .unwrap()
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(names, ["b", "a", "main"]);
}
