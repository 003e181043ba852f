//! How a name has to look, and whether one does.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use serde::{Deserialize, Serialize};

/// How a name has to look.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pattern {
    /// Exactly this.
    Is(String),
    /// Matches this glob; `*` and `?` do not cross `/`, `**` does.
    Glob(String),
    /// Matches this regular expression from beginning to end.
    Regex(String),
}

impl Pattern {
    /// Whether `text` looks like this.
    pub fn matches(&self, text: &str) -> Result<bool, PatternError> {
        Ok(self.matcher()?.matches(text))
    }

    /// The pattern made ready to match many times.
    pub(crate) fn matcher(&self) -> Result<Matcher, PatternError> {
        match self {
            Self::Is(text) => Ok(Matcher::Is(text.clone())),
            Self::Glob(glob) => Matcher::glob(glob),
            Self::Regex(regex) => Matcher::regex(regex),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(text) => write!(f, "is `{text}`"),
            Self::Glob(glob) => write!(f, "matches `{glob}`"),
            Self::Regex(regex) => write!(f, "matches `/{regex}/`"),
        }
    }
}

/// A pattern made ready to match.
#[derive(Debug, Clone)]
pub(crate) enum Matcher {
    Is(String),
    Glob(Box<GlobMatcher>),
    Regex(Regex),
}

impl Matcher {
    pub(crate) fn glob(glob: &str) -> Result<Self, PatternError> {
        GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .map(|glob| Self::Glob(Box::new(glob.compile_matcher())))
            .map_err(|error| PatternError::new("glob", glob, &error.kind().to_string()))
    }

    pub(crate) fn regex(regex: &str) -> Result<Self, PatternError> {
        // Alone first: `a)|(b` is balanced once it stands in a group.
        Regex::new(regex)
            .and_then(|_| Regex::new(&format!(r"\A(?:{regex})\z")))
            .map(Self::Regex)
            .map_err(|error| PatternError::new("regular expression", regex, &error.to_string()))
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Is(wanted) => wanted == text,
            Self::Glob(glob) => glob.is_match(text),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// A glob or regular expression that does not follow its grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no {kind}: {why}")]
pub struct PatternError {
    kind: &'static str,
    pattern: String,
    why: String,
}

impl PatternError {
    fn new(kind: &'static str, pattern: &str, why: &str) -> Self {
        // The regex parser draws the place over several lines and says what is wrong in the last.
        let last = why.trim_end().lines().next_back().unwrap_or(why);
        Self {
            kind,
            pattern: pattern.to_owned(),
            why: last.trim_start_matches("error: ").to_owned(),
        }
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &Pattern, text: &str, expected: bool) {
        let words = pattern.to_string();
        assert_eq!(pattern.matches(text), Ok(expected), "`{text}` {words}");
    }

    #[test]
    fn a_star_stays_within_a_directory() {
        let glob = |glob: &str| Pattern::Glob(glob.into());
        check(&glob("v*"), "v1.2", true);
        check(&glob("release/*"), "release/1", true);
        check(&glob("release/*"), "release/1/hotfix", false);
        check(&glob("src/**"), "src/a/b.rs", true);
        check(&glob("**/*.md"), "README.md", true);
        check(&glob("{a,b}?"), "b1", true);
    }

    #[test]
    fn a_regex_matches_from_beginning_to_end() {
        let regex = |regex: &str| Pattern::Regex(regex.into());
        check(&regex("a|ab"), "ab", true);
        check(&regex("main"), "main-2", false);
        check(&regex("main"), "main\n", false);
        check(&regex("(?i)MAIN"), "main", true);
        check(&regex("v\\d+"), "xv1", false);
    }

    #[test]
    fn bad_patterns_say_what_is_wrong() {
        let message = |pattern: Pattern| pattern.matches("").unwrap_err().to_string();
        assert_eq!(
            message(Pattern::Glob("[a".into())),
            "`[a` is no glob: unclosed character class; missing ']'"
        );
        assert_eq!(
            message(Pattern::Regex("a)|(b".into())),
            "`a)|(b` is no regular expression: unopened group"
        );
    }
}
