//! The builds and pushes of a Docker Engine: what of the client's API images need.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::grpc::build::{
    ImageBuildFrontendOptions, ImageBuildLoadInput, ImageBuildNetworkMode, ImageBuildPlatform,
    SecretSource,
};
use bollard::grpc::driver::Build as _;
use bollard::grpc::driver::moby::Moby;
use bollard::moby::buildkit::v1::CacheOptionsEntry;
use bollard::models::{BuildInfo, BuildInfoAux};
use bollard::query_parameters::{BuildImageOptions, BuilderVersion, PushImageOptionsBuilder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use crate::engine::{Tunnel, dial};

use super::{BuildEvent, BuildSpec, ImageError, ImageErrorKind, Platform, SecretFrom};

/// How long the engine may take to begin an answer, the whole upload of a context included.
const ANSWER: Duration = Duration::from_mins(30);

/// What a build that goes on tells.
pub(super) type Told<'a> = Pin<Box<dyn Stream<Item = Result<BuildEvent, ImageError>> + Send + 'a>>;

/// What comes out of the tar stream of a context.
pub(super) type Upload = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// Users and passwords by registry.
pub(super) type Logins = HashMap<String, (String, String)>;

/// A connection to an engine; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    client: Docker,
    /// What the connections go through.
    _tunnel: Option<Arc<Tunnel>>,
}

/// One image for one platform.
#[derive(Debug)]
pub(super) struct Single<'a> {
    pub(super) spec: &'a BuildSpec,
    pub(super) platform: Option<&'a Platform>,
    /// The name that the image gets first.
    pub(super) name: String,
    /// The name of the Dockerfile in the upload.
    pub(super) dockerfile: &'a str,
}

impl Engine {
    pub(super) fn connect(host: &str) -> Result<Self, ImageError> {
        let dialed = dial(host, None).map_err(|error| {
            let mut into = ImageError::new(ImageErrorKind::Engine, error.to_string());
            into.hints = error.hints().to_vec();
            match error.source {
                Some(source) => into.with_source(source),
                None => into,
            }
        })?;
        Ok(Self {
            client: dialed.client.with_timeout(ANSWER),
            _tunnel: dialed.tunnel,
        })
    }

    /// Builds with BuildKit, and tells what happens. Dropping what is told cancels the build.
    pub(super) fn build(&self, single: &Single<'_>, upload: Upload, logins: Logins) -> Told<'_> {
        let spec = single.spec;
        let mut args: HashMap<String, String> = spec.args.clone().into_iter().collect();
        if spec.inline_cache {
            args.insert("BUILDKIT_INLINE_CACHE".to_owned(), "1".to_owned());
        }
        let options = BuildImageOptions {
            dockerfile: single.dockerfile.to_owned(),
            t: Some(single.name.clone()),
            nocache: spec.no_cache,
            cachefrom: (!spec.cache_from.is_empty()).then(|| spec.cache_from.clone()),
            pull: spec.pull.then(|| "true".to_owned()),
            rm: true,
            buildargs: Some(args),
            labels: Some(spec.labels.clone().into_iter().collect()),
            networkmode: spec.network.clone(),
            platform: single.platform.map(ToString::to_string).unwrap_or_default(),
            target: spec.target.clone().unwrap_or_default(),
            version: BuilderVersion::BuilderBuildKit,
            session: Some(uuid::Uuid::now_v7().simple().to_string()),
            ..BuildImageOptions::default()
        };
        let logins = logins
            .into_iter()
            .map(|(host, login)| (host, credentials(login)));
        let body = bollard::body_try_stream(upload);
        let told = self
            .client
            .build_image(options, Some(logins.collect()), Some(body));
        Box::pin(told.flat_map(|told| {
            futures_util::stream::iter(match told {
                Ok(info) => events(info).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(failed(error))],
            })
        }))
    }

    /// Builds with secrets, which the engine's own interface to BuildKit does not take: nothing is told
    /// until the build has ended.
    pub(super) async fn build_with_secrets(
        &self,
        single: &Single<'_>,
        upload: Bytes,
        logins: Logins,
    ) -> Result<(), ImageError> {
        let logins: HashMap<&str, DockerCredentials> = logins
            .iter()
            .map(|(host, login)| (host.as_str(), credentials(login.clone())))
            .collect();
        let built = Moby::new(&self.client).docker_build(
            &single.name,
            frontend(single),
            ImageBuildLoadInput::Upload(upload),
            Some(logins),
            None,
        );
        built.await.map_err(|error| {
            let words = error.to_string();
            ImageError::new(ImageErrorKind::Failed, format!("the build failed: {words}"))
                .with_source(error)
        })
    }

    /// Gives an image another name.
    pub(super) async fn tag(
        &self,
        image: &str,
        repository: &str,
        tag: &str,
    ) -> Result<(), ImageError> {
        let options = bollard::query_parameters::TagImageOptionsBuilder::default()
            .repo(repository)
            .tag(tag)
            .build();
        self.client
            .tag_image(image, Some(options))
            .await
            .map_err(|error| engine(&format!("`{image}` could not be tagged"), error))
    }

    /// The id of an image.
    pub(super) async fn id(&self, image: &str) -> Result<String, ImageError> {
        let found = self.client.inspect_image(image).await;
        let found = found.map_err(|error| engine(&format!("`{image}` is not there"), error))?;
        Ok(found.id.unwrap_or_default())
    }

    /// Pushes an image and gives its digest.
    pub(super) async fn push(
        &self,
        repository: &str,
        tag: &str,
        login: Option<(String, String)>,
        mut tell: impl FnMut(BuildEvent),
    ) -> Result<String, ImageError> {
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let mut told = self
            .client
            .push_image(repository, Some(options), login.map(credentials));
        let mut digest = None;
        while let Some(told) = told.next().await {
            let what = format!("`{repository}:{tag}` could not be pushed");
            let told = told.map_err(|error| engine(&what, error))?;
            if let Some(error) = told.error_detail.and_then(|detail| detail.message) {
                return Err(ImageError::new(
                    ImageErrorKind::Registry,
                    format!("{what}: {error}"),
                ));
            }
            if let Some(status) = told.status {
                // The last one is `TAG: digest: sha256:… size: N`.
                let rest = status.split_once("digest: ").map(|(_, rest)| rest);
                digest = rest
                    .and_then(|rest| rest.split_whitespace().next())
                    .map(str::to_owned)
                    .or(digest);
                // What has a progress is of a single layer, and there are many of those.
                if told.progress_detail.is_none() {
                    tell(BuildEvent::Note(status));
                }
            }
        }
        digest.ok_or_else(|| {
            let message = format!("the engine does not tell the digest of `{repository}:{tag}`");
            ImageError::new(ImageErrorKind::Engine, message)
        })
    }
}

fn frontend(single: &Single<'_>) -> ImageBuildFrontendOptions {
    let spec = single.spec;
    let mut options = ImageBuildFrontendOptions::builder()
        .dockerfile(std::path::Path::new(single.dockerfile))
        .pull(spec.pull)
        .nocache(spec.no_cache);
    if let Some(target) = &spec.target {
        options = options.target(target);
    }
    for (name, value) in &spec.args {
        options = options.buildarg(name, value);
    }
    if spec.inline_cache {
        options = options.buildarg("BUILDKIT_INLINE_CACHE", "1");
    }
    for (name, value) in &spec.labels {
        options = options.label(name, value);
    }
    for secret in &spec.secrets {
        let source = match &secret.from {
            SecretFrom::File(path) => SecretSource::File(path.clone()),
            SecretFrom::Env(name) => SecretSource::Env(name.clone()),
        };
        options = options.set_secret(&secret.id, &source);
    }
    for source in &spec.cache_from {
        options = options.cachefrom(&CacheOptionsEntry {
            r#type: "registry".to_owned(),
            attrs: HashMap::from([("ref".to_owned(), source.clone())]),
        });
    }
    if let Some(platform) = single.platform {
        options = options.platforms(&platform_of(platform));
    }
    match spec.network.as_deref() {
        Some("host") => options = options.force_network_mode(&ImageBuildNetworkMode::Host),
        Some("none") => options = options.force_network_mode(&ImageBuildNetworkMode::None),
        _ => {}
    }
    options.build()
}

fn platform_of(platform: &Platform) -> ImageBuildPlatform {
    let text = platform.to_string();
    let mut words = text.split('/').map(str::to_owned);
    ImageBuildPlatform {
        os: words.next().unwrap_or_default(),
        architecture: words.next().unwrap_or_default(),
        variant: words.next(),
    }
}

fn credentials((username, password): (String, String)) -> DockerCredentials {
    DockerCredentials {
        username: Some(username),
        password: Some(password),
        ..DockerCredentials::default()
    }
}

fn events(info: BuildInfo) -> Vec<BuildEvent> {
    let mut events = Vec::new();
    if let Some(BuildInfoAux::BuildKit(status)) = info.aux {
        for step in status.vertexes {
            let name = step.name;
            if !step.error.is_empty() {
                let why = step.error;
                events.push(BuildEvent::Failed { step: name, why });
            } else if step.completed.is_some() {
                let cached = step.cached;
                events.push(BuildEvent::Done { step: name, cached });
            } else if step.started.is_some() {
                events.push(BuildEvent::Started { step: name });
            }
        }
        for log in status.logs {
            let (is_error, bytes) = (log.stream == 2, log.msg);
            events.push(BuildEvent::Output { is_error, bytes });
        }
        for warning in status.warnings {
            let words = String::from_utf8_lossy(&warning.short).into_owned();
            events.push(BuildEvent::Note(format!("warning: {words}")));
        }
    }
    if let Some(words) = info.stream.filter(|words| !words.trim().is_empty()) {
        events.push(BuildEvent::Note(words.trim_end().to_owned()));
    }
    events
}

fn failed(error: Error) -> ImageError {
    match error {
        Error::DockerStreamError { error: words } => {
            ImageError::new(ImageErrorKind::Failed, format!("the build failed: {words}"))
        }
        error => engine("the build could not be done", error),
    }
}

fn engine(what: &str, error: Error) -> ImageError {
    let words = match &error {
        Error::DockerResponseServerError { message, .. } => format!(": {message}"),
        Error::DockerStreamError { error } => format!(": {error}"),
        _ => String::new(),
    };
    ImageError::new(ImageErrorKind::Engine, format!("{what}{words}")).with_source(error)
}
