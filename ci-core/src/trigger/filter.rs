//! Filters on the names of branches and tags, and on the paths that changed.

use serde::{Deserialize, Serialize};

use crate::job::{Matcher, Pattern, PatternError};

/// What counts as documentation unless a project says otherwise.
pub const DOCUMENTATION: [&str; 7] = [
    "**/*.md",
    "**/*.rst",
    "**/*.adoc",
    "docs/**",
    "doc/**",
    "**/LICENSE*",
    "**/CHANGELOG*",
];

/// Which names a trigger takes. In a file it is a list of words: `main` is a name, `release/*` a glob
/// (`*` does not cross `/`, `**` does), `/v\d+/` a regular expression for the whole name, and `!` in
/// front of any of them leaves names out. Without a word that takes names, all are taken that none
/// leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct NameFilter {
    /// The names it takes; all if empty.
    pub only: Vec<Pattern>,
    /// The names it leaves out, whatever `only` says.
    pub ignore: Vec<Pattern>,
}

impl NameFilter {
    /// Whether it takes `name`.
    pub fn takes(&self, name: &str) -> Result<bool, PatternError> {
        let any = |patterns: &[Pattern]| {
            let mut found = false;
            for pattern in patterns {
                found |= pattern.matches(name)?;
            }
            Ok::<_, PatternError>(found)
        };
        // Both are always tried: a wrong pattern is told, whatever the name.
        let (taken, ignored) = (any(&self.only)?, any(&self.ignore)?);
        Ok((taken || self.only.is_empty()) && !ignored)
    }
}

impl<S: AsRef<str>> FromIterator<S> for NameFilter {
    fn from_iter<I: IntoIterator<Item = S>>(words: I) -> Self {
        let mut filter = Self::default();
        for word in words {
            match word.as_ref().strip_prefix('!') {
                Some(word) => filter.ignore.push(pattern(word)),
                None => filter.only.push(pattern(word.as_ref())),
            }
        }
        filter
    }
}

impl From<Vec<String>> for NameFilter {
    fn from(words: Vec<String>) -> Self {
        words.into_iter().collect()
    }
}

impl From<NameFilter> for Vec<String> {
    fn from(filter: NameFilter) -> Self {
        let only = filter.only.iter().map(word);
        let ignore = filter
            .ignore
            .iter()
            .map(|pattern| format!("!{}", word(pattern)));
        only.chain(ignore).collect()
    }
}

fn pattern(word: &str) -> Pattern {
    let regex = word
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    match regex {
        Some(regex) => Pattern::Regex(regex.to_owned()),
        None if word.contains(['*', '?', '[', '{']) => Pattern::Glob(word.to_owned()),
        None => Pattern::Is(word.to_owned()),
    }
}

fn word(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Is(text) | Pattern::Glob(text) => text.clone(),
        Pattern::Regex(regex) => format!("/{regex}/"),
    }
}

/// Which changed paths a trigger takes, as globs (`*` does not cross `/`, `**` does).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PathFilter {
    /// The paths that matter; all if empty.
    pub only: Vec<String>,
    /// The paths that do not matter, whatever `only` says.
    pub ignore: Vec<String>,
}

impl PathFilter {
    /// Whether a path that matters changed. Where the changed paths are not known it holds.
    pub fn takes(&self, changed: Option<&[String]>) -> Result<bool, PatternError> {
        let (only, ignore) = (matchers(&self.only)?, matchers(&self.ignore)?);
        let Some(changed) = changed else {
            return Ok(true);
        };
        if only.is_empty() && ignore.is_empty() {
            return Ok(true);
        }
        let any = |matchers: &[Matcher], path: &str| matchers.iter().any(|it| it.matches(path));
        Ok(changed
            .iter()
            .any(|path| (only.is_empty() || any(&only, path)) && !any(&ignore, path)))
    }
}

/// Whether every one of `paths` matches one of `globs`; true where nothing changed.
///
/// ```
/// use ci_core::trigger::{DOCUMENTATION, only_matches};
///
/// let paths = ["docs/guide/start.txt".to_owned(), "README.md".to_owned()];
/// assert_eq!(only_matches(&paths, &DOCUMENTATION), Ok(true));
/// assert_eq!(only_matches(&["src/lib.rs".to_owned()], &DOCUMENTATION), Ok(false));
/// ```
pub fn only_matches<S: AsRef<str>>(paths: &[String], globs: &[S]) -> Result<bool, PatternError> {
    let matchers = matchers(globs)?;
    Ok(paths
        .iter()
        .all(|path| matchers.iter().any(|matcher| matcher.matches(path))))
}

fn matchers<S: AsRef<str>>(globs: &[S]) -> Result<Vec<Matcher>, PatternError> {
    globs
        .iter()
        .map(|glob| Matcher::glob(glob.as_ref()))
        .collect()
}
