//! Versions as people tag them.

use std::str::FromStr;

use ci_core::release::{
    CurrentLatest, GitObject, Latest, LatestRequest, LatestStrategy, TagFacts, TagKind, Version,
    VersionOrder, sort_v,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

fn order(name: &str) -> PyResult<VersionOrder> {
    match name {
        "semver" => Ok(VersionOrder::Semver),
        "sort-v" => Ok(VersionOrder::SortV),
        _ => Err(PyValueError::new_err(format!(
            "`{name}` is no order of versions; there are `semver` and `sort-v`"
        ))),
    }
}

/// Fails as the version does that the text is not.
fn checked(text: &str) -> PyResult<()> {
    let parsed = Version::from_str(text);
    parsed
        .map(drop)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Whether a tag is one of a version.
#[pyfunction]
pub(crate) fn is_version(tag: &str) -> bool {
    VersionOrder::Semver.is_version(tag)
}

/// -1, 0 or 1.
#[pyfunction]
pub(crate) fn compare_versions(a: &str, b: &str, by: &str) -> PyResult<i8> {
    let by = order(by)?;
    if by == VersionOrder::Semver {
        checked(a).and_then(|()| checked(b))?;
    }
    let compared = by.compare(a, b);
    Ok(compared.map_or(0, |it| it as i8))
}

/// From the lowest to the highest.
#[pyfunction]
pub(crate) fn sort_versions(mut versions: Vec<String>, by: &str) -> PyResult<Vec<String>> {
    if order(by)? == VersionOrder::SortV {
        versions.sort_by(|a, b| sort_v(a, b));
        return Ok(versions);
    }
    let parse = |text: String| match Version::from_str(&text) {
        Ok(version) => Ok((version, text)),
        Err(error) => Err(PyValueError::new_err(error.to_string())),
    };
    let parsed = versions.into_iter().map(parse);
    let mut parsed = parsed.collect::<PyResult<Vec<_>>>()?;
    parsed.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(parsed.into_iter().map(|(_, text)| text).collect())
}

/// The highest of the tags that are versions.
#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a list of Python becomes a vector of ours"
)]
pub(crate) fn highest_version(tags: Vec<String>, by: &str) -> PyResult<Option<String>> {
    let highest = order(by)?.highest(tags.iter().map(String::as_str));
    Ok(highest.map(str::to_owned))
}

/// Whether `latest` moves to the release, and the steps of the decision: what was looked at, and what
/// came of it.
#[pyfunction]
pub(crate) fn moves_latest(
    tag: &str,
    current: Option<String>,
    strategy: &str,
    by: &str,
    kind: Option<&str>,
    git_object: Option<&str>,
) -> PyResult<(bool, Vec<(&'static str, String)>)> {
    let unknown = |word: &str, what: &str| PyValueError::new_err(format!("`{word}` is no {what}"));
    let strategy = match strategy {
        "auto" => LatestStrategy::Auto,
        "force" => LatestStrategy::Force,
        "skip" => LatestStrategy::Skip,
        other => {
            return Err(unknown(
                other,
                "strategy; there are `auto`, `force` and `skip`",
            ));
        }
    };
    let said = match kind {
        None => None,
        Some("annotated") => Some(TagKind::Annotated),
        Some("lightweight") => Some(TagKind::Lightweight),
        Some(other) => return Err(unknown(other, "kind of tag")),
    };
    let git = git_object.map(|object| match object {
        "tag" => GitObject::Tag,
        _ => GitObject::Other,
    });
    let facts = TagFacts {
        said,
        git,
        forge: None,
    };
    let tag = tag.to_owned();
    let request = LatestRequest {
        tag,
        strategy,
        order: order(by)?,
        facts,
    };
    let decision = match request.begin() {
        Latest::Decided(decision) => decision,
        Latest::Compare(question) => {
            let current = current.map_or(CurrentLatest::Absent, CurrentLatest::Version);
            question.answer(&current)
        }
    };
    let steps = decision.steps().iter();
    let steps = steps.map(|step| (step.what, step.why.clone()));
    Ok((decision.moves(), steps.collect()))
}
