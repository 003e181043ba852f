//! What to build.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Platform;
use crate::registry::ImageName;

/// What to build: one image, for one platform or several.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildSpec {
    /// The directory whose files the build may use.
    pub context: PathBuf,
    /// The file that says how, within the context or elsewhere; `Dockerfile` in the context if it is
    /// not given.
    pub dockerfile: Option<PathBuf>,
    /// What would stand in that file, given instead of it.
    pub dockerfile_inline: Option<String>,
    /// The stage to build; the last one if none is named.
    pub target: Option<String>,
    /// The names that the image gets.
    pub tags: Vec<ImageName>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Images with inline caches, whose steps need not be done again.
    pub cache_from: Vec<String>,
    /// Whether the image carries its cache, to be a source for [`cache_from`](Self::cache_from).
    pub inline_cache: bool,
    /// Files that steps may read and that do not become part of the image.
    pub secrets: Vec<Secret>,
    /// The platforms; the one of the engine if there are none. With several, each is built under tags
    /// that end in [`Platform::suffix`], and when they are pushed, they are merged into one index.
    pub platforms: Vec<Platform>,
    /// Does every step anew.
    pub no_cache: bool,
    /// Looks for newer base images.
    pub pull: bool,
    /// The network of the steps: `default`, `none` or `host`.
    pub network: Option<String>,
    /// Pushes the image under its tags.
    pub push: bool,
}

/// A file that steps may read with `RUN --mount=type=secret,id=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Secret {
    /// Its name in the Dockerfile.
    pub id: String,
    /// Where its value comes from.
    pub from: SecretFrom,
}

/// Where the value of a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretFrom {
    /// A file.
    File(PathBuf),
    /// A variable of this process.
    Env(String),
}

impl BuildSpec {
    /// An image of the files in `context`.
    #[must_use]
    pub fn new(context: impl Into<PathBuf>) -> Self {
        Self {
            context: context.into(),
            ..Self::default()
        }
    }

    /// Adds a name.
    #[must_use]
    pub fn tag(mut self, tag: ImageName) -> Self {
        self.tags.push(tag);
        self
    }
}

impl Secret {
    /// A secret by its form on command lines and in bake files: `id=NAME,src=FILE` or
    /// `id=NAME,env=VARIABLE`; with neither it is the variable of its own name.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut id, mut from) = (None, None);
        for field in text.split(',') {
            let (key, value) = field
                .split_once('=')
                .ok_or_else(|| format!("the secret `{text}` is not `id=NAME,src=FILE` or `id=NAME,env=VARIABLE`: `{field}` has no `=`"))?;
            match key.trim() {
                "id" => id = Some(value.to_owned()),
                "src" | "source" => from = Some(SecretFrom::File(value.into())),
                "env" => from = Some(SecretFrom::Env(value.to_owned())),
                "type" if matches!(value, "file" | "env") => {}
                other => return Err(format!("secrets such as `{text}` have no field `{other}`")),
            }
        }
        let id = id.ok_or_else(|| format!("the secret `{text}` has no `id`"))?;
        let from = from.unwrap_or_else(|| SecretFrom::Env(id.clone()));
        Ok(Self { id, from })
    }

    /// The secret with its file looked for in `dir`.
    pub(super) fn at(mut self, dir: &std::path::Path) -> Self {
        if let SecretFrom::File(path) = &mut self.from {
            *path = dir.join(&*path);
        }
        self
    }
}
