//! `image` and `services` of a job.

use std::collections::BTreeMap;

use super::pipeline::Entry;
use super::variables::{Env, Variables, replace};
use crate::job::{JobOptions, ServiceSpec};
use crate::yaml::Node;

/// Puts the containers of a job into its requirements. `env` holds its variables, all filled in.
pub(super) fn fill(entry: &Entry<'_>, env: &Env, options: &mut JobOptions) {
    if let Some(image) = entry.job.map.get("image") {
        let name = text(image.get("name").unwrap_or(image), env);
        options.requires.image = (!name.is_empty()).then_some(name);
        let platform = image
            .get("docker")
            .and_then(|docker| docker.get("platform"));
        options.requires.platform = platform.map(|node| text(node, env));
        let user = image.get("docker").and_then(|docker| docker.get("user"));
        if let Some(user) = user {
            let user = serde_json::json!({ "user": text(user, env) });
            options.extra.insert("docker".to_owned(), user);
        }
    }
    let services = entry
        .job
        .map
        .get("services")
        .and_then(Node::as_seq)
        .unwrap_or_default();
    options.requires.services = services
        .iter()
        .filter_map(|node| service(node, entry, env))
        .collect();
}

fn service(node: &Node, entry: &Entry<'_>, env: &Env) -> Option<ServiceSpec> {
    let image = text(node.get("name").unwrap_or(node), env);
    if image.is_empty() {
        return None;
    }
    let aliases = match node.get("alias") {
        Some(alias) => {
            let names = text(alias, env);
            let words = names.split([',', ' ']).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        }
        None => host_names(&image),
    };
    let mut variables = Variables::default();
    variables.extend(&entry.job.inherited);
    variables.extend(&entry.job.own);
    let mut own: BTreeMap<String, String> = variables
        .names()
        .filter_map(|name| Some((name.to_owned(), env.get(name)?.to_owned())))
        .collect();
    if let Some(map) = node.get("variables").and_then(Node::as_map) {
        own.extend(
            map.iter()
                .map(|(name, node)| (name.to_string(), text(node, env))),
        );
    }
    let mut spec = ServiceSpec::new(image, "");
    spec.aliases = aliases;
    spec.env = own;
    spec.entrypoint = words(node.get("entrypoint"), env);
    spec.command = words(node.get("command"), env);
    Some(spec)
}

fn words(node: Option<&Node>, env: &Env) -> Vec<String> {
    let nodes = node.map(|node| node.as_seq().unwrap_or(std::slice::from_ref(node)));
    nodes
        .unwrap_or_default()
        .iter()
        .map(|node| text(node, env))
        .collect()
}

/// A text with its variables filled in once; unknown ones are empty, as a runner makes them.
pub(super) fn text(node: &Node, env: &Env) -> String {
    let text = node.scalar().unwrap_or_default();
    replace(&text, |name| Some(env.get(name).unwrap_or_default()))
}

/// The names of a service that gives itself none: its image without tag, with `/` as `__` and as `-`.
fn host_names(image: &str) -> Vec<String> {
    let plain = image.split('@').next().unwrap_or(image);
    let plain = match plain.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => plain,
    };
    // A registry's port has no place in a host name.
    let plain = match plain.split_once('/') {
        Some((host, path)) if host.contains(':') => {
            format!("{}/{path}", host.split(':').next().unwrap_or(host))
        }
        _ => plain.to_owned(),
    };
    let mut names = vec![plain.replace('/', "__"), plain.replace('/', "-")];
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_reached_under_their_images_names() {
        assert_eq!(host_names("mysql:8"), ["mysql"]);
        let names = host_names("registry.x:5000/team/db@sha256:ab");
        assert_eq!(names, ["registry.x__team__db", "registry.x-team-db"]);
    }
}
