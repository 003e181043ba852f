//! The `latest` tag of repositories: decided once, moved in each, read back.

use ci_core::release::{
    CurrentLatest, Latest, LatestDecision, LatestQuestion, LatestRequest, version_behind,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{ImageName, Registry, RegistryError, RegistryErrorKind};

/// How many digests are asked for at once.
const AT_ONCE: usize = 8;

/// How often a move that somebody else undid is decided anew.
const ATTEMPTS: u32 = 3;

/// What may become `latest`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MoveLatest {
    /// The release, and what is known of its tag.
    pub request: LatestRequest,
    /// The repositories. What the first one's `latest` is decides for all of them.
    pub images: Vec<ImageName>,
    /// The tag that is moved: `latest`, if nobody says otherwise.
    pub latest: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatestReport {
    /// Whether it moves, and why.
    pub decision: LatestDecision,
    /// What it means for each repository; empty if it does not move.
    pub changes: Vec<LatestChange>,
}

/// The move of one `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatestChange {
    /// The name of the moved tag.
    pub image: ImageName,
    /// The digest it had.
    pub before: Option<String>,
    /// The digest it gets.
    pub after: String,
}

impl MoveLatest {
    /// A move of `latest` to a release in some repositories.
    #[must_use]
    pub fn new(request: LatestRequest, images: Vec<ImageName>) -> Self {
        Self {
            request,
            images,
            latest: "latest".to_owned(),
        }
    }
}

impl Registry {
    /// Says whether `latest` would move, and moves nothing.
    pub async fn decide_latest(&self, wanted: &MoveLatest) -> Result<LatestReport, RegistryError> {
        let Some(reference) = wanted.images.first() else {
            let message = "there is no repository whose latest could move";
            return Err(RegistryError::new(RegistryErrorKind::Refused, message));
        };
        let decision = match wanted.request.begin() {
            Latest::Decided(decision) => decision,
            Latest::Compare(question) => {
                let current = self.current_latest(wanted, reference, &question).await?;
                question.answer(&current)
            }
        };
        let mut changes = Vec::new();
        if decision.moves() {
            // All of them are looked up before the first one moves.
            for image in &wanted.images {
                let released = image.with_tag(&wanted.request.tag);
                let Some(after) = self.digest(&released).await? else {
                    let message = format!("`{released}` is not in the registry");
                    return Err(RegistryError::new(RegistryErrorKind::NotFound, message)
                        .with_hint("push the release before `latest` moves to it"));
                };
                let image = image.with_tag(&wanted.latest);
                let before = self.digest(&image).await?;
                changes.push(LatestChange {
                    image,
                    before,
                    after,
                });
            }
        }
        Ok(LatestReport { decision, changes })
    }

    /// Moves `latest` if the release asks for it, and reads it back.
    ///
    /// Registries cannot compare and swap. Callers that may run at the same time hold a lock around
    /// this, such as a group of the run store; what a writer without that lock does in between is seen
    /// when `latest` is read back, and leads to a new decision.
    ///
    /// # Errors
    /// Of kind [`RegistryErrorKind::Raced`] if somebody else keeps moving it.
    pub async fn move_latest(&self, wanted: &MoveLatest) -> Result<LatestReport, RegistryError> {
        for _ in 0..ATTEMPTS {
            let report = self.decide_latest(wanted).await?;
            for change in &report.changes {
                if change.before.as_ref() != Some(&change.after) {
                    let by_digest = change.image.with_digest(&change.after);
                    self.tag(&by_digest, &wanted.latest).await?;
                }
            }
            if self.stands(&report).await? {
                return Ok(report);
            }
        }
        let message = "somebody else keeps moving `latest`";
        Err(RegistryError::new(RegistryErrorKind::Raced, message)
            .with_hint("let all who move it share a run store"))
    }

    async fn stands(&self, report: &LatestReport) -> Result<bool, RegistryError> {
        for change in &report.changes {
            if self.digest(&change.image).await?.as_ref() != Some(&change.after) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The version behind `latest`, found by its digest among the version tags.
    async fn current_latest(
        &self,
        wanted: &MoveLatest,
        repository: &ImageName,
        question: &LatestQuestion,
    ) -> Result<CurrentLatest, RegistryError> {
        let latest = repository.with_tag(&wanted.latest);
        let Some(digest) = self.digest(&latest).await? else {
            return Ok(CurrentLatest::Absent);
        };
        let order = question.order();
        let tags = self.tags(repository).await?;
        let versions = tags
            .iter()
            .filter(|tag| **tag != wanted.latest && order.is_version(tag));
        let versions: Vec<&str> = versions.map(String::as_str).collect();
        let asked = versions.iter().map(|tag| async {
            let digest = self.digest(&repository.with_tag(tag)).await?;
            Ok::<_, RegistryError>((*tag, digest.unwrap_or_default()))
        });
        let asked: Vec<_> = asked.collect();
        let digests: Vec<(&str, String)> =
            stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
        let pairs = digests.iter().map(|(tag, digest)| (*tag, digest.as_str()));
        if let Some(version) = version_behind(&digest, pairs, order) {
            return Ok(CurrentLatest::Version(version.to_owned()));
        }
        let others = versions
            .into_iter()
            .filter(|tag| *tag != wanted.request.tag);
        let highest = order.highest(others).map(str::to_owned);
        Ok(CurrentLatest::Unknown { digest, highest })
    }
}
