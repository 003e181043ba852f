//! Regular expressions as Java has them, which must match the whole text.

use fancy_regex::{Regex, RegexBuilder};

/// How many steps back a pattern may take before it counts as one that does not match.
const STEPS: usize = 1_000_000;

/// A pattern for a whole text.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// The pattern, or what is wrong with it.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        RegexBuilder::new(&format!("^(?:{pattern})$"))
            .backtrack_limit(STEPS)
            .build()
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// Whether the whole text matches. One that takes too long to tell does not.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text).unwrap_or(false)
    }
}

/// Whether a name of a filter fits: `/.../` is a pattern, anything else the name itself.
pub(super) fn fits(filter: &str, name: &str) -> Result<bool, String> {
    match filter
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'))
    {
        Some(pattern) if filter.len() > 1 => Ok(Pattern::new(pattern)?.matches(name)),
        _ => Ok(filter == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        assert_eq!(fits("/v[0-9]+/", "v12"), Ok(true));
        assert_eq!(fits("/v[0-9]+/", "v12-rc"), Ok(false));
        assert_eq!(fits("/^(?!main).*$/", "topic"), Ok(true));
        assert_eq!(fits("/^(?!main).*$/", "main"), Ok(false));
        assert_eq!(fits("main", "main"), Ok(true));
        assert_eq!(fits("ma.n", "main"), Ok(false));
        assert!(fits("/(/", "x").is_err());
    }

    #[test]
    fn a_pattern_that_takes_for_ever_is_given_up() {
        assert_eq!(fits("/(a+)+b(?=x)/", &"a".repeat(40)), Ok(false));
    }
}
