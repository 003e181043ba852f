//! Sees to it that the engine has the images of a job, each pulled once however many jobs wait for it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ci_core::session::Output;
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::credentials;
use crate::engine::{Engine, ImageFacts};
use crate::error::{DockerError, DockerErrorKind};
use crate::options::PullPolicy;

/// The pulls of an executor; all its jobs share them.
#[derive(Debug, Default)]
pub(crate) struct Pulls {
    /// When each image was last pulled. Whoever pulls it holds the lock.
    images: Mutex<HashMap<String, Last>>,
}

type Last = Arc<tokio::sync::Mutex<Option<Instant>>>;

/// How images are pulled.
#[derive(Debug, Clone, Default)]
pub(crate) struct PullOptions {
    pub(crate) policy: PullPolicy,
    /// The directory of the credentials; the user's own by default.
    pub(crate) config: Option<PathBuf>,
    pub(crate) platform: Option<String>,
}

impl Pulls {
    /// Sees to it that the engine has the image, and gives what is known of it.
    pub(crate) async fn provide(
        &self,
        engine: &Engine,
        image: &str,
        options: &PullOptions,
        output: &Output,
    ) -> Result<ImageFacts, DockerError> {
        if let Some(found) = self.at_hand(engine, image, options).await? {
            return Ok(found);
        }
        let asked_at = Instant::now();
        let platform = options.platform.as_deref();
        let last = self.last(&format!("{image} {}", platform.unwrap_or_default()));
        // Whoever waits here finds it pulled.
        let mut last = last.lock().await;
        if last.is_none_or(|at| at < asked_at) {
            pull(engine, image, options, output).await?;
            *last = Some(Instant::now());
        }
        engine.image(image).await?.ok_or_else(|| {
            let text = format!("the engine does not have the image `{image}` after pulling it");
            DockerError::new(DockerErrorKind::NotFound, text)
        })
    }

    /// The image if it need not be pulled.
    async fn at_hand(
        &self,
        engine: &Engine,
        image: &str,
        options: &PullOptions,
    ) -> Result<Option<ImageFacts>, DockerError> {
        if options.policy == PullPolicy::Always {
            return Ok(None);
        }
        let found = engine.image(image).await?;
        let fits = |found: &ImageFacts| is_of(found, options.platform.as_deref());
        match (found, options.policy) {
            (Some(found), _) if fits(&found) => Ok(Some(found)),
            (found, PullPolicy::Never) => {
                let (kind, on) = match (found, &options.platform) {
                    (Some(_), Some(platform)) => {
                        (DockerErrorKind::Unmet, format!(" for `{platform}`"))
                    }
                    _ => (DockerErrorKind::NotFound, String::new()),
                };
                let text = format!("the engine does not have the image `{image}`{on}");
                Err(DockerError::new(kind, text)
                    .with_hint("images are never pulled here: pull or build it before"))
            }
            _ => Ok(None),
        }
    }

    fn last(&self, key: &str) -> Last {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(images.entry(key.to_owned()).or_default())
    }
}

/// Whether an image is for a platform, as `os[/processor[/variant]]`.
fn is_of(image: &ImageFacts, platform: Option<&str>) -> bool {
    let Some(platform) = platform else {
        return true;
    };
    let mut parts = platform.split('/');
    let is = |part: Option<&str>, own: &str| part.is_none_or(|part| part == own);
    is(parts.next(), &image.os) && is(parts.next(), &image.arch)
}

async fn pull(
    engine: &Engine,
    image: &str,
    options: &PullOptions,
    output: &Output,
) -> Result<(), DockerError> {
    output.say(format!("pulling the image {image}")).await;
    let login = credentials::of(image, options.config.as_deref()).await?;
    // Each layer tells the same again and again while its bytes come.
    let mut told = HashSet::new();
    let mut progress = engine.pull(image, options.platform.as_deref(), login);
    while let Some(line) = progress.next().await {
        let line = line.map_err(|error| match error.kind() {
            // There is one, for other platforms.
            DockerErrorKind::Unmet => error,
            _ => error.with_hint(format!(
                "is `{image}` the name of an image that may be pulled?"
            )),
        })?;
        if !told.contains(&line) {
            output.say(&line).await;
            told.insert(line);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_of_its_platform_and_of_no_other() {
        let image = ImageFacts {
            os: "linux".into(),
            arch: "amd64".into(),
            ..ImageFacts::default()
        };
        for (platform, expected) in [
            (None, true),
            (Some("linux"), true),
            (Some("linux/amd64"), true),
            (Some("linux/arm64/v8"), false),
            (Some("windows/amd64"), false),
        ] {
            assert_eq!(is_of(&image, platform), expected, "{platform:?}");
        }
    }
}
