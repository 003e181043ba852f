//! Which paths of a tree a list of globs takes.

use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{ArchiveError, ArchiveErrorKind};

/// Include and exclude globs, relative to one directory. `*` stays within a component, `**` crosses
/// them, and a pattern also takes the path that it spells out literally (so that `pages/[id].ts` is
/// that file).
#[derive(Debug, Clone)]
pub struct Selector {
    include: Option<Include>,
    exclude: GlobSet,
}

#[derive(Debug, Clone)]
struct Include {
    globs: GlobSet,
    literals: Vec<PathBuf>,
    /// The directories at and below which each pattern can match.
    bases: Vec<PathBuf>,
}

/// What a walk does with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It belongs to the archive, with all below it that is not excluded.
    Take,
    /// It does not, but something below it may.
    Descend,
    /// Neither it nor anything below it does.
    Leave,
}

impl Selector {
    /// Compiles globs; no include glob takes everything. A glob that cannot be read, is absolute or
    /// has `..` in it is an error of kind [`ArchiveErrorKind::Glob`].
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, ArchiveError> {
        let include = match include {
            [] => None,
            patterns if patterns.iter().any(|pattern| is_everything(pattern)) => None,
            patterns => Some(Include {
                globs: compile(patterns)?,
                literals: patterns.iter().map(|pattern| plain(pattern)).collect(),
                bases: patterns.iter().map(|pattern| base(pattern)).collect(),
            }),
        };
        let exclude = compile(exclude)?;
        Ok(Self { include, exclude })
    }

    /// Whether the globs take `path`: by itself, or because a directory above it is taken.
    #[must_use]
    pub fn takes(&self, path: &Path) -> bool {
        let mut above: Vec<&Path> = path.ancestors().collect();
        above.reverse();
        let mut taken = false;
        for step in above
            .into_iter()
            .filter(|step| !step.as_os_str().is_empty())
        {
            match self.verdict(step, taken) {
                Verdict::Take => taken = true,
                Verdict::Descend => {}
                Verdict::Leave => return false,
            }
        }
        taken
    }

    /// Whether everything is taken that is not excluded.
    pub(super) fn takes_root(&self) -> bool {
        self.include.is_none()
    }

    /// What a walk does with `path`, given whether the directory it stands in is taken.
    pub(super) fn verdict(&self, path: &Path, parent_taken: bool) -> Verdict {
        if self.exclude.is_match(path) {
            return Verdict::Leave;
        }
        let Some(include) = self.include.as_ref().filter(|_| !parent_taken) else {
            return Verdict::Take;
        };
        if include.globs.is_match(path) || include.literals.iter().any(|one| one == path) {
            return Verdict::Take;
        }
        let may_hold = |base: &PathBuf| base.starts_with(path) || path.starts_with(base);
        if include.bases.iter().any(may_hold) {
            Verdict::Descend
        } else {
            Verdict::Leave
        }
    }
}

fn compile(patterns: &[String]) -> Result<GlobSet, ArchiveError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let text = plain(pattern);
        let leaves = text
            .components()
            .any(|part| !matches!(part, Component::Normal(_)));
        if leaves {
            let words = format!("the glob `{pattern}` leaves its directory");
            return Err(ArchiveError::new(ArchiveErrorKind::Glob, words));
        }
        let glob = GlobBuilder::new(&text.to_string_lossy())
            .literal_separator(true)
            .build()
            .map_err(|error| unreadable(&error))?;
        set.add(glob);
    }
    set.build().map_err(|error| unreadable(&error))
}

fn unreadable(error: &globset::Error) -> ArchiveError {
    let glob = error.glob().unwrap_or_default();
    let words = format!("the glob `{glob}` cannot be read: {}", error.kind());
    ArchiveError::new(ArchiveErrorKind::Glob, words)
}

/// The pattern without `.` components and slashes that say nothing.
fn plain(pattern: &str) -> PathBuf {
    Path::new(pattern)
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

fn is_everything(pattern: &str) -> bool {
    matches!(pattern, "**" | "**/*") || plain(pattern).as_os_str().is_empty()
}

/// The leading components that hold no wildcard.
fn base(pattern: &str) -> PathBuf {
    plain(pattern)
        .components()
        .take_while(|part| {
            let text = part.as_os_str().to_string_lossy();
            !text.contains(['*', '?', '[', '{', '\\'])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(include: &[&str], exclude: &[&str], path: &str) -> bool {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let selector = Selector::new(&words(include), &words(exclude)).unwrap();
        selector.takes(Path::new(path))
    }

    #[test]
    fn globs_take_files_and_whole_directories() {
        assert!(check(&[], &[], "a/b"));
        assert!(check(&["."], &[], "a/b"));
        assert!(check(&["a"], &[], "a/b/c"));
        assert!(check(&["./a/"], &[], "a/b/c"));
        assert!(!check(&["a"], &[], "ab"));
        assert!(check(&["*.log"], &[], "x.log"));
        assert!(!check(&["*.log"], &[], "d/x.log"));
        assert!(check(&["**/*.log"], &[], "d/e/x.log"));
        assert!(check(&["d/*/x"], &[], "d/e/x/deep"));
        assert!(check(&["pages/[id].ts"], &[], "pages/[id].ts"));
        assert!(check(&["{a,b}/c"], &[], "b/c"));
        assert!(!check(&["a"], &["a/b"], "a/b/c"));
        assert!(!check(&[], &["**/*.o"], "x/y.o"));
        assert!(check(&["a/b"], &[], "a/b"));
        assert!(!check(&["a/b"], &[], "a"));
    }

    #[test]
    fn globs_that_leave_or_cannot_be_read_are_errors() {
        for pattern in ["../x", "a/../../x", "/etc", "a/{b", "["] {
            let error = Selector::new(&[pattern.to_owned()], &[]).unwrap_err();
            assert_eq!(error.kind(), ArchiveErrorKind::Glob, "{pattern}");
            assert!(error.to_string().contains(pattern), "{error}");
        }
    }

    #[test]
    fn a_walk_goes_only_where_something_can_match() {
        let selector = Selector::new(&["a/b/*.c".to_owned()], &[]).unwrap();
        for (path, expected) in [
            ("a", Verdict::Descend),
            ("a/b", Verdict::Descend),
            ("a/b/x.c", Verdict::Take),
            ("a/c", Verdict::Leave),
            ("z", Verdict::Leave),
        ] {
            assert_eq!(selector.verdict(Path::new(path), false), expected, "{path}");
        }
    }
}
