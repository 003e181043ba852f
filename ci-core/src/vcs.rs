//! What a repository says of a run: revision, branch, tag, changed paths; and getting its sources.

use std::path::Path;
use std::process::Command;

use git2::build::{CheckoutBuilder, RepoBuilder};
use git2::{DiffOptions, FetchOptions, Oid, RemoteCallbacks, Repository, SubmoduleUpdateOptions};

use crate::workflow::RunFacts;

/// A repository could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct VcsError {
    message: String,
    #[source]
    source: Option<git2::Error>,
}

impl VcsError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    fn caused(message: impl Into<String>, source: git2::Error) -> Self {
        Self {
            message: message.into(),
            source: Some(source),
        }
    }
}

fn open(path: &Path) -> Result<Repository, VcsError> {
    Repository::discover(path).map_err(|error| {
        VcsError::caused(
            format!("`{}` is in no Git repository", path.display()),
            error,
        )
    })
}

/// What the repository around `path` has checked out: its directory, the commit, the branch unless the
/// head is detached, and the tag if one names exactly this commit.
pub fn discover(path: &Path) -> Result<RunFacts, VcsError> {
    let repository = open(path)?;
    let mut facts = RunFacts {
        repository: repository.workdir().map(Path::to_path_buf),
        ..RunFacts::default()
    };
    let Ok(head) = repository.head() else {
        return Ok(facts);
    };
    if head.is_branch() {
        facts.branch = head.shorthand().ok().map(str::to_owned);
    }
    let Ok(commit) = head.peel_to_commit() else {
        return Ok(facts);
    };
    facts.revision = Some(commit.id().to_string());
    facts.tag = tag_at(&repository, commit.id());
    Ok(facts)
}

/// The first tag by name that names exactly this commit.
fn tag_at(repository: &Repository, commit: Oid) -> Option<String> {
    let names = repository.tag_names(None).ok()?;
    let mut tags: Vec<String> = names
        .iter()
        .filter_map(|name| name.ok().flatten().map(str::to_owned))
        .filter(|name| {
            let found = repository.revparse_single(&format!("refs/tags/{name}^{{commit}}"));
            found.is_ok_and(|object| object.id() == commit)
        })
        .collect();
    tags.sort_unstable();
    tags.into_iter().next()
}

/// The paths that changed since the common ancestor of `base` and the head, sorted. With
/// `working_tree` also what is changed and not committed.
pub fn changed_since(path: &Path, base: &str, working_tree: bool) -> Result<Vec<String>, VcsError> {
    let repository = open(path)?;
    let failed = |error| VcsError::caused("the changes could not be found", error);
    let base_commit = resolve(&repository, base)?;
    let head = repository
        .head()
        .and_then(|head| head.peel_to_commit())
        .map_err(failed)?;
    // Without a common ancestor everything counts as changed against the base itself.
    let from = repository
        .merge_base(base_commit, head.id())
        .unwrap_or(base_commit);
    let tree = repository
        .find_commit(from)
        .and_then(|commit| commit.tree())
        .map_err(failed)?;
    let mut options = DiffOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true);
    let diff = if working_tree {
        repository.diff_tree_to_workdir_with_index(Some(&tree), Some(&mut options))
    } else {
        let head_tree = head.tree().map_err(failed)?;
        repository.diff_tree_to_tree(Some(&tree), Some(&head_tree), Some(&mut options))
    };
    let diff = diff.map_err(failed)?;
    let mut paths: Vec<String> = diff
        .deltas()
        .flat_map(|delta| [delta.old_file().path(), delta.new_file().path()])
        .flatten()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    Ok(paths)
}

/// The commit that a name means: a branch of the origin first, as a clone has it, then a tag, then
/// whatever else Git understands: a hash, whole or abbreviated, or an expression.
fn resolve(repository: &Repository, name: &str) -> Result<Oid, VcsError> {
    let spellings = [
        format!("refs/remotes/origin/{name}"),
        format!("refs/tags/{name}"),
        name.to_owned(),
    ];
    spellings
        .iter()
        .find_map(|spelling| {
            let object = repository
                .revparse_single(&format!("{spelling}^{{commit}}"))
                .ok()?;
            Some(object.id())
        })
        .ok_or_else(|| {
            VcsError::new(format!(
                "the repository has no commit, tag or branch `{name}`"
            ))
        })
}

/// How to get sources.
pub(crate) struct Fetch<'a> {
    /// A local path or URL.
    pub(crate) source: &'a str,
    /// A commit, tag or branch; the source's head by default.
    pub(crate) revision: Option<&'a str>,
    /// Whether submodules come along.
    pub(crate) submodules: bool,
    /// How many commits of history, where the transport can do less than all.
    pub(crate) depth: Option<u32>,
    /// Asked now and then; `false` gives up.
    pub(crate) go_on: &'a (dyn Fn() -> bool + Sync),
}

/// Clones into `dest`, which is empty or does not exist, and checks the revision out. Gives the commit.
pub(crate) fn fetch(fetch: &Fetch<'_>, dest: &Path) -> Result<String, VcsError> {
    let shown = without_password(fetch.source);
    let repository = if by_command(fetch) {
        clone_by_command(fetch, dest)?;
        open(dest)?
    } else {
        clone(fetch, dest)
            .map_err(|error| VcsError::caused(format!("`{shown}` could not be cloned"), error))?
    };
    let commit = match fetch.revision {
        Some(revision) => resolve(&repository, revision)?,
        None => repository
            .head()
            .and_then(|head| head.peel_to_commit())
            .map_err(|error| VcsError::caused(format!("`{shown}` has no commit"), error))?
            .id(),
    };
    let failed = |error| {
        VcsError::caused(
            format!("the commit `{commit}` could not be checked out"),
            error,
        )
    };
    let object = repository.find_object(commit, None).map_err(failed)?;
    repository
        .checkout_tree(&object, Some(CheckoutBuilder::new().force()))
        .and_then(|()| point_head(&repository, fetch.revision, commit))
        .map_err(failed)?;
    if fetch.submodules {
        update_submodules(&repository)?;
    }
    Ok(commit.to_string())
}

/// A branch stays a branch, so that `git status` in a job says what people expect.
fn point_head(
    repository: &Repository,
    revision: Option<&str>,
    commit: Oid,
) -> Result<(), git2::Error> {
    let branch = revision.filter(|name| {
        repository
            .find_reference(&format!("refs/remotes/origin/{name}"))
            .is_ok()
    });
    match branch {
        Some(name) => {
            let commit = repository.find_commit(commit)?;
            repository
                .branch(name, &commit, true)
                .map(drop)
                .or_else(|error| {
                    // The branch that is checked out already cannot be made again.
                    if error.code() == git2::ErrorCode::Exists {
                        Ok(())
                    } else {
                        Err(error)
                    }
                })
                .ok();
            repository.set_head(&format!("refs/heads/{name}"))
        }
        None if revision.is_some() => repository.set_head_detached(commit),
        None => Ok(()),
    }
}

fn clone(fetch: &Fetch<'_>, dest: &Path) -> Result<Repository, git2::Error> {
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress(|_| (fetch.go_on)());
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks);
    // A local path is cloned by copying files, which has no depth.
    let is_local = Path::new(fetch.source).exists();
    if let Some(depth) = fetch.depth.filter(|_| !is_local) {
        options.depth(i32::try_from(depth).unwrap_or(i32::MAX));
    }
    RepoBuilder::new()
        .fetch_options(options)
        .clone(fetch.source, dest)
}

/// Whether the `git` program has to do it: the transports with encryption are not built in, and the
/// one for local files knows no depth.
fn by_command(fetch: &Fetch<'_>) -> bool {
    if Path::new(fetch.source).exists() {
        return false;
    }
    match fetch.source.split_once("://") {
        Some(("file", _)) => fetch.depth.is_some(),
        Some((scheme, _)) => !matches!(scheme, "git" | "http"),
        // The short form of SSH: `user@host:path`.
        None => fetch.source.contains(':'),
    }
}

fn clone_by_command(fetch: &Fetch<'_>, dest: &Path) -> Result<(), VcsError> {
    let shown = without_password(fetch.source);
    let mut command = Command::new("git");
    command
        .args(["clone", "--quiet"])
        .env("GIT_TERMINAL_PROMPT", "0");
    if let Some(depth) = fetch.depth {
        command.args(["--depth", &depth.to_string(), "--no-single-branch"]);
    }
    let output = command
        .arg("--")
        .arg(fetch.source)
        .arg(dest)
        .output()
        .map_err(|error| {
            VcsError::new(format!(
                "`{shown}` needs the program `git`, which did not start: {error}"
            ))
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).replace(fetch.source, &shown);
    Err(VcsError::new(format!(
        "`{shown}` could not be cloned: {}",
        said.trim()
    )))
}

/// Updates submodules and theirs, level by level.
fn update_submodules(repository: &Repository) -> Result<(), VcsError> {
    let mut waiting = vec![
        Repository::open(repository.path())
            .map_err(|error| VcsError::caused("the clone could not be opened", error))?,
    ];
    while let Some(repository) = waiting.pop() {
        let submodules = repository
            .submodules()
            .map_err(|error| VcsError::caused("the submodules could not be read", error))?;
        for mut submodule in submodules {
            let name = String::from_utf8_lossy(submodule.name_bytes()).into_owned();
            submodule
                .update(true, Some(&mut SubmoduleUpdateOptions::new()))
                .and_then(|()| submodule.open())
                .map(|inner| waiting.push(inner))
                .map_err(|error| {
                    VcsError::caused(
                        format!("the submodule `{name}` could not be updated"),
                        error,
                    )
                })?;
        }
    }
    Ok(())
}

/// A URL without what stands before its `@`, which may be a password.
pub(crate) fn without_password(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.split('/').next().unwrap_or(rest);
            match host.rfind('@') {
                Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
                None => url.to_owned(),
            }
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use git2::Signature;

    use super::*;

    /// A repository with two commits on `main`, the first tagged `v1`, and a branch `side` at it.
    fn repository(dir: &Path) -> (Repository, Oid, Oid) {
        let mut options = git2::RepositoryInitOptions::new();
        options.initial_head("main");
        let repository = Repository::init_opts(dir, &options).expect("a repository");
        let first = commit(&repository, "a.txt", "one");
        repository
            .reference("refs/tags/v1", first, true, "")
            .expect("a tag");
        repository
            .branch(
                "side",
                &repository.find_commit(first).expect("a commit"),
                true,
            )
            .expect("a branch");
        let second = commit(&repository, "b.txt", "two");
        (repository, first, second)
    }

    fn commit(repository: &Repository, file: &str, text: &str) -> Oid {
        std::fs::write(repository.workdir().expect("a tree").join(file), text).expect("written");
        let mut index = repository.index().expect("an index");
        index.add_path(Path::new(file)).expect("added");
        index.write().expect("written");
        let tree = repository
            .find_tree(index.write_tree().expect("a tree"))
            .expect("a tree");
        let who = Signature::now("a", "a@example.org").expect("a signature");
        let parent = repository
            .head()
            .ok()
            .and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<_> = parent.iter().collect();
        repository
            .commit(Some("HEAD"), &who, &who, "more", &tree, &parents)
            .expect("a commit")
    }

    fn get(source: &Path, revision: Option<&str>) -> Result<(tempfile::TempDir, String), VcsError> {
        let dest = tempfile::tempdir().expect("a directory");
        let go_on = || true;
        let source = source.display().to_string();
        let wanted = Fetch {
            source: &source,
            revision,
            submodules: true,
            depth: None,
            go_on: &go_on,
        };
        fetch(&wanted, dest.path()).map(|commit| (dest, commit))
    }

    #[test]
    fn facts_name_the_commit_the_branch_and_the_tag() {
        let dir = tempfile::tempdir().expect("a directory");
        let (repository, first, second) = repository(dir.path());
        let facts = discover(dir.path()).expect("facts");
        assert_eq!(facts.branch.as_deref(), Some("main"));
        assert_eq!(facts.revision, Some(second.to_string()));
        assert_eq!(facts.tag, None);
        repository.set_head_detached(first).expect("detached");
        let facts = discover(dir.path()).expect("facts");
        assert_eq!((facts.branch, facts.tag.as_deref()), (None, Some("v1")));
    }

    #[test]
    fn changed_paths_are_against_the_common_ancestor() {
        let dir = tempfile::tempdir().expect("a directory");
        repository(dir.path());
        assert_eq!(
            changed_since(dir.path(), "v1", false).expect("changes"),
            ["b.txt"]
        );
        std::fs::write(dir.path().join("new.txt"), "").expect("written");
        assert_eq!(
            changed_since(dir.path(), "v1", true).expect("changes"),
            ["b.txt", "new.txt"]
        );
        let error = changed_since(dir.path(), "nowhere", false).expect_err("no such revision");
        assert!(error.to_string().contains("`nowhere`"), "{error}");
    }

    #[test]
    fn sources_come_at_a_branch_a_tag_or_a_hash() {
        let dir = tempfile::tempdir().expect("a directory");
        let (_, first, second) = repository(dir.path());
        for (revision, expected) in [
            (None, second),
            (Some("main"), second),
            (Some("side"), first),
            (Some("v1"), first),
            (Some(&first.to_string()[..9]), first),
        ] {
            let (clone, commit) = get(dir.path(), revision).expect("a clone");
            assert_eq!(commit, expected.to_string(), "{revision:?}");
            assert_eq!(clone.path().join("b.txt").exists(), expected == second);
        }
        let error = get(dir.path(), Some("nowhere")).expect_err("no such revision");
        assert!(error.to_string().contains("`nowhere`"), "{error}");
    }

    #[test]
    fn a_shallow_clone_has_only_the_asked_history() {
        let dir = tempfile::tempdir().expect("a directory");
        repository(dir.path());
        let dest = tempfile::tempdir().expect("a directory");
        let source = format!("file://{}", dir.path().display());
        let go_on = || true;
        let wanted = Fetch {
            source: &source,
            revision: None,
            submodules: false,
            depth: Some(1),
            go_on: &go_on,
        };
        fetch(&wanted, dest.path()).expect("a clone");
        assert!(
            Repository::open(dest.path())
                .expect("a repository")
                .is_shallow()
        );
    }

    #[test]
    fn submodules_come_along() {
        let inner = tempfile::tempdir().expect("a directory");
        repository(inner.path());
        let outer = tempfile::tempdir().expect("a directory");
        let (repository, ..) = repository(outer.path());
        let url = inner.path().display().to_string();
        let mut submodule = repository
            .submodule(&url, Path::new("deps/inner"), true)
            .expect("a submodule");
        submodule.clone(None).expect("cloned");
        submodule.add_finalize().expect("added");
        commit(&repository, "c.txt", "three");
        let (clone, _) = get(outer.path(), None).expect("a clone");
        assert!(clone.path().join("deps/inner/b.txt").exists());
    }

    #[test]
    fn passwords_in_urls_are_not_shown() {
        assert_eq!(
            without_password("https://me:secret@host/x"),
            "https://host/x"
        );
        assert_eq!(without_password("/a/b@c"), "/a/b@c");
    }
}
