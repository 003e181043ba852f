//! The jobs of a compiled file become jobs of the engine.

use std::borrow::Cow;
use std::sync::Arc;

use super::lower::{Entry, Lower, node_name, nodes, whole};
use super::lower_steps::{BASH_ENV, Lowering, steps};
use super::variables::{builtin, written};
use crate::config::fidelity::Fidelity;
use crate::config::place::Asked;
use crate::job::{GroupUse, JobOptions, JobSpec, ServiceSpec};
use crate::similar::{closest, did_you_mean};
use crate::yaml::{Map, Node};

/// The shell of steps that name none.
const SHELL: &str = "/bin/bash -eo pipefail";

/// Where jobs work that name no directory.
const WORKING_DIRECTORY: &str = "~/project";

/// The keys of a compiled job.
const KEYS: &[&str] = &[
    "type",
    "docker",
    "machine",
    "macos",
    "shell",
    "working_directory",
    "parallelism",
    "environment",
    "steps",
    "resource_class",
];

impl Lower<'_, '_> {
    /// The jobs that an entry becomes: one, or one for each of its nodes.
    pub(super) fn job(
        &mut self,
        entry: &Entry<'_>,
        name: &str,
        definition: Option<&Node>,
    ) -> Vec<JobSpec> {
        let kind = entry.given.and_then(|given| given.get("type"));
        let kind = kind.or_else(|| definition?.get("type"));
        match kind.and_then(Node::as_str) {
            Some("approval") => {
                return vec![JobSpec::new(name).manual(format!("approve `{}`?", entry.name))];
            }
            Some("build") | None => {}
            Some(other) => {
                if other != "no-op" {
                    let why = "jobs of this type do nothing on a machine of one's own";
                    let key = format!("type: {other}");
                    self.fidelity.ignored(&entry.node.mark, &key, why);
                }
                return vec![JobSpec::new(name)];
            }
        }
        let Some(definition) = definition else {
            let message = format!("there is no job `{}`", entry.name);
            self.compiler.error(&entry.node.mark, message);
            return Vec::new();
        };
        let text = |key: &str| definition.get(key).and_then(Node::scalar);
        let working_dir = text("working_directory").unwrap_or(Cow::Borrowed(WORKING_DIRECTORY));
        let mut env = builtin(&self.options.pipeline, entry.name, entry.workflow);
        env.insert("CIRCLE_WORKING_DIRECTORY".into(), working_dir.to_string());
        env.insert("BASH_ENV".into(), BASH_ENV.into());
        if self.is_setup {
            let key = self.options.pipeline.id.clone();
            env.insert("CIRCLE_CONTINUATION_KEY".into(), key);
        }
        let docker = definition.get("docker").and_then(Node::as_seq);
        let container = docker.and_then(<[Node]>::first);
        env.extend(written(container.and_then(|it| it.get("environment"))));
        env.extend(written(definition.get("environment")));
        let mut lowering = Lowering {
            shell: words(&text("shell").unwrap_or(Cow::Borrowed(SHELL))),
            is_setup: self.is_setup,
            fidelity: &mut self.fidelity,
            problems: self.compiler.problems,
        };
        let steps = steps(definition, &mut lowering);
        if let Some(node) = definition.get("parallelism")
            && whole(node).is_none_or(|count| count < 1)
        {
            let written = node.scalar().unwrap_or_default();
            let message = format!("`parallelism` is a number from 1, not `{written}`");
            self.compiler.error(&node.mark, message);
        }
        compare(definition, &mut self.fidelity);
        let total = nodes(definition);
        for index in 0..total {
            let name = node_name(name, index, total);
            self.asked.insert(name.into(), asked(definition));
        }
        let node = |index: i64| {
            let job = JobSpec::new(node_name(name, index, total)).steps(Arc::clone(&steps));
            job.with(|options| {
                options.env.clone_from(&env);
                if total > 1 {
                    let place = [("INDEX", index), ("TOTAL", total)];
                    let named = place.map(|(it, n)| (format!("CIRCLE_NODE_{it}"), n.to_string()));
                    options.env.extend(named);
                }
                options.working_dir = Some(working_dir.to_string());
                containers(definition, options);
                options.requires.resource_class = text("resource_class").map(Cow::into_owned);
                if let Some(given) = entry.given {
                    options.contexts = texts(given.get("context"));
                    let group = given.get("serial-group").and_then(Node::scalar);
                    options
                        .groups
                        .extend(group.map(|group| GroupUse::mutex(&*group)));
                }
            })
        };
        (0..total).map(node).collect()
    }
}

/// The containers and machines that the job asks for.
fn containers(definition: &Node, options: &mut JobOptions) {
    let requires = &mut options.requires;
    let docker = definition
        .get("docker")
        .and_then(Node::as_seq)
        .unwrap_or_default();
    let image = |node: &Node| Some(node.get("image")?.scalar()?.into_owned());
    requires.image = docker.first().and_then(image);
    if let Some(user) = docker.first().and_then(|it| it.get("user")?.scalar()) {
        let user = serde_json::json!({ "user": user });
        options.extra.insert("docker".to_owned(), user);
    }
    for service in docker.iter().skip(1) {
        let name = service.get("name").and_then(Node::scalar);
        let name = name.unwrap_or(Cow::Borrowed("localhost"));
        let mut spec = ServiceSpec::new(image(service).unwrap_or_default(), name);
        spec.env = written(service.get("environment"));
        spec.entrypoint = texts(service.get("entrypoint"));
        spec.command = texts(service.get("command"));
        requires.services.push(spec);
    }
    for kind in ["machine", "macos"] {
        if definition.get(kind).is_some_and(|node| !node.is_null()) {
            requires.labels.push(kind.to_owned());
        }
    }
}

/// Where the job says what it runs in.
fn asked(definition: &Node) -> Asked {
    let docker = definition.get("docker").and_then(Node::as_seq);
    let mut marks = docker.into_iter().flatten().map(|node| node.mark.clone());
    let labels = definition.as_map().and_then(|map| {
        let entry = map.entry("machine").or_else(|| map.entry("macos"))?;
        Some(entry.key.clone())
    });
    Asked {
        image: marks.next(),
        services: marks.collect(),
        labels,
    }
}

/// Tells which keys of a job mean something else here.
fn compare(definition: &Node, fidelity: &mut Fidelity) {
    let Some(map) = definition.as_map() else {
        return;
    };
    compare_containers(definition, fidelity);
    for (key, entry) in map.entries() {
        match &**key {
            "circleci_ip_ranges" => {
                fidelity.ignored(&entry.key, key, "addresses are those of this machine");
            }
            "retention" => {
                fidelity.ignored(&entry.key, key, "caches are kept as the settings say");
            }
            "branches" => {
                fidelity.ignored(&entry.key, key, "filters of workflows replace it");
            }
            key if !KEYS.contains(&key) => {
                fidelity.ignored(&entry.key, key, unknown(key, KEYS));
            }
            _ => {}
        }
    }
}

/// Tells which keys of the containers mean something else here.
fn compare_containers(definition: &Node, fidelity: &mut Fidelity) {
    const KNOWN: &[&str] = &[
        "image",
        "name",
        "environment",
        "user",
        "command",
        "entrypoint",
    ];
    let docker = definition.get("docker").and_then(Node::as_seq);
    for (index, container) in docker.unwrap_or_default().iter().enumerate() {
        let entries = container.as_map().into_iter().flat_map(Map::entries);
        for (key, entry) in entries {
            let why = match &**key {
                "auth" | "aws_auth" => {
                    "registries know who the configuration of the docker client says".to_owned()
                }
                "command" | "entrypoint" if index == 0 => {
                    "the first container waits for the steps, as at the vendor".to_owned()
                }
                "user" if index > 0 => "services run as the user of their image".to_owned(),
                key if !KNOWN.contains(&key) => unknown(key, KNOWN),
                _ => continue,
            };
            fidelity.ignored(&entry.key, &format!("docker.{key}"), why);
        }
    }
}

/// What is said of a key that nobody knows.
pub(super) fn unknown(key: &str, known: &[&str]) -> String {
    let meant = did_you_mean(closest(key, known.iter().copied()));
    format!("no such key is known{meant}")
}

/// A text or a list of them.
pub(super) fn texts(node: Option<&Node>) -> Vec<String> {
    let nodes = match node {
        None => return Vec::new(),
        Some(node) => match node.as_seq() {
            Some(list) => list,
            None => std::slice::from_ref(node),
        },
    };
    let texts = nodes.iter().filter(|node| !node.is_null());
    texts
        .filter_map(|node| Some(node.scalar()?.into_owned()))
        .collect()
}

/// The words of a shell, and `-c` for the script.
pub(super) fn words(shell: &str) -> Vec<String> {
    let mut words: Vec<String> = shell.split_whitespace().map(str::to_owned).collect();
    words.push("-c".to_owned());
    words
}
