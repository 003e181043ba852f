//! What the actions of steps are given.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess};
use serde::{Deserialize, Serialize};

use super::duration::Time;
use super::shape::{Shape, shaped};
use crate::step::{
    ApprovalSpec, CacheLookup, CheckoutSpec, PathsSpec, RestoreCacheSpec, SaveCacheSpec, WaitProbe,
    WaitSpec, WorkspaceSpec,
};

/// A command.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum RunForm {
    Script(String),
    Words(Vec<String>),
}

shaped!(RunForm: String, Vec<String>, bool);

impl Shape for RunForm {
    const EXPECTED: &'static str =
        "a script, or a program and its arguments as a list; put quotes around a number";

    /// The programs `true` and `false` look like truth values in YAML.
    fn from_bool<E: Error>(value: bool) -> Result<Self, E> {
        Ok(Self::Script(value.to_string()))
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self::Script(text.to_owned()))
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Self::Words)
    }
}

/// A list, which may be written as its only element.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct List(Vec<String>);

shaped!(List: Vec<String>, String);

impl Shape for List {
    const EXPECTED: &'static str = "a text or a list of texts";

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self(vec![text.to_owned()]))
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Self)
    }
}

impl List {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Which sources, and where to.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct CheckoutForm(CheckoutFields);

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct CheckoutFields {
    /// A local path or URL; by default the repository of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// A commit, tag or branch; by default the revision of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// The directory to fill; by default the working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Whether submodules come along.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    submodules: bool,
    /// How many commits of history to fetch; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    depth: Option<u32>,
}

shaped!(CheckoutForm: CheckoutFields, ());

impl Shape for CheckoutForm {
    const EXPECTED: &'static str = "a mapping, or nothing";

    fn from_nothing<E: Error>() -> Result<Self, E> {
        Ok(Self::default())
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        CheckoutFields::deserialize(MapAccessDeserializer::new(map)).map(Self)
    }
}

impl From<&CheckoutSpec> for CheckoutForm {
    fn from(spec: &CheckoutSpec) -> Self {
        Self(CheckoutFields {
            source: spec.source.clone(),
            revision: spec.revision.clone(),
            path: spec.path.clone(),
            submodules: spec.submodules,
            depth: spec.depth,
        })
    }
}

impl From<CheckoutForm> for CheckoutSpec {
    fn from(CheckoutForm(fields): CheckoutForm) -> Self {
        Self {
            source: fields.source,
            revision: fields.revision,
            path: fields.path,
            submodules: fields.submodules,
            depth: fields.depth,
        }
    }
}

/// Which cache to bring back.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoreCacheForm {
    /// Key templates, tried in order.
    keys: List,
    /// How a key matches.
    #[serde(default)]
    lookup: CacheLookup,
}

impl From<&RestoreCacheSpec> for RestoreCacheForm {
    fn from(spec: &RestoreCacheSpec) -> Self {
        Self {
            keys: List(spec.keys.clone()),
            lookup: spec.lookup,
        }
    }
}

impl From<RestoreCacheForm> for RestoreCacheSpec {
    fn from(form: RestoreCacheForm) -> Self {
        Self {
            keys: form.keys.0,
            lookup: form.lookup,
        }
    }
}

/// What to save in a cache.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaveCacheForm {
    /// The key template.
    key: String,
    /// Files, directories and globs; `~` is the home.
    paths: List,
}

impl From<&SaveCacheSpec> for SaveCacheForm {
    fn from(spec: &SaveCacheSpec) -> Self {
        Self {
            key: spec.key.clone(),
            paths: List(spec.paths.clone()),
        }
    }
}

impl From<SaveCacheForm> for SaveCacheSpec {
    fn from(form: SaveCacheForm) -> Self {
        Self {
            key: form.key,
            paths: form.paths.0,
        }
    }
}

/// Files of the workspace.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkspaceForm {
    /// The directory the paths are relative to.
    root: String,
    /// Files, directories and globs to add; not used when attaching.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    paths: List,
    /// What is left out of them.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    exclude: List,
    /// The jobs whose files are attached; those of all jobs before this one if empty.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    from: List,
}

impl From<&WorkspaceSpec> for WorkspaceForm {
    fn from(spec: &WorkspaceSpec) -> Self {
        Self {
            root: spec.root.clone(),
            paths: List(spec.paths.clone()),
            exclude: List(spec.exclude.clone()),
            from: List(spec.from.clone()),
        }
    }
}

impl From<WorkspaceForm> for WorkspaceSpec {
    fn from(form: WorkspaceForm) -> Self {
        Self {
            root: form.root,
            paths: form.paths.0,
            exclude: form.exclude.0,
            from: form.from.0,
        }
    }
}

/// Files to keep.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PathsForm {
    /// Files, directories and globs.
    paths: List,
    /// What is left out.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    exclude: List,
    /// Where they stand among the artifacts; by default their own path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
}

impl From<&PathsSpec> for PathsForm {
    fn from(spec: &PathsSpec) -> Self {
        Self {
            paths: List(spec.paths.clone()),
            exclude: List(spec.exclude.clone()),
            destination: spec.destination.clone(),
        }
    }
}

impl From<PathsForm> for PathsSpec {
    fn from(form: PathsForm) -> Self {
        Self {
            paths: form.paths.0,
            exclude: form.exclude.0,
            destination: form.destination,
        }
    }
}

/// A service to wait for: one of `tcp`, `http` and `command`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitForm {
    /// A TCP connection to this `host:port` is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tcp: Option<String>,
    /// `GET` of this URL answers with a status from 200 to 399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    /// This script succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// How long to wait in all.
    deadline: Time,
    /// The pause between two tries; a quarter of a second by default.
    #[serde(default = "quarter", skip_serializing_if = "is_quarter")]
    interval: Time,
}

const fn quarter() -> Time {
    Time(Duration::from_millis(250))
}

fn is_quarter(time: &Time) -> bool {
    *time == quarter()
}

impl WaitForm {
    pub(super) fn spec(self) -> Result<WaitSpec, String> {
        let probe = match (self.tcp, self.http, self.command) {
            (Some(address), None, None) => WaitProbe::Tcp(address),
            (None, Some(url), None) => WaitProbe::Http(url),
            (None, None, Some(script)) => WaitProbe::Command(script),
            _ => return Err("`wait_for` takes one of `tcp`, `http` and `command`".to_owned()),
        };
        Ok(WaitSpec {
            probe,
            deadline: self.deadline.0,
            interval: self.interval.0,
        })
    }
}

impl From<&WaitSpec> for WaitForm {
    fn from(spec: &WaitSpec) -> Self {
        let mut form = Self {
            tcp: None,
            http: None,
            command: None,
            deadline: Time(spec.deadline),
            interval: Time(spec.interval),
        };
        match &spec.probe {
            WaitProbe::Tcp(address) => form.tcp = Some(address.clone()),
            WaitProbe::Http(url) => form.http = Some(url.clone()),
            WaitProbe::Command(script) => form.command = Some(script.clone()),
        }
        form
    }
}

/// An approval.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct ApprovalForm(ApprovalFields);

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ApprovalFields {
    /// What the person who approves is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    /// How long to wait before the step times out; for ever by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Time>,
}

shaped!(ApprovalForm: ApprovalFields, String, ());

impl Shape for ApprovalForm {
    const EXPECTED: &'static str =
        "what to ask, or a mapping with `prompt` or `deadline`, or nothing";

    fn from_nothing<E: Error>() -> Result<Self, E> {
        Ok(Self::default())
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self(ApprovalFields {
            prompt: Some(text.to_owned()),
            deadline: None,
        }))
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        ApprovalFields::deserialize(MapAccessDeserializer::new(map)).map(Self)
    }
}

impl From<&ApprovalSpec> for ApprovalForm {
    fn from(spec: &ApprovalSpec) -> Self {
        Self(ApprovalFields {
            prompt: spec.prompt.clone(),
            deadline: spec.deadline.map(Time),
        })
    }
}

impl From<ApprovalForm> for ApprovalSpec {
    fn from(ApprovalForm(fields): ApprovalForm) -> Self {
        Self {
            prompt: fields.prompt,
            deadline: fields.deadline.map(|deadline| deadline.0),
        }
    }
}
