//! Deep merges, and `extends` (<https://docs.gitlab.com/ci/yaml/yaml_optimization/#use-extends-to-reuse-configuration-sections>).

use std::collections::HashMap;
use std::sync::Arc;

use super::notes::Notes;
use crate::similar::closest;
use crate::yaml::problem::Problem;
use crate::yaml::{Map, Node, Value};

/// How many jobs may extend each other in a chain.
const DEEPEST: usize = 11;

/// Merges `over` into `base`: maps within maps, anything else takes the place of what was there.
pub(super) fn merge(base: &mut Map, over: &Map) {
    for (key, entry) in over.entries() {
        let merged = match (base.get(key).map(|node| &node.value), &entry.node.value) {
            (Some(Value::Map(below)), Value::Map(above)) => {
                let mut below = Map::clone(below);
                merge(&mut below, above);
                Node::map(below, &entry.node.mark)
            }
            _ => entry.node.clone(),
        };
        base.insert_at(Arc::clone(key), &entry.key, merged);
    }
}

/// Whether a key at the top of a file is a job, a hidden one perhaps.
pub(super) fn is_job(key: &str) -> bool {
    !matches!(
        key,
        "default"
            | "include"
            | "stages"
            | "variables"
            | "workflow"
            | "spec"
            | "image"
            | "services"
            | "cache"
            | "before_script"
            | "after_script"
    )
}

/// Every job with what it extends merged into it.
pub(super) fn extend(root: &Map, notes: &mut Notes) -> Map {
    let mut extending = Extending {
        root,
        done: HashMap::new(),
        notes,
    };
    let mut out = Map::new();
    for (name, entry) in root.entries() {
        let node = if is_job(name) && entry.node.as_map().is_some() {
            let mut chain = Vec::new();
            match extending.job(name, &entry.node, &mut chain) {
                Some((map, _)) => Node::map(Map::clone(&map), &entry.node.mark),
                None => entry.node.clone(),
            }
        } else {
            entry.node.clone()
        };
        out.insert_at(Arc::clone(name), &entry.key, node);
    }
    out
}

struct Extending<'a, 's> {
    root: &'a Map,
    /// Jobs that are done, with the length of the chain below each; `None` for broken ones.
    done: HashMap<&'a str, Option<(Arc<Map>, usize)>>,
    notes: &'s mut Notes,
}

impl<'a> Extending<'a, '_> {
    /// A job with its bases merged; the recursion ends with the longest chain that is allowed.
    fn job(
        &mut self,
        name: &'a str,
        node: &'a Node,
        chain: &mut Vec<&'a str>,
    ) -> Option<(Arc<Map>, usize)> {
        if let Some(done) = self.done.get(name) {
            return done.clone();
        }
        let map = node.as_map()?;
        chain.push(name);
        let result = self.with_bases(name, map, chain);
        chain.pop();
        self.done.insert(name, result.clone());
        result
    }

    fn with_bases(
        &mut self,
        name: &'a str,
        map: &'a Map,
        chain: &mut Vec<&'a str>,
    ) -> Option<(Arc<Map>, usize)> {
        let Some(extends) = map.get("extends").filter(|node| !node.is_null()) else {
            return Some((Arc::new(map.clone()), 0));
        };
        let bases: Vec<&'a Node> = match &extends.value {
            Value::Seq(nodes) => nodes.iter().collect(),
            _ => vec![extends],
        };
        let mut out = Map::new();
        let mut depth = 0;
        for base in bases {
            let Some(base_name) = base.as_str() else {
                let message = "`extends` should be an array of strings or a string";
                self.notes
                    .problems
                    .push(Problem::error(&base.mark, message).at(name));
                continue;
            };
            let Some((key, entry)) = self.root.entries().find(|(key, _)| ***key == *base_name)
            else {
                self.unknown(name, base, base_name);
                continue;
            };
            if let Some(at) = chain.iter().position(|link| *link == base_name) {
                let mut path: Vec<&str> = chain.get(at..).unwrap_or_default().to_vec();
                path.push(base_name);
                let message = format!(
                    "circular dependency detected in `extends`: {}",
                    path.join(" -> ")
                );
                self.notes
                    .problems
                    .push(Problem::error(&base.mark, message).at(name));
                return None;
            }
            if chain.len() >= DEEPEST {
                self.too_deep(name, base);
                return None;
            }
            let (below, levels) = self.job(key, &entry.node, chain)?;
            depth = depth.max(levels + 1);
            merge(&mut out, &below);
        }
        if depth >= DEEPEST {
            self.too_deep(name, extends);
            return None;
        }
        let mut own = map.clone();
        own.remove("extends");
        merge(&mut out, &own);
        let gone: Vec<Arc<str>> = own
            .iter()
            .filter(|(_, node)| node.is_null())
            .map(|(key, _)| Arc::clone(key))
            .collect();
        for key in gone {
            out.remove(&key);
        }
        Some((Arc::new(out), depth))
    }

    fn too_deep(&mut self, name: &str, at: &Node) {
        let message = format!("nesting too deep in `extends`: more than {DEEPEST} levels");
        self.notes
            .problems
            .push(Problem::error(&at.mark, message).at(name));
    }

    fn unknown(&mut self, name: &str, base: &Node, base_name: &str) {
        if self.notes.stubbed {
            let why = format!("`{base_name}` is unknown: an include that was left out may have it");
            self.notes.missing(&base.mark, "extends", why);
            return;
        }
        let problem = Problem::error(
            &base.mark,
            format!("unknown keys in `extends` ({base_name})"),
        );
        let meant = closest(base_name, self.root.keys().filter(|key| is_job(key)));
        self.notes
            .problems
            .push(problem.at(name).did_you_mean(meant));
    }
}
