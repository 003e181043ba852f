//! What is new, without a store.

use std::collections::{HashMap, HashSet};

use git2::Oid;
use proptest::prelude::*;

use super::super::*;
use super::git;
use crate::vcs::tests::repo::TestRepo;

/// What a scan finds, as short words.
fn found(repo: &TestRepo, position: &mut Position) -> Vec<String> {
    found_with(repo, position, ScanOptions::default())
}

fn found_with(repo: &TestRepo, position: &mut Position, options: ScanOptions) -> Vec<String> {
    let before = position.last;
    let count = scan(repo.dir.path(), position, options).unwrap();
    let new = position.found().filter(|change| change.number > before);
    let words: Vec<String> = new.map(|change| words(repo, change)).collect();
    assert_eq!(words.len(), count);
    words
}

fn words(repo: &TestRepo, change: &Change) -> String {
    let id = Oid::from_str(&change.commit).unwrap();
    let commit = repo.git.find_commit(id).unwrap();
    let title = commit.summary().unwrap().unwrap_or_default().to_owned();
    match &change.kind {
        ChangeKind::Commit { branch, tip } => {
            format!("{title} on {branch}{}", if *tip { "!" } else { "" })
        }
        ChangeKind::TaggedCommit { tag } => format!("{title} by {tag}"),
        ChangeKind::Tag { name, annotated } => {
            format!(
                "tag {name} at {title}{}",
                if *annotated { " annotated" } else { "" }
            )
        }
    }
}

/// A repository with one commit that was looked at.
fn begun() -> (TestRepo, Position) {
    let repo = TestRepo::new();
    repo.put("base", "");
    let mut position = Position::default();
    assert_eq!(found(&repo, &mut position), [""; 0]);
    (repo, position)
}

#[test]
fn commits_come_once_and_in_order() {
    let (repo, mut position) = begun();
    repo.put("one", "");
    repo.put("two", "");
    assert_eq!(found(&repo, &mut position), ["one on main", "two on main!"]);
    assert_eq!(found(&repo, &mut position), [""; 0]);
    repo.put("three", "");
    // As a process that was started again sees it.
    let text = serde_json::to_string(&position).unwrap();
    let mut position: Position = serde_json::from_str(&text).unwrap();
    assert_eq!(found(&repo, &mut position), ["three on main!"]);
}

#[test]
fn what_is_there_at_first_is_new_as_wanted() {
    let repo = TestRepo::new();
    repo.put("one", "");
    repo.put("two", "");
    repo.tag("v1", true);
    repo.branch("b");
    let first = |first| {
        let options = ScanOptions {
            first,
            ..ScanOptions::default()
        };
        found_with(&repo, &mut Position::default(), options)
    };
    assert_eq!(first(First::Nothing), [""; 0]);
    assert_eq!(first(First::Tips), ["two on b!"]);
    assert_eq!(
        first(First::Everything),
        ["one on b", "two on b!", "tag v1 at two annotated"]
    );
}

#[test]
fn an_empty_repository_gets_its_first_commit() {
    let repo = TestRepo::new();
    let mut position = Position::default();
    assert_eq!(found(&repo, &mut position), [""; 0]);
    repo.put("one", "");
    assert_eq!(found(&repo, &mut position), ["one on main!"]);
}

#[test]
fn a_commit_on_several_branches_comes_once() {
    let (repo, mut position) = begun();
    repo.branch("b");
    repo.put("shared", "");
    repo.branch("a");
    repo.put("own", "");
    repo.switch("b");
    assert_eq!(found(&repo, &mut position), ["shared on b!", "own on a!"]);
    repo.branch("c");
    assert_eq!(found(&repo, &mut position), [""; 0]);
}

#[test]
fn commits_are_on_the_branch_that_was_there_and_not_on_one_made_from_it() {
    let (repo, mut position) = begun();
    repo.put("one", "");
    repo.branch("another");
    repo.put("own", "");
    assert_eq!(
        found(&repo, &mut position),
        ["one on main!", "own on another!"]
    );
}

#[test]
fn a_merge_brings_what_it_merges() {
    let (repo, mut position) = begun();
    let dir = repo.root();
    git(&dir, &["checkout", "-qb", "side"]);
    git(&dir, &["commit", "-q", "--allow-empty", "-m", "side"]);
    git(&dir, &["checkout", "-q", "main"]);
    git(&dir, &["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    git(&dir, &["branch", "-qD", "side"]);
    assert_eq!(
        found(&repo, &mut position),
        ["side on main", "merge on main!"]
    );
}

#[test]
fn what_a_force_push_took_away_stays_known() {
    let (repo, mut position) = begun();
    let one = repo.put("one", "");
    let two = repo.put("two", "");
    assert_eq!(found(&repo, &mut position).len(), 2);
    let dir = repo.root();
    git(&dir, &["reset", "-q", "--hard", &one.to_string()]);
    assert_eq!(found(&repo, &mut position), [""; 0]);
    git(&dir, &["commit", "-q", "--allow-empty", "-m", "other"]);
    assert_eq!(found(&repo, &mut position), ["other on main!"]);
    git(&dir, &["reset", "-q", "--hard", &two.to_string()]);
    assert_eq!(found(&repo, &mut position), [""; 0]);
    git(&dir, &["commit", "-q", "--amend", "-m", "amended"]);
    assert_eq!(found(&repo, &mut position), ["amended on main!"]);
}

#[test]
fn a_rebase_brings_its_new_commits_only() {
    let (repo, mut position) = begun();
    let dir = repo.root();
    git(&dir, &["checkout", "-qb", "topic"]);
    for name in ["t1", "t2"] {
        repo.put(name, name);
    }
    git(&dir, &["checkout", "-q", "-f", "main"]);
    repo.put("m1", "m1");
    assert_eq!(
        found(&repo, &mut position),
        ["m1 on main!", "t1 on topic", "t2 on topic!"]
    );
    git(&dir, &["rebase", "-q", "main", "topic"]);
    assert_eq!(found(&repo, &mut position), ["t1 on topic", "t2 on topic!"]);
}

#[test]
fn a_branch_that_was_deleted_brings_nothing_when_it_comes_back() {
    let (repo, mut position) = begun();
    let dir = repo.root();
    repo.branch("gone");
    let tip = repo.put("one", "").to_string();
    assert_eq!(found(&repo, &mut position), ["one on gone!"]);
    git(&dir, &["checkout", "-q", "main"]);
    git(&dir, &["branch", "-qD", "gone"]);
    assert_eq!(found(&repo, &mut position), [""; 0]);
    git(&dir, &["branch", "again", &tip]);
    assert_eq!(found(&repo, &mut position), [""; 0]);
    // References in one file are the same references.
    git(&dir, &["pack-refs", "--all"]);
    assert_eq!(found(&repo, &mut position), [""; 0]);
}

#[test]
fn tags_come_after_commits_and_again_when_they_move() {
    let (repo, mut position) = begun();
    let dir = repo.root();
    repo.put("one", "");
    repo.tag("light", false);
    repo.tag("heavy", true);
    assert_eq!(
        found(&repo, &mut position),
        [
            "one on main!",
            "tag heavy at one annotated",
            "tag light at one"
        ]
    );
    git(&dir, &["checkout", "-q", "--detach"]);
    git(&dir, &["commit", "-q", "--allow-empty", "-m", "loose"]);
    git(&dir, &["tag", "-f", "light"]);
    git(&dir, &["tag", "-d", "heavy"]);
    assert_eq!(
        found(&repo, &mut position),
        ["loose by light", "tag light at loose"]
    );
    // A tag may name what is no commit.
    git(&dir, &["tag", "tree", "HEAD^{tree}"]);
    assert_eq!(found(&repo, &mut position), [""; 0]);
}

#[test]
fn shallow_and_bare_repositories_are_watched() {
    let upstream = TestRepo::new();
    for name in ["1", "2", "3", "4"] {
        upstream.put(name, "");
    }
    let url = format!("file://{}", upstream.root().display());
    let dir = tempfile::tempdir().unwrap();
    git(
        dir.path(),
        &["clone", "-q", "--bare", "--depth", "2", &url, "clone.git"],
    );
    let clone = dir.path().join("clone.git");
    let options = ScanOptions {
        first: First::Everything,
        ..ScanOptions::default()
    };
    let mut position = Position::default();
    assert_eq!(scan(&clone, &mut position, options).unwrap(), 2);
    upstream.put("5", "");
    git(&clone, &["fetch", "-q", &url, "main:main"]);
    assert_eq!(scan(&clone, &mut position, options).unwrap(), 1);
    git(&clone, &["fetch", "-q", "--unshallow", &url, "main:main"]);
    assert_eq!(scan(&clone, &mut position, options).unwrap(), 0);
    for name in ["6", "7"] {
        upstream.put(name, "");
    }
    git(&clone, &["fetch", "-q", "--depth", "1", &url, "+main:main"]);
    // Only what is here can be found.
    assert_eq!(scan(&clone, &mut position, options).unwrap(), 1);
}

#[test]
fn branches_of_remotes_count_where_they_are_asked_for() {
    let upstream = TestRepo::new();
    upstream.put("1", "");
    let dir = tempfile::tempdir().unwrap();
    git(
        dir.path(),
        &[
            "clone",
            "-q",
            &upstream.root().display().to_string(),
            "clone",
        ],
    );
    let clone = dir.path().join("clone");
    let remotes = ScanOptions {
        remotes: true,
        ..ScanOptions::default()
    };
    let (mut with, mut without) = (Position::default(), Position::default());
    let mut look = || {
        let with = scan(&clone, &mut with, remotes).unwrap();
        (
            with,
            scan(&clone, &mut without, ScanOptions::default()).unwrap(),
        )
    };
    assert_eq!(look(), (0, 0));
    upstream.put("2", "");
    git(&clone, &["fetch", "-q"]);
    assert_eq!(look(), (1, 0));
    git(&clone, &["merge", "-q", "origin/main"]);
    assert_eq!(look(), (0, 1));
}

#[test]
fn a_repository_that_cannot_be_read_changes_no_position() {
    let (repo, mut position) = begun();
    repo.put("one", "");
    let before = position.clone();
    let nowhere = tempfile::tempdir().unwrap();
    assert!(scan(nowhere.path(), &mut position, ScanOptions::default()).is_err());
    assert_eq!(position, before);
}

/// Something that people do to a repository.
#[derive(Debug, Clone)]
enum Act {
    Commit,
    Branch(u8),
    Switch(u8),
    /// Moves the branch to one of the commits there ever were.
    Reset(usize),
    Delete(u8),
    Tag(u8),
    Look,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Commit),
        1 => (0..4_u8).prop_map(Act::Branch),
        1 => (0..4_u8).prop_map(Act::Switch),
        1 => any::<usize>().prop_map(Act::Reset),
        1 => (0..4_u8).prop_map(Act::Delete),
        1 => (0..3_u8).prop_map(Act::Tag),
        3 => Just(Act::Look),
    ]
}

/// Does it with libgit2, so that a thousand of them take no time.
fn perform(repo: &TestRepo, act: &Act, commits: &mut Vec<Oid>) {
    let head = repo.git.head().unwrap().peel_to_commit().unwrap();
    match act {
        Act::Commit => commits.push(repo.put("file", &commits.len().to_string())),
        Act::Branch(number) => {
            let _ = repo.git.branch(&format!("b{number}"), &head, false);
        }
        Act::Switch(number) => {
            let name = format!("refs/heads/b{number}");
            if repo.git.find_reference(&name).is_ok() {
                repo.git.set_head(&name).unwrap();
            }
        }
        Act::Reset(index) => {
            let target = commits[index % commits.len()];
            let name = repo.git.head().unwrap().name().unwrap().to_owned();
            repo.git.reference(&name, target, true, "reset").unwrap();
        }
        Act::Delete(number) => {
            let name = format!("refs/heads/b{number}");
            let is_head = repo.git.head().unwrap().name() == Ok(name.as_str());
            if let Ok(mut reference) = repo.git.find_reference(&name)
                && !is_head
            {
                reference.delete().unwrap();
            }
        }
        Act::Tag(number) => {
            let name = format!("t{number}");
            repo.git
                .tag_lightweight(&name, head.as_object(), true)
                .unwrap();
        }
        Act::Look => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever people do, each commit that a look could reach is found once, after its parents.
    #[test]
    fn every_commit_is_found_once_after_its_parents(acts in prop::collection::vec(act(), 1..60)) {
        let repo = TestRepo::new();
        let mut commits = vec![repo.put("base", "")];
        let mut position = Position::default();
        let options = ScanOptions { first: First::Everything, ..ScanOptions::default() };
        let mut reachable = HashSet::new();
        for act in acts.iter().chain([&Act::Look]) {
            perform(&repo, act, &mut commits);
            if matches!(act, Act::Look) {
                scan(repo.dir.path(), &mut position, options).unwrap();
                let mut walk = repo.git.revwalk().unwrap();
                walk.push_glob("refs/*").unwrap();
                reachable.extend(walk.map(|id| id.unwrap().to_string()));
            }
        }
        let mut places: HashMap<String, u64> = HashMap::new();
        for change in position.found().filter(|it| !matches!(it.kind, ChangeKind::Tag { .. })) {
            prop_assert_eq!(places.insert(change.commit.clone(), change.number), None, "twice");
        }
        prop_assert_eq!(places.keys().cloned().collect::<HashSet<_>>(), reachable);
        for (commit, place) in &places {
            let commit = repo.git.find_commit(Oid::from_str(commit).unwrap()).unwrap();
            for parent in commit.parent_ids() {
                prop_assert!(places[&parent.to_string()] < *place, "before its parent");
            }
        }
    }
}
