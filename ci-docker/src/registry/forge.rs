//! What a forge knows of a tag.

use ci_core::release::ForgeTag;
use serde::Deserialize;

use super::{RegistryError, RegistryErrorKind};

/// What lets one at a forge's API.
#[derive(Clone)]
#[non_exhaustive]
pub enum ForgeToken {
    /// The token of a job, `CI_JOB_TOKEN`.
    Job(String),
    /// The token of a person or a project.
    Private(String),
}

impl std::fmt::Debug for ForgeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ForgeToken(…)")
    }
}

/// The part of GitLab's answer that tells the kind of a tag.
#[derive(Deserialize)]
struct Tag {
    message: Option<String>,
}

/// Asks GitLab's API about a tag (`GET /projects/:id/repository/tags/:tag_name`); `None` if the forge
/// does not know it.
pub async fn gitlab_tag(
    api: &str,
    project: &str,
    tag: &str,
    token: Option<&ForgeToken>,
) -> Result<Option<ForgeTag>, RegistryError> {
    let failed = |error: reqwest::Error| {
        let message = format!("the forge does not tell about the tag `{tag}`");
        RegistryError::new(RegistryErrorKind::Unreachable, message).with_source(error)
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(std::time::Duration::from_secs(30))
        .build()
        .map_err(failed)?;
    let wrong =
        |why: &str| RegistryError::new(RegistryErrorKind::Invalid, format!("`{api}` {why}"));
    let mut url = reqwest::Url::parse(api).map_err(|_| wrong("is no address of an API"))?;
    // Names of projects and tags may have slashes, which are no ends of path segments here.
    url.path_segments_mut()
        .map_err(|()| wrong("is no address of an API"))?
        .pop_if_empty()
        .extend(["projects", project, "repository", "tags", tag]);
    let request = client.get(url);
    let request = match token {
        Some(ForgeToken::Job(token)) => request.header("JOB-TOKEN", token),
        Some(ForgeToken::Private(token)) => request.header("PRIVATE-TOKEN", token),
        None => request,
    };
    let answer = request.send().await.map_err(failed)?;
    if answer.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer = answer.error_for_status().map_err(failed)?;
    let body = answer.bytes().await.map_err(failed)?;
    let tag: Tag = serde_json::from_slice(&body)
        .map_err(|error| wrong("answers with no tag").with_source(error))?;
    Ok(ForgeTag::from_message(tag.message.as_deref()))
}
