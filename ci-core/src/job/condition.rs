//! Conditions on the branch, the tag, the changed paths and the variables of a run.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Pattern;
use super::pattern::{Matcher, PatternError};
use crate::workflow::RunFacts;

/// Whether a job is part of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Condition {
    /// All of them hold; true when empty.
    All(Vec<Condition>),
    /// One of them holds; false when empty.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// The run is for a branch whose name matches.
    Branch(Pattern),
    /// The run is for a tag whose name matches.
    Tag(Pattern),
    /// A changed path matches one of the globs. Where the changed paths are not known it holds.
    Changed(Vec<String>),
    /// The variable exists and its value matches; an unset variable matches nothing.
    Variable {
        /// The variable's name.
        name: String,
        /// What its value has to match.
        matches: Pattern,
    },
}

impl Condition {
    /// Whether it holds for the run that `facts` describes.
    ///
    /// ```
    /// use ci_core::job::{Condition, Pattern};
    /// use ci_core::workflow::RunFacts;
    ///
    /// let condition = Condition::Tag(Pattern::Glob("v*".into()));
    /// assert_eq!(condition.holds(&RunFacts::default().tag("v1.0")), Ok(true));
    /// assert_eq!(condition.holds(&RunFacts::default().branch("main")), Ok(false));
    /// ```
    pub fn holds(&self, facts: &RunFacts) -> Result<bool, PatternError> {
        Matchers::default().holds(self, facts)
    }

    /// Every pattern in it that does not follow its grammar.
    pub(crate) fn bad_patterns(&self) -> Vec<PatternError> {
        match self {
            Self::All(inner) | Self::Any(inner) => {
                inner.iter().flat_map(Self::bad_patterns).collect()
            }
            Self::Not(inner) => inner.bad_patterns(),
            Self::Branch(pattern)
            | Self::Tag(pattern)
            | Self::Variable {
                matches: pattern, ..
            } => pattern.matcher().err().into_iter().collect(),
            Self::Changed(globs) => globs
                .iter()
                .filter_map(|glob| Matcher::glob(glob).err())
                .collect(),
        }
    }
}

/// Patterns that were made ready before: the jobs of a workflow often share them.
#[derive(Debug, Default)]
pub(crate) struct Matchers<'a> {
    globs: HashMap<&'a str, Matcher>,
    regexes: HashMap<&'a str, Matcher>,
}

impl<'a> Matchers<'a> {
    pub(crate) fn holds(
        &mut self,
        condition: &'a Condition,
        facts: &RunFacts,
    ) -> Result<bool, PatternError> {
        match condition {
            Condition::All(inner) => {
                for condition in inner {
                    if !self.holds(condition, facts)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Any(inner) => {
                for condition in inner {
                    if self.holds(condition, facts)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(inner) => self.holds(inner, facts).map(|holds| !holds),
            Condition::Branch(pattern) => self.matches(pattern, facts.branch.as_deref()),
            Condition::Tag(pattern) => self.matches(pattern, facts.tag.as_deref()),
            Condition::Variable { name, matches } => {
                self.matches(matches, facts.variables.get(name).map(String::as_str))
            }
            Condition::Changed(globs) => {
                let Some(paths) = &facts.changed_paths else {
                    return Ok(true);
                };
                for glob in globs {
                    let matcher = ready(&mut self.globs, glob, Matcher::glob)?;
                    if paths.iter().any(|path| matcher.matches(path)) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn matches(&mut self, pattern: &'a Pattern, text: Option<&str>) -> Result<bool, PatternError> {
        let Some(text) = text else { return Ok(false) };
        Ok(match pattern {
            Pattern::Is(wanted) => wanted == text,
            Pattern::Glob(glob) => ready(&mut self.globs, glob, Matcher::glob)?.matches(text),
            Pattern::Regex(regex) => ready(&mut self.regexes, regex, Matcher::regex)?.matches(text),
        })
    }
}

fn ready<'c, 'a>(
    cache: &'c mut HashMap<&'a str, Matcher>,
    pattern: &'a str,
    make: impl FnOnce(&str) -> Result<Matcher, PatternError>,
) -> Result<&'c Matcher, PatternError> {
    use std::collections::hash_map::Entry;
    match cache.entry(pattern) {
        Entry::Occupied(entry) => Ok(entry.into_mut()),
        Entry::Vacant(entry) => Ok(entry.insert(make(pattern)?)),
    }
}

impl fmt::Display for Condition {
    /// The condition in words, such as "branch is `main` and not (tag matches `v*`)".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(inner) if inner.is_empty() => f.write_str("always"),
            Self::Any(inner) if inner.is_empty() => f.write_str("never"),
            Self::All(inner) => joined(f, inner, " and "),
            Self::Any(inner) => joined(f, inner, " or "),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Branch(pattern) => write!(f, "branch {pattern}"),
            Self::Tag(pattern) => write!(f, "tag {pattern}"),
            Self::Changed(globs) => write!(f, "a changed path matches `{}`", globs.join("`, `")),
            Self::Variable { name, matches } => write!(f, "variable `{name}` {matches}"),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, inner: &[Condition], between: &str) -> fmt::Result {
    for (index, condition) in inner.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        match condition {
            Condition::All(list) | Condition::Any(list) if list.len() > 1 && inner.len() > 1 => {
                write!(f, "({condition})")?;
            }
            _ => write!(f, "{condition}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(name: &str) -> Condition {
        Condition::Branch(Pattern::Is(name.into()))
    }

    #[track_caller]
    fn check(condition: &Condition, facts: &RunFacts, expected: bool) {
        assert_eq!(condition.holds(facts), Ok(expected), "{condition}");
    }

    #[test]
    fn lists_and_negation_follow_logic() {
        let facts = RunFacts::default().branch("main");
        let (yes, no) = (branch("main"), branch("dev"));
        check(&Condition::All(vec![]), &facts, true);
        check(&Condition::Any(vec![]), &facts, false);
        check(
            &Condition::All(vec![yes.clone(), no.clone()]),
            &facts,
            false,
        );
        check(&Condition::Any(vec![no.clone(), yes.clone()]), &facts, true);
        check(&Condition::Not(Box::new(no)), &facts, true);
    }

    #[test]
    fn what_is_not_known_matches_nothing_but_changes_always_do() {
        let facts = RunFacts::default();
        let everything = || Pattern::Glob("**".into());
        check(&Condition::Branch(everything()), &facts, false);
        check(&Condition::Tag(everything()), &facts, false);
        let unset = Condition::Variable {
            name: "X".into(),
            matches: everything(),
        };
        check(&unset, &facts, false);
        check(&unset, &facts.clone().variable("X", ""), true);
        check(&Condition::Changed(vec!["a".into()]), &facts, true);
        let nothing = facts.clone().changed_paths::<&str>([]);
        check(&Condition::Changed(vec!["**".into()]), &nothing, false);
        let changed = facts.changed_paths(["docs/a.md", "src/x/lib.rs"]);
        check(&Condition::Changed(vec!["src/**".into()]), &changed, true);
        check(
            &Condition::Changed(vec!["src/*.rs".into()]),
            &changed,
            false,
        );
    }

    #[test]
    fn conditions_read_as_words() {
        let condition = Condition::All(vec![
            branch("main"),
            Condition::Any(vec![
                Condition::Tag(Pattern::Regex("v.*".into())),
                Condition::Changed(vec!["a".into(), "b/**".into()]),
            ]),
        ]);
        assert_eq!(
            condition.to_string(),
            "branch is `main` and (tag matches `/v.*/` or a changed path matches `a`, `b/**`)"
        );
    }

    #[test]
    fn every_bad_pattern_is_found() {
        let condition = Condition::Any(vec![
            Condition::Not(Box::new(Condition::Branch(Pattern::Regex("(".into())))),
            Condition::Changed(vec!["ok".into(), "[".into()]),
        ]);
        assert_eq!(condition.bad_patterns().len(), 2);
    }
}
