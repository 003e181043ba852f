//! The part of a checkout that libgit2 does; everything here blocks.

use std::path::{Component, Path, PathBuf};

use git2::build::{CheckoutBuilder, CloneLocal, RepoBuilder};
use git2::{
    AutotagOption, CheckoutNotificationType, ErrorCode, FetchOptions, Oid, Reference,
    RemoteCallbacks, Repository, SubmoduleUpdate,
};

use super::error::CheckoutError;
use super::monitor::Monitor;
use super::source::{Fetch, PINNED, is_full_hash};
use crate::similar::{closest, did_you_mean};

/// What a directory is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// Nothing is there.
    Fresh,
    /// An earlier checkout of the same source.
    Reused,
}

/// Looks at what is in `dir` before anything is written there.
pub(super) fn survey(dir: &Path, url: &str) -> Result<Ground, CheckoutError> {
    match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Ground::Fresh),
        Err(error) => {
            let what = format!("`{}` cannot be read", dir.display());
            return Err(CheckoutError::broken(what, error));
        }
        Ok(mut entries) => {
            if entries.next().is_none() {
                return Ok(Ground::Fresh);
            }
        }
    }
    let refused = |what: &str| {
        CheckoutError::Refused(format!(
            "`{}` is not empty and {what}; nothing was changed there",
            dir.display()
        ))
    };
    let repository = Repository::open(dir).map_err(|_| refused("holds no checkout"))?;
    let origin = repository.find_remote("origin");
    match origin.as_ref().map(|origin| origin.url()) {
        Ok(Ok(origin)) if origin == url => Ok(Ground::Reused),
        _ => Err(refused("holds the checkout of another source")),
    }
}

/// Makes an empty repository in `dir` that knows where its objects are to come from.
pub(super) fn start(dir: &Path, url: &str) -> Result<(), CheckoutError> {
    Repository::init(dir)
        .and_then(|repository| repository.remote("origin", url).map(drop))
        .map_err(|error| CheckoutError::broken("the repository cannot be made", error))
}

/// Clones a directory of this machine, with hard links where the file system allows it.
pub(super) fn clone_path(
    source: &Path,
    dir: &Path,
    monitor: &Monitor,
) -> Result<(), CheckoutError> {
    let from = Repository::open(source).map_err(|error| {
        let why = error.message();
        CheckoutError::Refused(format!(
            "`{}` is no git repository: {why}",
            source.display()
        ))
    })?;
    // What borrows its objects from elsewhere cannot be copied file by file.
    let borrows = from.commondir().join("objects/info/alternates").exists();
    let local = if borrows {
        CloneLocal::None
    } else {
        CloneLocal::Auto
    };
    let mut nothing = CheckoutBuilder::new();
    nothing.dry_run();
    let mut options = fetch_options(monitor);
    options.download_tags(AutotagOption::All);
    RepoBuilder::new()
        .clone_local(local)
        .fetch_options(options)
        .with_checkout(nothing)
        .clone(&source.to_string_lossy(), dir)
        .map_err(|error| transfer_error(error, monitor))?;
    let shallow = from.commondir().join("shallow");
    if shallow.exists() {
        std::fs::copy(shallow, dir.join(".git/shallow")).map_err(|error| {
            CheckoutError::broken("the shallow history cannot be copied", error)
        })?;
    }
    Ok(())
}

/// Fetches from the remote `origin` of the repository in `dir`.
pub(super) fn fetch(dir: &Path, fetch: &Fetch, monitor: &Monitor) -> Result<(), CheckoutError> {
    let mut options = fetch_options(monitor);
    options.download_tags(AutotagOption::None);
    if let Some(depth) = fetch.depth {
        options.depth(i32::try_from(depth).unwrap_or(i32::MAX));
    }
    open(dir)?
        .find_remote("origin")
        .and_then(|mut origin| origin.fetch(&fetch.refspecs, Some(&mut options), None))
        .map_err(|error| transfer_error(error, monitor))
}

fn fetch_options(monitor: &Monitor) -> FetchOptions<'_> {
    let mut callbacks = RemoteCallbacks::new();
    callbacks
        .transfer_progress(|progress| {
            monitor.progress(|| {
                let (got, all) = (progress.received_objects(), progress.total_objects());
                let mebibytes = progress.received_bytes() >> 20;
                format!("received {got} of {all} objects, {mebibytes} MiB")
            });
            !monitor.is_canceled()
        })
        .sideband_progress(|_| !monitor.is_canceled());
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks);
    options
}

fn transfer_error(error: git2::Error, monitor: &Monitor) -> CheckoutError {
    if monitor.is_canceled() {
        CheckoutError::Canceled
    } else if error.code() == ErrorCode::NotFound {
        CheckoutError::Refused(format!("the source is not there: {}", error.message()))
    } else {
        CheckoutError::broken("fetching failed", error)
    }
}

fn open(dir: &Path) -> Result<Repository, CheckoutError> {
    Repository::open(dir)
        .map_err(|error| CheckoutError::broken("the repository cannot be opened", error))
}

/// A commit, and the branch that it was named by, if it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Revision {
    pub(super) commit: Oid,
    pub(super) branch: Option<String>,
}

/// Finds `revision` among what was fetched: a whole hash, a branch, a tag, a name that begins with
/// `refs/`, an abbreviated hash or another expression. `None` if it is not there.
pub(super) fn resolve(dir: &Path, revision: &str) -> Result<Option<Revision>, CheckoutError> {
    let repository = open(dir)?;
    let commit = |name: &str| {
        let object = repository.revparse_single(name).ok()?;
        Some(object.peel_to_commit().ok()?.id())
    };
    let found = |commit| {
        Some(Revision {
            commit,
            branch: None,
        })
    };
    if is_full_hash(revision) {
        return Ok(commit(revision).and_then(found));
    }
    if revision == "HEAD" {
        return Ok(resolve_head(&repository));
    }
    let name = revision.strip_prefix("origin/").unwrap_or(revision);
    if let Some(commit) = commit(&format!("refs/remotes/origin/{name}")) {
        let branch = Some(name.to_owned());
        return Ok(Some(Revision { commit, branch }));
    }
    if let Some(commit) = commit(&format!("refs/tags/{revision}")) {
        return Ok(found(commit));
    }
    if revision.starts_with("refs/") {
        return Ok(commit(PINNED).or_else(|| commit(revision)).and_then(found));
    }
    match repository.revparse_single(revision) {
        Ok(object) => Ok(object
            .peel_to_commit()
            .ok()
            .and_then(|commit| found(commit.id()))),
        Err(error) if error.code() == ErrorCode::Ambiguous => Err(CheckoutError::Refused(format!(
            "`{revision}` is the beginning of several hashes: {}",
            error.message()
        ))),
        Err(_) => Ok(None),
    }
}

/// What the source has checked out.
fn resolve_head(repository: &Repository) -> Option<Revision> {
    let head = repository.find_reference("refs/remotes/origin/HEAD").ok()?;
    let branch = match head.symbolic_target() {
        Ok(Some(target)) => target
            .strip_prefix("refs/remotes/origin/")
            .map(str::to_owned),
        _ => None,
    };
    let commit = head.peel_to_commit().ok()?.id();
    Some(Revision { commit, branch })
}

/// The error for a revision that no fetch brought.
pub(super) fn missing(dir: &Path, revision: &str, url: &str) -> CheckoutError {
    let url = crate::steps::mask_url(url);
    let names: Vec<String> = Repository::open(dir)
        .and_then(|repository| {
            let names = repository.references()?;
            let names = names.filter_map(Result::ok).filter_map(|reference| {
                let name = reference.shorthand().ok()?;
                Some(name.strip_prefix("origin/").unwrap_or(name).to_owned())
            });
            Ok(names.collect())
        })
        .unwrap_or_default();
    let meant = did_you_mean(closest(revision, names.iter().map(String::as_str)));
    CheckoutError::Refused(format!(
        "`{revision}` is no commit, tag or branch of `{url}`{meant}"
    ))
}

/// Writes the files of a commit, and makes it the `HEAD`: on a local branch of the given name, or else
/// detached. Files that are changed or that git does not know are not overwritten.
pub(super) fn write(
    dir: &Path,
    revision: &Revision,
    monitor: &Monitor,
) -> Result<(), CheckoutError> {
    let repository = open(dir)?;
    let failed = |error: git2::Error| {
        if monitor.is_canceled() {
            CheckoutError::Canceled
        } else if error.code() == ErrorCode::Conflict {
            CheckoutError::Refused(format!("files stand in the way: {}", error.message()))
        } else {
            CheckoutError::broken("the files cannot be written", error)
        }
    };
    let mut options = CheckoutBuilder::new();
    options
        .safe()
        .recreate_missing(true)
        .notify_on(CheckoutNotificationType::UPDATED)
        .notify(|_, _, _, _, _| !monitor.is_canceled())
        .progress(|_, done, all| monitor.progress(|| format!("wrote {done} of {all} files")));
    let object = repository
        .find_object(revision.commit, None)
        .map_err(failed)?;
    repository
        .checkout_tree(&object, Some(&mut options))
        .map_err(failed)?;
    let branch = revision
        .branch
        .as_ref()
        .map(|branch| (branch, format!("refs/heads/{branch}")))
        .filter(|(_, name)| Reference::is_valid_name(name));
    let Some((branch, name)) = branch else {
        return repository
            .set_head_detached(revision.commit)
            .map_err(failed);
    };
    repository
        .reference(&name, revision.commit, true, "checkout")
        .and_then(|_| repository.set_head(&name))
        .map_err(failed)?;
    if repository
        .find_reference(&format!("refs/remotes/origin/{branch}"))
        .is_ok()
    {
        repository
            .find_branch(branch, git2::BranchType::Local)
            .and_then(|mut local| local.set_upstream(Some(&format!("origin/{branch}"))))
            .map_err(failed)?;
    }
    Ok(())
}

/// The commit that is checked out in `dir`, if there is a repository with one.
pub(super) fn head(dir: &Path) -> Option<Oid> {
    let repository = Repository::open(dir).ok()?;
    let commit = repository.head().ok()?.peel_to_commit().ok()?;
    Some(commit.id())
}

/// Finds a revision in a repository as it stands, with its own branches.
pub(super) fn find(dir: &Path, revision: &str) -> Option<Oid> {
    let repository = Repository::open(dir).ok()?;
    let object = repository.revparse_single(revision).ok()?;
    Some(object.peel_to_commit().ok()?.id())
}

/// A submodule of a commit that is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submodule {
    pub(super) name: String,
    pub(super) dir: PathBuf,
    pub(super) url: String,
    pub(super) commit: String,
}

/// The submodules of what is checked out in `dir`, without those that are set never to be updated.
pub(super) fn submodules(dir: &Path) -> Result<Vec<Submodule>, CheckoutError> {
    let repository = open(dir)?;
    let failed = |error| CheckoutError::broken("the submodules cannot be read", error);
    let mut found = Vec::new();
    for mut module in repository.submodules().map_err(failed)? {
        let (Some(commit), Ok(name)) = (module.head_id(), module.name()) else {
            continue;
        };
        let name = name.to_owned();
        if module.update_strategy() == SubmoduleUpdate::None {
            continue;
        }
        let place = inside(dir, module.path()).ok_or_else(|| {
            let path = module.path().display();
            CheckoutError::Refused(format!(
                "the submodule `{name}` would lie outside: `{path}`"
            ))
        })?;
        // This also makes a relative URL whole, by that of the repository around it.
        module.init(false).map_err(failed)?;
        let url = repository
            .config()
            .and_then(|config| config.get_string(&format!("submodule.{name}.url")))
            .map_err(failed)?;
        found.push(Submodule {
            name,
            dir: place,
            url,
            commit: commit.to_string(),
        });
    }
    Ok(found)
}

/// `dir` and `path`, if that is below `dir` also after every symbolic link is followed.
fn inside(dir: &Path, path: &Path) -> Option<PathBuf> {
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(name) if name != ".git"));
    let place = dir.join(path);
    let above = place.parent()?.canonicalize().ok()?;
    let is_link = std::fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_symlink());
    (plain && !is_link && above.starts_with(dir.canonicalize().ok()?)).then_some(place)
}

/// Where a repository of this machine keeps its own copy of a submodule, if it has one.
pub(super) fn kept_module(source: &Path, name: &str) -> Option<PathBuf> {
    let kept = Repository::open(source)
        .ok()?
        .commondir()
        .join("modules")
        .join(name);
    Repository::open(&kept).is_ok().then_some(kept)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_submodule_lies_inside_also_after_links_are_followed() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (dir, link) = (root.path(), root.path().join("link"));
        std::fs::create_dir(dir.join("plain")).unwrap();
        std::os::unix::fs::symlink(outside.path(), link).unwrap();
        for (path, is_inside) in [
            ("plain/x", true),
            ("x", true),
            ("link", false),
            ("link/x", false),
            ("../x", false),
            ("/x", false),
            (".git/x", false),
            ("plain/../../x", false),
        ] {
            assert_eq!(inside(dir, Path::new(path)).is_some(), is_inside, "{path}");
        }
    }
}
