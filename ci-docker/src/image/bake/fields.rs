//! The attributes of targets: merged, changed from outside, and turned into what to build.

use std::collections::BTreeMap;
use std::path::Path;

use globset::{Glob, GlobMatcher};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::file::wrong;
use super::plan::BakeOptions;
use crate::image::{BuildSpec, ImageError, ImageErrorKind, Platform, Secret};
use crate::registry::ImageName;

/// The attributes of a target.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Fields {
    args: BTreeMap<String, Option<Scalar>>,
    labels: BTreeMap<String, Option<Scalar>>,
    cache_from: Vec<Entry>,
    cache_to: Vec<Entry>,
    context: Option<String>,
    dockerfile: Option<String>,
    dockerfile_inline: Option<String>,
    network: Option<String>,
    no_cache: bool,
    output: Vec<Entry>,
    platforms: Vec<String>,
    pull: bool,
    secret: Vec<Entry>,
    tags: Vec<Option<String>>,
    target: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    // Known, and not done here.
    annotations: Value,
    attest: Value,
    call: Option<String>,
    contexts: Value,
    entitlements: Value,
    extra_hosts: Value,
    no_cache_filter: Value,
    shm_size: Value,
    ssh: Value,
    ulimits: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
    Bool(bool),
}

/// `type=registry,ref=…` as a text or an object.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Text(String),
    Object(BTreeMap<String, Scalar>),
}

/// A change of an attribute from outside.
#[derive(Debug)]
pub(super) struct Set {
    targets: GlobMatcher,
    key: String,
    name: Option<String>,
    value: String,
}

/// Puts attributes over others, as `docker buildx bake` does: maps by their keys, caches and secrets
/// behind those that were there, everything else instead of it.
pub(super) fn merge(attributes: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        if value.is_null() {
            continue;
        }
        match (key.as_str(), attributes.get_mut(&key), value) {
            ("args" | "labels" | "contexts", Some(Value::Object(mine)), Value::Object(theirs)) => {
                mine.extend(theirs);
            }
            ("cache-from" | "secret" | "ssh", Some(Value::Array(mine)), Value::Array(theirs)) => {
                mine.extend(theirs);
            }
            (_, _, value) => {
                attributes.insert(key, value);
            }
        }
    }
}

pub(super) fn parse_set(text: &str) -> Result<Set, ImageError> {
    let trouble = || {
        wrong(format!("`{text}` changes nothing"))
            .with_hint("write `TARGET.ATTRIBUTE=VALUE` or `TARGET.args.NAME=VALUE`")
    };
    let (path, value) = text.split_once('=').ok_or_else(trouble)?;
    let (targets, path) = path.split_once('.').ok_or_else(trouble)?;
    let (key, name) = match path.split_once('.') {
        Some((key, name)) => (key, Some(name.to_owned())),
        None => (path, None),
    };
    // The attribute is `platforms`, the option of builds `--platform`.
    let key = match key {
        "platform" => "platforms",
        "tag" => "tags",
        "secrets" => "secret",
        other => other,
    };
    let targets = Glob::new(targets).map_err(|_| trouble())?.compile_matcher();
    Ok(Set {
        targets,
        key: key.to_owned(),
        name,
        value: value.to_owned(),
    })
}

impl Set {
    /// Whether it changes a target.
    pub(super) fn is_for(&self, target: &str) -> bool {
        self.targets.is_match(target)
    }

    pub(super) fn apply(&self, target: &str, attributes: &mut Map<String, Value>) {
        if !self.is_for(target) {
            return;
        }
        let value = Value::from(self.value.as_str());
        if let Some(name) = &self.name {
            let map = attributes
                .entry(self.key.as_str())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = map {
                map.insert(name.clone(), value);
            }
            return;
        }
        let value = match self.key.as_str() {
            "tags" | "platforms" => self.value.split(',').map(Value::from).collect(),
            "output" | "cache-from" | "cache-to" | "secret" => Value::Array(vec![value]),
            "no-cache" | "pull" => Value::Bool(self.value == "true" || self.value == "1"),
            _ => value,
        };
        attributes.insert(self.key.clone(), value);
    }
}

impl Fields {
    pub(super) fn read(target: &str, attributes: &Map<String, Value>) -> Result<Self, ImageError> {
        serde_json::from_value(Value::Object(attributes.clone()))
            .map_err(|error| wrong(format!("the target `{target}`: {error}")))
    }

    pub(super) fn spec(
        self,
        target: &str,
        options: &BakeOptions,
        notes: &mut Vec<String>,
    ) -> Result<BuildSpec, ImageError> {
        self.refuse(target, notes)?;
        let trouble = |why: String| wrong(format!("the target `{target}`: {why}"));
        let context = self.context.as_deref().unwrap_or(".");
        if is_remote(context) {
            let message =
                format!("the target `{target}`: the context `{context}` is not on this machine");
            return Err(ImageError::new(ImageErrorKind::Unsupported, message));
        }
        let context = options.dir.join(context);
        let mut spec = BuildSpec::new(if context.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &context
        });
        spec.dockerfile = self.dockerfile.map(|name| context.join(name));
        spec.dockerfile_inline = self.dockerfile_inline;
        spec.target = self.target.filter(|stage| !stage.is_empty());
        spec.network = self.network;
        spec.no_cache = self.no_cache;
        spec.pull = self.pull;
        // Texts that came to nothing are how files leave tags out.
        for tag in self
            .tags
            .into_iter()
            .flatten()
            .filter(|tag| !tag.is_empty())
        {
            spec.tags.push(
                tag.parse::<ImageName>()
                    .map_err(|error| trouble(error.to_string()))?,
            );
        }
        for platform in self
            .platforms
            .iter()
            .filter(|platform| !platform.is_empty())
        {
            let platform = platform.parse::<Platform>();
            spec.platforms
                .push(platform.map_err(|error| trouble(error.to_string()))?);
        }
        spec.args = values(self.args, &options.env);
        spec.labels = values(self.labels, &[]);
        for secret in self.secret {
            let secret = Secret::parse(&secret.text()).map_err(trouble)?;
            spec.secrets.push(secret.at(&options.dir));
        }
        caches(&mut spec, target, self.cache_from, self.cache_to, notes);
        spec.push = outputs(target, self.output)?;
        Ok(spec)
    }

    /// Says what is known and not done.
    fn refuse(&self, target: &str, notes: &mut Vec<String>) -> Result<(), ImageError> {
        let is_given = |value: &Value| match value {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            Value::String(text) => !text.is_empty(),
            _ => true,
        };
        for (key, value) in [("annotations", &self.annotations), ("attest", &self.attest)] {
            if is_given(value) {
                notes.push(format!("target `{target}`: `{key}` is left out"));
            }
        }
        let unsupported = [
            ("contexts", &self.contexts),
            ("entitlements", &self.entitlements),
            ("extra-hosts", &self.extra_hosts),
            ("no-cache-filter", &self.no_cache_filter),
            ("shm-size", &self.shm_size),
            ("ssh", &self.ssh),
            ("ulimits", &self.ulimits),
        ];
        let mut unsupported = unsupported.into_iter().filter(|(_, value)| is_given(value));
        let call = self.call.as_deref().is_some_and(|call| call != "build");
        let key = unsupported
            .next()
            .map(|(key, _)| key)
            .or(call.then_some("call"));
        match key {
            Some(key) => {
                let message = format!("the target `{target}`: `{key}` is not supported");
                Err(ImageError::new(ImageErrorKind::Unsupported, message))
            }
            None => Ok(()),
        }
    }
}

fn is_remote(context: &str) -> bool {
    [
        "http://",
        "https://",
        "git@",
        "git://",
        "ssh://",
        "docker-image://",
        "target:",
        "oci-layout://",
    ]
    .iter()
    .any(|start| context.starts_with(start))
}

/// Values by name; one without a value is taken from the environment.
fn values(
    values: BTreeMap<String, Option<Scalar>>,
    env: &[(String, String)],
) -> BTreeMap<String, String> {
    let mut given = BTreeMap::new();
    for (name, value) in values {
        let outside = || {
            env.iter()
                .rev()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.clone())
        };
        if let Some(value) = value.map(Scalar::text).or_else(outside) {
            given.insert(name, value);
        }
    }
    given
}

fn caches(
    spec: &mut BuildSpec,
    target: &str,
    from: Vec<Entry>,
    to: Vec<Entry>,
    notes: &mut Vec<String>,
) {
    for entry in from {
        let fields = entry.fields("ref");
        let kind = fields.get("type").map_or("registry", String::as_str);
        match (kind, fields.get("ref")) {
            ("registry", Some(image)) => spec.cache_from.push(image.clone()),
            _ => notes.push(format!(
                "target `{target}`: a cache of the type `{kind}` is not read"
            )),
        }
    }
    for entry in to {
        let fields = entry.fields("ref");
        let kind = fields.get("type").map_or("registry", String::as_str);
        if kind == "inline" {
            spec.inline_cache = true;
        } else {
            notes.push(format!(
                "target `{target}`: a cache of the type `{kind}` is not written"
            ));
        }
    }
}

/// Whether the image is pushed.
fn outputs(target: &str, outputs: Vec<Entry>) -> Result<bool, ImageError> {
    let mut push = false;
    for output in outputs {
        let fields = output.fields("type");
        let kind = fields.get("type").map_or("", String::as_str);
        let is_pushed = fields.get("push").is_some_and(|push| push == "true");
        match kind {
            "registry" => push = true,
            "image" => push |= is_pushed,
            "docker" => {}
            _ => {
                let message =
                    format!("the target `{target}`: the output `{kind}` is not supported");
                return Err(ImageError::new(ImageErrorKind::Unsupported, message));
            }
        }
    }
    Ok(push)
}

impl Scalar {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
        }
    }
}

impl Entry {
    /// The fields; a text that has none is the value of `plain`.
    fn fields(self, plain: &str) -> BTreeMap<String, String> {
        match self {
            Self::Object(fields) => fields
                .into_iter()
                .map(|(key, value)| (key, value.text()))
                .collect(),
            Self::Text(text) if !text.contains('=') => [(plain.to_owned(), text)].into(),
            Self::Text(text) => {
                let fields = text.split(',').filter_map(|field| field.split_once('='));
                let fields = fields.map(|(key, value)| (key.trim().to_owned(), value.to_owned()));
                fields.collect()
            }
        }
    }

    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Object(fields) => {
                let fields = fields.into_iter();
                let fields = fields.map(|(key, value)| format!("{key}={}", value.text()));
                fields.collect::<Vec<_>>().join(",")
            }
        }
    }
}
