//! Releases: how versions are ordered, what kind of tag asks for one, and whether `latest` follows it.
//!
//! Everything here is a pure function of facts that somebody else gathered: nothing asks a registry,
//! runs git or knows a clock.
//!
//! ```
//! use ci_core::release::{
//!     CurrentLatest, ForgeTag, Latest, LatestRequest, LatestStrategy, TagFacts, VersionOrder,
//! };
//!
//! let request = LatestRequest {
//!     tag: "v1.10".into(),
//!     strategy: LatestStrategy::Auto,
//!     order: VersionOrder::Semver,
//!     facts: TagFacts { forge: ForgeTag::from_message(Some("Release 1.10")), ..TagFacts::default() },
//! };
//! // The tag is annotated: what stands behind `latest` decides.
//! let Latest::Compare(question) = request.begin() else { panic!("decided too early") };
//! let decision = question.answer(&CurrentLatest::Version("1.2".into()));
//! assert!(decision.moves());
//! for step in decision.steps() {
//!     println!("{step}");
//! }
//! ```

mod latest;
mod order;
mod sort_v;
mod tag_kind;
mod version;

#[cfg(test)]
mod tests;

pub use latest::{
    CurrentLatest, DecisionStep, Latest, LatestDecision, LatestQuestion, LatestRequest,
    LatestStrategy,
};
pub use order::{VersionOrder, version_behind};
pub use sort_v::sort_v;
pub use tag_kind::{ForgeTag, GitObject, TagFacts, TagKind, TagKindSource};
pub use version::{ParseVersionError, Version};
