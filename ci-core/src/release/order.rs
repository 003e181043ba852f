//! By which order versions are newer or older, and the version behind a digest.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Version, sort_v};

/// By which order versions are newer or older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VersionOrder {
    /// The order of [`Version`]: semantic versioning, a leading `v` stripped, suffixed versions below
    /// their release.
    #[default]
    Semver,
    /// The order of GNU `sort -V` ([`sort_v`]). It ranks `1.8.7alpha` above `1.8.7`, and `v1.2` above
    /// `1.10`.
    SortV,
}

impl VersionOrder {
    /// Compares two tags. `None` if one is no version, which only [`Semver`](Self::Semver) finds.
    #[must_use]
    pub fn compare(self, a: &str, b: &str) -> Option<Ordering> {
        match self {
            Self::Semver => Some(a.parse::<Version>().ok()?.cmp(&b.parse().ok()?)),
            Self::SortV => Some(sort_v(a, b)),
        }
    }

    /// Whether a tag is one of a version.
    #[must_use]
    pub fn is_version(self, tag: &str) -> bool {
        tag.parse::<Version>().is_ok()
    }

    /// The highest of some version tags; what is no version does not count. Of equal ones the longest
    /// is taken: `1.2.0` says more than `1.2`.
    #[must_use]
    pub fn highest<'a>(self, tags: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        let versions = tags.into_iter().filter(|tag| self.is_version(tag));
        versions.max_by(|a, b| {
            let order = self.compare(a, b).unwrap_or(Ordering::Equal);
            order.then_with(|| a.len().cmp(&b.len()))
        })
    }
}

/// The version that a digest belongs to: the highest of the version tags that have it.
#[must_use]
pub fn version_behind<'a>(
    digest: &str,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    order: VersionOrder,
) -> Option<&'a str> {
    let same = tags.into_iter().filter(|(_, its)| *its == digest);
    order.highest(same.map(|(tag, _)| tag))
}
