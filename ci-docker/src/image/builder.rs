//! Builds images, pushes them, and merges those of several platforms.

use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio_util::io::{ReaderStream, SyncIoBridge};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::engine::{Engine, Logins, Single, Upload};
use super::{
    BuildEvent, BuildSpec, BuildWatch, ImageError, ImageErrorKind, Platform, Secret, SecretFrom,
};
use crate::registry::{ImageName, Registry};
use crate::trouble::EMULATION;

/// How much of a context is on its way at once.
const PIPE: usize = 256 * 1024;

/// The largest context of a build with secrets, which is held in memory.
const HELD_CONTEXT: usize = 256 << 20;

/// How much of a build's output is looked through when it has failed.
const TAIL: usize = 16 * 1024;

/// Builds images with the BuildKit of a Docker Engine.
#[derive(Debug, Clone)]
pub struct Builder {
    engine: Engine,
    registry: Registry,
}

/// An image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Built {
    /// The names it has in the engine; with several platforms, those of all of them.
    pub names: Vec<String>,
    /// Its id in the engine; of the first platform.
    pub id: String,
    /// The digest it was pushed with: of the image, or of the index of several platforms.
    pub digest: Option<String>,
}

/// A build for one platform, and whom to tell.
struct Job<'a> {
    spec: &'a BuildSpec,
    platform: Option<&'a Platform>,
    target: &'a str,
    watch: &'a BuildWatch,
}

impl Job<'_> {
    fn tell(&self, event: BuildEvent) {
        (self.watch)(self.target, self.platform, event);
    }
}

impl Builder {
    /// A builder on the engine `host`, such as `unix:///var/run/docker.sock`. The registry's
    /// credentials are those for base images and pushes. Nothing is connected to yet.
    pub fn new(host: &str, registry: Registry) -> Result<Self, ImageError> {
        let engine = Engine::connect(host)?;
        Ok(Self { engine, registry })
    }

    /// The registries that images are pushed to.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Builds an image, and pushes it if that is wanted. `target` is what the watcher is told that it
    /// belongs to.
    pub async fn build(
        &self,
        spec: &BuildSpec,
        target: &str,
        watch: &BuildWatch,
        cancel: &CancellationToken,
    ) -> Result<Built, ImageError> {
        check(spec)?;
        let building = Box::pin(self.all_platforms(spec, target, watch));
        // Dropped, it closes the engine's connection, which ends the build.
        match cancel.run_until_cancelled(building).await {
            Some(built) => built,
            None => Err(ImageError::new(
                ImageErrorKind::Canceled,
                "the build was canceled",
            )),
        }
    }

    async fn all_platforms(
        &self,
        spec: &BuildSpec,
        target: &str,
        watch: &BuildWatch,
    ) -> Result<Built, ImageError> {
        if spec.platforms.len() < 2 {
            let platform = spec.platforms.first();
            let job = Job {
                spec,
                platform,
                target,
                watch,
            };
            return self.single(&job, &spec.tags).await;
        }
        let mut all: Option<Built> = None;
        for platform in &spec.platforms {
            let platform = Some(platform);
            let job = Job {
                spec,
                platform,
                target,
                watch,
            };
            let tags: Vec<ImageName> = spec.tags.iter().map(|tag| suffixed(tag, &job)).collect();
            let built = self.single(&job, &tags).await?;
            match &mut all {
                Some(all) => all.names.extend(built.names),
                None => all = Some(built),
            }
        }
        let Some(mut all) = all else {
            return Err(invalid("there is no platform to build for"));
        };
        all.digest = None;
        if spec.push {
            for tag in &spec.tags {
                let children = spec.platforms.iter();
                let children: Vec<ImageName> =
                    children.map(|platform| suffix(tag, platform)).collect();
                let name = tag.to_string();
                watch(target, None, BuildEvent::Pushing(name.clone()));
                let merged = self
                    .registry
                    .merge(&children, std::slice::from_ref(tag))
                    .await?;
                let digest = merged.digest;
                watch(
                    target,
                    None,
                    BuildEvent::Pushed {
                        name,
                        digest: digest.clone(),
                    },
                );
                all.digest = Some(digest);
            }
        }
        Ok(all)
    }

    /// Builds for one platform under some tags.
    async fn single(&self, job: &Job<'_>, tags: &[ImageName]) -> Result<Built, ImageError> {
        let spec = job.spec.clone();
        let context = tokio::task::spawn_blocking(move || Context::open(&spec)).await;
        let context = Arc::new(context.map_err(|error| invalid(error.to_string()))??);
        let own = format!("ci-docker-build:{}", uuid::Uuid::now_v7().simple());
        let name = tags.first().map_or(own, ToString::to_string);
        let single = Single {
            spec: job.spec,
            platform: job.platform,
            name: name.clone(),
            dockerfile: &context.dockerfile,
        };
        let logins = self.logins(&context.text, tags).await?;
        if job.spec.secrets.is_empty() {
            self.told(job, &single, &context, logins).await?;
        } else {
            self.untold(job, &single, &context, logins).await?;
        }
        let mut names = vec![name.clone()];
        for tag in tags.iter().skip(1) {
            let label = tag.tag().unwrap_or("latest");
            self.engine.tag(&name, &repository(tag), label).await?;
            names.push(tag.to_string());
        }
        let id = self.engine.id(&name).await?;
        let mut digest = None;
        if job.spec.push {
            for tag in tags {
                digest = Some(self.push(job, tag).await?);
            }
        }
        Ok(Built { names, id, digest })
    }

    /// A build that tells what it does.
    async fn told(
        &self,
        job: &Job<'_>,
        single: &Single<'_>,
        context: &Arc<Context>,
        logins: Logins,
    ) -> Result<(), ImageError> {
        let mut tail = Tail::default();
        let mut told = self.engine.build(single, upload(context), logins);
        while let Some(event) = told.next().await {
            match event {
                Ok(event) => {
                    tail.see(&event);
                    job.tell(event);
                }
                Err(error) => return Err(tail.explain(error, job.platform)),
            }
        }
        Ok(())
    }

    /// A build with secrets.
    async fn untold(
        &self,
        job: &Job<'_>,
        single: &Single<'_>,
        context: &Arc<Context>,
        logins: Logins,
    ) -> Result<(), ImageError> {
        job.tell(BuildEvent::Note(
            "a build with secrets is silent until it has ended".to_owned(),
        ));
        let mut bytes = bytes::BytesMut::new();
        let mut upload = upload(context);
        while let Some(piece) = upload.next().await {
            let piece = piece.map_err(|error| {
                ImageError::new(ImageErrorKind::Context, "the context cannot be read")
                    .with_source(error)
            })?;
            if bytes.len() + piece.len() > HELD_CONTEXT {
                let message = "the context of a build with secrets is larger than 256 MiB";
                return Err(ImageError::new(ImageErrorKind::Unsupported, message)
                    .with_hint("leave out what is not needed with `.dockerignore`"));
            }
            bytes.extend_from_slice(&piece);
        }
        let building = self
            .engine
            .build_with_secrets(single, bytes.freeze(), logins);
        building
            .await
            .map_err(|error| Tail::default().explain(error, job.platform))
    }

    async fn push(&self, job: &Job<'_>, tag: &ImageName) -> Result<String, ImageError> {
        let name = tag.to_string();
        job.tell(BuildEvent::Pushing(name.clone()));
        let login = self.registry.credentials().user_of(tag).await?;
        let label = tag.tag().unwrap_or("latest");
        let repository = repository(tag);
        let pushing = self
            .engine
            .push(&repository, label, login, |event| job.tell(event));
        let digest = pushing.await?;
        job.tell(BuildEvent::Pushed {
            name,
            digest: digest.clone(),
        });
        Ok(digest)
    }

    /// The credentials for the base images of a Dockerfile, by registry.
    async fn logins(&self, dockerfile: &str, tags: &[ImageName]) -> Result<Logins, ImageError> {
        let bases = dockerfile.lines().filter_map(base);
        let mut logins = Logins::new();
        for image in bases.chain(tags.iter().cloned()) {
            let host = image.registry();
            if !logins.contains_key(host)
                && let Some(login) = self.registry.credentials().user_of(&image).await?
            {
                logins.insert(host.to_owned(), login);
            }
        }
        Ok(logins)
    }
}

/// The image of a line `FROM [--flag] IMAGE [AS name]`, if it is named in full.
fn base(line: &str) -> Option<ImageName> {
    let mut words = line.split_whitespace();
    words
        .next()
        .filter(|word| word.eq_ignore_ascii_case("from"))?;
    words.find(|word| !word.starts_with("--"))?.parse().ok()
}

fn check(spec: &BuildSpec) -> Result<(), ImageError> {
    if spec.push && spec.tags.is_empty() {
        return Err(invalid("an image without a tag cannot be pushed"));
    }
    if let Some(tag) = spec.tags.iter().find(|tag| tag.digest().is_some()) {
        return Err(invalid(format!(
            "`{tag}` has a digest, which only a build can tell"
        )));
    }
    if spec.platforms.len() > 1 && spec.tags.is_empty() {
        return Err(invalid("images for several platforms need a tag"));
    }
    spec.secrets.iter().try_for_each(present)
}

/// A build that finds its steps in the cache would not notice that a secret is missing.
fn present(secret: &Secret) -> Result<(), ImageError> {
    let id = &secret.id;
    match &secret.from {
        SecretFrom::Env(name) if std::env::var_os(name).is_none() => {
            let text = format!("the variable `{name}` of the secret `{id}` is not set");
            let hint = format!("set it, or take a file: `id={id},src=FILE`");
            return Err(invalid(text).with_hint(hint));
        }
        SecretFrom::File(path) => {
            std::fs::File::open(path).map_err(|error| {
                let text = format!("the file `{}` of the secret `{id}`", path.display());
                invalid(format!("{text} cannot be read")).with_source(error)
            })?;
        }
        SecretFrom::Env(_) => {}
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> ImageError {
    ImageError::new(ImageErrorKind::Invalid, message)
}

fn suffix(tag: &ImageName, platform: &Platform) -> ImageName {
    let label = tag.tag().unwrap_or("latest");
    tag.with_tag(&format!("{label}-{}", platform.suffix()))
}

fn suffixed(tag: &ImageName, job: &Job<'_>) -> ImageName {
    match job.platform {
        Some(platform) => suffix(tag, platform),
        None => tag.clone(),
    }
}

/// The repository as the engine knows it.
fn repository(image: &ImageName) -> String {
    image.path()
}

/// The tar stream of a context, written by a thread as the engine reads it.
fn upload(context: &Arc<Context>) -> Upload {
    let (reader, writer) = tokio::io::duplex(PIPE);
    let context = Arc::clone(context);
    let (failure, failed) = tokio::sync::oneshot::channel();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = context.write(SyncIoBridge::new(writer)) {
            let _ = failure.send(error);
        }
    });
    // An archive that ends early must not look like one that is complete.
    let end = futures_util::stream::once(failed).filter_map(async |failed| failed.ok().map(Err));
    Box::pin(ReaderStream::with_capacity(reader, PIPE).chain(end))
}

/// The end of what a build wrote.
#[derive(Debug, Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn see(&mut self, event: &BuildEvent) {
        match event {
            BuildEvent::Output { bytes, .. } => self.0.extend_from_slice(bytes),
            BuildEvent::Failed { why, .. } => self.0.extend_from_slice(why.as_bytes()),
            _ => {}
        }
        let over = self.0.len().saturating_sub(TAIL);
        self.0.drain(..over);
    }

    /// Says so if a program for another processor could not run.
    fn explain(&self, error: ImageError, platform: Option<&Platform>) -> ImageError {
        const SIGN: &str = "exec format error";
        let is_foreign = error.to_string().contains(SIGN)
            || self
                .0
                .windows(SIGN.len())
                .any(|window| window == SIGN.as_bytes());
        if !is_foreign {
            return error;
        }
        let what = platform.map_or_else(|| "another processor".to_owned(), ToString::to_string);
        let message = format!(
            "the build runs programs for {what}, and the engine's machine does not emulate it"
        );
        ImageError::new(ImageErrorKind::Emulation, message)
            .with_hint(EMULATION)
            .with_hint("or build on a machine of that platform")
            .with_source(error)
    }
}
