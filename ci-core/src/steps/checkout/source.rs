//! What to fetch from where: pure decisions about sources, transports and revisions.

use std::path::{Path, PathBuf};

/// How the objects of a source come here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Transport {
    /// The source is a directory of this machine.
    Path(PathBuf),
    /// `file://`: a directory too, but fetched from as if it were remote.
    File,
    /// libgit2 does it.
    Library,
    /// The `git` program does it.
    Program,
}

/// A source that is no local path and no URL of a known transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnknownTransport(pub(super) String);

impl Transport {
    /// The transport for a source. A relative path starts at `base`.
    pub(super) fn of(source: &str, base: Option<&Path>) -> Result<Self, UnknownTransport> {
        if let Some((scheme, _)) = source.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "file" => Ok(Self::File),
                "git" | "http" => Ok(Self::Library),
                "https" | "ssh" | "ssh+git" | "git+ssh" => Ok(Self::Program),
                _ => Err(UnknownTransport(scheme.to_owned())),
            };
        }
        if let Some((helper, _)) = source.split_once("::") {
            // `helper::address` would run a program of that name.
            return Err(UnknownTransport(helper.to_owned()));
        }
        let path = base.map_or_else(|| PathBuf::from(source), |base| base.join(source));
        if is_scp_like(source) && !path.exists() {
            Ok(Self::Program)
        } else {
            Ok(Self::Path(path))
        }
    }
}

/// Whether a source looks like `user@host:path`, the short form of an SSH URL.
fn is_scp_like(source: &str) -> bool {
    match source.split_once(':') {
        // One letter before the colon is a drive of Windows.
        Some((host, _)) => host.len() > 1 && !host.contains('/') && !host.starts_with('-'),
        None => false,
    }
}

/// One fetch: what, and how many commits deep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetch {
    pub(super) refspecs: Vec<String>,
    pub(super) depth: Option<u32>,
}

/// Where a fetch puts a revision that is neither branch nor tag.
pub(super) const PINNED: &str = "refs/ci/revision";

/// The fetches that may bring `revision`, cheapest first; the next one is only for when the revision
/// is not there after the one before.
pub(super) fn fetches(revision: &str, depth: Option<u32>) -> Vec<Fetch> {
    let depth = depth.filter(|depth| *depth > 0);
    let name = revision.strip_prefix("origin/").unwrap_or(revision);
    let one = |from: String, to: String| Fetch {
        refspecs: vec![format!("+{from}:{to}")],
        depth,
    };
    let narrow = if revision == "HEAD" {
        vec![one("HEAD".into(), "refs/remotes/origin/HEAD".into())]
    } else if is_full_hash(revision) || revision.starts_with("refs/") {
        vec![one(revision.into(), PINNED.into())]
    } else if is_ref_name(name) {
        vec![
            one(
                format!("refs/heads/{name}"),
                format!("refs/remotes/origin/{name}"),
            ),
            one(format!("refs/tags/{name}"), format!("refs/tags/{name}")),
        ]
    } else {
        Vec::new()
    };
    let all = Fetch {
        refspecs: vec![
            "+refs/heads/*:refs/remotes/origin/*".into(),
            "+refs/tags/*:refs/tags/*".into(),
        ],
        depth: None,
    };
    if depth.is_some() {
        narrow.into_iter().chain([all]).collect()
    } else if revision == "HEAD" || is_full_hash(revision) || revision.starts_with("refs/") {
        // A commit on no branch, such as that of a merge request, is asked for by itself.
        [all].into_iter().chain(narrow).collect()
    } else {
        vec![all]
    }
}

/// Whether a revision is a whole hash, SHA-1 or SHA-256.
pub(super) fn is_full_hash(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether the text may be the name of a branch or tag rather than an expression such as `main~2`.
fn is_ref_name(name: &str) -> bool {
    git2::Reference::is_valid_name(&format!("refs/heads/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transport_follows_from_the_source() {
        let base = Some(Path::new("/base"));
        for (source, expected) in [
            ("/a", Transport::Path("/a".into())),
            ("a", Transport::Path("/base/a".into())),
            ("file:///a", Transport::File),
            ("git://h/a", Transport::Library),
            ("HTTP://h/a", Transport::Library),
            ("https://h/a", Transport::Program),
            ("ssh://git@h/a", Transport::Program),
            ("git@h:a/b", Transport::Program),
            ("./git@h:a/b", Transport::Path("/base/./git@h:a/b".into())),
        ] {
            assert_eq!(Transport::of(source, base), Ok(expected), "{source}");
        }
        assert_eq!(
            Transport::of("ext::sh", base),
            Err(UnknownTransport("ext".into()))
        );
        assert_eq!(
            Transport::of("s3://b/a", base),
            Err(UnknownTransport("s3".into()))
        );
    }

    #[test]
    fn the_cheapest_fetch_comes_first() {
        let spell = |revision: &str, depth| -> Vec<String> {
            fetches(revision, depth)
                .iter()
                .map(|fetch| format!("{} {:?}", fetch.refspecs.join(" "), fetch.depth))
                .collect()
        };
        let all = "+refs/heads/*:refs/remotes/origin/* +refs/tags/*:refs/tags/* None";
        assert_eq!(spell("main", None), [all]);
        assert_eq!(
            spell("origin/main", Some(1)),
            [
                "+refs/heads/main:refs/remotes/origin/main Some(1)",
                "+refs/tags/main:refs/tags/main Some(1)",
                all,
            ]
        );
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let pinned = |depth: &str| format!("+{hash}:refs/ci/revision {depth}");
        assert_eq!(spell(hash, Some(2)), [&pinned("Some(2)"), all]);
        assert_eq!(spell(hash, Some(0)), [all, &pinned("None")]);
        assert_eq!(spell("main~2", Some(1)), [all]);
    }
}
