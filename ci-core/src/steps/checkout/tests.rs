//! Checkouts of small repositories: revisions, directories, submodules, depth, sessions elsewhere.

use std::path::Path;
use std::process::Command;

use git2::Repository;

use crate::job::JobSpec;
use crate::outcome::{CancelReason, Outcome, OutcomeKind};
use crate::step::{Action, CheckoutSpec, StepSpec};
use crate::steps::test_support::Bench;
use crate::vcs::tests::repo::TestRepo;
use crate::workflow::RunFacts;

fn bench(spec: CheckoutSpec, facts: RunFacts) -> Bench {
    Bench::new(JobSpec::new("j").step(StepSpec::new(Action::Checkout(spec)))).facts(facts)
}

fn at(revision: &str) -> CheckoutSpec {
    CheckoutSpec {
        revision: Some(revision.into()),
        ..CheckoutSpec::default()
    }
}

fn facts(repo: &TestRepo) -> RunFacts {
    RunFacts::discover(repo.dir.path()).unwrap()
}

/// A repository with `v1` (tag) at its first commit, `topic` beside `main`, and a file that is not
/// committed.
fn project() -> TestRepo {
    let repo = TestRepo::new();
    repo.put("a.txt", "one");
    repo.tag("v1", true);
    repo.branch("topic");
    repo.put("topic.txt", "topic");
    repo.switch("main");
    repo.put("a.txt", "two");
    repo.write("uncommitted.txt", "");
    repo
}

fn read(dir: &Path, path: &str) -> Option<String> {
    std::fs::read_to_string(dir.join(path)).ok()
}

/// `branch-or-detached hash` of what a directory has checked out; the tree has to be clean.
fn state(dir: &Path) -> String {
    let repository = Repository::open(dir).unwrap();
    let statuses = repository.statuses(None).unwrap();
    assert_eq!(statuses.len(), 0, "the tree is clean");
    let head = repository.head().unwrap();
    let name = if head.is_branch() {
        head.shorthand().unwrap().to_owned()
    } else {
        "detached".into()
    };
    format!("{name} {}", head.peel_to_commit().unwrap().id())
}

fn count_commits(dir: &Path) -> usize {
    let repository = Repository::open(dir).unwrap();
    let mut walk = repository.revwalk().unwrap();
    walk.push_head().unwrap();
    walk.count()
}

fn hash(repo: &TestRepo, revision: &str) -> String {
    repo.git
        .revparse_single(revision)
        .unwrap()
        .peel_to_commit()
        .unwrap()
        .id()
        .to_string()
}

async fn succeed(bench: &Bench) {
    let outcome = bench.run(0).await.unwrap();
    assert_eq!(outcome, Outcome::Success, "{}", bench.log().await);
}

async fn refusal(bench: &Bench) -> String {
    let outcome = bench.run(0).await.unwrap();
    assert_eq!(outcome.kind(), OutcomeKind::Failed, "{}", bench.log().await);
    outcome.reason().unwrap()
}

#[tokio::test]
async fn by_default_it_is_what_the_run_is_for_and_only_what_is_committed() {
    let repo = project();
    let bench = bench(CheckoutSpec::default(), facts(&repo));
    succeed(&bench).await;
    let dir = bench.work_dir();
    assert_eq!(state(&dir), format!("main {}", hash(&repo, "main")));
    assert_eq!(read(&dir, "a.txt").as_deref(), Some("two"));
    assert_eq!(read(&dir, "uncommitted.txt"), None);
    let log = bench.log().await;
    assert!(
        log.ends_with(&format!("checked out {}\n", hash(&repo, "main"))),
        "{log}"
    );
}

/// How many names the first object file of a repository has.
fn links_of_an_object(dir: &Path) -> u64 {
    let entries = |dir: &Path| {
        std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let mut objects = entries(&dir.join(".git/objects")).filter(|dir| {
        let name = dir.file_name().unwrap();
        name.len() == 2
    });
    let object = entries(&objects.next().unwrap()).next().unwrap();
    std::os::unix::fs::MetadataExt::nlink(&object.metadata().unwrap())
}

#[tokio::test]
async fn objects_of_a_local_path_are_linked_and_not_copied() {
    let repo = project();
    let bench = bench(CheckoutSpec::default(), facts(&repo));
    succeed(&bench).await;
    assert_eq!(links_of_an_object(&bench.work_dir()), 2);
}

#[tokio::test]
async fn a_revision_is_a_hash_a_tag_or_a_branch() {
    let repo = project();
    let (v1, topic) = (hash(&repo, "v1"), hash(&repo, "topic"));
    let file_url = format!("file://{}", repo.root().display());
    for source in [None, Some(file_url)] {
        for (revision, expected) in [
            (&*v1, format!("detached {v1}")),
            (&v1[..10], format!("detached {v1}")),
            ("v1", format!("detached {v1}")),
            ("refs/tags/v1", format!("detached {v1}")),
            ("topic", format!("topic {topic}")),
            ("origin/topic", format!("topic {topic}")),
            ("origin/topic~1", format!("detached {v1}")),
        ] {
            let spec = CheckoutSpec {
                source: source.clone(),
                ..at(revision)
            };
            let bench = bench(spec, facts(&repo));
            succeed(&bench).await;
            assert_eq!(state(&bench.work_dir()), expected, "{source:?} {revision}");
        }
    }
}

#[tokio::test]
async fn a_revision_that_is_not_there_is_named() {
    let repo = project();
    for source in [None, Some(format!("file://{}", repo.root().display()))] {
        let spec = CheckoutSpec {
            source,
            ..at("tpoic")
        };
        let words = refusal(&bench(spec, facts(&repo))).await;
        assert!(
            words.starts_with("`tpoic` is no commit, tag or branch of `"),
            "{words}"
        );
        assert!(words.ends_with("(did you mean `topic`?)"), "{words}");
    }
    let gone = "0123456789abcdef0123456789abcdef01234567";
    let words = refusal(&bench(at(gone), facts(&repo))).await;
    assert!(words.contains(gone), "{words}");
}

#[tokio::test]
async fn a_source_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (source, expected) in [
        ("gone", "the source `"),
        (".", "is no git repository"),
        ("s3://bucket/x", "`s3` is no transport"),
        ("ext::sh -c true", "`ext` is no transport"),
    ] {
        let spec = CheckoutSpec {
            source: Some(source.into()),
            path: Some("to".into()),
            ..at("HEAD")
        };
        let words = refusal(&bench(spec, RunFacts::default().repository(dir.path()))).await;
        assert!(words.contains(expected), "{words}");
    }
    let words = refusal(&bench(CheckoutSpec::default(), RunFacts::default())).await;
    assert!(
        words.starts_with("there is nothing to check out"),
        "{words}"
    );
}

#[tokio::test]
async fn a_commit_on_no_branch_comes_along_from_a_local_path() {
    let repo = project();
    let head = repo.git.head().unwrap().peel_to_commit().unwrap();
    repo.git.set_head_detached(head.id()).unwrap();
    let loose = repo.put("loose.txt", "x").to_string();
    let bench = bench(CheckoutSpec::default(), facts(&repo));
    succeed(&bench).await;
    assert_eq!(state(&bench.work_dir()), format!("detached {loose}"));
}

#[tokio::test]
async fn another_repository_has_its_own_head_and_goes_below() {
    let (own, other) = (project(), TestRepo::new());
    let wanted = other.put("o.txt", "other").to_string();
    let spec = CheckoutSpec {
        source: Some(other.root().display().to_string()),
        path: Some("deps/other".into()),
        ..CheckoutSpec::default()
    };
    let bench = bench(spec, facts(&own));
    succeed(&bench).await;
    assert_eq!(
        state(&bench.work_dir().join("deps/other")),
        format!("main {wanted}")
    );
}

#[tokio::test]
async fn a_second_checkout_moves_on_from_the_first() {
    let repo = project();
    let first = bench(CheckoutSpec::default(), facts(&repo));
    succeed(&first).await;
    let dir = first.work_dir();
    let next = repo.put("b.txt", "three").to_string();
    std::fs::write(dir.join("built.o"), "").unwrap();
    let again = bench(CheckoutSpec::default(), facts(&repo)).in_dir(&dir);
    succeed(&again).await;
    std::fs::remove_file(dir.join("built.o")).unwrap();
    assert_eq!(state(&dir), format!("main {next}"));
    // A cached `.git` without the files is a checkout, too.
    std::fs::remove_file(dir.join("a.txt")).unwrap();
    succeed(&bench(at("v1"), facts(&repo)).in_dir(&dir)).await;
    assert_eq!(read(&dir, "a.txt").as_deref(), Some("one"));
}

#[tokio::test]
async fn what_is_in_the_way_is_never_overwritten() {
    let repo = project();
    let busy = bench(CheckoutSpec::default(), facts(&repo));
    std::fs::write(busy.work_dir().join("mine.txt"), "mine").unwrap();
    let words = refusal(&busy).await;
    assert!(
        words.contains("is not empty and holds no checkout"),
        "{words}"
    );
    assert_eq!(std::fs::read_dir(busy.work_dir()).unwrap().count(), 1);
    let other = TestRepo::new();
    other.put("o.txt", "");
    let words =
        refusal(&bench(CheckoutSpec::default(), facts(&repo)).in_dir(other.dir.path())).await;
    assert!(
        words.contains("holds the checkout of another source"),
        "{words}"
    );
    let changed = bench(CheckoutSpec::default(), facts(&repo));
    succeed(&changed).await;
    std::fs::write(changed.work_dir().join("a.txt"), "mine").unwrap();
    let words = refusal(&bench(at("v1"), facts(&repo)).in_dir(&changed.work_dir())).await;
    assert!(words.starts_with("files stand in the way"), "{words}");
    assert_eq!(read(&changed.work_dir(), "a.txt").as_deref(), Some("mine"));
}

#[tokio::test]
async fn a_job_in_place_is_left_alone() {
    let repo = project();
    let in_place = |spec| bench(spec, facts(&repo)).in_dir(repo.dir.path());
    for spec in [CheckoutSpec::default(), at("main")] {
        let bench = in_place(spec);
        succeed(&bench).await;
        let log = bench.log().await;
        assert!(log.starts_with("the job works in place in `"), "{log}");
    }
    let words = refusal(&in_place(at("topic"))).await;
    assert!(
        words.contains("something else than `topic` is checked out"),
        "{words}"
    );
    let source = Some("https://ada:pw@h.invalid/x".into());
    let words = refusal(&in_place(CheckoutSpec {
        source,
        ..CheckoutSpec::default()
    }))
    .await;
    assert!(
        words.contains("where `https://***@h.invalid/x` cannot"),
        "{words}"
    );
    assert_eq!(
        read(repo.dir.path(), "uncommitted.txt").as_deref(),
        Some("")
    );
}

/// `file://` goes through the transport of git, and so do submodules of it.
#[tokio::test]
async fn submodules_come_along_if_asked_also_those_within() {
    let (inner, middle, outer) = (TestRepo::new(), TestRepo::new(), TestRepo::new());
    inner.put("inner.txt", "inner");
    middle.put("middle.txt", "middle");
    middle.submodule(&inner.root(), "in");
    outer.put("outer.txt", "outer");
    outer.submodule(&middle.root(), "mid dle");
    for source in [None, Some(format!("file://{}", outer.root().display()))] {
        for submodules in [false, true] {
            let spec = CheckoutSpec {
                submodules,
                source: source.clone(),
                ..CheckoutSpec::default()
            };
            let bench = bench(spec, facts(&outer));
            succeed(&bench).await;
            let dir = bench.work_dir();
            assert_eq!(read(&dir, "outer.txt").as_deref(), Some("outer"));
            let deep = read(&dir, "mid dle/in/inner.txt");
            assert_eq!(deep.as_deref(), submodules.then_some("inner"), "{source:?}");
        }
    }
}

#[tokio::test]
async fn a_submodule_is_taken_from_the_local_repository_that_has_it() {
    let (inner, outer) = (TestRepo::new(), TestRepo::new());
    inner.put("inner.txt", "inner");
    outer.submodule(&inner.root(), "in");
    drop(inner);
    let spec = CheckoutSpec {
        submodules: true,
        ..CheckoutSpec::default()
    };
    let bench = bench(spec, facts(&outer));
    succeed(&bench).await;
    assert_eq!(
        read(&bench.work_dir(), "in/inner.txt").as_deref(),
        Some("inner")
    );
}

#[tokio::test]
async fn a_submodule_never_lands_outside() {
    let (inner, outer) = (TestRepo::new(), TestRepo::new());
    inner.put("inner.txt", "inner");
    outer.submodule(&inner.root(), "in");
    let bench = bench(
        CheckoutSpec {
            submodules: true,
            ..CheckoutSpec::default()
        },
        facts(&outer),
    );
    let outside = tempfile::tempdir().unwrap();
    // The earlier checkout has a link where the submodule belongs.
    succeed(&bench).await;
    let place = bench.work_dir().join("in");
    std::fs::remove_dir_all(&place).unwrap();
    std::os::unix::fs::symlink(outside.path(), &place).unwrap();
    let outcome = bench.run(0).await.unwrap();
    assert_eq!(
        std::fs::read_dir(outside.path()).unwrap().count(),
        0,
        "{outcome}"
    );
    assert_eq!(outcome.kind(), OutcomeKind::Failed);
}

#[tokio::test]
async fn a_depth_limits_history_where_the_transport_can() {
    let repo = project();
    repo.put("a.txt", "three");
    let url = || Some(format!("file://{}", repo.root().display()));
    let has_git = Command::new("git").arg("--version").output().is_ok();
    for (revision, all) in [
        ("main", 3),
        ("HEAD", 3),
        (&*hash(&repo, "main"), 3),
        ("topic", 2),
    ] {
        let spec = CheckoutSpec {
            source: url(),
            depth: Some(1),
            ..at(revision)
        };
        let bench = bench(spec, facts(&repo));
        succeed(&bench).await;
        let log = bench.log().await;
        let commits = count_commits(&bench.work_dir());
        if has_git {
            assert_eq!(commits, 1, "{revision}\n{log}");
        } else {
            assert_eq!(commits, all);
            assert!(log.contains("all history comes along"), "{log}");
        }
    }
    let spec = CheckoutSpec {
        source: url(),
        depth: Some(1),
        ..at("gone")
    };
    let words = refusal_or_error(&bench(spec, facts(&repo))).await;
    assert!(
        words.contains("`gone` is no commit, tag or branch"),
        "{words}"
    );
}

async fn refusal_or_error(bench: &Bench) -> String {
    match bench.run(0).await {
        Ok(outcome) => outcome.to_string(),
        Err(error) => error.outcome().to_string(),
    }
}

#[tokio::test]
async fn a_shallow_repository_can_be_checked_out_itself() {
    let repo = project();
    let spec = CheckoutSpec {
        source: Some(format!("file://{}", repo.root().display())),
        depth: Some(1),
        ..at("main")
    };
    let shallow = bench(spec, facts(&repo));
    succeed(&shallow).await;
    let run = RunFacts::discover(&shallow.work_dir()).unwrap();
    let bench = bench(CheckoutSpec::default(), run);
    succeed(&bench).await;
    assert_eq!(
        count_commits(&bench.work_dir()),
        count_commits(&shallow.work_dir())
    );
    assert_eq!(state(&bench.work_dir()), state(&shallow.work_dir()));
}

#[tokio::test]
async fn a_session_elsewhere_gets_the_files_and_the_history() {
    let repo = project();
    std::os::unix::fs::symlink("a.txt", repo.dir.path().join("link")).unwrap();
    repo.write("tool.sh", "#!/bin/sh");
    let tool = repo.dir.path().join("tool.sh");
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::remove_file(repo.dir.path().join("uncommitted.txt")).unwrap();
    repo.commit("tools");
    let bench = bench(CheckoutSpec::default(), facts(&repo)).elsewhere();
    succeed(&bench).await;
    assert_eq!(
        state(&bench.work_dir()),
        format!("main {}", hash(&repo, "main"))
    );
    let link = std::fs::read_link(bench.work_dir().join("link")).unwrap();
    assert_eq!(link, Path::new("a.txt"));
    // Again, over the first; and never over anything else.
    repo.put("b.txt", "b");
    let again = self::bench(CheckoutSpec::default(), facts(&repo)).in_dir(&bench.work_dir());
    succeed(&again.elsewhere()).await;
    assert_eq!(
        state(&bench.work_dir()),
        format!("main {}", hash(&repo, "main"))
    );
    let busy = self::bench(CheckoutSpec::default(), facts(&repo)).elsewhere();
    std::fs::write(busy.work_dir().join("mine.txt"), "mine").unwrap();
    let words = refusal(&busy).await;
    assert!(
        words.contains("is not empty and holds no checkout"),
        "{words}"
    );
}

#[tokio::test]
async fn a_canceled_checkout_stops() {
    let repo = project();
    for elsewhere in [false, true] {
        let mut bench = bench(CheckoutSpec::default(), facts(&repo));
        if elsewhere {
            bench = bench.elsewhere();
        }
        bench.cancellation().cancel();
        let outcome = bench.run(0).await.unwrap();
        assert_eq!(outcome, Outcome::Canceled(CancelReason::Requested));
    }
}

#[tokio::test]
async fn a_password_in_a_url_is_never_shown() {
    // Nobody listens on the discard port of the loopback address.
    for url in [
        "http://ada:hunter2@127.0.0.1:9/x",
        "https://ada:hunter2@127.0.0.1:9/x",
    ] {
        let spec = CheckoutSpec {
            source: Some(url.into()),
            ..at("main")
        };
        let bench = bench(spec, RunFacts::default());
        let words = refusal_or_error(&bench).await;
        let shown = words + &bench.log().await;
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("://***@127.0.0.1:9/x"), "{shown}");
    }
}
