//! Where a repository comes from: the address of its remote, and the branch that counts there.

use std::path::Path;

use git2::Repository;

use super::VcsError;
use super::discover::open;
use super::error::other;

/// Where a repository comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteInfo {
    /// The address of `origin`, or of the only other remote, without the password that may stand in it.
    pub url: Option<String>,
    /// The branch that the remote checks out by default, as far as this clone knows it; else `main` or
    /// `master`, if there is one.
    pub default_branch: Option<String>,
}

impl RemoteInfo {
    /// `owner/name` of the repository at its forge, with all groups that lead to it.
    #[must_use]
    pub fn project(&self) -> Option<String> {
        let url = self.url.as_deref()?;
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.split_once('/')?.1,
            None => url.split_once(':')?.1,
        };
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        (!path.is_empty()).then(|| path.to_owned())
    }
}

/// What is known of the remote of the repository that `path` is in.
///
/// Blocks while it reads the repository.
///
/// # Errors
/// If there is no repository, or its remotes cannot be read.
pub fn remote_info(path: &Path) -> Result<RemoteInfo, VcsError> {
    let repository = open(path)?;
    let names = repository.remotes();
    let names = names.map_err(other("the remotes cannot be read"))?;
    let mut known: Vec<&str> = names.iter().flatten().flatten().collect();
    known.sort_by_key(|name| *name != "origin");
    let name = known.first().copied();
    let remote = name.and_then(|name| repository.find_remote(name).ok());
    let url = remote.and_then(|it| it.url().ok().map(without_password));
    Ok(RemoteInfo {
        url,
        default_branch: default_branch(&repository, name.unwrap_or("origin")),
    })
}

fn default_branch(repository: &Repository, remote: &str) -> Option<String> {
    let head = repository.find_reference(&format!("refs/remotes/{remote}/HEAD"));
    let told = head.ok().and_then(|head| {
        let target = head.symbolic_target().ok().flatten()?;
        let start = format!("refs/remotes/{remote}/");
        Some(target.strip_prefix(&start)?.to_owned())
    });
    let usual = ["main", "master"].into_iter();
    let mut usual = usual.filter(|name| {
        let name = format!("refs/heads/{name}");
        repository.find_reference(&name).is_ok()
    });
    told.or_else(|| usual.next().map(str::to_owned))
}

/// An address without what stands before the host.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let host = rest.find('/').unwrap_or(rest.len());
    match rest[..host].rfind('@') {
        Some(at) if scheme.starts_with("http") => format!("{scheme}://{}", &rest[at + 1..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_out_and_the_project_is_found() {
        for (url, shown, project) in [
            (
                "https://me:token@h.x/a/b.git",
                "https://h.x/a/b.git",
                Some("a/b"),
            ),
            (
                "ssh://git@h.x:22/a/b/c",
                "ssh://git@h.x:22/a/b/c",
                Some("a/b/c"),
            ),
            ("git@h.x:a/b.git", "git@h.x:a/b.git", Some("a/b")),
            ("https://h.x", "https://h.x", None),
            ("/srv/repo", "/srv/repo", None),
        ] {
            assert_eq!(without_password(url), shown);
            let info = RemoteInfo {
                url: Some(shown.to_owned()),
                default_branch: None,
            };
            assert_eq!(info.project().as_deref(), project, "{url}");
        }
    }

    #[test]
    fn the_remote_and_its_branch_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let git = Repository::init(dir.path()).unwrap();
        assert_eq!(remote_info(dir.path()).unwrap(), RemoteInfo::default());
        git.remote("other", "git@h.x:o/n").unwrap();
        git.remote("origin", "https://a:b@h.x/a/b.git").unwrap();
        let target = "refs/remotes/origin/trunk";
        git.reference_symbolic("refs/remotes/origin/HEAD", target, true, "test")
            .unwrap();
        let found = remote_info(dir.path()).unwrap();
        assert_eq!(found.url.as_deref(), Some("https://h.x/a/b.git"));
        assert_eq!(found.default_branch.as_deref(), Some("trunk"));
    }
}
