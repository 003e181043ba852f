//! Whether `latest` follows a release, with every step of the decision.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{TagFacts, TagKind, VersionOrder};

/// What to do about `latest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LatestStrategy {
    /// Move it, whatever it is.
    Force,
    /// Leave it alone.
    Skip,
    /// Move it for an annotated tag that is newer than what is there.
    #[default]
    Auto,
}

/// A release that `latest` may follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestRequest {
    /// The tag of the release.
    pub tag: String,
    /// What to do.
    pub strategy: LatestStrategy,
    /// What newer means.
    pub order: VersionOrder,
    /// What is known of the tag.
    pub facts: TagFacts,
}

/// Where a decision stands before the registry was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Latest {
    /// The registry need not be asked.
    Decided(LatestDecision),
    /// It depends on what `latest` is now.
    Compare(LatestQuestion),
}

/// A decision that depends on what `latest` is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestQuestion {
    tag: String,
    order: VersionOrder,
    steps: Vec<DecisionStep>,
}

/// What `latest` is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CurrentLatest {
    /// There is none.
    Absent,
    /// It is this version.
    Version(String),
    /// It is there, but no version tag has its digest. The highest version tag besides the one that is
    /// released stands in for it, if there is one.
    Unknown {
        /// The digest of `latest`.
        digest: String,
        /// The highest other version tag.
        highest: Option<String>,
    },
}

/// Whether `latest` moves, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LatestDecision {
    moves: bool,
    steps: Vec<DecisionStep>,
}

/// A step of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionStep {
    /// What was looked at: `strategy`, `tag kind`, `latest` or `versions`.
    pub what: &'static str,
    /// What came of it.
    pub why: String,
}

impl LatestRequest {
    /// Decides as far as the registry is not needed.
    pub fn begin(&self) -> Latest {
        let mut steps = Vec::new();
        let mut note = |what, why: String| steps.push(DecisionStep { what, why });
        let decided = match self.strategy {
            LatestStrategy::Force => {
                note("strategy", "`force`: latest always moves".to_owned());
                Some(true)
            }
            LatestStrategy::Skip => {
                note("strategy", "`skip`: latest never moves".to_owned());
                Some(false)
            }
            LatestStrategy::Auto => {
                note(
                    "strategy",
                    "`auto`: the tag and its version decide".to_owned(),
                );
                note("tag kind", self.facts.reason(&self.tag));
                let (kind, _) = self.facts.kind(&self.tag);
                (kind != TagKind::Annotated).then_some(false)
            }
        };
        match decided {
            Some(moves) => Latest::Decided(LatestDecision { moves, steps }),
            None => Latest::Compare(LatestQuestion {
                tag: self.tag.clone(),
                order: self.order,
                steps,
            }),
        }
    }
}

impl LatestQuestion {
    /// Decides by what `latest` is now.
    #[must_use]
    pub fn answer(&self, current: &CurrentLatest) -> LatestDecision {
        let mut steps = self.steps.clone();
        let mut note = |what, why: String| steps.push(DecisionStep { what, why });
        let other = match current {
            CurrentLatest::Absent => {
                note("latest", "there is none yet".to_owned());
                None
            }
            CurrentLatest::Version(version) => {
                note("latest", format!("it is `{version}`"));
                Some(version)
            }
            CurrentLatest::Unknown { digest, highest } => {
                let stand_in = match highest {
                    Some(version) => format!("the highest other version, `{version}`, stands in"),
                    None => "there is no other version".to_owned(),
                };
                note(
                    "latest",
                    format!("no version tag has its digest {digest}; {stand_in}"),
                );
                highest.as_ref()
            }
        };
        let (moves, why) = self.compare(other.map(String::as_str));
        note("versions", why);
        LatestDecision { moves, steps }
    }

    fn compare(&self, other: Option<&str>) -> (bool, String) {
        let tag = &self.tag;
        // What is no version must not become the first `latest` either: nothing could follow it.
        if !self.order.is_version(tag) {
            return (false, format!("`{tag}` is no version: latest stays"));
        }
        let Some(other) = other else {
            return (true, format!("nothing is newer than `{tag}`: latest moves"));
        };
        match self.order.compare(tag, other) {
            Some(Ordering::Greater) => (
                true,
                format!("`{tag}` is newer than `{other}`: latest moves"),
            ),
            Some(Ordering::Equal) => (
                false,
                format!("`{tag}` is as new as `{other}`: latest stays"),
            ),
            Some(Ordering::Less) => (
                false,
                format!("`{tag}` is older than `{other}`: latest stays"),
            ),
            None => (
                false,
                format!("`{tag}` and `{other}` cannot be compared: latest stays"),
            ),
        }
    }

    /// What newer means here.
    #[must_use]
    pub fn order(&self) -> VersionOrder {
        self.order
    }
}

impl LatestDecision {
    /// Whether `latest` moves to the release.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.moves
    }

    /// What was looked at, in order, and what came of it.
    #[must_use]
    pub fn steps(&self) -> &[DecisionStep] {
        &self.steps
    }
}

impl fmt::Display for DecisionStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}
